//! What the forms of older versions and the messages of gRPC cannot say, and what becomes of it: one
//! table.
//!
//! Whatever is not in the table comes back as it went in.

use legation_model::{Message, Part, Role, StreamResponse, TaskStatusUpdateEvent};

use crate::answer::Answer;
use crate::grpc::{self, Package};
use crate::json::behind_string;
use crate::v0_3::{Form, kept, narrow};

/// What an answer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// The JSON of an older version.
    Json(Form),
    /// Messages of gRPC.
    Grpc(Package),
}

impl Medium {
    /// All of them. The JSON of 1.0 is none: it can say everything.
    pub const ALL: [Self; 6] = [
        Self::Json(Form::Json),
        Self::Json(Form::JsonAnd0_1),
        Self::Json(Form::Json0_1),
        Self::Json(Form::Proto),
        Self::Grpc(Package::V0_3),
        Self::Grpc(Package::V1_0),
    ];
}

impl From<Form> for Medium {
    fn from(form: Form) -> Self {
        Self::Json(form)
    }
}

impl From<Package> for Medium {
    fn from(package: Package) -> Self {
        Self::Grpc(package)
    }
}

/// Something that a medium cannot say.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// The media.
    pub media: &'static [Medium],
    /// What it is.
    pub what: &'static str,
    /// What its reader gets instead.
    pub becomes: &'static str,
    apply: fn(&mut StreamResponse, Answer),
}

const ALL: &[Medium] = &Medium::ALL;
const V0_1: &[Medium] = ALL.split_at(2).1.split_at(1).0;
const JSON: &[Medium] = ALL.split_at(3).0;
const PROTO_0_3: &[Medium] = ALL.split_at(3).1.split_at(2).0;
const GRPC: &[Medium] = ALL.split_at(4).1;
/// Those of older versions.
const OLDER: &[Medium] = ALL.split_at(5).0;

/// Every loss, in the order in which they happen.
pub const TABLE: [Loss; 9] = [
    Loss {
        media: V0_1,
        what: "the states rejected and auth-required",
        becomes: "failed and input-required",
        apply: |response, _| narrow_states(response),
    },
    Loss {
        media: V0_1,
        what: "a direct message",
        becomes: "a completed task with the message in its status, under the message's id",
        apply: |response, _| answer_by_task(response),
    },
    Loss {
        media: V0_1,
        what: "a task as an item of a stream",
        becomes: "a status event; history and artifacts are for `tasks/get`",
        apply: |response, answer| {
            if answer == Answer::Item {
                report_status(response);
            }
        },
    },
    Loss {
        media: JSON,
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
        media: PROTO_0_3,
        what: "the tasks that a message refers to",
        becomes: "nothing",
        apply: |response, _| each_message(response, |message| message.reference_task_ids.clear()),
    },
    Loss {
        media: OLDER,
        what: "metadata of a text or of data under the keys that keep what has no member",
        becomes: "what is kept there",
        apply: |response, _| each_part(response, kept::restore),
    },
    Loss {
        media: OLDER,
        what: "metadata that is empty, where something is kept in it",
        becomes: "no metadata",
        apply: |response, _| each_part(response, kept::drop_empty),
    },
    Loss {
        media: GRPC,
        what: "how a number in metadata or data is spelled, such as 1.50 or 1e2",
        becomes: "the shortest spelling, such as 1.5 or 100",
        apply: |response, _| {
            each_number(response, |text| grpc::number(text).unwrap_or(text.to_owned()))
        },
    },
    Loss {
        media: GRPC,
        what: "a whole number beyond 2^53 in metadata or data, or one beyond 1.8e308",
        becomes: "a refusal of the answer, or a text where the server is set so",
        apply: |response, _| {
            each_number(response, |text| grpc::number(text).unwrap_or(format!("{text:?}")))
        },
    },
];

/// Makes of an answer what it is after it went through a medium; through gRPC where numbers go as
/// texts when they have to.
pub fn normalise(medium: impl Into<Medium>, answer: Answer, response: &mut StreamResponse) {
    let medium = medium.into();
    for loss in TABLE.iter().filter(|loss| loss.media.contains(&medium)) {
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

/// Changes the text of every number. Those of a response are all in metadata and data.
fn each_number(response: &mut StreamResponse, change: fn(&str) -> String) {
    let json = serde_json::to_string(response).expect("the model is JSON");
    let (mut changed, mut rest) = (String::new(), &*json);
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, here) = rest.split_at(at);
        changed.push_str(before);
        let is_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        if let Some(inside) = here.strip_prefix('"') {
            let length = here.len() - behind_string(inside.as_bytes()).len();
            changed.push_str(&here[..length]);
            rest = &here[length..];
        } else {
            let (number, behind) =
                here.split_at(here.find(|c| !is_number(c)).unwrap_or(here.len()));
            changed.push_str(&change(number));
            rest = behind;
        }
    }
    changed.push_str(rest);
    *response = serde_json::from_str(&changed).expect("numbers and texts are JSON");
}
