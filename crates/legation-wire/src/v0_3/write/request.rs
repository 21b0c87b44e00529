//! Writes the parameters of requests, as callers of older agents do.

use legation_model::{
    A2aError, ErrorKind, Message, Metadata, Request, SendMessageRequest, TaskId,
    TaskPushNotificationConfig,
};
use serde::Serialize;

use super::In;
use crate::v0_3::Form;

/// Writes the parameters of a request in a form: those of JSON-RPC, or in [`Form::Proto`] the JSON of
/// its protobuf message.
///
/// # Errors
/// `UnsupportedOperation` for a list of tasks, which no version before 1.0 has.
pub fn write_params(form: Form, request: &Request) -> Result<Vec<u8>, A2aError> {
    use Request as R;
    let about = match request {
        R::SendMessage(send) | R::SendStreamingMessage(send) => {
            return Ok(params_of_send(form, send));
        }
        R::CreateTaskPushNotificationConfig(config) => return set(form, config),
        R::GetExtendedAgentCard(_) => return Ok(b"{}".to_vec()),
        R::ListTasks(_) => {
            let text = "there is no list of tasks before A2A 1.0";
            return Err(A2aError::new(ErrorKind::UnsupportedOperation, text));
        }
        R::GetTask(get) => About {
            history_length: some_history(form, get.history_length),
            ..About::task(form, &get.id)
        },
        R::CancelTask(cancel) => {
            About { metadata: cancel.metadata.as_ref(), ..About::task(form, &cancel.id) }
        }
        R::SubscribeToTask(subscribe) => {
            About { metadata: subscribe.metadata.as_ref(), ..About::task(form, &subscribe.id) }
        }
        R::GetTaskPushNotificationConfig(get) => About::webhook(form, &get.task_id, &get.id),
        R::DeleteTaskPushNotificationConfig(delete) => {
            About::webhook(form, &delete.task_id, &delete.id)
        }
        R::ListTaskPushNotificationConfigs(list) => {
            let About { id, name: parent, .. } = About::task(form, &list.task_id);
            let (page_size, page_token) = (list.page_size, list.page_token.as_deref());
            About { id, parent, page_size, page_token, ..About::default() }
        }
    };
    Ok(written(&about))
}

/// Writes the parameters of a REST request in a form, with those that stand in the path under the
/// names that the operation's template has for them.
///
/// # Errors
/// As [`write_params`].
pub fn write_rest(form: Form, request: &Request) -> Result<Vec<u8>, A2aError> {
    let Request::CreateTaskPushNotificationConfig(config) = request else {
        let sends = matches!(request, Request::SendMessage(_) | Request::SendStreamingMessage(_));
        // What is a name in protobuf is an identifier in a path.
        let form = if form == Form::Proto && !sends { Form::Json } else { form };
        return write_params(form, request);
    };
    let id = task_of(config)?;
    let whole = match form {
        // The path says the rest.
        Form::Json0_1 => written(&Webhook { id: None, ..Webhook::of(config) }),
        Form::Json | Form::JsonAnd0_1 | Form::Proto => set(form, config)?,
    };
    let body = serde_json::from_slice(&whole).expect("it was just written");
    Ok(written(&Below { id, body }))
}

/// What stands in a path, and what stands in the body.
#[derive(Serialize)]
struct Below<'r> {
    id: &'r TaskId,
    #[serde(flatten)]
    body: serde_json::Value,
}

fn written(params: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(params).expect("the model is JSON")
}

fn task_of(config: &TaskPushNotificationConfig) -> Result<&TaskId, A2aError> {
    config.task_id.as_ref().ok_or_else(|| A2aError::invalid("taskId", "is missing"))
}

/// Zero stands for all of the history before 1.0, except in 0.1; whoever asked for none of it drops
/// it from the answer.
fn some_history(form: Form, length: Option<i32>) -> Option<i32> {
    length.filter(|length| *length != 0 || form == Form::Json0_1)
}

fn params_of_send(form: Form, send: &SendMessageRequest) -> Vec<u8> {
    let SendMessageRequest { message, configuration: wanted, metadata, .. } = send;
    let said = In(form, message);
    let webhook = wanted.task_push_notification_config.as_ref().map(Webhook::of);
    let history_length = some_history(form, wanted.history_length);
    let metadata = metadata.as_ref();
    if form == Form::Json0_1 {
        // Its callers name the tasks. A message is named as uniquely as a task has to be.
        let id = message.task_id.as_ref().map_or(message.message_id.as_str(), TaskId::as_str);
        let session_id = message.context_id.as_ref().map(|id| id.as_str());
        let push_notification = webhook;
        return written(&Send0_1 {
            id,
            session_id,
            message: said,
            push_notification,
            history_length,
            metadata,
        });
    }
    let (push_notification, push_notification_config) =
        if form == Form::Proto { (webhook, None) } else { (None, webhook) };
    let configuration = Configuration {
        accepted_output_modes: &wanted.accepted_output_modes,
        push_notification,
        push_notification_config,
        history_length,
        blocking: !wanted.return_immediately,
    };
    written(&Send { message: said, configuration, metadata })
}

/// Parameters of `message/send` and `message/stream`.
#[derive(Serialize)]
struct Send<'r> {
    message: In<'r, Message>,
    configuration: Configuration<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'r Metadata>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration<'r> {
    /// There also when it is empty: until 0.2.6 it had to be.
    accepted_output_modes: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    push_notification: Option<Webhook<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push_notification_config: Option<Webhook<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history_length: Option<i32>,
    blocking: bool,
}

/// Parameters of `tasks/send` and `tasks/sendSubscribe`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Send0_1<'r> {
    id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'r str>,
    message: In<'r, Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push_notification: Option<Webhook<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history_length: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'r Metadata>,
}

/// Parameters of every operation on a task or on a webhook that is there.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct About<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'r TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push_notification_config_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history_length: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_size: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_token: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'r Metadata>,
}

impl<'r> About<'r> {
    fn task(form: Form, task: &'r TaskId) -> Self {
        match form {
            Form::Proto => Self { name: Some(format!("tasks/{task}")), ..Self::default() },
            Form::Json | Form::JsonAnd0_1 | Form::Json0_1 => {
                Self { id: Some(task), ..Self::default() }
            }
        }
    }

    fn webhook(form: Form, task: &'r TaskId, webhook: &'r str) -> Self {
        match form {
            Form::Proto => Self { name: Some(name_of(task, webhook)), ..Self::default() },
            Form::Json | Form::JsonAnd0_1 => {
                Self { push_notification_config_id: Some(webhook), ..Self::task(form, task) }
            }
            // A task has one.
            Form::Json0_1 => Self::task(form, task),
        }
    }
}

fn name_of(task: &TaskId, webhook: &str) -> String {
    format!("tasks/{task}/pushNotificationConfigs/{webhook}")
}

/// Writes parameters that set a webhook.
fn set(form: Form, config: &TaskPushNotificationConfig) -> Result<Vec<u8>, A2aError> {
    let (task, push_notification_config) = (task_of(config)?, Webhook::of(config));
    Ok(match form {
        Form::Proto => {
            // It has to have one; the task's own id is what a webhook without one goes by.
            let config_id = config.id.as_deref().unwrap_or(task.as_str());
            let name = name_of(task, config_id);
            let config = NamedWebhook { name, push_notification_config };
            written(&ProtoSet { parent: format!("tasks/{task}"), config_id, config })
        }
        Form::Json | Form::JsonAnd0_1 => {
            written(&Set { task_id: Some(task), id: None, push_notification_config })
        }
        Form::Json0_1 => written(&Set { task_id: None, id: Some(task), push_notification_config }),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Set<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<&'r TaskId>,
    /// The task in 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'r TaskId>,
    push_notification_config: Webhook<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProtoSet<'r> {
    parent: String,
    config_id: &'r str,
    config: NamedWebhook<'r>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NamedWebhook<'r> {
    name: String,
    push_notification_config: Webhook<'r>,
}

/// Where and how to tell of a task's events: a `PushNotificationConfig`.
#[derive(Serialize)]
struct Webhook<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'r str>,
    url: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<Authentication<'r>>,
}

#[derive(Serialize)]
struct Authentication<'r> {
    schemes: [&'r str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<&'r str>,
}

impl<'r> Webhook<'r> {
    fn of(config: &'r TaskPushNotificationConfig) -> Self {
        let authentication = config.authentication.as_ref().map(|authentication| Authentication {
            schemes: [&authentication.scheme],
            credentials: authentication.credentials.as_deref(),
        });
        let (id, token) = (config.id.as_deref(), config.token.as_deref());
        Self { id, url: &config.url, token, authentication }
    }
}
