//! Requests and replies of the eleven operations (Spec 3.1, 3.2).

use serde::{Deserialize, Serialize};

use crate::push::check_id;
use crate::rules;
use crate::{
    A2aError, ContextId, Message, Metadata, Task, TaskArtifactUpdateEvent, TaskId,
    TaskPushNotificationConfig, TaskState, TaskStatusUpdateEvent, Timestamp,
};

/// A request of any operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Say something and wait for the outcome.
    SendMessage(SendMessageRequest),
    /// Say something and follow what happens.
    SendStreamingMessage(SendMessageRequest),
    /// Look at a task.
    GetTask(GetTaskRequest),
    /// Page through tasks.
    ListTasks(ListTasksRequest),
    /// Stop a task.
    CancelTask(CancelTaskRequest),
    /// Follow a task.
    SubscribeToTask(SubscribeToTaskRequest),
    /// Register a webhook.
    CreateTaskPushNotificationConfig(TaskPushNotificationConfig),
    /// Look at a webhook.
    GetTaskPushNotificationConfig(GetTaskPushNotificationConfigRequest),
    /// Page through a task's webhooks.
    ListTaskPushNotificationConfigs(ListTaskPushNotificationConfigsRequest),
    /// Remove a webhook.
    DeleteTaskPushNotificationConfig(DeleteTaskPushNotificationConfigRequest),
    /// Ask for the fuller card.
    GetExtendedAgentCard(GetExtendedAgentCardRequest),
}

/// Parameters of `SendMessage` and `SendStreamingMessage` (Spec 3.2.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendMessageRequest {
    /// The tenant of the call.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What is said.
    #[serde(deserialize_with = "rules::object")]
    pub message: Message,
    /// How the caller wants to be answered.
    #[serde(default, deserialize_with = "configuration")]
    pub configuration: SendMessageConfiguration,
    /// Free-form data about the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// How a caller wants to be answered (Spec 3.2.2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendMessageConfiguration {
    /// Media types the caller can use.
    #[serde(default, alias = "accepted_output_modes", deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accepted_output_modes: Vec<String>,
    /// A webhook for this task.
    #[serde(default, alias = "task_push_notification_config")]
    #[serde(deserialize_with = "rules::optional_object")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_push_notification_config: Option<TaskPushNotificationConfig>,
    /// How many of the newest messages to return; all when absent.
    #[serde(default, alias = "history_length", deserialize_with = "rules::int")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_length: Option<i32>,
    /// Whether to answer as soon as the task exists, rather than when it settles.
    #[serde(default, alias = "return_immediately", deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub return_immediately: bool,
}

fn configuration<'de, D>(deserializer: D) -> Result<SendMessageConfiguration, D::Error>
where
    D: serde::Deserializer<'de>,
{
    Ok(rules::optional_object(deserializer)?.unwrap_or_default())
}

/// Parameters of `GetTask` (Spec 3.1.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetTaskRequest {
    /// The tenant of the call.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The task.
    pub id: TaskId,
    /// How many of the newest messages to return; all when absent.
    #[serde(default, alias = "history_length", deserialize_with = "rules::int")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_length: Option<i32>,
}

/// Parameters of `ListTasks` (Spec 3.1.4). All filters must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListTasksRequest {
    /// The tenant of the call.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Only tasks of this context.
    #[serde(default, alias = "context_id", deserialize_with = "ContextId::optional")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_id: Option<ContextId>,
    /// Only tasks in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<TaskState>,
    /// How many at most, 1 to 100; 50 when absent.
    #[serde(default, alias = "page_size", deserialize_with = "rules::int")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<i32>,
    /// Where the last page ended.
    #[serde(default, alias = "page_token", deserialize_with = "rules::text")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_token: Option<String>,
    /// How many of the newest messages to return of each; all when absent.
    #[serde(default, alias = "history_length", deserialize_with = "rules::int")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_length: Option<i32>,
    /// Only tasks whose status is of this moment or later.
    #[serde(default, alias = "status_timestamp_after", skip_serializing_if = "Option::is_none")]
    pub status_timestamp_after: Option<Timestamp>,
    /// Whether to return artifacts as well.
    #[serde(default, alias = "include_artifacts", deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub include_artifacts: bool,
}

/// Parameters of `CancelTask` (Spec 3.1.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelTaskRequest {
    /// The tenant of the call.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The task.
    pub id: TaskId,
    /// Free-form data about the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// Parameters of `SubscribeToTask` (Spec 3.1.6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubscribeToTaskRequest {
    /// The tenant of the call.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The task.
    pub id: TaskId,
    /// Not a member of 1.0: where extensions that were activated put their data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// Parameters of `GetTaskPushNotificationConfig` (Spec 3.1.8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetTaskPushNotificationConfigRequest {
    /// The tenant of the call.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The task.
    #[serde(alias = "task_id")]
    pub task_id: TaskId,
    /// The configuration.
    pub id: String,
}

/// Parameters of `DeleteTaskPushNotificationConfig` (Spec 3.1.10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteTaskPushNotificationConfigRequest {
    /// The tenant of the call.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The task.
    #[serde(alias = "task_id")]
    pub task_id: TaskId,
    /// The configuration.
    pub id: String,
}

/// Parameters of `ListTaskPushNotificationConfigs` (Spec 3.1.9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListTaskPushNotificationConfigsRequest {
    /// The tenant of the call.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The task.
    #[serde(alias = "task_id")]
    pub task_id: TaskId,
    /// How many at most.
    #[serde(default, alias = "page_size", deserialize_with = "rules::int")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<i32>,
    /// Where the last page ended.
    #[serde(default, alias = "page_token", deserialize_with = "rules::text")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_token: Option<String>,
}

/// Parameters of `GetExtendedAgentCard` (Spec 3.1.11).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GetExtendedAgentCardRequest {
    /// The tenant of the call.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// The reply of `SendMessage` (Spec 3.2.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SendMessageResponse {
    /// The task that the message began or continued.
    Task(Task),
    /// A direct answer; there is no task.
    Message(Message),
}

/// One item of a stream (Spec 3.2.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StreamResponse {
    /// The task as it is.
    Task(Task),
    /// A direct answer; the only item then.
    Message(Message),
    /// A new status.
    #[serde(alias = "status_update")]
    StatusUpdate(TaskStatusUpdateEvent),
    /// An artifact or a chunk of one.
    #[serde(alias = "artifact_update")]
    ArtifactUpdate(TaskArtifactUpdateEvent),
}

/// The reply of `ListTasks` (Spec 3.1.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListTasksResponse {
    /// The page, newest status first.
    pub tasks: Vec<Task>,
    /// Where the next page begins; empty on the last.
    #[serde(alias = "next_page_token")]
    pub next_page_token: String,
    /// The page size used.
    #[serde(alias = "page_size")]
    pub page_size: i32,
    /// How many tasks match in all.
    #[serde(alias = "total_size")]
    pub total_size: i32,
}

/// The reply of `ListTaskPushNotificationConfigs` (Spec 3.1.9).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListTaskPushNotificationConfigsResponse {
    /// The page.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    pub configs: Vec<TaskPushNotificationConfig>,
    /// Where the next page begins; empty on the last.
    #[serde(default, alias = "next_page_token", deserialize_with = "rules::null_as_default")]
    pub next_page_token: String,
}

impl Request {
    /// The tenant that the request names.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::SendMessage(request) | Self::SendStreamingMessage(request) => &request.tenant,
            Self::GetTask(request) => &request.tenant,
            Self::ListTasks(request) => &request.tenant,
            Self::CancelTask(request) => &request.tenant,
            Self::SubscribeToTask(request) => &request.tenant,
            Self::CreateTaskPushNotificationConfig(config) => &config.tenant,
            Self::GetTaskPushNotificationConfig(request) => &request.tenant,
            Self::ListTaskPushNotificationConfigs(request) => &request.tenant,
            Self::DeleteTaskPushNotificationConfig(request) => &request.tenant,
            Self::GetExtendedAgentCard(request) => &request.tenant,
        }
        .as_deref()
    }

    /// The tenant that the request names, to be changed.
    pub fn tenant_mut(&mut self) -> &mut Option<String> {
        match self {
            Self::SendMessage(request) | Self::SendStreamingMessage(request) => &mut request.tenant,
            Self::GetTask(request) => &mut request.tenant,
            Self::ListTasks(request) => &mut request.tenant,
            Self::CancelTask(request) => &mut request.tenant,
            Self::SubscribeToTask(request) => &mut request.tenant,
            Self::CreateTaskPushNotificationConfig(config) => &mut config.tenant,
            Self::GetTaskPushNotificationConfig(request) => &mut request.tenant,
            Self::ListTaskPushNotificationConfigs(request) => &mut request.tenant,
            Self::DeleteTaskPushNotificationConfig(request) => &mut request.tenant,
            Self::GetExtendedAgentCard(request) => &mut request.tenant,
        }
    }

    /// Checks what the types alone do not say (Spec 5.7), naming the member at fault.
    ///
    /// # Errors
    /// `InvalidParams` with a violation.
    pub fn check(&self) -> Result<(), A2aError> {
        match self {
            Self::SendMessage(request) | Self::SendStreamingMessage(request) => request.check(),
            Self::GetTask(request) => check_history_length("historyLength", request.history_length),
            Self::ListTasks(request) => request.check(),
            Self::CreateTaskPushNotificationConfig(config) => {
                config.id.as_deref().map_or(Ok(()), |id| id_at("id", id))
            }
            Self::GetTaskPushNotificationConfig(request) => id_at("id", &request.id),
            Self::DeleteTaskPushNotificationConfig(request) => id_at("id", &request.id),
            Self::ListTaskPushNotificationConfigs(request) => check_page_size(request.page_size),
            Self::CancelTask(_) | Self::SubscribeToTask(_) | Self::GetExtendedAgentCard(_) => {
                Ok(())
            }
        }
    }
}

impl SendMessageRequest {
    fn check(&self) -> Result<(), A2aError> {
        if self.message.parts.is_empty() {
            return Err(A2aError::invalid("message.parts", "must hold at least one part"));
        }
        let wanted = self.configuration.history_length;
        check_history_length("configuration.historyLength", wanted)
    }
}

impl ListTasksRequest {
    fn check(&self) -> Result<(), A2aError> {
        check_page_size(self.page_size)?;
        check_history_length("historyLength", self.history_length)
    }
}

fn check_page_size(size: Option<i32>) -> Result<(), A2aError> {
    match size {
        None | Some(1..=100) => Ok(()),
        Some(size) => Err(A2aError::invalid("pageSize", format!("must be 1 to 100, not {size}"))),
    }
}

fn check_history_length(field: &str, length: Option<i32>) -> Result<(), A2aError> {
    match length {
        Some(length) if length < 0 => {
            Err(A2aError::invalid(field, format!("must be 0 or more, not {length}")))
        }
        _ => Ok(()),
    }
}

fn id_at(field: &str, id: &str) -> Result<(), A2aError> {
    check_id(id).map_err(|fault| A2aError::invalid(field, fault.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_in_both_spellings_and_checked() {
        let cases = [
            (r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x"}]}}"#, Ok(())),
            (
                r#"{"message":{"message_id":"m","role":1,"parts":[{"text":"x"}],"context_id":""}}"#,
                Ok(()),
            ),
            (
                r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":[]}}"#,
                Err("message.parts: must hold at least one part"),
            ),
            (
                r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x"}]},
                   "configuration":{"history_length":"-1"}}"#,
                Err("configuration.historyLength: must be 0 or more, not -1"),
            ),
        ];
        for (text, expected) in cases {
            let request = serde_json::from_str(text).expect("the right shape");
            let got = Request::SendMessage(request).check().map_err(|error| error.message);
            assert_eq!(got, expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let parts = [r#"{"text":""}"#; 10_001].join(",");
        let parts = format!(r#"{{"message":{{"messageId":"m","role":1,"parts":[{parts}]}}}}"#);
        let cases = [
            parts.as_str(),
            r#"{"message":{"role":"ROLE_USER","parts":[{"text":"x"}]}}"#,
            r#"{"message":{"messageId":"","role":"ROLE_USER","parts":[{"text":"x"}]}}"#,
            r#"{"message":{"messageId":"m","role":"ROLE_KING","parts":[{"text":"x"}]}}"#,
            r#"{"message":{"messageId":"m","role":9,"parts":[{"text":"x"}]}}"#,
            r#"{"message":{"messageId":"m","messageId":"n","role":1,"parts":[{"text":"x"}]}}"#,
            r#"{"message":{"messageId":"m","role":1,"parts":[{"text":"x"}],"metadata":[]}}"#,
            r#"{"message":null}"#,
            r#"{"message":["m",null,null,1,[{"text":"x"}]]}"#,
            r#"{"message":{"messageId":"m","role":1,"parts":[["x"]]}}"#,
            r#"{"message":{"messageId":"m","role":1,"parts":[{"text":"x"}]},"configuration":[]}"#,
            "{}",
        ];
        for text in cases {
            assert!(serde_json::from_str::<SendMessageRequest>(text).is_err(), "{text}");
        }
    }
}
