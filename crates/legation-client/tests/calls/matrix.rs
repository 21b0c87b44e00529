//! Every operation through every version and binding against our own server: whoever calls sees the
//! same, up to what the table of losses says.

use legation_client::{Binding, Client, Error, Options, Version};
use legation_http::Interface;
use legation_model::{
    CancelTaskRequest, ErrorKind, GetTaskRequest, ListTasksRequest, Message, Part, Role,
    SendMessageConfiguration, SendMessageRequest, SendMessageResponse, StreamResponse, Task,
    TaskId, TaskPushNotificationConfig, TaskState,
};
use legation_testkit::agents::everything;
use legation_wire::answer::Answer;
use legation_wire::grpc::Package;
use legation_wire::loss::{self, Medium};
use legation_wire::v0_3::Form;
use serde_json::{Number, Value};

use crate::real::{Real, interfaces};
use crate::server::hasty;

/// The way that all others are compared with.
pub(crate) const PLAIN: Interface = Interface { binding: Binding::JsonRpc, version: Version::V1_0 };

/// What answers go through.
fn medium(Interface { binding, version }: Interface) -> Option<Medium> {
    match (version, binding) {
        (Version::V1_0, Binding::Grpc) => Some(Medium::Grpc(Package::V1_0)),
        (Version::V1_0, Binding::JsonRpc | Binding::HttpJson) => None,
        (Version::V0_3 | Version::V0_2, Binding::Grpc) => Some(Medium::Grpc(Package::V0_3)),
        (Version::V0_3 | Version::V0_2, Binding::JsonRpc) => Some(Medium::Json(Form::Json)),
        (Version::V0_3 | Version::V0_2, Binding::HttpJson) => Some(Medium::Json(Form::Proto)),
        (Version::V0_1, _) => Some(Medium::Json(Form::Json0_1)),
    }
}

/// What the way makes of an answer, as JSON: in protobuf the members of objects have no order, and
/// numbers are doubles.
fn through(interface: Interface, answer: Answer, mut response: StreamResponse) -> Value {
    if let Some(medium) = medium(interface) {
        loss::normalise(medium, answer, &mut response);
    }
    json(response)
}

pub(crate) fn json(response: StreamResponse) -> Value {
    fn integers(value: &mut Value) {
        match value {
            Value::Number(number) => {
                let whole = number.as_f64().filter(|double| double.fract() == 0.0);
                *number = whole.map_or_else(|| number.clone(), |whole| Number::from(whole as i64));
            }
            Value::Array(values) => values.iter_mut().for_each(integers),
            Value::Object(members) => members.values_mut().for_each(integers),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
    let mut value = serde_json::to_value(response).expect("JSON");
    integers(&mut value);
    value
}

pub(crate) fn request(text: &str) -> SendMessageRequest {
    let message = Message::new(Role::User, vec![Part::text(text)]);
    let configuration = SendMessageConfiguration::default();
    SendMessageRequest { tenant: None, message, configuration, metadata: None }
}

async fn sent(client: &Client, text: &str) -> Task {
    match client.send(request(text)).await {
        Ok(SendMessageResponse::Task(task)) => task,
        other => panic!("{} {:?}: {other:?}", client.version().name(), client.binding()),
    }
}

pub(crate) fn get(id: &TaskId) -> GetTaskRequest {
    GetTaskRequest { tenant: None, id: id.clone(), history_length: None }
}

fn cancel(id: &TaskId) -> CancelTaskRequest {
    CancelTaskRequest { tenant: None, id: id.clone(), metadata: None }
}

fn unknown() -> TaskId {
    TaskId::parse("unknown").expect("an id")
}

#[tokio::test]
async fn a_task_is_the_same_everywhere() {
    let server = Real::start().await;
    let plain = server.client(PLAIN, Options::default()).await;
    for interface in interfaces() {
        let client = server.client(interface, Options::default()).await;
        for text in ["everything", "ask", "authorize", "reject"] {
            let got = sent(&client, text).await;
            let known = plain.get_task(get(&got.id)).await.expect("a task");
            let known = StreamResponse::Task(known);
            let expected = through(interface, Answer::SentTask, known.clone());
            assert_eq!(json(StreamResponse::Task(got.clone())), expected, "{interface:?} {text}");
            let looked = client.get_task(get(&got.id)).await.expect("a task");
            let expected = through(interface, Answer::Task, known);
            assert_eq!(json(StreamResponse::Task(looked)), expected, "{interface:?} {text}");
            // No history is none, also where the agent cannot be told.
            let short = GetTaskRequest { history_length: Some(0), ..get(&got.id) };
            let short = client.get_task(short).await.expect("a task");
            assert!(short.history.is_empty(), "{interface:?}");
        }
        let direct = client.send(request("hello")).await.expect("an answer");
        let parts = match (direct, interface.version) {
            (SendMessageResponse::Message(message), _) => message.parts,
            // The oldest have tasks only.
            (SendMessageResponse::Task(task), Version::V0_1) => {
                assert_eq!(task.status.state, TaskState::Completed);
                task.status.message.expect("the answer").parts
            }
            (other, _) => panic!("{interface:?}: {other:?}"),
        };
        let message = |parts| StreamResponse::Message(Message { parts, ..request("").message });
        let (Value::Object(got), Value::Object(expected)) =
            (json(message(parts)), json(message(everything())))
        else {
            panic!("objects")
        };
        assert_eq!(got["message"]["parts"], expected["message"]["parts"], "{interface:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_tells_the_same_everywhere() {
    let server = Real::start().await;
    let plain = server.client(PLAIN, Options::default()).await;
    for interface in interfaces() {
        let client = server.client(interface, Options::default()).await;
        let (id, got) = told(&client, "everything").await;
        assert_eq!(got, replayed(&plain, interface, &id).await, "{interface:?}");
    }
    server.stop().await;
}

/// The items of a stream, with their numbers, until the task has ended.
async fn told(client: &Client, text: &str) -> (TaskId, Vec<(Option<u64>, Value)>) {
    let mut events = client.stream(request(text)).await.expect("a stream");
    let mut got = Vec::new();
    while let Some(event) = events.next().await {
        let (number, item) =
            event.unwrap_or_else(|error| panic!("{:?}: {error}", client.binding()));
        got.push((number, json(item)));
    }
    assert_eq!(events.state(), Some(TaskState::Completed));
    (events.task().expect("a task").clone(), got)
}

/// The same items as the log has them.
pub(crate) async fn replayed(
    plain: &Client,
    interface: Interface,
    id: &TaskId,
) -> Vec<(Option<u64>, Value)> {
    let mut events = plain.subscribe(id.clone(), Some(0)).await.expect("a stream");
    let mut known = Vec::new();
    while let Some(event) = events.next().await {
        let (number, item) = event.expect("a good event");
        known.push((number, through(interface, Answer::Item, item)));
    }
    known
}

#[tokio::test]
async fn errors_have_the_same_meaning_everywhere() {
    use ErrorKind::{
        PushNotificationNotSupported, TaskNotCancelable, TaskNotFound, UnsupportedOperation,
    };
    let server = Real::start().await;
    let plain = server.client(PLAIN, Options::default()).await;
    for interface in interfaces() {
        let client = server.client(interface, Options::default()).await;
        let immediately =
            SendMessageConfiguration { return_immediately: true, ..Default::default() };
        let waits = SendMessageRequest { configuration: immediately, ..request("wait") };
        let Ok(SendMessageResponse::Task(task)) = plain.send(waits).await else { panic!("a task") };
        let cancelled = client.cancel_task(cancel(&task.id)).await.expect("a task");
        assert_eq!(cancelled.status.state, TaskState::Canceled, "{interface:?}");
        let kind = |error: Error| error.kind().unwrap_or_else(|| panic!("{interface:?}: {error}"));
        let again = client.cancel_task(cancel(&task.id)).await.expect_err("it has ended");
        assert_eq!(kind(again), TaskNotCancelable, "{interface:?}");
        let none = client.get_task(get(&unknown())).await.expect_err("there is none");
        assert_eq!(kind(none), TaskNotFound, "{interface:?}");
        let mut further = request("x");
        further.message.task_id = Some(task.id.clone());
        let ended = client.send(further).await.expect_err("it has ended");
        assert_eq!(kind(ended), UnsupportedOperation, "{interface:?}");
        let webhook = TaskPushNotificationConfig {
            tenant: None,
            id: None,
            task_id: Some(task.id.clone()),
            url: "https://example.com/".into(),
            token: None,
            authentication: None,
        };
        let webhook = client.create_push_config(webhook).await.expect_err("there are none");
        assert_eq!(kind(webhook), PushNotificationNotSupported, "{interface:?}");

        let card = client.extended_card().await.expect_err("there is none");
        let list = client.list_tasks(ListTasksRequest::default()).await;
        match interface.version {
            Version::V1_0 => {
                assert_eq!(kind(card), UnsupportedOperation, "{interface:?}");
                assert!(list.is_ok(), "{interface:?}");
            }
            Version::V0_3 | Version::V0_2 => {
                assert_eq!(kind(card), UnsupportedOperation, "{interface:?}");
                assert!(matches!(list, Err(Error::Unsayable { .. })), "{interface:?}");
            }
            Version::V0_1 => {
                assert!(matches!(card, Error::Unsayable { .. }), "{interface:?}: {card}");
                assert!(matches!(list, Err(Error::Unsayable { .. })), "{interface:?}");
            }
        }
    }
    server.stop().await;
}

/// Connections break after every few events, and nobody misses one or sees one twice.
#[tokio::test]
async fn streams_are_resumed_everywhere() {
    let server = Real::counting().await;
    let plain = server.client(PLAIN, Options::default()).await;
    for interface in interfaces() {
        if (interface.version, interface.binding) == (Version::V0_1, Binding::HttpJson) {
            continue; // That surface has nothing to resume by.
        }
        let client = server.client(interface, hasty()).await;
        let before = server.cuts();
        // What is behind goes out in frames of HTTP/2, of which half is nothing: they hold 16 KiB.
        let (bytes, script) = match interface.binding {
            Binding::Grpc => (20_000, "count 700 every 1"),
            Binding::JsonRpc | Binding::HttpJson => (2_500, "count 60 every 1"),
        };
        server.cut_after(Some(bytes));
        let (id, got) = told(&client, script).await;
        server.cut_after(None);
        let cuts = server.cuts() - before;
        assert!(cuts >= 3, "{interface:?}: only {cuts} cuts");
        assert_eq!(got, replayed(&plain, interface, &id).await, "{interface:?}");
    }
    server.stop().await;
}

/// What is larger than the caller takes ends a call, and is not called an outage.
#[tokio::test]
async fn answers_and_events_have_bounds_everywhere() {
    let server = Real::start().await;
    for interface in interfaces() {
        let mut options = hasty();
        (options.limits.answer_bytes, options.limits.event_bytes) = (300, 300);
        let client = server.client(interface, options).await;
        let error = client.send(request("everything")).await.expect_err("too large");
        assert!(matches!(error, Error::Lost { .. }), "{interface:?}: {error}");
        assert!(error.to_string().contains("larger than 300 bytes"), "{interface:?}: {error}");
        let mut events = client.stream(request("everything")).await.expect("a stream");
        let error = loop {
            match events.next().await.expect("no good end") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::BadAnswer { .. }), "{interface:?}: {error}");
    }
    server.stop().await;
}
