//! One agent, every operation, every version and binding: what callers get is the same wherever
//! they come from, up to what the loss table says.

use std::sync::Arc;

use legation_auth::Anonymous;
use legation_core::{Profile, Service};
use legation_model::{ErrorKind, Message, Role, StreamResponse, Task, TaskState};
use legation_store::sqlite::{Options, SqliteStore};
use legation_testkit::agents::{Versatile, everything};
use legation_wire::answer::Answer;
use legation_wire::grpc::Package;
use legation_wire::loss;
use legation_wire::operation::{self, Operation, Row};
use legation_wire::v0_3::{self, Form};
use legation_wire::version::Version;

use crate::client::{Reply, ask, rpc};
use crate::grpc_client::{GrpcReply, call, integers};
use crate::server::{self, Server};

/// A way to call the server.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// The version header.
    stated: Option<&'static str>,
    version: Version,
    binding: Binding,
    /// The older form that is spoken, and the one that answers where requests show none.
    form: Option<(Form, Form)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Binding {
    Rpc,
    Rest,
    Grpc(Package),
}

const fn cell(
    stated: Option<&'static str>,
    version: Version,
    binding: Binding,
    form: Option<(Form, Form)>,
) -> Cell {
    Cell { stated, version, binding, form }
}

use Binding::{Grpc, Rest, Rpc};
use Version::{V0_1, V0_2, V0_3, V1_0};

#[rustfmt::skip]
const CELLS: [Cell; 14] = [
    cell(Some("1.0"), V1_0, Rpc,                 None),
    cell(Some("1.0"), V1_0, Rest,                None),
    cell(Some("1.0"), V1_0, Grpc(Package::V1_0), None),
    cell(Some("0.3"), V0_3, Rpc,                 Some((Form::Json, Form::Json))),
    cell(None,        V0_3, Rpc,                 Some((Form::Json, Form::JsonAnd0_1))),
    cell(Some("0.2"), V0_2, Rpc,                 Some((Form::Json, Form::Json))),
    cell(None,        V0_3, Rest,                Some((Form::Proto, Form::Proto))),
    cell(None,        V0_3, Rest,                Some((Form::Json, Form::Proto))),
    cell(Some("0.2"), V0_2, Rest,                Some((Form::Proto, Form::Proto))),
    cell(None,        V0_3, Grpc(Package::V0_3), Some((Form::Proto, Form::Proto))),
    cell(Some("0.3"), V0_3, Grpc(Package::V0_3), Some((Form::Proto, Form::Proto))),
    cell(Some("0.1"), V0_1, Rpc,                 Some((Form::Json0_1, Form::Json0_1))),
    cell(None,        V0_1, Rpc,                 Some((Form::Json0_1, Form::JsonAnd0_1))),
    cell(None,        V0_1, Rest,                Some((Form::Json0_1, Form::Json0_1))),
];

/// The way that all others are compared with.
const PLAIN: Cell = CELLS[0];

/// What a cell was answered.
#[derive(Debug)]
enum Got {
    Http(Reply),
    Grpc(GrpcReply),
}

impl Got {
    fn version(&self) -> Option<&str> {
        match self {
            Self::Http(reply) => reply.header("a2a-version"),
            Self::Grpc(reply) => reply.metadata("a2a-version"),
        }
    }

    /// The documents: the one of a plain answer, or the items of a stream.
    fn documents(&self, cell: Cell) -> Vec<String> {
        let bodies = match self {
            Self::Grpc(reply) => {
                assert_eq!(reply.code(), 0, "{cell:?}: {reply:?}");
                return reply.json();
            }
            Self::Http(reply) if reply.header("content-type") == Some("text/event-stream") => {
                items(&reply.body)
            }
            Self::Http(reply) => {
                assert_eq!(reply.status, 200, "{cell:?}: {reply:?}");
                vec![&*reply.body]
            }
        };
        let result = |body| if cell.binding == Rpc { result(body) } else { body };
        bodies.into_iter().map(result).map(str::to_owned).collect()
    }
}

impl Cell {
    fn row(self, operation: Operation) -> &'static Row {
        let mut rows = operation::rows(self.version).iter();
        rows.find(|row| row.operation == operation).expect("an operation of the version")
    }

    /// Asks for an operation: with params, or with a body where it has one and the path does not say
    /// everything.
    async fn ask(self, server: &Server, operation: Operation, task: &str, params: &str) -> Got {
        let row = self.row(operation);
        let request = match self.binding {
            Grpc(package) => {
                let request = call(package, row.grpc).json(params).stating(self.stated);
                return Got::Grpc(request.to(server.address).await);
            }
            Rpc => ask("POST", "/a2a").body(rpc(row.method, params)),
            Rest => {
                // Of two verbs the later one has no body.
                let verb = row.verbs.last().expect("a verb").name();
                let request = ask(verb, &row.path.replace("{id}", task));
                if verb == "GET" { request } else { request.body(params) }
            }
        };
        let request = match self.stated {
            Some(version) => request.with("a2a-version", version),
            None => request.without("a2a-version"),
        };
        Got::Http(request.to(server.address).await)
    }

    async fn on_task(self, server: &Server, operation: Operation, task: &str) -> Got {
        let params = match self.binding {
            Grpc(_) if operation == Operation::GetExtendedAgentCard => "{}".to_owned(),
            Grpc(Package::V0_3) => format!(r#"{{"name":"tasks/{task}"}}"#),
            Rpc | Grpc(Package::V1_0) => format!(r#"{{"id":"{task}"}}"#),
            Rest => "{}".to_owned(),
        };
        self.ask(server, operation, task, &params).await
    }

    async fn send(self, server: &Server, text: &str, task: Option<&str>) -> Got {
        self.say(server, Operation::SendMessage, text, task).await
    }

    async fn say(
        self,
        server: &Server,
        operation: Operation,
        text: &str,
        task: Option<&str>,
    ) -> Got {
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
        self.ask(server, operation, "", &params).await
    }

    /// What an answer says, by its own form.
    fn read(self, answer: Answer, form: Option<Form>, document: &str) -> StreamResponse {
        let bytes = document.as_bytes();
        let read = match (form, answer) {
            (Some(form), _) => v0_3::read_answer(form, answer, bytes),
            (None, Answer::Task) => serde_json::from_slice(bytes).map(StreamResponse::Task),
            (None, _) => serde_json::from_slice(bytes),
        };
        let read =
            read.unwrap_or_else(|error| panic!("{self:?} {answer:?}: {error} in {document}"));
        self.settled(read)
    }

    /// What an answer that is one document says.
    fn read_one(self, answer: Answer, form: Option<Form>, got: &Got) -> StreamResponse {
        self.read(answer, form, &got.documents(self)[0])
    }

    /// What the way makes of an answer.
    fn through(
        self,
        form: Option<Form>,
        answer: Answer,
        mut response: StreamResponse,
    ) -> StreamResponse {
        if let Some(form) = form {
            loss::normalise(form, answer, &mut response);
        }
        self.settled(response)
    }

    /// In protobuf numbers are doubles and members of objects have no order, so neither counts.
    fn settled(self, response: StreamResponse) -> StreamResponse {
        let Grpc(_) = self.binding else { return response };
        let mut value = serde_json::to_value(response).expect("JSON");
        integers(&mut value);
        serde_json::from_value(value).expect("the same response")
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
            let got = cell.send(&server, text, None).await;
            assert_eq!(got.version(), Some(cell.version.name()), "{cell:?}");
            let got = task_of(cell.read_one(Answer::SentTask, cell.form(), &got));
            let known = StreamResponse::Task(task(&server, got.id.as_str()).await);
            let expected = cell.through(cell.form(), Answer::SentTask, known.clone());
            assert_eq!(got, task_of(expected), "{cell:?}");

            // And every cell reads it so.
            for other in CELLS {
                let read = other.on_task(&server, Operation::GetTask, got.id.as_str()).await;
                let form = other.bare_form();
                let expected = other.through(form, Answer::Task, known.clone());
                assert_eq!(other.read_one(Answer::Task, form, &read), expected, "{other:?}");
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_tells_the_same_everywhere() {
    let server = start().await;
    for cell in CELLS {
        let told = cell.say(&server, Operation::SendStreamingMessage, "everything", None).await;
        let told = told.documents(cell);
        let read = |item: &String| cell.read(Answer::Item, cell.form(), item);
        let got: Vec<_> = told.iter().map(read).collect();
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
        let expected: Vec<_> =
            known.map(|item| cell.through(cell.form(), Answer::Item, item)).collect();
        assert_eq!(got, expected, "{cell:?}");
        let last = told.last().expect("an item").replace(' ', "");
        let is_final = cell.form().is_none() || last.contains(r#""final":true"#);
        assert!(is_final, "{cell:?}: {last}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_direct_answer_is_the_same_everywhere() {
    let server = start().await;
    for cell in CELLS {
        let got = cell.send(&server, "hello", None).await;
        let parts = match cell.read_one(Answer::SentMessage, cell.form(), &got) {
            StreamResponse::Message(message) => message.parts,
            // The oldest have tasks only.
            StreamResponse::Task(task) if cell.form() == Some(Form::Json0_1) => {
                assert_eq!(task.status.state, TaskState::Completed);
                assert_eq!(self::task(&server, task.id.as_str()).await.status, task.status);
                task.status.message.expect("the answer").parts
            }
            other => panic!("{cell:?}: {other:?}"),
        };
        let said = StreamResponse::Message(Message::new(Role::Agent, everything()));
        let StreamResponse::Message(said) = cell.settled(said) else { panic!("a message") };
        assert_eq!(parts, said.parts, "{cell:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_conversation_may_change_its_version_at_every_turn() {
    let server = start().await;
    let asked = PLAIN.send(&server, "ask", None).await;
    let asked = task_of(PLAIN.read_one(Answer::SentTask, None, &asked));
    for cell in CELLS {
        let got = cell.send(&server, "ask", Some(asked.id.as_str())).await;
        let got = task_of(cell.read_one(Answer::SentTask, cell.form(), &got));
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
        let cancel = || cell.on_task(&server, Operation::CancelTask, &id);
        let got = cell.read_one(Answer::Task, cell.bare_form(), &cancel().await);
        let known = StreamResponse::Task(task(&server, &id).await);
        assert_eq!(got, cell.through(cell.bare_form(), Answer::Task, known), "{cell:?}");
        check_error(cell, &cancel().await, ErrorKind::TaskNotCancelable);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_subscription_to_a_task_that_has_ended() {
    let server = start().await;
    let ended = PLAIN.send(&server, "reject", None).await;
    let ended = task_of(PLAIN.read_one(Answer::SentTask, None, &ended));
    for cell in CELLS {
        if cell.binding == Rest && cell.version == V0_1 {
            continue; // That surface has no such operation.
        }
        let told = cell.on_task(&server, Operation::SubscribeToTask, ended.id.as_str()).await;
        if cell.version == V1_0 {
            check_error(cell, &told, ErrorKind::UnsupportedOperation);
            continue;
        }
        let told = told.documents(cell);
        let read = |item: &String| cell.read(Answer::Item, cell.bare_form(), item);
        let got: Vec<_> = told.iter().map(read).collect();
        let opening = StreamResponse::Task(ended.clone());
        assert_eq!(got[0], cell.through(cell.bare_form(), Answer::Item, opening), "{cell:?}");
        assert!(matches!(got[1], StreamResponse::StatusUpdate(_)) && got.len() == 2, "{cell:?}");
        assert!(told[1].contains(r#""final":true"#), "{cell:?}: {told:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_told_by_the_same_code_everywhere() {
    let server = start().await;
    for cell in CELLS {
        let get = cell.on_task(&server, Operation::GetTask, "unknown").await;
        check_error(cell, &get, ErrorKind::TaskNotFound);
        if cell.version != V0_1 {
            let send = cell.send(&server, "x", Some("unknown")).await;
            check_error(cell, &send, ErrorKind::TaskNotFound);
            let card = cell.on_task(&server, Operation::GetExtendedAgentCard, "").await;
            check_error(cell, &card, ErrorKind::UnsupportedOperation);
        }
    }
    server.stop().await;
}

/// What an error is called: its code in JSON-RPC; in REST the status of 1.0 and that of older
/// versions; and so in gRPC; and its reason.
fn words_of(kind: ErrorKind) -> (i32, [u16; 2], [i32; 2], &'static str) {
    match kind {
        ErrorKind::TaskNotFound => (-32001, [404, 404], [5, 5], "TASK_NOT_FOUND"),
        ErrorKind::TaskNotCancelable => (-32002, [400, 409], [9, 12], "TASK_NOT_CANCELABLE"),
        ErrorKind::UnsupportedOperation => (-32004, [400, 501], [9, 12], "UNSUPPORTED_OPERATION"),
        other => panic!("{other:?}"),
    }
}

fn check_error(cell: Cell, got: &Got, kind: ErrorKind) {
    let (code, http, grpc, reason) = words_of(kind);
    let generation = usize::from(cell.version != V1_0);
    let reply = match got {
        Got::Grpc(reply) => {
            assert_eq!((reply.http, reply.code()), (200, grpc[generation]), "{cell:?}: {reply:?}");
            assert_eq!(reply.details().0, reason, "{cell:?}");
            return;
        }
        Got::Http(reply) => reply,
    };
    let status = if cell.binding == Rpc { 200 } else { http[generation] };
    assert_eq!(reply.status, status, "{cell:?}: {reply:?}");
    let says = match (cell.binding, cell.version) {
        (Rest, V1_0) => format!(r#"{{"error":{{"code":{status},"#),
        (Rest, _) => format!(r#""code":{code},"#),
        (_, _) => format!(r#""error":{{"code":{code},"#),
    };
    assert!(reply.body.contains(&says), "{cell:?}: no {says} in {reply:?}");
}
