//! Extensions of the protocol: the seam in the gate where they see every call (Spec 4.6).

mod contexts;
mod cursor;
mod idempotency;

use std::sync::Arc;

use async_trait::async_trait;
use legation_model::{
    A2aError, AgentExtension, ErrorKind, Json, Metadata, Request, StreamResponse, Task,
};

use crate::call::{Call, Reply};
use crate::store::Seq;
use crate::{Document, Item, Service};

pub(crate) use contexts::Contexts;
pub use contexts::{
    CONTEXTS_EXTENSION, ERASE_CONTEXT, ERASE_SUBJECT, EraseContext, EraseSubject, Erased,
};
pub use cursor::CURSOR_EXTENSION;
pub(crate) use cursor::Cursor;
pub(crate) use idempotency::Idempotency;

/// An extension of the protocol (Spec 4.6). It takes part in those calls only that ask for it by
/// its URI, which names its version as well.
///
/// It may look at a request and change it, add data of its own to the metadata of what the caller
/// gets, and answer methods of its own. It cannot change the protocol's objects otherwise.
#[async_trait]
pub trait Extension: Send + Sync + 'static {
    /// How the cards declare it. One that is `required` is asked of every caller.
    fn declaration(&self) -> AgentExtension;

    /// Sees a request before anything is done about it.
    ///
    /// # Errors
    /// What the caller is told instead of an answer.
    fn on_request(&self, _call: &mut Call, _request: &mut Request) -> Result<(), A2aError> {
        Ok(())
    }

    /// Sees a task, a message or an update before the caller does, with its number within the
    /// task's log where it has one. What it returns joins the metadata there, under the URI. The
    /// tasks of a listing it does not see.
    fn on_response(
        &self,
        _call: &Call,
        _response: &StreamResponse,
        _seq: Option<Seq>,
    ) -> Option<Json> {
        None
    }

    /// Answers a JSON-RPC method of its own; `None` when it has no such method.
    async fn method(
        &self,
        _service: &Service,
        _call: &Call,
        _method: &str,
        _params: Option<&Json>,
    ) -> Option<Result<Json, A2aError>> {
        None
    }
}

/// The extensions of a service.
#[derive(Clone, Default)]
pub(crate) struct Extensions(Vec<Declared>);

/// An extension with what its card says of it.
#[derive(Clone)]
struct Declared {
    declaration: Arc<AgentExtension>,
    extension: Arc<dyn Extension>,
}

impl Extensions {
    /// Adds one; a later one with the same URI takes the place of the earlier.
    pub(crate) fn add(&mut self, extension: Arc<dyn Extension>) {
        let declaration = Arc::new(extension.declaration());
        self.0.retain(|known| known.declaration.uri != declaration.uri);
        self.0.push(Declared { declaration, extension });
    }

    /// How the cards declare them.
    pub(crate) fn declarations(&self) -> impl Iterator<Item = &AgentExtension> {
        self.0.iter().map(|known| &*known.declaration)
    }

    /// Refuses a call that does not ask for what is required (Spec 3.3.4).
    pub(crate) fn check_required(&self, call: &Call) -> Result<(), A2aError> {
        let asked = |uri: &str| call.extensions.iter().any(|asked| asked == uri);
        let missing = self.declarations().find(|known| known.required && !asked(&known.uri));
        let Some(missing) = missing else { return Ok(()) };
        let text = format!(
            "this agent requires the extension `{}`; name it in the header \
                            `A2A-Extensions`",
            missing.uri
        );
        let error = A2aError::new(ErrorKind::ExtensionSupportRequired, text);
        Err(error.with("uri", missing.uri.as_str()))
    }

    /// Those that a call asks for.
    pub(crate) fn active(&self, call: &Call) -> Active {
        // The usual call asks for none, so nothing is allocated for it.
        let wanted = |known: &&Declared| call.extensions.contains(&known.declaration.uri);
        Active(self.0.iter().filter(wanted).cloned().collect())
    }
}

/// The extensions that take part in a call.
#[derive(Clone)]
pub(crate) struct Active(Vec<Declared>);

impl Active {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets each see the request.
    pub(crate) fn on_request(
        &self,
        call: &mut Call,
        request: &mut Request,
    ) -> Result<(), A2aError> {
        self.0.iter().try_for_each(|known| known.extension.on_request(call, request))
    }

    /// Lets each see the reply, a stream's as its items come.
    pub(crate) fn on_reply(self, call: Call, reply: Reply) -> Result<Reply, A2aError> {
        Ok(match reply {
            Reply::SentTask(task) => Reply::SentTask(self.task(&call, &task)?),
            Reply::Task(task) => Reply::Task(self.task(&call, &task)?),
            Reply::SentMessage(message) => {
                let mut response = StreamResponse::Message(message.read()?);
                match (self.mark(&call, &mut response, None), response) {
                    (true, StreamResponse::Message(message)) => {
                        Reply::SentMessage(Document::write(&message))
                    }
                    _ => Reply::SentMessage(message),
                }
            }
            Reply::Tasks(tasks) => Reply::Tasks(tasks),
            Reply::ExtendedCard(usable) => Reply::ExtendedCard(usable),
            Reply::Stream(follow) => Reply::Stream(follow.seen_by(Seen { active: self, call })),
        })
    }

    fn task(&self, call: &Call, document: &Document) -> Result<Document, A2aError> {
        let mut response = StreamResponse::Task(document.read::<Task>()?);
        match (self.mark(call, &mut response, None), response) {
            (true, StreamResponse::Task(task)) => Ok(Document::write(&task)),
            _ => Ok(document.clone()),
        }
    }

    /// Adds what each has to say to the metadata; whether any had something.
    fn mark(&self, call: &Call, response: &mut StreamResponse, seq: Option<Seq>) -> bool {
        let mut marked = false;
        for known in &self.0 {
            let Some(data) = known.extension.on_response(call, response, seq) else { continue };
            let (metadata, uri) = (metadata_of(response), &*known.declaration.uri);
            match Metadata::with(metadata.as_ref(), uri, data) {
                Ok(with) => *metadata = Some(with),
                Err(error) => tracing::error!(uri, %error, "an extension's data does not fit"),
            }
            marked = true;
        }
        marked
    }

    /// Asks each for a method of its own.
    pub(crate) async fn method(
        &self,
        service: &Service,
        call: &Call,
        method: &str,
        params: Option<&Json>,
    ) -> Option<Result<Json, A2aError>> {
        for known in &self.0 {
            if let Some(answer) = known.extension.method(service, call, method, params).await {
                return Some(answer);
            }
        }
        None
    }
}

/// The extensions that see a stream's items.
pub(crate) struct Seen {
    active: Active,
    call: Call,
}

impl Seen {
    /// Lets each see an item.
    pub(crate) fn item(&self, item: Item) -> Result<Item, A2aError> {
        let mut response: StreamResponse = item.json.read()?;
        if !self.active.mark(&self.call, &mut response, item.seq) {
            return Ok(item);
        }
        Ok(Item { json: Document::write(&response), ..item })
    }
}

fn metadata_of(response: &mut StreamResponse) -> &mut Option<Metadata> {
    match response {
        StreamResponse::Task(task) => &mut task.metadata,
        StreamResponse::Message(message) => &mut message.metadata,
        StreamResponse::StatusUpdate(update) => &mut update.metadata,
        StreamResponse::ArtifactUpdate(update) => &mut update.metadata,
    }
}
