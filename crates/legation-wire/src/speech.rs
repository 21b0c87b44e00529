//! How an agent is spoken to, in every version and binding: what a caller sends, and how it reads what
//! comes back. The other direction of [`crate::codec`].
//!
//! An operation goes out as a [`Request`] of 1.0 and its answer comes back as JSON of 1.0, whatever is
//! spoken. What the older versions have no words for in a request:
//!
//! - a list of tasks, before 1.0; webhooks that are listed or deleted, an extended card, and in REST
//!   a subscription, in 0.1: such a call is refused here;
//! - a tenant, before 1.0: it is left out;
//! - `returnImmediately` in 0.1, whose agents answer when the task settles;
//! - metadata of a cancellation or a subscription on gRPC, and the tasks that a message refers to in
//!   the protobuf of 0.3: they are left out;
//! - a history of no messages in 0.3 and 0.2, where zero stands for all of it: it is cut off from the
//!   answer.

mod rest;
mod rpc;

use std::borrow::Cow;

use legation_model::{
    A2aError, ErrorKind, ListTaskPushNotificationConfigsResponse, Request, StreamResponse, Task,
    TaskId, TaskPushNotificationConfig,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::answer::Answer;
use crate::card::{self, Binding, Interface};
use crate::fault;
use crate::grpc::{self, Numbers, Package, frame};
use crate::json::JsonBounds;
use crate::operation::{self, EXTENDED_CARD_0_2, Operation, Row, Verb};
use crate::reply::{self, Streamed};
use crate::v0_3::{self, Form};
use crate::version::Version;

pub use rpc::envelope;

/// How an agent is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speech {
    interface: Interface,
    /// The form before 1.0.
    older: Option<Form>,
}

/// An operation as it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The HTTP method.
    pub verb: Verb,
    /// What stands behind the path of the interface's address; it may begin with `/..`.
    pub path: String,
    /// The query; empty for none.
    pub query: String,
    /// The media type of the body.
    pub media_type: &'static str,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

/// Why an answer is no result.
#[derive(Debug, PartialEq)]
pub enum NoResult {
    /// The agent says it is an error.
    Error(A2aError),
    /// It is nothing that the version knows.
    Nonsense(String),
}

impl NoResult {
    fn nonsense(fault: impl std::fmt::Display) -> Self {
        Self::Nonsense(fault.to_string())
    }
}

impl Speech {
    /// How an interface is spoken to; `None` when its version has no such binding.
    pub const fn of(interface: Interface) -> Option<Self> {
        let older = match (interface.version, interface.binding) {
            (Version::V1_0, _) => None,
            (Version::V0_3 | Version::V0_2, Binding::JsonRpc) => Some(Form::Json),
            (Version::V0_3 | Version::V0_2, Binding::HttpJson | Binding::Grpc) => Some(Form::Proto),
            (Version::V0_1, Binding::JsonRpc | Binding::HttpJson) => Some(Form::Json0_1),
            (Version::V0_1, Binding::Grpc) => return None,
        };
        Some(Self { interface, older })
    }

    /// The other spelling of REST in 0.3, that of its JSON-RPC, which some of its servers have; `None`
    /// where there is no other. Answers are understood in either.
    pub fn respelled(self) -> Option<Self> {
        let is_proto =
            self.interface.binding == Binding::HttpJson && self.older == Some(Form::Proto);
        is_proto.then_some(Self { older: Some(Form::Json), ..self })
    }

    /// The interface.
    pub const fn interface(self) -> Interface {
        self.interface
    }

    /// The version.
    pub const fn version(self) -> Version {
        self.interface.version
    }

    /// The binding.
    pub const fn binding(self) -> Binding {
        self.interface.binding
    }

    /// The HTTP methods by which an operation goes, the likeliest first.
    pub fn verbs(self, operation: Operation) -> &'static [Verb] {
        match (self.binding(), self.row(operation)) {
            (Binding::HttpJson, Ok(row)) => row.verbs,
            _ if self.asks_0_2_for_card(operation) => &[Verb::Get],
            _ => &[Verb::Post],
        }
    }

    /// Says an operation, by this HTTP method.
    ///
    /// # Errors
    /// `UnsupportedOperation` when the version and the binding have no words for it, and
    /// `InvalidParams` when an identifier cannot stand in a path.
    pub fn say(self, request: &Request, verb: Verb) -> Result<Said, A2aError> {
        let operation = Operation::of_request(request);
        if self.asks_0_2_for_card(operation) {
            let path = format!("/..{EXTENDED_CARD_0_2}");
            let (query, media_type, body) = (String::new(), rpc::MEDIA_TYPE, Vec::new());
            return Ok(Said { verb, path, query, media_type, body });
        }
        let row = self.row(operation)?;
        match self.binding() {
            Binding::JsonRpc => {
                let params = self.params(request)?;
                let (path, query) = (String::new(), String::new());
                let body = rpc::envelope(row.method, &params);
                Ok(Said { verb, path, query, media_type: rpc::MEDIA_TYPE, body })
            }
            Binding::HttpJson => match self.older {
                None => rest::say(row, verb, request.tenant(), || self.params(request)),
                Some(form) => rest::say(row, verb, None, || v0_3::write_rest(form, request)),
            }
            .map(|said| Said { media_type: self.media_type(), ..said }),
            Binding::Grpc => {
                let package = self.package();
                let params = self.params(request)?;
                let params = str::from_utf8(&params).expect("JSON is UTF-8");
                let message = grpc::write_request(package, operation, params, Numbers::Refuse)?;
                let body = frame::frame(&message);
                let body = body.ok_or_else(|| A2aError::invalid("message", "is too large"))?;
                let path = format!("/{}/{}", package.service(), row.grpc);
                let (query, media_type) = (String::new(), GRPC);
                Ok(Said { verb, path, query, media_type, body })
            }
        }
    }

    /// The media type of REST: one of its own since 1.0.1, which servers of 1.0.0 may refuse.
    const fn media_type(self) -> &'static str {
        match self.older {
            None => "application/a2a+json",
            Some(_) => rpc::MEDIA_TYPE,
        }
    }

    /// What media types an answer may have.
    pub const fn accept(self, streams: bool) -> &'static str {
        match (self.binding(), streams, self.older) {
            (Binding::Grpc, ..) => GRPC,
            (_, true, _) => "text/event-stream, application/json",
            (Binding::HttpJson, false, None) => "application/a2a+json, application/json",
            (_, false, _) => rpc::MEDIA_TYPE,
        }
    }

    /// Takes the result out of a whole answer with a good status: the JSON of 1.0. That of gRPC is the
    /// one message.
    ///
    /// # Errors
    /// When the agent says that it is an error, and when it is not what the operation answers.
    pub fn read<'b>(self, request: &Request, body: &'b [u8]) -> Result<Cow<'b, [u8]>, NoResult> {
        let operation = Operation::of_request(request);
        let document = match self.binding() {
            Binding::Grpc => {
                let json =
                    grpc::read_answer(self.package(), operation, body, JsonBounds::default());
                Cow::Owned(json.map_err(NoResult::nonsense)?.into_bytes())
            }
            Binding::JsonRpc if self.asks_0_2_for_card(operation) => Cow::Borrowed(body),
            Binding::JsonRpc if operation == Operation::DeleteTaskPushNotificationConfig => {
                rpc::done(self.version(), admit(body)?)?;
                Cow::Borrowed(&b"null"[..])
            }
            Binding::JsonRpc => Cow::Borrowed(rpc::result(self.version(), admit(body)?)?),
            Binding::HttpJson => {
                let text = admit(body)?;
                if fault::is_error(text) {
                    let error = fault::read_rest(self.version(), 500, text);
                    return Err(NoResult::Error(error.expect("of a status that says something")));
                }
                // 204 is the answer to what has none.
                Cow::Borrowed(if body.trim_ascii().is_empty() { &b"null"[..] } else { body })
            }
        };
        self.current(request, document)
    }

    /// Reads the result of a whole answer: as [`Speech::read`], and then by [`reply::read`].
    ///
    /// # Errors
    /// As [`Speech::read`], and when the result is not what is wanted.
    pub fn read_as<T: DeserializeOwned>(
        self,
        request: &Request,
        body: &[u8],
    ) -> Result<T, NoResult> {
        let operation = Operation::of_request(request);
        // Cards are read with more patience than the model has.
        if operation != Operation::GetExtendedAgentCard
            && let Some(read) = self.read_directly(operation, body)
        {
            return Ok(read);
        }
        reply::read(&self.read(request, body)?).map_err(NoResult::nonsense)
    }

    /// Reads what needs no codec: the messages of 1.0.
    fn read_directly<T: DeserializeOwned>(self, operation: Operation, message: &[u8]) -> Option<T> {
        let is_current = self.binding() == Binding::Grpc && self.older.is_none();
        is_current.then(|| grpc::read_directly(operation, message, JsonBounds::default())).flatten()
    }

    /// Makes of a document one of 1.0.
    fn current<'b>(
        self,
        request: &Request,
        document: Cow<'b, [u8]>,
    ) -> Result<Cow<'b, [u8]>, NoResult> {
        use Request as R;
        if let R::GetExtendedAgentCard(_) = request {
            let reading = card::read(&document).map_err(NoResult::nonsense)?;
            return Ok(Cow::Owned(json(&reading.card)));
        }
        if let R::DeleteTaskPushNotificationConfig(_) = request {
            return Ok(Cow::Borrowed(b"null"));
        }
        let Some(form) = self.older else { return Ok(document) };
        let response = |answer| {
            let response = v0_3::read_answer(form, answer, &document);
            response.map_err(NoResult::nonsense)
        };
        Ok(Cow::Owned(match request {
            R::SendMessage(send) | R::SendStreamingMessage(send) => {
                let mut response = response(Answer::SentTask)?;
                if let StreamResponse::Task(task) = &mut response {
                    keep_newest(task, send.configuration.history_length);
                }
                json(&response)
            }
            R::GetTask(get) => json(&task_of(response(Answer::Task)?, get.history_length)?),
            R::CancelTask(_) | R::SubscribeToTask(_) => {
                json(&task_of(response(Answer::Task)?, None)?)
            }
            R::CreateTaskPushNotificationConfig(config) => {
                let task = config.task_id.as_ref();
                let read = task.and_then(|task| webhook(form, task, &document).ok());
                // Some agents of 0.1 confirm without repeating what they confirm.
                json(&read.unwrap_or_else(|| config.clone()))
            }
            R::GetTaskPushNotificationConfig(get) => json(&webhook(form, &get.task_id, &document)?),
            R::ListTaskPushNotificationConfigs(list) => {
                let read = v0_3::read_webhooks(form, &list.task_id, &document);
                let read: ListTaskPushNotificationConfigsResponse =
                    read.map_err(NoResult::nonsense)?;
                json(&read)
            }
            R::ListTasks(_)
            | R::DeleteTaskPushNotificationConfig(_)
            | R::GetExtendedAgentCard(_) => document.into_owned(),
        }))
    }

    /// Adds the items in the data of one event of a stream. That of gRPC is a message.
    ///
    /// # Errors
    /// As [`Speech::read`].
    pub fn read_items(
        self,
        data: &[u8],
        items: &mut impl Extend<StreamResponse>,
    ) -> Result<(), NoResult> {
        if let Some(Streamed(item)) = self.read_directly(Operation::SendStreamingMessage, data) {
            items.extend([item]);
            return Ok(());
        }
        let document = match self.binding() {
            Binding::Grpc => {
                let (operation, bounds) = (Operation::SendStreamingMessage, JsonBounds::default());
                let json = grpc::read_answer(self.package(), operation, data, bounds);
                Cow::Owned(json.map_err(NoResult::nonsense)?.into_bytes())
            }
            Binding::JsonRpc => Cow::Borrowed(rpc::result(self.version(), admit(data)?)?),
            Binding::HttpJson => Cow::Borrowed(admit(data)?.as_bytes()),
        };
        let read = match self.older {
            None => reply::read(&document).map(|Streamed(item)| items.extend([item])),
            Some(form) => v0_3::read_items(form, &document).map(|read| items.extend(read)),
        };
        read.map_err(|fault| {
            let text = String::from_utf8_lossy(&document);
            // Of an event no status says what a body without a name and a code means.
            let error = fault::read_rest(self.version(), 200, &text);
            error.map_or_else(|| NoResult::nonsense(fault), NoResult::Error)
        })
    }

    /// Takes the result out of the answer to a method of an extension, which JSON-RPC alone has.
    ///
    /// # Errors
    /// As [`Speech::read`].
    pub fn read_extension(self, body: &[u8]) -> Result<&[u8], NoResult> {
        rpc::result(self.version(), admit(body)?)
    }

    fn params(self, request: &Request) -> Result<Vec<u8>, A2aError> {
        match self.older {
            None => Ok(params_of_1_0(request)),
            Some(form) => v0_3::write_params(form, request),
        }
    }

    const fn package(self) -> Package {
        match self.older {
            None => Package::V1_0,
            Some(_) => Package::V0_3,
        }
    }

    /// How the version names the operation in this binding.
    fn row(self, operation: Operation) -> Result<&'static Row, A2aError> {
        let binding = self.binding();
        let has_name = |row: &&Row| match binding {
            Binding::JsonRpc => !row.method.is_empty(),
            Binding::HttpJson => !row.verbs.is_empty(),
            Binding::Grpc => !row.grpc.is_empty(),
        };
        let mut rows = operation::rows(self.version()).iter().filter(has_name);
        rows.find(|row| row.operation == operation).ok_or_else(|| {
            let (name, version) = (operation.row().method, self.version().name());
            let text = format!("A2A {version} has no {name} over {}", binding.name());
            A2aError::new(ErrorKind::UnsupportedOperation, text)
        })
    }

    /// The header that names the extensions of a call.
    pub const fn extensions_header(self) -> &'static str {
        match self.older {
            None => "a2a-extensions",
            Some(_) => "x-a2a-extensions",
        }
    }

    /// Whether a card may not have said that it is of this version: until 0.2.5 none did.
    pub const fn may_be_a_guess(self) -> bool {
        matches!(self.version(), Version::V0_2 | Version::V0_1)
    }

    /// Whether the operation is that which 0.2 has no method for, but a path beside its card.
    fn asks_0_2_for_card(self, operation: Operation) -> bool {
        operation == Operation::GetExtendedAgentCard
            && self.version() == Version::V0_2
            && self.binding() == Binding::JsonRpc
    }
}

/// A body as text, when it is no bomb.
fn admit(body: &[u8]) -> Result<&str, NoResult> {
    JsonBounds::ANSWER.admit(body).map_err(|refusal| NoResult::Nonsense(refusal.message))
}

/// The media type of gRPC.
const GRPC: &str = "application/grpc";

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the model is JSON")
}

fn task_of(response: StreamResponse, history_length: Option<i32>) -> Result<Task, NoResult> {
    let StreamResponse::Task(mut task) = response else {
        return Err(NoResult::Nonsense("not a task".into()));
    };
    keep_newest(&mut task, history_length);
    Ok(task)
}

/// Cuts the history to what was asked for: not every older agent can be told.
fn keep_newest(task: &mut Task, wanted: Option<i32>) {
    let Some(wanted) = wanted.and_then(|wanted| usize::try_from(wanted).ok()) else { return };
    let surplus = task.history.len().saturating_sub(wanted);
    task.history.drain(..surplus);
}

fn webhook(
    form: Form,
    task: &TaskId,
    document: &[u8],
) -> Result<TaskPushNotificationConfig, NoResult> {
    v0_3::read_webhook(form, task, document).map_err(NoResult::nonsense)
}

/// The parameters as 1.0 has them.
fn params_of_1_0(request: &Request) -> Vec<u8> {
    use Request as R;
    match request {
        R::SendMessage(request) | R::SendStreamingMessage(request) => json(request),
        R::GetTask(request) => json(request),
        R::ListTasks(request) => json(request),
        R::CancelTask(request) => json(request),
        R::SubscribeToTask(request) => json(request),
        R::CreateTaskPushNotificationConfig(request) => json(request),
        R::GetTaskPushNotificationConfig(request) => json(request),
        R::ListTaskPushNotificationConfigs(request) => json(request),
        R::DeleteTaskPushNotificationConfig(request) => json(request),
        R::GetExtendedAgentCard(request) => json(request),
    }
}
