//! Extensions of the protocol on the caller's side (Spec 4.6): they see what goes out and what comes
//! back.

use std::fmt::Debug;

use legation_model::{
    Message, Request, SendMessageResponse, StreamResponse, Task, TaskArtifactUpdateEvent,
    TaskStatusUpdateEvent,
};

use crate::Client;

/// An extension of the protocol as a caller has it (Spec 4.6). Its URI is named in every call; an agent
/// that does not know it passes over it.
pub trait Extension: Debug + Send + Sync + 'static {
    /// The URI, which names the version of the extension as well.
    fn uri(&self) -> &str;

    /// Sees an operation before it goes out, once however often it is tried. Data of the extension
    /// belongs into metadata, under the URI.
    fn on_request(&self, _request: &mut Request) {}

    /// Sees what the agent said before the caller does, whatever operation it answers.
    fn on_response(&self, _response: Response<'_>) {}
}

/// What an agent said, for an extension to change.
#[derive(Debug)]
pub enum Response<'r> {
    /// A task, by itself or in a list.
    Task(&'r mut Task),
    /// A message without a task.
    Message(&'r mut Message),
    /// Where a task stands.
    StatusUpdate(&'r mut TaskStatusUpdateEvent),
    /// What a task has produced.
    ArtifactUpdate(&'r mut TaskArtifactUpdateEvent),
}

impl<'r> From<&'r mut StreamResponse> for Response<'r> {
    fn from(item: &'r mut StreamResponse) -> Self {
        match item {
            StreamResponse::Task(task) => Self::Task(task),
            StreamResponse::Message(message) => Self::Message(message),
            StreamResponse::StatusUpdate(update) => Self::StatusUpdate(update),
            StreamResponse::ArtifactUpdate(update) => Self::ArtifactUpdate(update),
        }
    }
}

impl<'r> From<&'r mut SendMessageResponse> for Response<'r> {
    fn from(answer: &'r mut SendMessageResponse) -> Self {
        match answer {
            SendMessageResponse::Task(task) => Self::Task(task),
            SendMessageResponse::Message(message) => Self::Message(message),
        }
    }
}

impl<'r> From<&'r mut Task> for Response<'r> {
    fn from(task: &'r mut Task) -> Self {
        Self::Task(task)
    }
}

impl Client {
    /// Lets the extensions see an answer, the first of them first.
    pub(crate) fn extended<T>(&self, mut answer: T) -> T
    where
        for<'r> Response<'r>: From<&'r mut T>,
    {
        for hook in &self.options().hooks {
            hook.on_response(Response::from(&mut answer));
        }
        answer
    }
}
