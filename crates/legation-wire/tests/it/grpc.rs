//! The gRPC codec from outside, beside an independent reader and writer of the same messages.

use std::sync::LazyLock;

use legation_model::{ListTasksResponse, Request, StreamResponse, Task};
use legation_wire::answer::Answer;
use legation_wire::grpc::{self, Numbers, Package, descriptor_set};
use legation_wire::json::JsonBounds;
use legation_wire::operation::{self, Operation};
use legation_wire::v0_3::{self, Form};
use legation_wire::{loss, v1};
use proptest::prelude::*;
use proptest::sample::select;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use serde::Serialize;
use serde_json::Value;

use crate::round_trip::{ANSWERS, document};
use crate::values;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(descriptor_set()).expect("a descriptor set"));

pub(crate) fn method(package: Package, operation: Operation) -> MethodDescriptor {
    let mut rows = operation::rows(package.version()).iter();
    let row = rows.find(|row| row.operation == operation && !row.grpc.is_empty());
    let name = row.expect("a gRPC method").grpc;
    let service = POOL.get_service_by_name(package.service()).expect("the service");
    service.methods().find(|method| method.name() == name).expect("the method")
}

pub(crate) fn operation_of(answer: Answer) -> Operation {
    match answer {
        Answer::SentTask | Answer::SentMessage => Operation::SendMessage,
        Answer::Task => Operation::GetTask,
        Answer::Tasks => Operation::ListTasks,
        Answer::Card => Operation::GetExtendedAgentCard,
        Answer::Item => Operation::SendStreamingMessage,
    }
}

/// The JSON of an answer in the version of a package.
pub(crate) fn json_of(package: Package, answer: Answer, document: &[u8]) -> Vec<u8> {
    match package {
        Package::V1_0 => {
            let frame = v1::Frame::of(answer);
            [frame.before.as_bytes(), document, frame.after.as_bytes()].concat()
        }
        Package::V0_3 => v0_3::write(Form::Proto, answer, document).expect("a good document"),
    }
}

/// What the independent implementation makes of JSON.
pub(crate) fn theirs(message: MessageDescriptor, json: &[u8]) -> DynamicMessage {
    let mut json = serde_json::Deserializer::from_slice(json);
    let read = DynamicMessage::deserialize(message.clone(), &mut json);
    let encoded = read.expect("the JSON of the message").encode_to_vec();
    // Without what is there and says nothing.
    DynamicMessage::decode(message, &*encoded).expect("what was encoded")
}

fn write(package: Package, answer: Answer, document: &[u8]) -> Vec<u8> {
    grpc::write(package, answer, document, Numbers::Refuse).expect("a good document")
}

fn read(package: Package, answer: Answer, message: &[u8]) -> StreamResponse {
    let bounds = JsonBounds::default();
    let json = grpc::read_answer(package, operation_of(answer), message, bounds);
    let json = json.unwrap_or_else(|error| panic!("{package:?} {answer:?} {error}"));
    let read = match (package, answer) {
        (Package::V0_3, answer) => v0_3::read_answer(Form::Proto, answer, json.as_bytes()),
        (Package::V1_0, Answer::Task) => {
            serde_json::from_str::<Task>(&json).map(StreamResponse::Task)
        }
        (Package::V1_0, _) => serde_json::from_str(&json),
    };
    read.unwrap_or_else(|error| panic!("{package:?} {answer:?} {error}\n{json}"))
}

/// A value without the order of the members of its objects.
fn unordered(value: &impl Serialize) -> Value {
    let text = serde_json::to_string(value).expect("the model is JSON");
    serde_json::from_str(&text).expect("JSON")
}

/// A request's kind and its parameters, numbers as they come back.
fn shown(request: &Request) -> (std::mem::Discriminant<Request>, Value) {
    use Request as R;
    let params = match request {
        R::SendMessage(request) | R::SendStreamingMessage(request) => unordered(request),
        R::GetTask(request) => unordered(request),
        R::ListTasks(request) => unordered(request),
        R::CancelTask(request) => unordered(request),
        R::SubscribeToTask(request) => unordered(request),
        R::CreateTaskPushNotificationConfig(request) => unordered(request),
        R::GetTaskPushNotificationConfig(request) => unordered(request),
        R::ListTaskPushNotificationConfigs(request) => unordered(request),
        R::DeleteTaskPushNotificationConfig(request) => unordered(request),
        R::GetExtendedAgentCard(request) => unordered(request),
    };
    (std::mem::discriminant(request), whole(params))
}

/// JSON with whole doubles as whole numbers.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double) if double.fract() == 0.0 => Value::from(double as i64),
            _ => Value::Number(number),
        },
        Value::Array(values) => values.into_iter().map(whole).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, whole(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

fn check(answer: Answer, response: &StreamResponse) {
    let document = document(answer, response);
    for package in Package::ALL {
        let written = write(package, answer, &document);
        let message = method(package, operation_of(answer)).output();
        let decoded = DynamicMessage::decode(message.clone(), &*written).expect("a message");
        let json = json_of(package, answer, &document);
        assert!(decoded == theirs(message, &json), "{}", String::from_utf8_lossy(&json));
        let mut expected = response.clone();
        loss::normalise(package, answer, &mut expected);
        assert_eq!(read(package, answer, &written), expected, "{package:?} {answer:?}");
        // The order of their fields and of their maps is another.
        let theirs = read(package, answer, &decoded.encode_to_vec());
        assert_eq!(unordered(&theirs), unordered(&expected), "{package:?} {answer:?}");
    }
}

proptest! {
    // The other implementation is slow where nothing is optimised.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_task_comes_back(task in values::task()) {
        check(Answer::Task, &task);
        check(Answer::SentTask, &task);
    }

    #[test]
    fn a_message_comes_back(message in values::direct_message()) {
        check(Answer::SentMessage, &message);
    }

    #[test]
    fn an_item_comes_back(item in values::item()) {
        check(Answer::Item, &item);
    }

    #[test]
    fn a_page_comes_back(tasks in proptest::collection::vec(values::task(), 0..3)) {
        let tasks = tasks.into_iter().filter_map(|task| match task {
            StreamResponse::Task(task) => Some(task),
            StreamResponse::Message(_) | StreamResponse::StatusUpdate(_) | StreamResponse::ArtifactUpdate(_) => None,
        });
        let (tasks, total_size) = (tasks.collect(), 0);
        let page = ListTasksResponse { tasks, next_page_token: String::new(), page_size: 0, total_size };
        let json = serde_json::to_string(&page).expect("JSON");
        let written = write(Package::V1_0, Answer::Tasks, json.as_bytes());
        let back = grpc::read_answer(Package::V1_0, Operation::ListTasks, &written, JsonBounds::default());
        let back: ListTasksResponse = serde_json::from_str(&back.expect("a page")).expect("a page");
        prop_assert_eq!(whole(unordered(&back)), whole(unordered(&page)));
    }

    #[test]
    fn a_request_comes_as_it_does_on_the_other_bindings((operation, params) in values::request()) {
        let expected = v1::read_params(operation, Some(&params)).expect("a good request");
        let written = grpc::write_request(Package::V1_0, operation, &params, Numbers::Refuse);
        let written = written.expect("a good request");
        let message = theirs(method(Package::V1_0, operation).input(), &stripped(operation, &params));
        let read = |message: &[u8]| {
            let bounds = JsonBounds::default();
            grpc::read(Package::V1_0, operation, message, bounds).expect("a good request")
        };
        prop_assert_eq!(shown(&read(&written)), shown(&expected), "{}", params);
        prop_assert_eq!(shown(&read(&message.encode_to_vec())), shown(&expected), "{}", params);
    }

    #[test]
    fn a_send_of_0_3_comes_as_it_does_on_the_other_bindings(
        message in values::direct_message(),
        modes in proptest::collection::vec("[a-z]{1,3}/[a-z]", 0..3),
        length in 0..9_i32,
        blocking in any::<bool>(),
    ) {
        let sent = json_of(Package::V0_3, Answer::SentMessage, &document(Answer::SentMessage, &message));
        let sent: serde_json::Map<String, Value> = serde_json::from_slice(&sent).expect("an object");
        let (_, mut message) = sent.into_iter().next().expect("a message");
        // Answers may leave it unsaid, requests may not.
        message["role"] = "ROLE_USER".into();
        let params = serde_json::json!({
            "message": message,
            "configuration": {
                "acceptedOutputModes": modes, "historyLength": length, "blocking": blocking,
            },
            "metadata": {"n": 1},
        });
        let params = params.to_string();
        for operation in [Operation::SendMessage, Operation::SendStreamingMessage] {
            let expected = v0_3::read_params(operation, Form::Proto, Some(&params));
            let expected = shown(&expected.expect("a good request").request);
            let written = grpc::write_request(Package::V0_3, operation, &params, Numbers::Refuse);
            let theirs = theirs(method(Package::V0_3, operation).input(), params.as_bytes());
            for message in [written.expect("a good request"), theirs.encode_to_vec()] {
                let read = grpc::read(Package::V0_3, operation, &message, JsonBounds::default());
                prop_assert_eq!(shown(&read.expect("a good request")), expected.clone(), "{}", params);
            }
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        item in values::item(),
        package in select(&Package::ALL[..]),
        answer in select(&ANSWERS[..]),
        at in any::<prop::sample::Index>(),
        change in any::<u8>(),
    ) {
        let mut damaged = write(package, Answer::Item, &document(Answer::Item, &item));
        let at = at.index(damaged.len());
        damaged[at] = change;
        for bytes in [&*bytes, &damaged, &damaged[..at]] {
            let _ = grpc::write(package, answer, bytes, Numbers::Text);
            for row in operation::rows(package.version()) {
                let _ = grpc::read(package, row.operation, bytes, JsonBounds::default());
                let _ = grpc::read_answer(package, row.operation, bytes, JsonBounds::default());
            }
        }
    }
}

/// Parameters without the members that are of other operations, which the other writer refuses.
fn stripped(operation: Operation, params: &str) -> Vec<u8> {
    let input = method(Package::V1_0, operation).input();
    let mut params: serde_json::Map<_, _> = serde_json::from_str(params).expect("an object");
    params.retain(|name, _| input.get_field_by_json_name(name).is_some());
    serde_json::to_vec(&params).expect("JSON")
}

#[test]
fn the_tables_are_those_of_the_schemas() {
    for package in Package::ALL {
        let service = POOL.get_service_by_name(package.service()).expect("the service");
        for method in service.methods() {
            let operation = Operation::of_grpc(package, method.name()).expect("an operation");
            assert_eq!(operation.row().streams, method.is_server_streaming(), "{method:?}");
            assert!(!method.is_client_streaming());
        }
        let named = operation::rows(package.version()).iter().filter(|row| !row.grpc.is_empty());
        assert_eq!(named.count(), service.methods().len());
        assert_eq!(Package::of_service(package.service()), Some(package));
    }
    assert_eq!(Operation::of_grpc(Package::V0_3, ""), None);
    assert_eq!(Package::of_service("a2a.v1.A2AServic"), None);
}

/// Answers that no document of the service is yet are said in the same words.
#[test]
fn cards_and_webhooks_come_back() {
    let webhook = r#"{"id":"c","taskId":"t","url":"https://a.example","token":"s","authentication":{"scheme":"Bearer"}}"#;
    let webhooks = format!(r#"{{"configs":[{webhook}],"nextPageToken":""}}"#);
    let newer = [
        (Operation::GetExtendedAgentCard, include_str!("card.v1.json")),
        (Operation::CreateTaskPushNotificationConfig, webhook),
        (Operation::ListTaskPushNotificationConfigs, &webhooks),
        (Operation::DeleteTaskPushNotificationConfig, "{}"),
    ];
    let webhook = r#"{"name":"tasks/t/pushNotificationConfigs/c","pushNotificationConfig":{"id":"c","url":"https://a.example","token":"s","authentication":{"schemes":["Bearer"],"credentials":""}}}"#;
    let older = [
        (Operation::GetExtendedAgentCard, include_str!("card.v0_3.json")),
        (Operation::CreateTaskPushNotificationConfig, webhook),
        (Operation::DeleteTaskPushNotificationConfig, "{}"),
    ];
    let newer = newer.map(|(operation, json)| (Package::V1_0, operation, json));
    let older = older.map(|(operation, json)| (Package::V0_3, operation, json));
    for (package, operation, json) in newer.into_iter().chain(older) {
        let written = grpc::write_answer(package, operation, json, Numbers::Refuse);
        let written = written.expect("a good answer");
        let message = method(package, operation).output();
        let decoded = DynamicMessage::decode(message.clone(), &*written).expect("a message");
        assert!(decoded == theirs(message, json.as_bytes()), "{operation:?}");
        let back = grpc::read_answer(package, operation, &written, JsonBounds::default());
        let back: Value = serde_json::from_str(&back.expect("a good answer")).expect("JSON");
        let json: Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(said(back), said(json), "{package:?} {operation:?}");
    }
}

/// JSON without the members that say nothing.
fn said(value: Value) -> Value {
    let nothing = [Value::from(""), Value::from(false), Value::Array(Vec::new())];
    match value {
        Value::Array(values) => values.into_iter().map(said).collect(),
        Value::Object(members) => {
            let said = members.into_iter().filter(|(_, value)| !nothing.contains(value));
            said.map(|(name, value)| (name, self::said(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
