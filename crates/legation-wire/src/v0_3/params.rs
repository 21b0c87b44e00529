//! The parameters of the older versions' operations on messages and tasks.

use legation_model::{
    A2aError, CancelTaskRequest, ContextId, DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest, GetTaskRequest, ListTaskPushNotificationConfigsRequest,
    Metadata, SendMessageConfiguration, SendMessageRequest, SubscribeToTaskRequest, TaskId, rules,
};
use serde::Deserialize;

use super::Form;
use super::message::Said;
use super::names::{ConfigId, List, ResourceName, given};
use super::webhook::Webhook;

/// Parameters of `message/send` and `message/stream`.
#[derive(Deserialize)]
pub(super) struct Send {
    // The name in the protobuf schema is another than that in its JSON.
    #[serde(alias = "request")]
    message: Said,
    #[serde(default, deserialize_with = "rules::optional_object")]
    configuration: Option<Configuration>,
    metadata: Option<Metadata>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    #[serde(alias = "accepted_output_modes")]
    accepted_output_modes: Option<List<String>>,
    #[serde(alias = "push_notification_config")]
    #[serde(alias = "pushNotification", alias = "push_notification")]
    push_notification_config: Option<Webhook>,
    #[serde(default, alias = "history_length", deserialize_with = "rules::int")]
    history_length: Option<i32>,
    blocking: Option<bool>,
}

impl Send {
    /// The dialect that the message is written in.
    pub(super) fn form(&self) -> Form {
        self.message.form
    }

    pub(super) fn into_request(self, form: Form) -> Result<SendMessageRequest, A2aError> {
        if self.message.lacks_id {
            return Err(A2aError::invalid("message.messageId", "is missing"));
        }
        let Said { message, .. } = self.message;
        let wanted = self.configuration.unwrap_or_default();
        // In protobuf JSON what is absent is false.
        let blocking = wanted.blocking.unwrap_or(form != Form::Proto);
        let webhook = wanted.push_notification_config;
        let configuration = SendMessageConfiguration {
            accepted_output_modes: List::or_empty(wanted.accepted_output_modes),
            task_push_notification_config: webhook.map(|it| it.inside_send(&message.task_id)),
            history_length: history_length(form, wanted.history_length),
            return_immediately: !blocking,
        };
        Ok(SendMessageRequest { tenant: None, message, configuration, metadata: self.metadata })
    }
}

/// How much history is wanted: before 1.0 zero stood for all of it, except in 0.1.
fn history_length(form: Form, length: Option<i32>) -> Option<i32> {
    length.filter(|length| *length != 0 || form == Form::Json0_1)
}

/// Parameters of 0.1's `tasks/send` and `tasks/sendSubscribe`, which always wait.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Send0_1 {
    #[serde(default, deserialize_with = "given")]
    id: Option<TaskId>,
    #[serde(default, alias = "session_id", deserialize_with = "given")]
    session_id: Option<ContextId>,
    message: Said,
    #[serde(alias = "push_notification")]
    push_notification: Option<Webhook>,
    #[serde(default, alias = "history_length", deserialize_with = "rules::int")]
    history_length: Option<i32>,
    metadata: Option<Metadata>,
}

impl Send0_1 {
    pub(super) fn into_request(self) -> Result<SendMessageRequest, A2aError> {
        if let Some(length) = self.history_length.filter(|length| *length < 0) {
            let description = format!("must be 0 or more, not {length}");
            return Err(A2aError::invalid("historyLength", description));
        }
        let Said { mut message, .. } = self.message;
        message.task_id = self.id.or(message.task_id);
        message.context_id = self.session_id.or(message.context_id);
        let webhook = self.push_notification;
        let configuration = SendMessageConfiguration {
            task_push_notification_config: webhook.map(|it| it.inside_send(&message.task_id)),
            history_length: self.history_length,
            ..SendMessageConfiguration::default()
        };
        Ok(SendMessageRequest { tenant: None, message, configuration, metadata: self.metadata })
    }
}

/// Parameters of every operation on a task or on a webhook that is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    #[serde(default, deserialize_with = "given")]
    id: Option<TaskId>,
    #[serde(default, alias = "parent", deserialize_with = "given")]
    name: Option<ResourceName>,
    #[serde(default, alias = "push_notification_config_id", deserialize_with = "given")]
    push_notification_config_id: Option<ConfigId>,
    #[serde(default, alias = "history_length", deserialize_with = "rules::int")]
    history_length: Option<i32>,
    #[serde(default, alias = "page_size", deserialize_with = "rules::int")]
    page_size: Option<i32>,
    #[serde(default, alias = "page_token", deserialize_with = "rules::text")]
    page_token: Option<String>,
    metadata: Option<Metadata>,
}

impl About {
    fn task_id(&self) -> Result<TaskId, A2aError> {
        let named = self.name.as_ref().map(|name| &name.task_id);
        let id = self.id.as_ref().or(named);
        id.cloned().ok_or_else(|| A2aError::invalid("id", "is missing"))
    }

    fn config_id(&mut self) -> Option<String> {
        let named = self.name.as_mut().and_then(|name| name.config_id.take());
        self.push_notification_config_id.take().or(named).map(|ConfigId(id)| id)
    }

    pub(super) fn get(self, form: Form) -> Result<GetTaskRequest, A2aError> {
        let history_length = history_length(form, self.history_length);
        Ok(GetTaskRequest { tenant: None, id: self.task_id()?, history_length })
    }

    pub(super) fn cancel(self) -> Result<CancelTaskRequest, A2aError> {
        Ok(CancelTaskRequest { tenant: None, id: self.task_id()?, metadata: self.metadata })
    }

    pub(super) fn subscribe(self) -> Result<SubscribeToTaskRequest, A2aError> {
        Ok(SubscribeToTaskRequest { tenant: None, id: self.task_id()?, metadata: self.metadata })
    }

    /// A webhook that is not named is the one that was registered without a name.
    pub(super) fn get_webhook(mut self) -> Result<GetTaskPushNotificationConfigRequest, A2aError> {
        let task_id = self.task_id()?;
        let id = self.config_id().unwrap_or_else(|| task_id.to_string());
        Ok(GetTaskPushNotificationConfigRequest { tenant: None, task_id, id })
    }

    pub(super) fn list_webhooks(self) -> Result<ListTaskPushNotificationConfigsRequest, A2aError> {
        Ok(ListTaskPushNotificationConfigsRequest {
            tenant: None,
            task_id: self.task_id()?,
            // Proto3's default.
            page_size: self.page_size.filter(|size| *size != 0),
            page_token: self.page_token,
        })
    }

    pub(super) fn delete_webhook(
        mut self,
    ) -> Result<DeleteTaskPushNotificationConfigRequest, A2aError> {
        let task_id = self.task_id()?;
        let id = self.config_id();
        let id = id.ok_or_else(|| A2aError::invalid("pushNotificationConfigId", "is missing"))?;
        Ok(DeleteTaskPushNotificationConfigRequest { tenant: None, task_id, id })
    }
}
