//! One agent, every operation, every version and binding: what callers get is the same wherever
//! they come from, up to what the loss table says.

use std::sync::Arc;

use async_trait::async_trait;
use legation_auth::Anonymous;
use legation_core::{Agent, AgentError, OnRestart, Profile, Service, Turn};
use legation_model::{
    Artifact, ArtifactId, Base64, Content, Json, Message, Metadata, Part, Role, StreamResponse,
    Task, TaskState,
};
use legation_store::sqlite::{Options, SqliteStore};
use legation_wire::answer::Answer;
use legation_wire::loss;
use legation_wire::v0_3::{self, Form};

use crate::client::{Ask, Reply, ask, rpc};
use crate::server::{self, Server};

/// Says everything that can be said, or does the one thing it is told.
struct Versatile;

#[async_trait]
impl Agent for Versatile {
    async fn reply(&self, message: &Message) -> Option<Message> {
        (message.text() == "hello").then(|| Message::new(Role::Agent, everything()))
    }

    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        match &*turn.message().text() {
            "ask" => turn.ask("which?").await,
            "authorize" => turn.settle(TaskState::AuthRequired, "who are you?").await,
            "reject" => turn.reject("no").await,
            "wait" => {
                turn.working(Some("waiting")).await?;
                turn.stopped().await;
                Err(AgentError::Stopped)
            }
            _ => {
                turn.working(Some("at it")).await?;
                let mut artifact = Artifact::new(id("report"), everything());
                artifact.name = Some("Report".into());
                artifact.description = Some("All there is".into());
                artifact.metadata = Metadata::single("pages", &3).ok();
                artifact.extensions = vec!["urn:x".into()];
                turn.artifact(artifact).await?;
                for piece in ["a", "b"] {
                    let chunk = Artifact::new(id("artifact-7"), vec![Part::text(piece)]);
                    turn.chunk(chunk, piece == "b").await?;
                }
                turn.answer(everything()).await
            }
        }
    }

    fn on_restart(&self) -> OnRestart {
        OnRestart::Fail
    }
}

fn id(id: &str) -> ArtifactId {
    ArtifactId::parse(id).expect("a valid identifier")
}

fn everything() -> Vec<Part> {
    let json = |text| Json::parse(text).expect("JSON");
    let mut text = Part::text("said \u{1f600}").with_media_type("text/markdown");
    text.metadata = Metadata::single("k", &[1]).ok();
    vec![
        text,
        Part::from(Content::Raw(Base64::encode(b"\0\xff")))
            .with_filename("b")
            .with_media_type("a/b"),
        Part::from(Content::Url("https://example.com/x".into())).with_media_type("image/png"),
        Part::data(json(r#"{"n":[1,null]}"#)),
        Part::data(json("[1.50,true]")).with_filename("d.json"),
        Part::data(json("null")),
    ]
}

/// A way to call the server.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// The version header.
    stated: Option<&'static str>,
    rpc: bool,
    /// The older form that is spoken, and the one that answers where requests have no body.
    form: Option<(Form, Form)>,
    /// What is before the REST paths.
    base: &'static str,
    send: &'static str,
    stream: &'static str,
}

const fn cell(
    stated: Option<&'static str>,
    rpc: bool,
    form: Option<(Form, Form)>,
    [base, send, stream]: [&'static str; 3],
) -> Cell {
    Cell { stated, rpc, form, base, send, stream }
}

const NEW: [&str; 3] = ["", "SendMessage", "SendStreamingMessage"];
const NEW_REST: [&str; 3] = ["", "/message:send", "/message:stream"];
const OLD: [&str; 3] = ["", "message/send", "message/stream"];
const OLD_REST: [&str; 3] = ["/v1", "/v1/message:send", "/v1/message:stream"];
const OLDEST: [&str; 3] = ["", "tasks/send", "tasks/sendSubscribe"];
const OLDEST_REST: [&str; 3] = ["", "/tasks/send", "/tasks/sendSubscribe"];

#[rustfmt::skip]
const CELLS: [Cell; 11] = [
    cell(Some("1.0"), true,  None,                                      NEW),
    cell(Some("1.0"), false, None,                                      NEW_REST),
    cell(Some("0.3"), true,  Some((Form::Json, Form::Json)),            OLD),
    cell(None,        true,  Some((Form::Json, Form::JsonAnd0_1)),      OLD),
    cell(Some("0.2"), true,  Some((Form::Json, Form::Json)),            OLD),
    cell(None,        false, Some((Form::Proto, Form::Proto)),          OLD_REST),
    cell(None,        false, Some((Form::Json, Form::Proto)),           OLD_REST),
    cell(Some("0.2"), false, Some((Form::Proto, Form::Proto)),          OLD_REST),
    cell(Some("0.1"), true,  Some((Form::Json0_1, Form::Json0_1)),      OLDEST),
    cell(None,        true,  Some((Form::Json0_1, Form::JsonAnd0_1)),   OLDEST),
    cell(None,        false, Some((Form::Json0_1, Form::Json0_1)),      OLDEST_REST),
];

impl Cell {
    fn state(self, ask: Ask) -> Ask {
        match self.stated {
            Some(version) => ask.with("a2a-version", version),
            None => ask.without("a2a-version"),
        }
    }

    /// The request of an operation on a task: its JSON-RPC method, or its verb and REST path.
    fn on_task(self, method: &str, verb: &str, path: &str, task: &str) -> Ask {
        self.state(if self.rpc {
            ask("POST", "/a2a").body(rpc(method, &format!(r#"{{"id":"{task}"}}"#)))
        } else {
            ask(verb, &format!("{}{}", self.base, path.replace("{id}", task)))
        })
    }

    fn send(self, target: &str, text: &str, task: Option<&str>) -> Ask {
        let task = task.map(|task| format!(r#""taskId":"{task}","#)).unwrap_or_default();
        let params = match self.form {
            None => format!(
                r#"{{"message":{{{task}"messageId":"m","role":"ROLE_USER","parts":[{{"text":"{text}"}}]}}}}"#
            ),
            Some((Form::Json | Form::JsonAnd0_1, _)) => format!(
                r#"{{"message":{{{task}"kind":"message","messageId":"m","role":"user","parts":[{{"kind":"text","text":"{text}"}}]}}}}"#
            ),
            Some((Form::Proto, _)) => format!(
                r#"{{"message":{{{task}"message_id":"m","role":"ROLE_USER","content":[{{"text":"{text}"}}]}},"configuration":{{"blocking":true}}}}"#
            ),
            Some((Form::Json0_1, _)) => format!(
                r#"{{{}"message":{{"role":"user","parts":[{{"type":"text","text":"{text}"}}]}}}}"#,
                task.replace("taskId", "id")
            ),
        };
        self.state(if self.rpc {
            ask("POST", "/a2a").body(rpc(target, &params))
        } else {
            ask("POST", target).body(params)
        })
    }

    /// What an answer says, by its own form.
    fn read(self, answer: Answer, form: Option<Form>, body: &str) -> StreamResponse {
        let json = if self.rpc { result(body) } else { body };
        let bytes = json.as_bytes();
        let read = match (form, answer) {
            (Some(form), _) => v0_3::read_answer(form, answer, bytes),
            (None, Answer::Task) => serde_json::from_slice(bytes).map(StreamResponse::Task),
            (None, _) => serde_json::from_slice(bytes),
        };
        read.unwrap_or_else(|error| panic!("{self:?} {answer:?}: {error} in {body}"))
    }

    fn form(self) -> Option<Form> {
        self.form.map(|(form, _)| form)
    }

    /// The form of answers to requests that show none.
    fn bare_form(self) -> Option<Form> {
        self.form.map(|(_, form)| form)
    }
}

/// The result of a JSON-RPC response.
fn result(body: &str) -> &str {
    let result = body.split_once(r#""result":"#).map(|(_, result)| result);
    let result = result.unwrap_or_else(|| panic!("no result in {body}"));
    result.trim_end().strip_suffix('}').expect("the end of the envelope")
}

/// What a form makes of an answer.
fn through(form: Option<Form>, answer: Answer, mut response: StreamResponse) -> StreamResponse {
    if let Some(form) = form {
        loss::normalise(form, answer, &mut response);
    }
    response
}

async fn start() -> Server {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SqliteStore::open(directory.path(), Options::default()).expect("a new store");
    let service = Service::builder(store)
        .agent(Profile::new("versatile", "Versatile", "Says everything"), Versatile)
        .build()
        .expect("one agent with a good slug");
    server::serve(service, directory, Arc::new(Anonymous), |_| {}).await
}

/// The task as 1.0 has it.
async fn task(server: &Server, id: &str) -> Task {
    let reply = ask("GET", &format!("/tasks/{id}")).to(server.address).await;
    serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {reply:?}"))
}

fn items(body: &str) -> Vec<&str> {
    body.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
}

fn task_of(response: StreamResponse) -> Task {
    match response {
        StreamResponse::Task(task) => task,
        other => panic!("not a task: {other:?}"),
    }
}

#[tokio::test]
async fn a_sent_message_makes_the_same_task_everywhere() {
    let server = start().await;
    for cell in CELLS {
        for text in ["everything", "ask", "authorize", "reject"] {
            let reply = cell.send(cell.send, text, None).to(server.address).await;
            assert_eq!(reply.status, 200, "{cell:?}: {reply:?}");
            let version = cell.stated.unwrap_or(match cell.form() {
                Some(Form::Json0_1) => "0.1",
                _ => "0.3",
            });
            assert_eq!(reply.header("a2a-version"), Some(version), "{cell:?}");
            let got = task_of(cell.read(Answer::SentTask, cell.form(), &reply.body));
            let known = StreamResponse::Task(task(&server, got.id.as_str()).await);
            let expected = task_of(through(cell.form(), Answer::SentTask, known.clone()));
            assert_eq!(got, expected, "{cell:?}");

            // And every cell reads it so.
            for other in CELLS {
                let get = if other.stated == Some("1.0") { "GetTask" } else { "tasks/get" };
                let get = other.on_task(get, "GET", "/tasks/{id}", got.id.as_str());
                let reply = get.to(server.address).await;
                let read = other.read(Answer::Task, other.bare_form(), &reply.body);
                assert_eq!(
                    read,
                    through(other.bare_form(), Answer::Task, known.clone()),
                    "{other:?}"
                );
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_tells_the_same_everywhere() {
    let server = start().await;
    for cell in CELLS {
        let reply = cell.send(cell.stream, "everything", None).to(server.address).await;
        assert_eq!(reply.header("content-type"), Some("text/event-stream"), "{cell:?}: {reply:?}");
        let read = |item: &&str| cell.read(Answer::Item, cell.form(), item);
        let got: Vec<_> = items(&reply.body).iter().map(read).collect();
        let id = match &got[0] {
            StreamResponse::Task(task) => task.id.clone(),
            StreamResponse::StatusUpdate(update) => update.task_id.clone(),
            other => panic!("{cell:?} begins with {other:?}"),
        };
        let replay = ask("GET", &format!("/tasks/{id}:subscribe")).with("last-event-id", "0");
        let replay = replay.to(server.address).await;
        // The first item is a header that stands for what the reader has seen already.
        let known = items(&replay.body).into_iter().skip(1);
        let known = known.map(|item| serde_json::from_str(item).expect("a stream response"));
        let expected: Vec<_> = known.map(|item| through(cell.form(), Answer::Item, item)).collect();
        assert_eq!(got, expected, "{cell:?}");
        let last = items(&reply.body).pop().expect("an item").replace(' ', "");
        let is_final = cell.form().is_none() || last.contains(r#""final":true"#);
        assert!(is_final, "{cell:?}: {last}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_direct_answer_is_the_same_everywhere() {
    let server = start().await;
    for cell in CELLS {
        let reply = cell.send(cell.send, "hello", None).to(server.address).await;
        let parts = match cell.read(Answer::SentMessage, cell.form(), &reply.body) {
            StreamResponse::Message(message) => message.parts,
            // The oldest have tasks only.
            StreamResponse::Task(task) if cell.form() == Some(Form::Json0_1) => {
                assert_eq!(task.status.state, TaskState::Completed);
                assert_eq!(self::task(&server, task.id.as_str()).await.status, task.status);
                task.status.message.expect("the answer").parts
            }
            other => panic!("{cell:?}: {other:?}"),
        };
        assert_eq!(parts, everything(), "{cell:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_conversation_may_change_its_version_at_every_turn() {
    let server = start().await;
    let reply = CELLS[0].send(CELLS[0].send, "ask", None).to(server.address).await;
    let asked = task_of(CELLS[0].read(Answer::SentTask, None, &reply.body));
    for cell in CELLS {
        let reply = cell.send(cell.send, "ask", Some(asked.id.as_str())).to(server.address).await;
        let got = task_of(cell.read(Answer::SentTask, cell.form(), &reply.body));
        assert_eq!((got.id, got.context_id), (asked.id.clone(), asked.context_id.clone()));
    }
    let whole = task(&server, asked.id.as_str()).await;
    assert_eq!(whole.history.len(), 2 * (CELLS.len() + 1), "each turn is in the history");
    server.stop().await;
}

#[tokio::test]
async fn a_task_is_cancelled_from_everywhere() {
    let server = start().await;
    for cell in CELLS {
        let body = r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"wait"}]},"configuration":{"returnImmediately":true}}"#;
        let reply = ask("POST", "/message:send").body(body).to(server.address).await;
        let id = reply.text_after(r#""id":""#).to_owned();
        let cancel = |method| {
            let path = if cell.form() == Some(Form::Json0_1) {
                "/tasks/{id}/cancel"
            } else {
                "/tasks/{id}:cancel"
            };
            let ask = cell.on_task(method, "POST", path, &id);
            if cell.rpc { ask } else { ask.body("{}") }
        };
        let method = if cell.stated == Some("1.0") { "CancelTask" } else { "tasks/cancel" };
        let reply = cancel(method).to(server.address).await;
        let got = cell.read(Answer::Task, cell.bare_form(), &reply.body);
        let known = StreamResponse::Task(task(&server, &id).await);
        assert_eq!(got, through(cell.bare_form(), Answer::Task, known), "{cell:?}");
        let again = cancel(method).to(server.address).await;
        check_error(cell, &again, -32002, [400, 409]);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_subscription_to_a_task_that_has_ended() {
    let server = start().await;
    let reply = CELLS[0].send(CELLS[0].send, "reject", None).to(server.address).await;
    let ended = task_of(CELLS[0].read(Answer::SentTask, None, &reply.body));
    for cell in CELLS {
        if !cell.rpc && cell.form() == Some(Form::Json0_1) {
            continue; // That surface has no such operation.
        }
        let new = cell.stated == Some("1.0");
        let method = if new { "SubscribeToTask" } else { "tasks/resubscribe" };
        let subscribe = cell.on_task(method, "GET", "/tasks/{id}:subscribe", ended.id.as_str());
        let reply = subscribe.to(server.address).await;
        if new {
            check_error(cell, &reply, -32004, [400, 400]);
            continue;
        }
        let read = |item: &&str| cell.read(Answer::Item, cell.bare_form(), item);
        let got: Vec<_> = items(&reply.body).iter().map(read).collect();
        let opening = StreamResponse::Task(ended.clone());
        assert_eq!(got[0], through(cell.bare_form(), Answer::Item, opening), "{cell:?}");
        assert!(matches!(got[1], StreamResponse::StatusUpdate(_)) && got.len() == 2, "{cell:?}");
        assert!(items(&reply.body)[1].contains(r#""final":true"#), "{cell:?}: {reply:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_told_by_the_same_code_everywhere() {
    let server = start().await;
    for cell in CELLS {
        let new = cell.stated == Some("1.0");
        let get = if new { "GetTask" } else { "tasks/get" };
        let get = cell.on_task(get, "GET", "/tasks/{id}", "unknown").to(server.address).await;
        check_error(cell, &get, -32001, [404, 404]);
        if cell.form() != Some(Form::Json0_1) {
            let send = cell.send(cell.send, "x", Some("unknown")).to(server.address).await;
            check_error(cell, &send, -32001, [404, 404]);
            let (method, path) = if new {
                ("GetExtendedAgentCard", "/extendedAgentCard")
            } else {
                ("agent/getAuthenticatedExtendedCard", "/card")
            };
            let card = cell.on_task(method, "GET", path, "").to(server.address).await;
            check_error(cell, &card, -32004, [400, 501]);
        }
    }
    server.stop().await;
}

/// Checks an error by its code, and in REST by the status of 1.0 and that of older versions.
fn check_error(cell: Cell, reply: &Reply, code: i32, [new, old]: [u16; 2]) {
    let status = if cell.rpc {
        200
    } else if cell.form.is_none() {
        new
    } else {
        old
    };
    assert_eq!(reply.status, status, "{cell:?}: {reply:?}");
    let says = match (cell.rpc, cell.form) {
        (false, None) => format!(r#"{{"error":{{"code":{status},"#),
        (false, Some(_)) => format!(r#""code":{code},"#),
        (true, _) => format!(r#""error":{{"code":{code},"#),
    };
    assert!(reply.body.contains(&says), "{cell:?}: no {says} in {reply:?}");
}
