//! What the gRPC codec says of messages that are not what they should be, and what it takes.

use legation_model::{A2aError, ErrorKind, Request};
use legation_wire::answer::Answer;
use legation_wire::grpc::{Numbers, Package, read, write, write_request};
use legation_wire::json::JsonBounds;
use legation_wire::operation::Operation;
use legation_wire::v1;

use Operation::{GetTask, ListTasks, SendMessage};
use Package::{V0_3, V1_0};

/// A field that has a length.
pub(crate) fn field(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut length = payload.len();
    let mut encoded = vec![number << 3 | 2];
    while length >= 0x80 {
        encoded.push(length as u8 | 0x80);
        length >>= 7;
    }
    encoded.push(length as u8);
    [&encoded, payload].concat()
}

fn varint(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

/// A `Value` with a number.
fn double(value: f64) -> Vec<u8> {
    [&[0x11], &value.to_le_bytes()[..]].concat()
}

/// A `Struct` with one member.
fn object(key: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, key.as_bytes()), field(2, value)].concat())
}

/// A `Value` with a list of one element.
fn list(value: &[u8]) -> Vec<u8> {
    field(6, &field(1, value))
}

/// A send of 1.0 with this part.
pub(crate) fn send(part: &[u8]) -> Vec<u8> {
    field(2, &[field(1, b"m"), varint(4, 1), field(5, part)].concat())
}

fn params(json: &str) -> Vec<u8> {
    write_request(V1_0, SendMessage, json, Numbers::Refuse).expect("parameters")
}

fn got(package: Package, operation: Operation, message: &[u8]) -> Result<Request, A2aError> {
    read(package, operation, message, JsonBounds::default())
}

fn deep(levels: usize) -> Vec<u8> {
    (1..levels).fold(field(6, b""), |value, _| list(&value))
}

#[test]
fn faults_name_the_field_by_its_place_in_the_schema() {
    use Operation as O;
    let text = field(1, b"x");
    let cases = [
        (V1_0, SendMessage, b"".to_vec()),
        (V1_0, SendMessage, field(2, b"")),
        (V1_0, SendMessage, field(2, &[field(1, b"m"), field(5, &text)].concat())),
        (V1_0, SendMessage, field(2, &[field(1, b"m"), varint(4, 1)].concat())),
        (V1_0, SendMessage, field(2, &[field(1, b"m"), varint(4, 9), field(5, &text)].concat())),
        (V1_0, SendMessage, send(b"")),
        (V1_0, SendMessage, varint(2, 1)),
        (V1_0, SendMessage, send(&varint(1, 1))),
        (V1_0, SendMessage, send(&field(1, b"\xff"))),
        (V1_0, SendMessage, send(&field(4, &double(f64::NAN)))),
        (V1_0, SendMessage, send(&field(4, &list(&double(f64::INFINITY))))),
        (V1_0, SendMessage, send(&field(5, &object("k", &double(f64::NEG_INFINITY))))),
        (V1_0, SendMessage, send(&field(4, &deep(101)))),
        (
            V1_0,
            SendMessage,
            params(
                r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x"}]},"configuration":{"historyLength":-1}}"#,
            ),
        ),
        (
            V1_0,
            SendMessage,
            params(
                r#"{"message":{"messageId":"m","contextId":"a\nb","role":"ROLE_USER","parts":[{"text":"x"}]}}"#,
            ),
        ),
        (V1_0, GetTask, b"".to_vec()),
        (
            V1_0,
            ListTasks,
            field(
                7,
                &varint(2, 0x7f)
                    .into_iter()
                    .chain(*b"\x10\xff\xff\xff\xff\x07")
                    .collect::<Vec<_>>(),
            ),
        ),
        (V0_3, SendMessage, b"".to_vec()),
        (V0_3, SendMessage, field(1, &[field(1, b"m"), varint(4, 1)].concat())),
        (
            V0_3,
            SendMessage,
            field(1, &[field(1, b"m"), varint(4, 1), field(5, &field(2, b""))].concat()),
        ),
        (V0_3, GetTask, b"".to_vec()),
        (V0_3, GetTask, field(1, b"t")),
        (V0_3, O::CancelTask, field(1, b"tasks/")),
        (V0_3, O::DeleteTaskPushNotificationConfig, field(1, b"tasks/t")),
        (V0_3, O::ListTaskPushNotificationConfigs, b"".to_vec()),
        (V0_3, O::CreateTaskPushNotificationConfig, field(1, b"tasks/t")),
        (V0_3, O::CreateTaskPushNotificationConfig, field(3, &field(2, &field(2, b"u")))),
    ];
    let lines = cases.map(|(package, operation, message)| {
        let error = got(package, operation, &message).expect_err("a fault");
        assert_eq!(error.kind, ErrorKind::InvalidParams, "{error}");
        let [violation] = &error.violations[..] else { panic!("{error:?}") };
        assert_eq!(error.message, format!("{}: {}", violation.field, violation.description));
        error.message
    });
    insta::assert_snapshot!(lines.join("\n"), @"
    message: is missing
    message.message_id: is missing
    message.role: is missing
    message.parts: is missing
    message.role: invalid value: integer `9`, expected one of ROLE_UNSPECIFIED ROLE_USER ROLE_AGENT
    message.parts[0]: a part needs exactly one of `text`, `raw`, `url`, `data`
    message: must be a `lf.a2a.v1.Message`
    message.parts[0].text: must be a string
    message.parts[0].text: is not UTF-8
    message.parts[0].data: must be a number that JSON has
    message.parts[0].data[0]: must be a number that JSON has
    message.parts[0].metadata.k: must be a number that JSON has
    message.parts[0].data: nested deeper than 100 levels
    configuration.history_length: must be 0 or more, not -1
    message.context_id: must not hold control characters
    id: is missing
    status_timestamp_after: is no point in time
    request: is missing
    request.content: is missing
    request.content[0].file: needs exactly one of `bytes`, `uri`
    name: is missing
    name: must begin with `tasks/`
    name: must not be empty
    name: is missing
    parent: is missing
    config.push_notification_config: is missing
    parent: is missing
    ");
}

#[test]
fn bytes_that_are_no_such_message_are_refused() {
    let good = send(&field(1, b"x"));
    let cases = [
        good[..good.len() - 1].to_vec(),
        send(b"\x0a\x05x"),
        send(b"\x0f"),
        b"\x00\x00".to_vec(),
        // One message in two pieces, and a field that begins in one and ends in the other.
        [field(2, b"\x0a\x01"), field(2, b"m")].concat(),
        send(&field(4, &deep(10_000))),
        send(&field(
            5,
            &(0..200).fold(object("k", b""), |inner, _| object(&"k".repeat(99), &field(5, &inner))),
        )),
    ];
    let lines = cases.map(|message| {
        let error = got(V1_0, SendMessage, &message).expect_err("a fault");
        assert_eq!(error.kind, ErrorKind::Parse);
        let end: String = error.message.chars().skip(300).collect();
        [error.message.chars().take(60).collect(), end].join("~")
    });
    insta::assert_snapshot!(lines.join("\n"), @"
    the message ends in the middle~
    message.parts[0]: the message ends in the middle~
    message.parts[0]: there is no such wire type~
    there is no such field number~
    message: the message ends in the middle~
    message.parts[0].data[0][0][0][0][0][0][0][0][0][0][0][0][0]~: nested deeper than 128 levels
    message.parts[0].metadata.kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk~: nested deeper than 128 levels
    ");
    let tight = JsonBounds { depth: 5, items: 99, ..JsonBounds::default() };
    assert!(read(V1_0, SendMessage, &send(&field(4, &deep(1))), tight).is_ok());
    assert!(read(V1_0, SendMessage, &send(&field(4, &deep(2))), tight).is_err());
    let tight = JsonBounds { depth: 99, items: 4, ..tight };
    assert!(read(V1_0, SendMessage, &good, tight).is_err());
    assert!(read(V1_0, SendMessage, &good, JsonBounds { items: 5, ..tight }).is_ok());
}

#[test]
fn there_is_no_list_of_tasks_in_0_3() {
    let error = got(V0_3, ListTasks, b"").expect_err("no such method");
    assert_eq!(error.kind, ErrorKind::MethodNotFound);
}

#[test]
fn what_is_said_twice_or_not_known_is_taken_as_protobuf_has_it() {
    let text = field(1, b"x");
    let expected = got(V1_0, SendMessage, &send(&text)).expect("a good request");
    let unknown =
        [varint(15, 1), field(14, b"?"), b"\x7d\0\0\0\0\x7b\x0a\x01x\x7c".to_vec()].concat();
    let (head, parts) = ([field(1, b"m"), varint(4, 1)].concat(), field(5, &text));
    let cases = [
        // Fields that nobody knows, a group among them.
        [&unknown, &send(&[&unknown, &*text].concat())[..], &unknown].concat(),
        // The last one counts.
        field(2, &[field(1, b"n"), varint(4, 2), head.clone(), parts.clone()].concat()),
        // Out of order, and a list that is interrupted.
        field(2, &[parts.clone(), head.clone()].concat()),
        // One message in two pieces.
        [field(2, &head), field(2, &parts)].concat(),
        // Of a oneof the last one counts.
        send(&[field(3, b"u"), field(1, b"y"), field(4, &double(1.0)), text.clone()].concat()),
    ];
    for message in cases {
        assert_eq!(got(V1_0, SendMessage, &message).as_ref(), Ok(&expected), "{message:02x?}");
    }
    // What a oneof said before another member is gone, also where it would join what comes later.
    let objects = [
        field(4, &field(5, &object("a", &double(1.0)))),
        field(1, b"x"),
        field(4, &field(5, &object("b", &double(2.0)))),
    ];
    let request = got(V1_0, SendMessage, &send(&objects.concat())).expect("a good request");
    assert!(format!("{request:?}").contains(r#"Data({"b":2})"#), "{request:?}");
    // Of two members of an object with one name the last one counts.
    let twice =
        [object("k", &double(1.0)), object("j", &double(2.0)), object("k", &double(3.0))].concat();
    let request =
        got(V1_0, SendMessage, &send(&field(4, &field(5, &twice)))).expect("a good request");
    assert!(format!("{request:?}").contains(r#"Data({"k":3,"j":2})"#), "{request:?}");
}

#[test]
fn numbers_are_never_rounded_in_silence() {
    let kept = [
        ("5", "5"),
        ("5.0", "5"),
        ("-0", "-0.0"),
        ("-0.0", "-0.0"),
        ("0", "0"),
        ("1.50", "1.5"),
        ("1e2", "100"),
        ("0.1", "0.1"),
        ("1e300", "1e+300"),
        ("5e-324", "5e-324"),
        ("-7", "-7"),
        ("9007199254740992", "9007199254740992"),
        ("-9007199254740992", "-9007199254740992"),
        ("9007199254740992.0", "9007199254740992"),
        ("9007199254740994.0", "9007199254740994.0"),
        ("-90071992547409940.00E-1", "-9007199254740994.0"),
        ("1267650600228229401496703205376.0", "1.2676506002282294e+30"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("0.10000000000000000001", "0.1"),
    ];
    for (sent, back) in kept {
        let params = format!(
            r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{{"data":{{"k":[{sent}]}}}}]}}}}"#
        );
        let message = params_of(&params, Numbers::Refuse).expect("a number that fits");
        let expected = v1::read_params(
            SendMessage,
            Some(&params.replace(&format!("[{sent}]"), &format!("[{back}]"))),
        );
        assert_eq!(got(V1_0, SendMessage, &message), expected, "{sent}");
    }
    for beyond in [
        "9007199254740993",
        "-9007199254740993",
        "123456789012345678901234567890",
        "9007199254740993.0",
        "-9007199254740993.0",
        "90071992547409930e-1",
        "9.007199254740993E15",
        "9007199254740992.5",
        "123456789012345678901234567890.0",
        "1e400",
        "-1e309",
    ] {
        let params = format!(
            r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{{"data":{{"k":[{beyond}]}}}}]}}}}"#
        );
        let error = params_of(&params, Numbers::Refuse).expect_err("a number that does not fit");
        assert_eq!(error.violations[0].field, "message.parts[0].data.k[0]");
        let message = params_of(&params, Numbers::Text).expect("as a text");
        let expected =
            v1::read_params(SendMessage, Some(&params.replace(beyond, &format!("\"{beyond}\""))));
        assert_eq!(got(V1_0, SendMessage, &message), expected, "{beyond}");

        let task = format!(
            r#"{{"id":"t","status":{{"state":"TASK_STATE_WORKING"}},"artifacts":[{{"artifactId":"a","parts":[{{"data":{{"k":{beyond}}}}}]}}]}}"#
        );
        for package in Package::ALL {
            let error = write(package, Answer::SentTask, task.as_bytes(), Numbers::Refuse);
            let error = error.expect_err("a number that does not fit");
            assert_eq!(error.kind, ErrorKind::UnsupportedOperation);
            let place = if package == V1_0 {
                "task.artifacts[0].parts[0].data.k"
            } else {
                "task.artifacts[0].parts[0].data.data.k"
            };
            assert_eq!(
                error.message,
                format!(
                    "{place}: {beyond} is a number that protobuf cannot carry exactly; JSON-RPC and HTTP+JSON can carry it"
                )
            );
            assert!(write(package, Answer::SentTask, task.as_bytes(), Numbers::Text).is_ok());
        }
    }
}

fn params_of(json: &str, numbers: Numbers) -> Result<Vec<u8>, A2aError> {
    write_request(V1_0, SendMessage, json, numbers)
}

#[test]
fn a_document_that_is_damaged_is_our_fault() {
    let task = r#"{"id":"t","status":{"state":"TASK_STATE_WORKING"}}"#;
    for damaged in [
        "",
        "{",
        "null",
        "[]",
        r#"{"id":5}"#,
        r#"{"id":"\q"}"#,
        r#"{"id":"t"}}"#,
        r#"{"id" "t"}"#,
        r#"{"id":"t","status":{"state":"BORED"}}"#,
        &task[1..],
    ] {
        for package in Package::ALL {
            for answer in [Answer::Task, Answer::SentTask] {
                let written = write(package, answer, damaged.as_bytes(), Numbers::Refuse);
                assert_eq!(written.expect_err(damaged).kind, ErrorKind::Internal, "{damaged}");
            }
        }
    }
    assert!(write(V1_0, Answer::Task, b"{\"id\":\"\xff\"}", Numbers::Refuse).is_err());
}
