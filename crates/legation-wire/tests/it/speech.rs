//! What a caller says is what the server's codecs read, in every version and binding; and what the
//! server's writers answer is what the caller reads, up to the table of losses.

use legation_model::{
    CancelTaskRequest, ErrorKind, GetTaskRequest, Message, MessageId, Part, Request, Role,
    SendMessageConfiguration, SendMessageRequest, StreamResponse, TaskId,
};
use legation_wire::answer::Answer;
use legation_wire::card::{Binding, Interface};
use legation_wire::codec::{self, Place, Spoken};
use legation_wire::fault;
use legation_wire::grpc::{self, Numbers, Package, frame};
use legation_wire::json::JsonBounds;
use legation_wire::jsonrpc;
use legation_wire::loss::{self, Medium};
use legation_wire::operation::Operation;
use legation_wire::reply::Sent;
use legation_wire::speech::{NoResult, Said, Speech};
use legation_wire::v0_3::{self, Form};
use legation_wire::v1;
use legation_wire::version::{MissingVersion, Version};
use proptest::prelude::*;

use crate::round_trip::document;
use crate::values;

/// Every way to speak to an agent.
fn speeches() -> impl Iterator<Item = Speech> {
    let interfaces = Version::SERVED.into_iter().flat_map(|version| {
        Binding::ALL.into_iter().map(move |binding| Interface { binding, version })
    });
    let speeches = interfaces.filter_map(Speech::of);
    speeches.flat_map(|speech| std::iter::once(speech).chain(speech.respelled()))
}

fn package(speech: Speech) -> Package {
    if speech.version() == Version::V1_0 { Package::V1_0 } else { Package::V0_3 }
}

/// What a caller reads of one event of a stream.
fn items(speech: Speech, event: &[u8]) -> Result<Vec<StreamResponse>, NoResult> {
    let mut items = Vec::new();
    speech.read_items(event, &mut items).map(|()| items)
}

/// What a server reads; none when something stands in the path that it takes from none: a slash or a
/// control character.
fn heard(speech: Speech, operation: Operation, said: &Said) -> Option<Request> {
    let stated = Some(speech.version());
    let body = || str::from_utf8(&said.body).expect("UTF-8");
    let read = match speech.binding() {
        Binding::Grpc => {
            let message = &said.body[frame::PREFIX..];
            grpc::read(package(speech), operation, message, JsonBounds::default())
        }
        Binding::JsonRpc => {
            let envelope = jsonrpc::read(body()).expect("an envelope");
            let spoken = codec::of_method(stated, MissingVersion::Strict, &envelope.method);
            let Spoken { target, codec } = spoken.expect("a method");
            assert_eq!(target, operation);
            codec.read_params(operation, envelope.params).map(|(request, _)| request)
        }
        Binding::HttpJson => {
            let place =
                codec::of_path(stated, MissingVersion::Strict, said.verb.name(), &said.path);
            let (target, codec) = match place {
                Ok(Place::Route(Spoken { target, codec })) => (target, codec),
                Err((_, error)) if error.kind == ErrorKind::InvalidParams => return None,
                other => panic!("{speech:?} {other:?}: {said:?}"),
            };
            let body = (!said.body.is_empty()).then(body);
            codec.read_rest(&target, Some(&said.query), body).map(|(request, _)| request)
        }
    };
    Some(read.unwrap_or_else(|error| panic!("{speech:?} {}: {error} in {said:?}", said.path)))
}

/// Makes of a request what it is to an agent that is spoken to like this.
fn lose(speech: Speech, request: &mut Request) {
    let is_0_1 = speech.version() == Version::V0_1;
    let zero_is_all = |length: Option<i32>| length.filter(|length| *length != 0 || is_0_1);
    if speech.version() == Version::V1_0 {
        return;
    }
    *request.tenant_mut() = None;
    if let Request::SendMessage(send) | Request::SendStreamingMessage(send) = request {
        // What is said of the answers' messages is true of the request's, but that it stays one.
        let mut response = StreamResponse::Message(send.message.clone());
        let medium = medium(speech);
        let medium = if is_0_1 { Medium::Json(Form::Json) } else { medium };
        loss::normalise(medium, Answer::Task, &mut response);
        if let StreamResponse::Message(message) = response {
            send.message = message;
        }
        let wanted = &mut send.configuration;
        wanted.history_length = zero_is_all(wanted.history_length);
        if is_0_1 {
            wanted.return_immediately = false;
            wanted.accepted_output_modes.clear();
            let own = || TaskId::parse(send.message.message_id.as_str()).expect("one rule");
            send.message.task_id.get_or_insert_with(own);
        }
        if let Some(config) = &mut wanted.task_push_notification_config {
            let task = send.message.task_id.as_ref().map(TaskId::to_string);
            (config.task_id, config.tenant) = (None, None);
            config.id = config.id.take().or(task);
        }
    }
    if let Request::GetTask(get) = request {
        get.history_length = zero_is_all(get.history_length);
    }
    if let Request::CancelTask(cancel) = request {
        cancel.metadata = cancel.metadata.take().filter(|_| speech.binding() != Binding::Grpc);
    }
    if let Request::CreateTaskPushNotificationConfig(config) = request {
        let own = config.task_id.as_ref().map(TaskId::to_string);
        let named = !is_0_1 || speech.binding() == Binding::JsonRpc;
        config.id = config.id.take().filter(|_| named).or(own);
    }
    if let (Request::GetTaskPushNotificationConfig(get), true) = (request, is_0_1) {
        get.id = get.task_id.to_string();
    }
}

fn medium(speech: Speech) -> Medium {
    match (speech.version(), speech.binding()) {
        (Version::V0_1, _) => Medium::Json(Form::Json0_1),
        (_, Binding::JsonRpc) => Medium::Json(Form::Json),
        (Version::V1_0, _) => Medium::Grpc(Package::V1_0),
        (_, Binding::HttpJson) if speech.respelled().is_none() => Medium::Json(Form::Json),
        (_, Binding::HttpJson) => Medium::Json(Form::Proto),
        (_, Binding::Grpc) => Medium::Grpc(Package::V0_3),
    }
}

/// In protobuf numbers are doubles and members have no order; so with what REST has in a path, and
/// the rest of that request with it.
fn settled(request: &Request) -> String {
    let text = format!("{request:?}");
    text.replace(".0,", ",").replace(".0}", "}").replace(".0]", "]")
}

proptest! {
    #[test]
    fn what_is_said_is_heard((operation, params) in values::request()) {
        let request = v1::read_params(operation, Some(&params)).expect("a good request");
        for speech in speeches() {
            let verbs = speech.verbs(operation);
            for verb in verbs {
                let said = match speech.say(&request, *verb) {
                    Ok(said) => said,
                    Err(error) if error.kind == ErrorKind::UnsupportedOperation => {
                        assert!(speech.version() != Version::V1_0, "{operation:?}");
                        continue;
                    }
                    // One of dots only means another path.
                    Err(error) => {
                        assert!(error.message.contains("cannot stand"), "{error}");
                        continue;
                    }
                };
                if said.path.contains("authenticatedExtendedCard") {
                    continue;
                }
                let mut expected = request.clone();
                lose(speech, &mut expected);
                let free = matches!(operation, Operation::SendMessage | Operation::SendStreamingMessage | Operation::CancelTask)
                    && speech.binding() != Binding::JsonRpc;
                let Some(heard) = heard(speech, operation, &said) else { continue };
                if free {
                    // Their free-form JSON is compared where answers are.
                    prop_assert_eq!(std::mem::discriminant(&heard), std::mem::discriminant(&expected));
                } else {
                    prop_assert_eq!(settled(&heard), settled(&expected), "{:?}", speech);
                }
            }
        }
    }

    #[test]
    fn what_is_answered_is_understood(task in values::task(), item in values::item()) {
        for speech in speeches() {
            let response = answered(speech, Answer::SentTask, &task);
            let request = send();
            let read = speech.read(&request, &response).expect("an answer");
            let Sent(sent) = serde_json::from_slice(&read).expect("an answer of 1.0");
            let mut expected = task.clone();
            normalise(speech, Answer::SentTask, &mut expected);
            let sent = serde_json::to_value(sent).expect("JSON");
            prop_assert_eq!(sent, serde_json::to_value(&expected).expect("JSON"), "{:?}", speech);

            let event = answered(speech, Answer::Item, &item);
            let mut expected = item.clone();
            normalise(speech, Answer::Item, &mut expected);
            let read = items(speech, &event).expect("an item");
            prop_assert_eq!(read.len(), 1);
            let read = serde_json::to_value(&read[0]).expect("JSON");
            prop_assert_eq!(read, serde_json::to_value(&expected).expect("JSON"), "{:?}", speech);
        }
    }

    #[test]
    fn nothing_that_is_answered_makes_a_caller_panic(json in values::babble(), (operation, params) in values::request()) {
        let request = v1::read_params(operation, Some(&params)).expect("a good request");
        let text = json.to_string();
        let result = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{text}}}"#);
        let error = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{text}}}"#);
        for speech in speeches() {
            for body in [&text, &result, &error] {
                let _ = speech.read(&request, body.as_bytes());
                let _ = items(speech, body.as_bytes());
                let _ = fault::read_rest(speech.version(), 400, body);
            }
        }
    }
}

fn send() -> Request {
    let message = Message::new(Role::User, vec![Part::text("x")]);
    let configuration = SendMessageConfiguration::default();
    Request::SendMessage(SendMessageRequest {
        tenant: None,
        message,
        configuration,
        metadata: None,
    })
}

fn normalise(speech: Speech, answer: Answer, response: &mut StreamResponse) {
    let plain = speech.version() == Version::V1_0 && speech.binding() != Binding::Grpc;
    if !plain {
        loss::normalise(medium(speech), answer, response);
    }
}

/// What a server answers.
fn answered(speech: Speech, answer: Answer, response: &StreamResponse) -> Vec<u8> {
    let document = document(answer, response);
    let written = match medium(speech) {
        Medium::Grpc(package) if speech.binding() == Binding::Grpc => {
            return grpc::write(package, answer, &document, Numbers::Text).expect("a document");
        }
        Medium::Grpc(_) => {
            let frame = v1::Frame::of(answer);
            [frame.before.as_bytes(), &document, frame.after.as_bytes()].concat()
        }
        Medium::Json(_) if speech.version() == Version::V1_0 => {
            let frame = v1::Frame::of(answer);
            [frame.before.as_bytes(), &document, frame.after.as_bytes()].concat()
        }
        Medium::Json(form) => v0_3::write(form, answer, &document).expect("a document"),
    };
    match speech.binding() {
        Binding::JsonRpc => [br#"{"jsonrpc":"2.0","id":1,"result":"#, &*written, b"}"].concat(),
        Binding::HttpJson | Binding::Grpc => written,
    }
}

/// What each way to speak makes of the same two requests, for reviewers.
#[test]
fn the_same_requests_in_every_version_and_binding() {
    let mut message = Message::new(Role::User, vec![Part::text("Sum it up")]);
    message.message_id = MessageId::parse("m-1").expect("an id");
    let configuration = SendMessageConfiguration { history_length: Some(2), ..Default::default() };
    let tenant = None;
    let id = TaskId::parse("t 1").expect("an id");
    let cancel = CancelTaskRequest { tenant: None, id: id.clone(), metadata: None };
    let requests = [
        Request::SendMessage(SendMessageRequest { tenant, message, configuration, metadata: None }),
        Request::GetTask(GetTaskRequest { tenant: None, id, history_length: Some(0) }),
        Request::CancelTask(cancel),
    ];
    let mut text = String::new();
    for speech in speeches() {
        let spelled = if speech.respelled().is_some() { " in protobuf's JSON" } else { "" };
        let (version, binding) = (speech.version().name(), speech.binding().name());
        text.push_str(&format!("## {version} {binding}{spelled}\n"));
        for request in &requests {
            let verb = speech.verbs(Operation::of_request(request))[0];
            let Said { path, query, body, .. } = speech.say(request, verb).expect("words for it");
            let body = match speech.binding() {
                Binding::Grpc => format!("{} bytes", body.len()),
                Binding::JsonRpc | Binding::HttpJson => String::from_utf8(body).expect("UTF-8"),
            };
            let query = if query.is_empty() { query } else { format!("?{query}") };
            let line = format!("{} {path}{query} {body}", verb.name()).replace("  ", " ");
            text.push_str(&format!("{}\n", line.trim_end()));
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("requests", text));
}

#[test]
fn one_event_of_an_old_agent_may_be_two_items() {
    let interface = Interface { binding: Binding::HttpJson, version: Version::V0_1 };
    let speech = Speech::of(interface).expect("REST of 0.1");
    let event = br#"{"id":"t","status":{"state":"completed"},"artifact":{"parts":[{"type":"text","text":"x"}],"name":"result","lastChunk":true}}"#;
    let read = items(speech, event).expect("two items");
    let [StreamResponse::ArtifactUpdate(artifact), StreamResponse::StatusUpdate(status)] = &*read
    else {
        panic!("{read:?}")
    };
    assert!(artifact.last_chunk && status.status.state.is_terminal());
    let failed = items(speech, br#"{"error":"TaskNotFoundError","message":"gone"}"#);
    assert!(matches!(failed, Err(NoResult::Error(error)) if error.kind == ErrorKind::TaskNotFound));
}

/// Small values take far more room than their text.
#[test]
fn an_answer_that_is_a_bomb_is_not_built() {
    let many = format!("[{}]", "[],".repeat(1_100_000) + "[]");
    let bombs = [
        ("result", format!(r#"{{"result":{{"id":"t","artifacts":{many}}}}}"#)),
        ("error", format!(r#"{{"error":{{"code":-32001,"message":"m","data":{many}}}}}"#)),
        ("levels", format!(r#"{{"x":{}}}"#, "[".repeat(100_000))),
    ];
    let get = GetTaskRequest {
        tenant: None,
        id: TaskId::parse("t").expect("an id"),
        history_length: None,
    };
    for speech in speeches().filter(|speech| speech.binding() != Binding::Grpc) {
        for (name, bomb) in &bombs {
            let read = speech.read(&Request::GetTask(get.clone()), bomb.as_bytes());
            let told = match read {
                Err(NoResult::Nonsense(reason)) => reason,
                other => panic!("{speech:?} {name}: {}", other.is_ok()),
            };
            assert!(told.contains("more than") || told.contains("deeper"), "{name}: {told}");
        }
        let _ = items(speech, bombs[0].1.as_bytes()).expect_err("a bomb");
    }
}
