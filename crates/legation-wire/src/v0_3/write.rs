//! Writes answers: the model's values, each under the names of a form.

mod content;
mod object;
mod request;

use legation_model::{
    ContextId, StreamResponse, Task, TaskArtifactUpdateEvent, TaskId, TaskState, TaskStatus,
    TaskStatusUpdateEvent,
};
use serde::de::Error as _;
use serde::{Serialize, Serializer};

use super::Form;
use super::names::state_name;
use super::narrow;
use crate::answer::Answer;
use content::Chunk;
use object::Object;

pub use request::{write_params, write_rest};

/// Writes a 1.0 document in a form.
///
/// # Errors
/// When the document has not the shape that it is said to have; for a page of tasks, which no version
/// before 1.0 has; and for a card, see [`crate::card`].
pub fn write(form: Form, answer: Answer, document: &[u8]) -> serde_json::Result<Vec<u8>> {
    let response = match answer {
        Answer::SentTask | Answer::Task => StreamResponse::Task(serde_json::from_slice(document)?),
        Answer::SentMessage => StreamResponse::Message(serde_json::from_slice(document)?),
        Answer::Item => serde_json::from_slice(document)?,
        Answer::Tasks => {
            return Err(serde_json::Error::custom("no version before 1.0 has pages of tasks"));
        }
        Answer::Card => return Err(serde_json::Error::custom("cards have forms of their own")),
    };
    let mut written = Vec::with_capacity(document.len() + document.len() / 4);
    let out = &mut written;
    match (form, answer, response) {
        (Form::Json0_1, Answer::Item, StreamResponse::Message(message)) => {
            serde_json::to_writer(out, &Snapshot(&narrow::task_of(message)))
        }
        (Form::Json0_1, _, StreamResponse::Message(message)) => {
            serde_json::to_writer(out, &In(form, &narrow::task_of(message)))
        }
        (Form::Json0_1, Answer::Item, StreamResponse::Task(task)) => {
            serde_json::to_writer(out, &Snapshot(&task))
        }
        (Form::Proto, answer, response) if answer != Answer::Task => {
            serde_json::to_writer(out, &Wrapped(In(form, &response)))
        }
        (form, _, response) => serde_json::to_writer(out, &In(form, &response)),
    }?;
    Ok(written)
}

/// A value that is written in a form.
struct In<'m, T>(Form, &'m T);

/// An answer under the member that says what it is.
struct Wrapped<'m>(In<'m, StreamResponse>);

impl Serialize for Wrapped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(response) = self;
        let name = match response.1 {
            StreamResponse::Task(_) => "task",
            StreamResponse::Message(_) => "message",
            StreamResponse::StatusUpdate(_) => "statusUpdate",
            StreamResponse::ArtifactUpdate(_) => "artifactUpdate",
        };
        serializer.collect_map([(name, response)])
    }
}

impl Serialize for In<'_, StreamResponse> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            StreamResponse::Task(task) => In(self.0, task).serialize(serializer),
            StreamResponse::Message(message) => In(self.0, message).serialize(serializer),
            StreamResponse::StatusUpdate(update) => In(self.0, update).serialize(serializer),
            StreamResponse::ArtifactUpdate(update) => In(self.0, update).serialize(serializer),
        }
    }
}

/// The values of a list.
struct Each<'m, T>(Form, &'m [T]);

impl<'m, T> Serialize for Each<'m, T>
where
    In<'m, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.1.iter().map(|element| In(self.0, element)))
    }
}

impl Serialize for In<'_, Task> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let &Self(form, task) = self;
        let mut object = Object::begin(form, "task", serializer)?;
        object.put("id", &task.id)?;
        object.put_some("contextId", task.context_id.as_ref())?;
        if form.says_0_1() {
            object.put_some("sessionId", task.context_id.as_ref())?;
        }
        object.put("status", &In(form, &task.status))?;
        object.put_list("artifacts", form, &task.artifacts)?;
        object.put_list("history", form, &task.history)?;
        object.put_some("metadata", task.metadata.as_ref())?;
        object.end()
    }
}

impl Serialize for In<'_, TaskStatus> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let &Self(form, status) = self;
        let mut object = Object::plain(serializer)?;
        object.put("state", state_name(form, status.state))?;
        object.put_some("message", status.message.as_ref().map(|message| In(form, message)))?;
        object.put_some("timestamp", status.timestamp)?;
        object.end()
    }
}

impl Serialize for In<'_, TaskStatusUpdateEvent> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let &Self(form, update) = self;
        let mut object = Object::begin(form, "status-update", serializer)?;
        put_subject(&mut object, form, &update.task_id, &update.context_id)?;
        object.put("status", &In(form, &update.status))?;
        object.put("final", &ends_stream(update.status.state))?;
        object.put_some("metadata", update.metadata.as_ref())?;
        object.end()
    }
}

/// Whether a stream ends with this state: before 1.0 one that waits for input does, and one that
/// waits for a credential does not.
const fn ends_stream(state: TaskState) -> bool {
    state.is_terminal() || matches!(state, TaskState::InputRequired)
}

/// A task in a stream of 0.1, which has no tasks in it, only what becomes of one.
struct Snapshot<'m>(&'m Task);

impl Serialize for Snapshot<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (form, Self(task)) = (Form::Json0_1, self);
        let context_id = task.context_id.clone().unwrap_or_else(|| narrow::context_of(&task.id));
        let mut object = Object::begin(form, "status-update", serializer)?;
        put_subject(&mut object, form, &task.id, &context_id)?;
        object.put("status", &In(form, &task.status))?;
        // The task may have stood so before the stream, which then goes on.
        object.put("final", &task.status.state.is_terminal())?;
        object.put_some("metadata", task.metadata.as_ref())?;
        object.end()
    }
}

impl Serialize for In<'_, TaskArtifactUpdateEvent> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let &Self(form, update) = self;
        let mut object = Object::begin(form, "artifact-update", serializer)?;
        put_subject(&mut object, form, &update.task_id, &update.context_id)?;
        object.put("artifact", &Chunk { form, update })?;
        object.put_true("append", update.append)?;
        object.put_true("lastChunk", update.last_chunk)?;
        object.put_some("metadata", update.metadata.as_ref())?;
        object.end()
    }
}

/// Writes which task an event is about, and its context.
fn put_subject<S: Serializer>(
    object: &mut Object<S>,
    form: Form,
    task: &TaskId,
    context: &ContextId,
) -> Result<(), S::Error> {
    if form.says_0_1() {
        object.put("id", task)?;
    }
    object.put("taskId", task)?;
    object.put("contextId", context)
}
