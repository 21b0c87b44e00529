//! What the forms of older versions cannot say, and what becomes of it: one table.
//!
//! Whatever is not in the table comes back from a form as it went in.

use legation_model::{Message, Part, Role, StreamResponse, TaskStatusUpdateEvent};

use crate::answer::Answer;
use crate::v0_3::{Form, kept, narrow};

/// Something that a form cannot say.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// The forms.
    pub forms: &'static [Form],
    /// What it is.
    pub what: &'static str,
    /// What its reader gets instead.
    pub becomes: &'static str,
    apply: fn(&mut StreamResponse, Answer),
}

const JSON: &[Form] = &[Form::Json, Form::JsonAnd0_1, Form::Json0_1];

/// Every loss, in the order in which they happen.
pub const TABLE: [Loss; 7] = [
    Loss {
        forms: &[Form::Json0_1],
        what: "the states rejected and auth-required",
        becomes: "failed and input-required",
        apply: |response, _| narrow_states(response),
    },
    Loss {
        forms: &[Form::Json0_1],
        what: "a direct message",
        becomes: "a completed task with the message in its status, under the message's id",
        apply: |response, _| answer_by_task(response),
    },
    Loss {
        forms: &[Form::Json0_1],
        what: "a task as an item of a stream",
        becomes: "a status event; history and artifacts are for `tasks/get`",
        apply: |response, answer| {
            if answer == Answer::Item {
                report_status(response);
            }
        },
    },
    Loss {
        forms: JSON,
        what: "a message whose role is not said",
        becomes: "a message of the agent",
        apply: |response, _| {
            each_message(response, |message| {
                if message.role == Role::Unspecified {
                    message.role = Role::Agent;
                }
            })
        },
    },
    Loss {
        forms: &[Form::Proto],
        what: "the tasks that a message refers to",
        becomes: "nothing",
        apply: |response, _| each_message(response, |message| message.reference_task_ids.clear()),
    },
    Loss {
        forms: &Form::ALL,
        what: "metadata of a text or of data under the keys that keep what has no member",
        becomes: "what is kept there",
        apply: |response, _| each_part(response, kept::restore),
    },
    Loss {
        forms: &Form::ALL,
        what: "metadata that is empty, where something is kept in it",
        becomes: "no metadata",
        apply: |response, _| each_part(response, kept::drop_empty),
    },
];

/// Makes of an answer what it is after it went through a form.
pub fn normalise(form: Form, answer: Answer, response: &mut StreamResponse) {
    for loss in TABLE.iter().filter(|loss| loss.forms.contains(&form)) {
        (loss.apply)(response, answer);
    }
}

fn narrow_states(response: &mut StreamResponse) {
    match response {
        StreamResponse::Task(task) => task.status.state = narrow::state(task.status.state),
        StreamResponse::StatusUpdate(update) => {
            update.status.state = narrow::state(update.status.state);
        }
        StreamResponse::Message(_) | StreamResponse::ArtifactUpdate(_) => {}
    }
}

fn answer_by_task(response: &mut StreamResponse) {
    if let StreamResponse::Message(message) = response {
        *response = StreamResponse::Task(narrow::task_of(message.clone()));
    }
}

fn report_status(response: &mut StreamResponse) {
    if let StreamResponse::Task(task) = response {
        let task = task.clone();
        *response = StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
            context_id: task.context_id.unwrap_or_else(|| narrow::context_of(&task.id)),
            task_id: task.id,
            status: task.status,
            metadata: task.metadata,
        });
    }
}

fn each_message(response: &mut StreamResponse, change: fn(&mut Message)) {
    match response {
        StreamResponse::Task(task) => {
            task.history.iter_mut().chain(&mut task.status.message).for_each(change);
        }
        StreamResponse::Message(message) => change(message),
        StreamResponse::StatusUpdate(update) => {
            update.status.message.iter_mut().for_each(change);
        }
        StreamResponse::ArtifactUpdate(_) => {}
    }
}

fn each_part(response: &mut StreamResponse, change: fn(&mut Part)) {
    match response {
        StreamResponse::Task(task) => {
            let messages = task.history.iter_mut().chain(&mut task.status.message);
            messages.flat_map(|message| &mut message.parts).for_each(change);
            task.artifacts.iter_mut().flat_map(|artifact| &mut artifact.parts).for_each(change);
        }
        StreamResponse::Message(message) => message.parts.iter_mut().for_each(change),
        StreamResponse::StatusUpdate(update) => {
            let message = update.status.message.iter_mut();
            message.flat_map(|message| &mut message.parts).for_each(change);
        }
        StreamResponse::ArtifactUpdate(update) => {
            update.artifact.parts.iter_mut().for_each(change);
        }
    }
}
