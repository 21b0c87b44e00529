//! Webhooks, and the parameters that set one, in every shape they come in.

use legation_model::{
    A2aError, AuthenticationInfo, ListTaskPushNotificationConfigsResponse, TaskId,
    TaskPushNotificationConfig, rules,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;

use super::Form;
use super::names::{ConfigId, List, ResourceName, given};

/// Where and how to tell of a task's events: a `PushNotificationConfig`.
pub(super) struct Webhook {
    id: Option<ConfigId>,
    url: String,
    token: Option<String>,
    authentication: Option<AuthenticationInfo>,
}

#[derive(Deserialize)]
struct WebhookMembers {
    #[serde(default, deserialize_with = "given")]
    id: Option<ConfigId>,
    url: String,
    #[serde(default, deserialize_with = "rules::text")]
    token: Option<String>,
    #[serde(default, deserialize_with = "authentication")]
    authentication: Option<AuthenticationInfo>,
}

impl<'de> Deserialize<'de> for Webhook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let WebhookMembers { id, url, token, authentication } = rules::object(deserializer)?;
        Ok(Self { id, url, token, authentication })
    }
}

#[derive(Deserialize)]
struct Authentication {
    schemes: Option<List<String>>,
    #[serde(default, deserialize_with = "rules::text")]
    credentials: Option<String>,
}

/// Of several schemes the first is taken, as 1.0 has one and the credentials fit one.
fn authentication<'de, D>(deserializer: D) -> Result<Option<AuthenticationInfo>, D::Error>
where
    D: Deserializer<'de>,
{
    let Some(members) = rules::optional_object(deserializer)? else { return Ok(None) };
    let Authentication { schemes, credentials } = members;
    match (List::or_empty(schemes).into_iter().next(), credentials) {
        (Some(scheme), credentials) => Ok(Some(AuthenticationInfo { scheme, credentials })),
        (None, Some(_)) => Err(D::Error::custom("`schemes` is missing")),
        // SDKs send an object with nothing in it.
        (None, None) => Ok(None),
    }
}

impl Webhook {
    /// The webhook of a message, whose task may not be there yet.
    pub(super) fn inside_send(self, task_id: &Option<TaskId>) -> TaskPushNotificationConfig {
        let mut config = self.into_config(None, None);
        config.id = config.id.or_else(|| task_id.as_ref().map(TaskId::to_string));
        config
    }

    fn into_config(
        self,
        id: Option<ConfigId>,
        task_id: Option<TaskId>,
    ) -> TaskPushNotificationConfig {
        let Self { id: own, url, token, authentication } = self;
        let id = own.or(id).map(|ConfigId(id)| id);
        TaskPushNotificationConfig { tenant: None, id, task_id, url, token, authentication }
    }
}

/// Parameters of `tasks/pushNotificationConfig/set`, of 0.1's `tasks/pushNotification/set` and of
/// the bodies that REST clients send for it: the protobuf request, its `config` alone, the JSON of
/// 0.3 and the bare webhook.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetWebhook {
    #[serde(default, alias = "task_id", deserialize_with = "given")]
    task_id: Option<TaskId>,
    #[serde(default, deserialize_with = "given")]
    parent: Option<ResourceName>,
    #[serde(default, alias = "config_id", deserialize_with = "given")]
    config_id: Option<ConfigId>,
    #[serde(default, deserialize_with = "rules::optional_object")]
    config: Option<NamedWebhook>,
    #[serde(default, deserialize_with = "given")]
    name: Option<ResourceName>,
    #[serde(alias = "push_notification_config")]
    push_notification_config: Option<Webhook>,
    /// The task in 0.1, and the webhook where the task is said otherwise.
    #[serde(default, deserialize_with = "given")]
    id: Option<ConfigId>,
    url: Option<String>,
    #[serde(default, deserialize_with = "rules::text")]
    token: Option<String>,
    #[serde(default, deserialize_with = "authentication")]
    authentication: Option<AuthenticationInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamedWebhook {
    #[serde(default, deserialize_with = "given")]
    name: Option<ResourceName>,
    #[serde(alias = "push_notification_config")]
    push_notification_config: Option<Webhook>,
}

impl SetWebhook {
    /// The dialect that the parameters show.
    pub(super) fn form(&self) -> Option<Form> {
        if self.parent.is_some() || self.config.is_some() || self.name.is_some() {
            return Some(Form::Proto);
        }
        self.push_notification_config.is_some().then_some(Form::Json)
    }

    pub(super) fn into_config(self, form: Form) -> Result<TaskPushNotificationConfig, A2aError> {
        let (named, wrapped) = self
            .config
            .map_or((None, None), |config| (config.name, config.push_notification_config));
        let bare = self.url.map(|url| Webhook {
            id: None,
            url,
            token: self.token,
            authentication: self.authentication,
        });
        let webhook = wrapped.or(self.push_notification_config).or(bare);
        let webhook =
            webhook.ok_or_else(|| A2aError::invalid("pushNotificationConfig", "is missing"))?;

        let name = named.or(self.name).or(self.parent);
        let (in_name, config_in_name) =
            name.map_or((None, None), |name| (Some(name.task_id), name.config_id));
        let (task_id, id) = match (self.task_id.or(in_name), self.id) {
            (Some(task_id), id) => (task_id, id),
            // It was checked by the same rules.
            (None, Some(ConfigId(id))) => {
                let id = TaskId::parse(&id);
                (id.map_err(|fault| A2aError::invalid("id", fault.to_string()))?, None)
            }
            (None, None) => {
                let member = if form == Form::Json0_1 { "id" } else { "taskId" };
                return Err(A2aError::invalid(member, "is missing"));
            }
        };
        let id = self.config_id.or(config_in_name).or(id);
        let id = id.unwrap_or_else(|| ConfigId(task_id.to_string()));
        Ok(webhook.into_config(Some(id), Some(task_id)))
    }
}

/// Reads a webhook that an agent answers with, in any of the shapes that requests have for it. The
/// task is the one that was asked about where the agent does not repeat it.
///
/// # Errors
/// When it is none.
pub fn read_webhook(
    form: Form,
    task: &TaskId,
    document: &[u8],
) -> serde_json::Result<TaskPushNotificationConfig> {
    let mut set: SetWebhook = serde_json::from_slice(document)?;
    let names_task = set.task_id.is_some() || set.name.is_some() || set.parent.is_some();
    if !names_task && set.config.as_ref().is_none_or(|config| config.name.is_none()) {
        set.task_id = Some(task.clone());
    }
    set.into_config(form).map_err(serde_json::Error::custom)
}

/// Reads a task's webhooks: a list, or in REST a page of one. Gives the next page's token as well.
///
/// # Errors
/// When it is neither.
pub fn read_webhooks(
    form: Form,
    task: &TaskId,
    document: &[u8],
) -> serde_json::Result<ListTaskPushNotificationConfigsResponse> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        configs: Option<List<Box<RawValue>>>,
        #[serde(default, alias = "next_page_token", deserialize_with = "rules::text")]
        next_page_token: Option<String>,
    }
    let is_list = document.trim_ascii_start().starts_with(b"[");
    let (configs, next_page_token) = if is_list {
        (serde_json::from_slice::<List<Box<RawValue>>>(document)?, None)
    } else {
        let page: Page = serde_json::from_slice(document)?;
        (page.configs.unwrap_or(List(Vec::new())), page.next_page_token)
    };
    let List(configs) = configs;
    let read = |config: &RawValue| read_webhook(form, task, config.get().as_bytes());
    let configs = configs.iter().map(|config| read(config)).collect::<Result<_, _>>()?;
    let next_page_token = next_page_token.unwrap_or_default();
    Ok(ListTaskPushNotificationConfigsResponse { configs, next_page_token })
}
