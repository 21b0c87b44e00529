//! The A2A 1.0 shapes the floors read and write, borrowed from the request.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A JSON-RPC request of any method a floor serves.
#[derive(Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) id: &'a RawValue,
    pub(super) params: Params<'a>,
}

/// The parameters of every method in one type, so that a request is read once.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Params<'a> {
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    pub(super) id: Option<&'a str>,
    pub(super) page_size: Option<u32>,
    pub(super) page_token: Option<&'a str>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) message_id: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) context_id: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) task_id: Option<Cow<'a, str>>,
    pub(super) role: Role,
    #[serde(borrow)]
    pub(super) parts: Vec<Part<'a>>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
pub(super) enum Role {
    #[serde(rename = "ROLE_USER")]
    User,
    #[serde(rename = "ROLE_AGENT")]
    Agent,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Task<'a> {
    pub(super) id: &'a str,
    pub(super) context_id: &'a str,
    pub(super) status: Status,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) artifacts: &'a [Artifact<'a>],
    pub(super) history: &'a [Message<'a>],
}

#[derive(Serialize)]
pub(super) struct Status {
    pub(super) state: State,
    pub(super) timestamp: &'static str,
}

#[derive(Clone, Copy, Serialize)]
pub(super) enum State {
    #[serde(rename = "TASK_STATE_WORKING")]
    Working,
    #[serde(rename = "TASK_STATE_COMPLETED")]
    Completed,
}

impl Status {
    /// A status of `state`. The time is fixed: formatting one is not the work measured.
    pub(super) fn of(state: State) -> Self {
        Self { state, timestamp: "2026-11-21T02:30:26.123Z" }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Artifact<'a> {
    pub(super) artifact_id: &'a str,
    pub(super) parts: Cow<'a, [Part<'a>]>,
}

/// One event of a stream.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Event<'a> {
    Task(Task<'a>),
    StatusUpdate(StatusUpdate<'a>),
    ArtifactUpdate(ArtifactUpdate<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusUpdate<'a> {
    pub(super) task_id: &'a str,
    pub(super) context_id: &'a str,
    pub(super) status: Status,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArtifactUpdate<'a> {
    pub(super) task_id: &'a str,
    pub(super) context_id: &'a str,
    pub(super) artifact: Artifact<'a>,
    pub(super) append: bool,
    pub(super) last_chunk: bool,
}
