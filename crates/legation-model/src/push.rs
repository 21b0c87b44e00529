//! Webhook configurations (Spec 4.3).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rules;
use crate::{TaskId, id::BadId};

/// Where and how a caller wants to be told of a task's events (Spec 4.3.1). `Debug` shows neither
/// the token nor the address, which may hold one as well.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskPushNotificationConfig {
    /// The tenant of the call.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Names the configuration within its task; the server sets it when it is absent.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The task; empty inside a send, where the server fills it.
    #[serde(default, alias = "task_id", deserialize_with = "TaskId::optional")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Where to post.
    pub url: String,
    /// A token the receiver checks.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// How to authenticate to the receiver.
    #[serde(default, deserialize_with = "rules::optional_object")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<AuthenticationInfo>,
}

impl fmt::Debug for TaskPushNotificationConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut config = f.debug_struct("TaskPushNotificationConfig");
        config.field("id", &self.id).field("task_id", &self.task_id).finish_non_exhaustive()
    }
}

/// Credentials for a webhook (Spec 4.3.2). `Debug` does not show them.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationInfo {
    /// An HTTP authentication scheme, such as `Bearer`.
    pub scheme: String,
    /// The credentials that follow the scheme.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
}

impl fmt::Debug for AuthenticationInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticationInfo").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// Checks an identifier of a push configuration by the rules of every identifier.
///
/// # Errors
/// As [`TaskId::parse`].
pub(crate) fn check_id(id: &str) -> Result<(), BadId> {
    TaskId::parse(id).map(drop)
}
