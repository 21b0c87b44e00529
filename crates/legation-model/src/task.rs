//! Tasks, their status and artifacts, and the events that report them (Spec 4.1, 4.2).

use serde::{Deserialize, Serialize};

use crate::rules::{self, proto_enum};
use crate::{ArtifactId, ContextId, Message, Metadata, Part, TaskId, Timestamp};

proto_enum! {
    /// Where a task stands (Spec 4.1.3).
    pub enum TaskState {
        /// Not said.
        Unspecified = (0, "TASK_STATE_UNSPECIFIED"),
        /// Accepted, not yet begun.
        Submitted = (1, "TASK_STATE_SUBMITTED"),
        /// The agent is at work.
        Working = (2, "TASK_STATE_WORKING"),
        /// Done.
        Completed = (3, "TASK_STATE_COMPLETED"),
        /// Ended without success.
        Failed = (4, "TASK_STATE_FAILED"),
        /// Ended by request.
        Canceled = (5, "TASK_STATE_CANCELED"),
        /// Waits for more from the caller.
        InputRequired = (6, "TASK_STATE_INPUT_REQUIRED"),
        /// The agent would not do it.
        Rejected = (7, "TASK_STATE_REJECTED"),
        /// Waits for a credential.
        AuthRequired = (8, "TASK_STATE_AUTH_REQUIRED"),
    }
}

impl TaskState {
    /// Whether the task has ended for good: nothing may change it any more.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Canceled | Self::Rejected => true,
            Self::Unspecified
            | Self::Submitted
            | Self::Working
            | Self::InputRequired
            | Self::AuthRequired => false,
        }
    }

    /// Whether the agent has stopped until the caller does something.
    pub const fn is_interrupted(self) -> bool {
        matches!(self, Self::InputRequired | Self::AuthRequired)
    }

    /// Whether a blocking send returns here: terminal or interrupted (Spec 3.2.2).
    pub const fn is_settled(self) -> bool {
        self.is_terminal() || self.is_interrupted()
    }
}

/// The state of a task, since when, and what the agent says about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Where the task stands.
    pub state: TaskState,
    /// What the agent says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// When this status began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

/// An output of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Unique within the task.
    #[serde(alias = "artifact_id")]
    pub artifact_id: ArtifactId,
    /// A name for people.
    #[serde(default, deserialize_with = "rules::text")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is.
    #[serde(default, deserialize_with = "rules::text")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its content; at least one part.
    pub parts: Vec<Part>,
    /// Free-form data about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// URIs of the extensions that contributed to it.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
}

impl Artifact {
    /// An artifact with these parts and nothing else said.
    pub fn new(artifact_id: ArtifactId, parts: Vec<Part>) -> Self {
        Self {
            artifact_id,
            name: None,
            description: None,
            parts,
            metadata: None,
            extensions: Vec::new(),
        }
    }
}

/// A unit of work (Spec 4.1.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Made by the server.
    pub id: TaskId,
    /// The conversation it belongs to; the server always sets it.
    #[serde(default, alias = "context_id", deserialize_with = "ContextId::optional")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_id: Option<ContextId>,
    /// Where it stands.
    pub status: TaskStatus,
    /// What it has produced.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// What was said, oldest first.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Message>,
    /// Free-form data about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// Reports a new status of a task (Spec 4.2.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatusUpdateEvent {
    /// The task.
    #[serde(alias = "task_id")]
    pub task_id: TaskId,
    /// The task's context.
    #[serde(alias = "context_id")]
    pub context_id: ContextId,
    /// The new status.
    pub status: TaskStatus,
    /// Free-form data about the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// Reports an artifact or a chunk of one (Spec 4.2.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskArtifactUpdateEvent {
    /// The task.
    #[serde(alias = "task_id")]
    pub task_id: TaskId,
    /// The task's context.
    #[serde(alias = "context_id")]
    pub context_id: ContextId,
    /// The artifact, or the parts that this chunk adds.
    pub artifact: Artifact,
    /// Whether the parts go behind those already there; otherwise they replace them.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub append: bool,
    /// Whether this chunk ends the artifact.
    #[serde(default, alias = "last_chunk", deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub last_chunk: bool,
    /// Free-form data about the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}
