//! A message: one turn of talk between a caller and an agent (Spec 4.1.4).

use serde::{Deserialize, Serialize};

use crate::rules::{self, proto_enum};
use crate::{ContextId, MessageId, Metadata, Part, TaskId};

proto_enum! {
    /// Who speaks (Spec 4.1.5).
    pub enum Role {
        /// Not said.
        Unspecified = (0, "ROLE_UNSPECIFIED"),
        /// The caller.
        User = (1, "ROLE_USER"),
        /// The agent.
        Agent = (2, "ROLE_AGENT"),
    }
}

/// One unit of communication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Chosen by the sender.
    #[serde(alias = "message_id")]
    pub message_id: MessageId,
    /// The context it belongs to.
    #[serde(default, alias = "context_id", deserialize_with = "ContextId::optional")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_id: Option<ContextId>,
    /// The task it belongs to.
    #[serde(default, alias = "task_id", deserialize_with = "TaskId::optional")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Who speaks.
    pub role: Role,
    /// What is said; at least one part.
    #[serde(deserialize_with = "rules::bounded")]
    pub parts: Vec<Part>,
    /// Free-form data about the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// URIs of the extensions that contributed to it.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// Other tasks it refers to, of the same context.
    #[serde(default, alias = "reference_task_ids", deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reference_task_ids: Vec<TaskId>,
}

impl Message {
    /// A new message with a fresh id.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self {
            message_id: MessageId::generate(),
            context_id: None,
            task_id: None,
            role,
            parts,
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        }
    }

    /// The text parts, joined by line breaks.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.parts.iter().filter_map(Part::as_text).collect();
        texts.join("\n")
    }
}
