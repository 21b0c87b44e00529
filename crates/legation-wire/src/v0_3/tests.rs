use std::borrow::Cow;

use legation_model::ErrorKind;

use super::*;
use Operation as O;

/// The parameters of a path.
type Path = &'static [(&'static str, &'static str)];

const SEND: &str = r#"{"message":{"kind":"message","messageId":"m","role":"user","parts":[{"kind":"text","text":"x"}]}}"#;
const PROTO: &str = r#"{"message":{"messageId":"m","role":"ROLE_USER","content":[{"text":"x"}]}}"#;
const V0_1: &str = r#"{"message":{"role":"user","parts":[{"type":"text","text":"x"}]}}"#;

fn outcome(asked: Result<Asked, A2aError>) -> String {
    match asked {
        Ok(Asked { request, form }) => format!("{form:?} {request:?}"),
        Err(error) => {
            let known = [ErrorKind::InvalidParams, ErrorKind::Parse];
            assert!(known.contains(&error.kind), "{error:?}");
            error.message
        }
    }
}

fn params(operation: Operation, form: Form, params: &str) -> String {
    outcome(read_params(operation, form, Some(params)))
}

fn rest(
    operation: Operation,
    form: Form,
    path: &[(&'static str, &str)],
    query: &str,
    body: &str,
) -> String {
    let path = path.iter().map(|(name, value)| (*name, Cow::Borrowed(*value)));
    let route = Route { operation, tenant: None, parameters: path.collect() };
    outcome(read_rest(&route, form, Some(query), Some(body)))
}

/// The message of a send, which must be readable.
fn message(form: Form, text: &str) -> legation_model::Message {
    match read_params(O::SendMessage, form, Some(text)).map(|asked| asked.request) {
        Ok(Request::SendMessage(request)) => request.message,
        other => panic!("{text}: {other:?}"),
    }
}

fn part(part: &str) -> String {
    SEND.replace(r#"{"kind":"text","text":"x"}"#, part)
}

#[test]
fn parts_are_read_in_every_shape() {
    let cases = [
        // By kind, by 0.1's type, by what is there (seed 004), in protobuf JSON.
        (part(r#"{"kind":"text","text":"x"}"#), r#"{"text":"x"}"#),
        (part(r#"{"type":"text","text":"x"}"#), r#"{"text":"x"}"#),
        (part(r#"{"text":""}"#), r#"{"text":""}"#),
        (part(r#"{"text":"x","file":null,"data":null}"#), r#"{"text":"x"}"#),
        (part(r#"{"kind":"text","text":"x","data":{}}"#), r#"{"text":"x"}"#),
        (part(r#"{"text":"x","metadata":{"k":1}}"#), r#"{"text":"x","metadata":{"k":1}}"#),
        (
            part(r#"{"kind":"file","file":{"bytes":"-_8","mimeType":"a/b","name":"f"}}"#),
            r#"{"raw":"+/8=","filename":"f","mediaType":"a/b"}"#,
        ),
        (
            part(r#"{"file":{"file_with_bytes":"","mime_type":"a/b","file_with_uri":""}}"#),
            r#"{"raw":"","mediaType":"a/b"}"#,
        ),
        (part(r#"{"kind":"file","file":{"uri":"u","name":""}}"#), r#"{"url":"u"}"#),
        (part(r#"{"type":"file","file":{"fileWithUri":"u"}}"#), r#"{"url":"u"}"#),
        (part(r#"{"kind":"data","data":{"data":{"n":5}}}"#), r#"{"data":{"data":{"n":5}}}"#),
        (part(r#"{"data":{"data":{"n":5}}}"#), r#"{"data":{"data":{"n":5}}}"#),
        (part(r#"{"kind":"data","data":[1,2]}"#), r#"{"data":[1,2]}"#),
        (
            part(r#"{"kind":"data","data":{"value":7},"metadata":{"data_part_compat":true}}"#),
            r#"{"data":7}"#,
        ),
        (
            part(r#"{"data":{"value":null},"metadata":{"data_part_compat":true,"k":1}}"#),
            r#"{"data":null,"metadata":{"k":1}}"#,
        ),
        (
            part(r#"{"data":{"value":7},"metadata":{"data_part_compat":false}}"#),
            r#"{"data":{"value":7},"metadata":{"data_part_compat":false}}"#,
        ),
        (
            part(
                r#"{"text":"x","metadata":{"urn:legation:a2a:mediaType":"a/b","k":1,"urn:legation:a2a:filename":7}}"#,
            ),
            r#"{"text":"x","metadata":{"k":1,"urn:legation:a2a:filename":7},"mediaType":"a/b"}"#,
        ),
        (PROTO.replace(r#"{"text":"x"}"#, r#"{"data":{"data":{"n":5}}}"#), r#"{"data":{"n":5}}"#),
        (PROTO.replace(r#"{"text":"x"}"#, r#"{"data":{"n":5}}"#), r#"{"data":{"n":5}}"#),
        (PROTO.replace(r#"{"text":"x"}"#, r#"{"data":{}}"#), r#"{"data":{}}"#),
        (
            PROTO.replace(r#"{"text":"x"}"#, r#"{"kind":"data","data":{"data":{"n":5}}}"#),
            r#"{"data":{"data":{"n":5}}}"#,
        ),
        (
            PROTO.replace(
                r#"{"text":"x"}"#,
                r#"{"data":{"data":{"value":[1]}},"metadata":{"data_part_compat":true}}"#,
            ),
            r#"{"data":[1]}"#,
        ),
    ];
    for (text, expected) in cases {
        let parts = message(Form::Json, &text).parts;
        let got = serde_json::to_string(&parts[0]).expect("a part is JSON");
        assert_eq!(got, expected, "{text}");
    }
}

#[test]
fn messages_are_read_in_every_shape() {
    let cases = [
        (SEND.to_owned(), r#""messageId":"m","role":"ROLE_USER""#),
        (SEND.replace("user", "agent"), r#""role":"ROLE_AGENT""#),
        (SEND.replace(r#""user""#, r#""ROLE_AGENT""#), r#""role":"ROLE_AGENT""#),
        (SEND.replace(r#""user""#, "1"), r#""role":"ROLE_USER""#),
        (PROTO.to_owned(), r#""messageId":"m","role":"ROLE_USER","parts":[{"text":"x"}]"#),
        (PROTO.replace(r#""message":"#, r#""request":"#), r#""messageId":"m""#),
        (
            SEND.replace(r#""messageId":"m","#, r#""message_id":"m","task_id":"t","context_id":"c","reference_task_ids":["r"],"#),
            r#"{"messageId":"m","contextId":"c","taskId":"t","role":"ROLE_USER","parts":[{"text":"x"}],"referenceTaskIds":["r"]}"#,
        ),
        (
            SEND.replace(r#""kind":"message""#, r#""kind":null,"taskId":null,"contextId":"","metadata":null,"extensions":null,"_new":{}"#),
            r#"{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x"}]}"#,
        ),
        (
            SEND.replace(r#""kind":"message""#, r#""metadata":{"a":[1]},"extensions":["urn:x"]"#),
            r#""metadata":{"a":[1]},"extensions":["urn:x"]"#,
        ),
    ];
    for (text, expected) in cases {
        let got = serde_json::to_string(&message(Form::Json, &text)).expect("a message is JSON");
        assert!(got.contains(expected), "{text}\n{got}");
    }
}

#[test]
fn faults_name_the_member() {
    let deep = format!(r#"{{"data":{}{}}}"#, "[".repeat(120), "]".repeat(120));
    let many = vec![r#"{"text":""}"#; 10_001].join(",");
    let with = |member: &str| SEND.replace(r#"{"message""#, &format!(r#"{{{member},"message""#));
    let cases = [
        ("{}".to_owned(), "message: is missing"),
        ("null".into(), "message: is missing"),
        ("[]".into(), "invalid type: sequence, expected a JSON object"),
        ("{".into(), "not JSON: EOF while parsing an object at line 1 column 1"),
        (r#"{"message":null}"#.into(), "message: invalid type: null, expected an object"),
        (
            r#"{"message":["message"]}"#.into(),
            "message: invalid type: sequence, expected an object",
        ),
        (
            SEND.replace(r#""message","m"#, r#""task","m"#),
            "message.kind: unknown variant `task`, expected `message`",
        ),
        (SEND.replace(r#""messageId":"m","#, ""), "message.messageId: is missing"),
        (PROTO.replace(r#""messageId":"m","#, ""), "message.messageId: is missing"),
        (SEND.replace(r#""m""#, r#""""#), "message.messageId: is missing"),
        (
            SEND.replace(r#""m""#, "7"),
            "message.messageId: invalid type: integer `7`, expected a string",
        ),
        (
            SEND.replace(r#""m""#, r#""a\u0000""#),
            "message.messageId: must not hold control characters",
        ),
        (
            SEND.replace(r#""messageId""#, r#""message_id":"n","messageId""#),
            "message.messageId: is there twice",
        ),
        (SEND.replace(r#""role":"user","#, ""), "message.role: is missing"),
        (
            SEND.replace("user", "king"),
            "message.role: invalid value: string \"king\", expected user or agent",
        ),
        (
            SEND.replace(r#""user""#, "null"),
            "message.role: invalid type: null, expected user or agent",
        ),
        (SEND.replace(r#""parts""#, r#""bits""#), "message.parts: is missing"),
        (
            SEND.replace(r#""parts""#, r#""content":[],"parts""#),
            "message.content: is there beside `parts`",
        ),
        (part(""), "message.parts: must hold at least one part"),
        (PROTO.replace(r#"{"text":"x"}"#, ""), "message.content: must hold at least one part"),
        (
            part(&many),
            "message.parts: invalid length 10001, expected a list of at most 10000 elements",
        ),
        (part(r#"["text"]"#), "message.parts[0]: invalid type: sequence, expected an object"),
        (
            part(r#"{"kind":"video","text":"x"}"#),
            "message.parts[0].kind: unknown variant `video`, expected one of `text`, `file`, `data`",
        ),
        (
            part(r#"{"text":"y"},{"type":"unsupported_type","text":"x"}"#),
            "message.parts[1].type: unknown variant `unsupported_type`, expected one of `text`, `file`, `data`",
        ),
        (part(r#"{"kind":"text"}"#), "message.parts[0].text: is missing"),
        (part(r#"{"kind":"file","text":"x"}"#), "message.parts[0].file: is missing"),
        (part(r#"{"type":"data","data":null}"#), "message.parts[0].data: is missing"),
        (
            part("{}"),
            "message.parts[0]: a part without `kind` needs exactly one of `text`, `file`, `data`",
        ),
        (
            part(r#"{"text":"x","data":{}}"#),
            "message.parts[0]: a part without `kind` needs exactly one of `text`, `file`, `data`",
        ),
        (
            part(r#"{"text":7}"#),
            "message.parts[0].text: invalid type: integer `7`, expected a string",
        ),
        (
            part(r#"{"file":{"bytes":"x","uri":"y"}}"#),
            "message.parts[0].file: needs exactly one of `bytes`, `uri`",
        ),
        (part(r#"{"file":{}}"#), "message.parts[0].file: needs exactly one of `bytes`, `uri`"),
        (
            part(r#"{"file":[]}"#),
            "message.parts[0].file: invalid type: sequence, expected an object",
        ),
        (part(r#"{"file":{"bytes":"!"}}"#), "message.parts[0].file.bytes: is not base64"),
        (part(&deep), "message.parts[0].data: nested deeper than 100 levels"),
        (
            part(r#"{"text":"x","metadata":[]}"#),
            "message.parts[0].metadata: expected a JSON object",
        ),
        (part(r#"{"text":"\ud800"}"#), "message.parts[0].text: unexpected end of hex escape"),
        (with(r#""metadata":5"#), "metadata: expected a JSON object"),
        (
            with(r#""configuration":{"historyLength":-1}"#),
            "configuration.historyLength: must be 0 or more, not -1",
        ),
        (
            with(r#""configuration":{"history_length":1.5}"#),
            "configuration.history_length: invalid value: floating point `1.5`, expected a whole number from -2147483648 to 2147483647",
        ),
        (
            with(r#""configuration":{"blocking":"yes"}"#),
            "configuration.blocking: invalid type: string \"yes\", expected a boolean",
        ),
        (
            with(r#""configuration":{"pushNotificationConfig":{}}"#),
            "configuration.pushNotificationConfig.url: is missing",
        ),
        (
            with(
                r#""configuration":{"pushNotification":{"url":"u","authentication":{"credentials":"c"}}}"#,
            ),
            "configuration.pushNotification.authentication.schemes: is missing",
        ),
    ];
    for (text, expected) in cases {
        let got = params(O::SendMessage, Form::Json, &text);
        assert_eq!(got, expected, "{text:.300}");
    }
    let negative = V0_1.replace(r#"{"message""#, r#"{"historyLength":"-1","message""#);
    let got = params(O::SendMessage, Form::Json0_1, &negative);
    assert_eq!(got, "historyLength: must be 0 or more, not -1");
}

/// What a send is told of how to answer.
fn wanted(form: Form, text: &str) -> (Option<i32>, bool) {
    match read_params(O::SendStreamingMessage, form, Some(text)).map(|asked| asked.request) {
        Ok(Request::SendStreamingMessage(request)) => {
            (request.configuration.history_length, request.configuration.return_immediately)
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn what_is_absent_means_what_the_version_says() {
    let with = |text: &str, member: &str| {
        text.replace(r#"{"message""#, &format!(r#"{{{member},"message""#))
    };
    let cases = [
        (Form::Json, SEND.to_owned(), (None, false)),
        (Form::Json, with(SEND, r#""configuration":{"blocking":null}"#), (None, false)),
        (Form::Json, with(SEND, r#""configuration":{"blocking":true}"#), (None, false)),
        (Form::Json, with(SEND, r#""configuration":{"blocking":false}"#), (None, true)),
        (Form::Json, with(SEND, r#""configuration":{"historyLength":0}"#), (None, false)),
        (
            Form::JsonAnd0_1,
            with(SEND, r#""configuration":{"historyLength":"5"}"#),
            (Some(5), false),
        ),
        (Form::Proto, PROTO.to_owned(), (None, true)),
        (Form::Proto, with(PROTO, r#""configuration":{"blocking":true}"#), (None, false)),
        (Form::Proto, with(PROTO, r#""configuration":{"history_length":0}"#), (None, true)),
        (Form::Proto, with(PROTO, r#""configuration":{"historyLength":2.0}"#), (Some(2), true)),
        (Form::Json0_1, V0_1.to_owned(), (None, false)),
        (Form::Json0_1, with(V0_1, r#""historyLength":0"#), (Some(0), false)),
        (Form::Json0_1, with(V0_1, r#""historyLength":3"#), (Some(3), false)),
    ];
    for (form, text, expected) in cases {
        assert_eq!(wanted(form, &text), expected, "{form:?} {text}");
    }
}

#[test]
fn a_request_of_0_1_names_its_task_and_its_session() {
    let named = V0_1.replace(
        r#"{"message""#,
        r#"{"id":"t","sessionId":"c","pushNotification":{"url":"u"},"message""#,
    );
    let named_message = message(Form::Json0_1, &named);
    assert_eq!(named_message.task_id.expect("named").as_str(), "t");
    assert_eq!(named_message.context_id.expect("named").as_str(), "c");
    let first = message(Form::Json0_1, V0_1);
    assert_eq!((&first.task_id, &first.context_id), (&None, &None));
    assert_ne!(first.message_id, message(Form::Json0_1, V0_1).message_id);
    let snake = V0_1.replace(r#"{"message""#, r#"{"id":"","session_id":"c","message""#);
    assert_eq!(message(Form::Json0_1, &snake).context_id.expect("named").as_str(), "c");
}

#[test]
fn tasks_and_webhooks_are_named_in_many_ways() {
    use Form::{Json, Json0_1, Proto};
    let cases = [
        (O::GetTask, Json, r#"{"id":"t","historyLength":0,"metadata":{}}"#),
        (O::GetTask, Json0_1, r#"{"id":"t","historyLength":0}"#),
        (O::GetTask, Proto, r#"{"name":"tasks/t","history_length":"2"}"#),
        (O::CancelTask, Json, r#"{"id":"t","metadata":{"k":1}}"#),
        (O::SubscribeToTask, Proto, r#"{"name":"tasks/t"}"#),
        (O::GetTaskPushNotificationConfig, Json, r#"{"id":"t"}"#),
        (O::GetTaskPushNotificationConfig, Json, r#"{"id":"t","push_notification_config_id":"c"}"#),
        (
            O::GetTaskPushNotificationConfig,
            Proto,
            r#"{"name":"tasks/t/pushNotificationConfigs/c"}"#,
        ),
        (O::ListTaskPushNotificationConfigs, Json, r#"{"id":"t"}"#),
        (O::ListTaskPushNotificationConfigs, Proto, r#"{"parent":"tasks/t","pageSize":0}"#),
        (O::DeleteTaskPushNotificationConfig, Json, r#"{"id":"t","pushNotificationConfigId":"c"}"#),
        (
            O::DeleteTaskPushNotificationConfig,
            Proto,
            r#"{"name":"tasks/t/pushNotificationConfigs/c"}"#,
        ),
        (O::GetExtendedAgentCard, Json, "null"),
        (O::GetExtendedAgentCard, Json, "{}"),
        (O::GetTask, Json, "{}"),
        (O::GetTask, Json, r#"{"id":""}"#),
        (O::GetTask, Json, r#"{"id":7}"#),
        (O::GetTask, Json, r#"{"id":"t","historyLength":-1}"#),
        (O::GetTask, Proto, r#"{"name":"t"}"#),
        (O::GetTask, Proto, r#"{"name":"tasks/"}"#),
        (O::DeleteTaskPushNotificationConfig, Json, r#"{"id":"t"}"#),
        (
            O::DeleteTaskPushNotificationConfig,
            Json,
            r#"{"id":"t","pushNotificationConfigId":"\n"}"#,
        ),
        (O::ListTaskPushNotificationConfigs, Proto, r#"{"parent":"tasks/t","pageSize":101}"#),
        (O::GetExtendedAgentCard, Json, "[]"),
    ];
    let got = cases.map(|(operation, form, text)| params(operation, form, text));
    insta::assert_snapshot!(got.join("\n"), @r#"
    Json GetTask(GetTaskRequest { tenant: None, id: "t", history_length: None })
    Json0_1 GetTask(GetTaskRequest { tenant: None, id: "t", history_length: Some(0) })
    Proto GetTask(GetTaskRequest { tenant: None, id: "t", history_length: Some(2) })
    Json CancelTask(CancelTaskRequest { tenant: None, id: "t", metadata: Some({"k":1}) })
    Proto SubscribeToTask(SubscribeToTaskRequest { tenant: None, id: "t", metadata: None })
    Json GetTaskPushNotificationConfig(GetTaskPushNotificationConfigRequest { tenant: None, task_id: "t", id: "t" })
    Json GetTaskPushNotificationConfig(GetTaskPushNotificationConfigRequest { tenant: None, task_id: "t", id: "c" })
    Proto GetTaskPushNotificationConfig(GetTaskPushNotificationConfigRequest { tenant: None, task_id: "t", id: "c" })
    Json ListTaskPushNotificationConfigs(ListTaskPushNotificationConfigsRequest { tenant: None, task_id: "t", page_size: None, page_token: None })
    Proto ListTaskPushNotificationConfigs(ListTaskPushNotificationConfigsRequest { tenant: None, task_id: "t", page_size: None, page_token: None })
    Json DeleteTaskPushNotificationConfig(DeleteTaskPushNotificationConfigRequest { tenant: None, task_id: "t", id: "c" })
    Proto DeleteTaskPushNotificationConfig(DeleteTaskPushNotificationConfigRequest { tenant: None, task_id: "t", id: "c" })
    Json GetExtendedAgentCard(GetExtendedAgentCardRequest { tenant: None })
    Json GetExtendedAgentCard(GetExtendedAgentCardRequest { tenant: None })
    id: is missing
    id: is missing
    id: invalid type: integer `7`, expected a string
    historyLength: must be 0 or more, not -1
    name: must begin with `tasks/`
    name: must not be empty
    pushNotificationConfigId: is missing
    pushNotificationConfigId: must not hold control characters
    pageSize: must be 1 to 100, not 101
    invalid type: sequence, expected a JSON object
    "#);
}

#[test]
fn webhooks_are_set_in_every_shape() {
    const SET: Operation = O::CreateTaskPushNotificationConfig;
    let config = |text: &str, form, path: Path| {
        let path = path.iter().map(|(name, value)| (*name, (*value).into()));
        let route = Route { operation: SET, tenant: None, parameters: path.collect() };
        match read_rest(&route, form, None, Some(text)) {
            Ok(Asked { request: Request::CreateTaskPushNotificationConfig(config), form }) => {
                format!("{form:?} {}", serde_json::to_string(&config).expect("it is JSON"))
            }
            other => outcome(other),
        }
    };
    const TASK: Path = &[("id", "t")];
    let cases: [(Form, Path, &str); 15] = [
        (
            Form::Json,
            &[],
            r#"{"taskId":"t","pushNotificationConfig":{"id":"c","url":"u","token":"k","authentication":{"schemes":["Bearer","Basic"],"credentials":"s"}}}"#,
        ),
        (
            Form::Json,
            &[],
            r#"{"task_id":"t","push_notification_config":{"url":"u","token":"","authentication":{}}}"#,
        ),
        (
            Form::Proto,
            TASK,
            r#"{"parent":"tasks/x","config_id":"c","config":{"name":"tasks/x/pushNotificationConfigs/d","push_notification_config":{"id":"","url":"u"}}}"#,
        ),
        (
            Form::Proto,
            &[],
            r#"{"parent":"tasks/t","configId":"c","config":{"pushNotificationConfig":{"id":"own","url":"u"}}}"#,
        ),
        (
            Form::Proto,
            &[],
            r#"{"name":"tasks/t/pushNotificationConfigs/c","pushNotificationConfig":{"url":"u"}}"#,
        ),
        (Form::Proto, TASK, r#"{"pushNotificationConfig":{"url":"u"}}"#),
        (Form::Json0_1, &[], r#"{"id":"t","pushNotificationConfig":{"url":"u"}}"#),
        (Form::Json0_1, TASK, r#"{"url":"u","token":"k"}"#),
        (Form::Proto, TASK, r#"{"url":"u","id":"c"}"#),
        (Form::Json, &[], r#"{"pushNotificationConfig":{"url":"u"}}"#),
        (Form::Json0_1, &[], r#"{"pushNotificationConfig":{"url":"u"}}"#),
        (Form::Json, &[], r#"{"taskId":"t"}"#),
        (Form::Json, &[], r#"{"taskId":"t","pushNotificationConfig":["c","u"]}"#),
        (Form::Json, &[], r#"{"taskId":"t","pushNotificationConfig":{"id":"\n","url":"u"}}"#),
        (Form::Proto, &[], r#"{"parent":"t","config":{"pushNotificationConfig":{"url":"u"}}}"#),
    ];
    let got = cases.map(|(form, path, text)| config(text, form, path));
    insta::assert_snapshot!(got.join("\n"), @r#"
    Json {"id":"c","taskId":"t","url":"u","token":"k","authentication":{"scheme":"Bearer","credentials":"s"}}
    Json {"id":"t","taskId":"t","url":"u"}
    Proto {"id":"c","taskId":"t","url":"u"}
    Proto {"id":"own","taskId":"t","url":"u"}
    Proto {"id":"c","taskId":"t","url":"u"}
    Json {"id":"t","taskId":"t","url":"u"}
    Json0_1 {"id":"t","taskId":"t","url":"u"}
    Json0_1 {"id":"t","taskId":"t","url":"u","token":"k"}
    Proto {"id":"c","taskId":"t","url":"u"}
    taskId: is missing
    id: is missing
    pushNotificationConfig: is missing
    pushNotificationConfig: invalid type: sequence, expected an object
    pushNotificationConfig.id: must not hold control characters
    parent: must begin with `tasks/`
    "#);
}

#[test]
fn the_body_of_a_rest_request_shows_its_dialect() {
    let plain = r#"{"message":{"messageId":"m","role":"user","parts":[{"text":"x"}]}}"#;
    let cases = [
        (Form::Proto, SEND, Form::Json),
        (Form::Proto, plain, Form::Json),
        (Form::Proto, PROTO, Form::Proto),
        (Form::Json, PROTO, Form::Proto),
        (Form::Json0_1, V0_1, Form::Json0_1),
    ];
    for (given, body, expected) in cases {
        let route = Route { operation: O::SendMessage, tenant: None, parameters: Vec::new() };
        let asked = read_rest(&route, given, None, Some(body)).expect("a good request");
        assert_eq!(asked.form, expected, "{body}");
        let Request::SendMessage(request) = asked.request else { panic!("{body}") };
        let returns = request.configuration.return_immediately;
        assert_eq!(returns, expected == Form::Proto, "{body}");
    }
}

#[test]
fn the_path_wins_over_query_and_body() {
    use Form::{Json0_1, Proto};
    let task = [("id", "1")];
    let webhook = [("id", "1"), ("pushNotificationConfigId", "2")];
    let cases = [
        rest(O::GetTask, Proto, &task, "historyLength=2&id=9&A2A-Version=0.3", ""),
        rest(O::GetTask, Json0_1, &task, "history_length=0", ""),
        rest(O::GetTask, Proto, &task, "historyLength=x", ""),
        rest(O::GetTask, Proto, &task, "historyLength=%", ""),
        rest(O::CancelTask, Proto, &task, "", r#"{"name":"tasks/9","metadata":{"k":1}}"#),
        rest(O::CancelTask, Proto, &task, "", "{"),
        rest(O::SubscribeToTask, Proto, &task, "", " "),
        rest(O::GetTaskPushNotificationConfig, Proto, &webhook, "", ""),
        rest(O::GetTaskPushNotificationConfig, Json0_1, &task, "", ""),
        rest(O::ListTaskPushNotificationConfigs, Proto, &task, "pageSize=7", ""),
        rest(O::DeleteTaskPushNotificationConfig, Proto, &webhook, "", ""),
        rest(O::GetExtendedAgentCard, Proto, &[], "", ""),
    ];
    insta::assert_snapshot!(cases.join("\n"), @r#"
    Proto GetTask(GetTaskRequest { tenant: None, id: "1", history_length: Some(2) })
    Json0_1 GetTask(GetTaskRequest { tenant: None, id: "1", history_length: Some(0) })
    historyLength: invalid value: string "x", expected a whole number from -2147483648 to 2147483647
    query: not percent-encoded
    Proto CancelTask(CancelTaskRequest { tenant: None, id: "1", metadata: Some({"k":1}) })
    not JSON: EOF while parsing an object at line 1 column 1
    Proto SubscribeToTask(SubscribeToTaskRequest { tenant: None, id: "1", metadata: None })
    Proto GetTaskPushNotificationConfig(GetTaskPushNotificationConfigRequest { tenant: None, task_id: "1", id: "2" })
    Json0_1 GetTaskPushNotificationConfig(GetTaskPushNotificationConfigRequest { tenant: None, task_id: "1", id: "1" })
    Proto ListTaskPushNotificationConfigs(ListTaskPushNotificationConfigsRequest { tenant: None, task_id: "1", page_size: Some(7), page_token: None })
    Proto DeleteTaskPushNotificationConfig(DeleteTaskPushNotificationConfigRequest { tenant: None, task_id: "1", id: "2" })
    Proto GetExtendedAgentCard(GetExtendedAgentCardRequest { tenant: None })
    "#);
}

#[test]
fn there_is_no_list_of_tasks() {
    let error = read_params(O::ListTasks, Form::Json, None).expect_err("not in these versions");
    assert_eq!(error.kind, ErrorKind::UnsupportedOperation);
}

const OPERATIONS: [Operation; 11] = [
    O::SendMessage,
    O::SendStreamingMessage,
    O::GetTask,
    O::ListTasks,
    O::CancelTask,
    O::SubscribeToTask,
    O::CreateTaskPushNotificationConfig,
    O::GetTaskPushNotificationConfig,
    O::ListTaskPushNotificationConfigs,
    O::DeleteTaskPushNotificationConfig,
    O::GetExtendedAgentCard,
];

proptest::proptest! {
    #[test]
    fn reading_never_panics(
        operation in proptest::sample::select(&OPERATIONS),
        form in proptest::sample::select(&Form::ALL),
        json in ".{0,200}",
        id in ".{0,20}",
    ) {
        let _ = read_params(operation, form, Some(&json));
        let names = ["id", "pushNotificationConfigId"];
        let parameters = names.map(|name| (name, id.as_str().into())).to_vec();
        let route = Route { operation, tenant: Some(id.as_str().into()), parameters };
        let _ = read_rest(&route, form, Some(&id), Some(&json));
    }
}

#[test]
fn messages_that_are_written_by_hand_need_no_id() {
    let by_hand = r#"{"message":{"role":"user","parts":[{"text":"Hello"}]}}"#;
    for _ in 0..2 {
        let asked = read_params(Operation::SendMessage, Form::Json, Some(by_hand));
        let Ok(Asked { request: Request::SendMessage(request), .. }) = asked else {
            panic!("{asked:?}")
        };
        assert_eq!(request.message.text(), "Hello");
        assert!(!request.message.message_id.as_str().is_empty());
    }
}
