//! `legation push`: the webhooks of a task, and a listener for what is posted to them.

use std::path::PathBuf;

use legation_client::receiver::{Notification, Registration};
use legation_model::{
    AuthenticationInfo, DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest, ListTaskPushNotificationConfigsRequest, StreamResponse,
    TaskId, TaskPushNotificationConfig, TaskState,
};
use url::Url;

use super::exit::{Exit, Failure};
use super::follow::{Ended, unless_interrupted};
use super::out::{Out, Style, note};
use super::render::Running;
use super::target::Target;
use super::updates::{Webhook, secret};

/// More pages of webhooks than any task has: an agent may never say that a page is the last.
const PAGES: usize = 100;

/// What to do about webhooks.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Have an agent post what becomes of a task to a webhook
    Set(Set),
    /// List the webhooks of a task
    List(OfTask),
    /// Show a webhook
    Get(One),
    /// Remove a webhook
    Delete(One),
    /// Have an agent post what becomes of a task to this command, and show it until the task ends
    Listen(Listen),
    /// Show what is posted to this command by whoever is told its address and token
    Receive(Receive),
}

/// A task of an agent.
#[derive(Debug, clap::Args)]
pub(crate) struct OfTask {
    #[command(flatten)]
    target: Target,
    /// The task
    #[arg(value_parser = TaskId::parse)]
    task: TaskId,
    /// Print A2A 1.0 JSON
    #[arg(long)]
    json: bool,
}

/// A webhook to be set.
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    #[command(flatten)]
    of: OfTask,
    /// Where to post
    webhook: Url,
    /// What to call it; the agent finds a name otherwise
    #[arg(long)]
    id: Option<String>,
    /// File with the token that the receiver looks for
    #[arg(long, value_name = "FILE")]
    webhook_token: Option<PathBuf>,
    /// File with the credentials that the receiver asks for
    #[arg(long, value_name = "FILE")]
    webhook_credentials: Option<PathBuf>,
    /// The scheme of these credentials
    #[arg(long, value_name = "SCHEME", default_value = "Bearer", requires = "webhook_credentials")]
    webhook_scheme: String,
}

/// A webhook of a task.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    #[command(flatten)]
    of: OfTask,
    /// The webhook, as `push list` names it
    id: String,
}

/// A task to be told of.
#[derive(Debug, clap::Args)]
pub(crate) struct Listen {
    #[command(flatten)]
    of: OfTask,
    #[command(flatten)]
    webhook: Webhook,
}

/// Where to be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Receive {
    #[command(flatten)]
    webhook: Webhook,
    /// Print A2A 1.0 JSON, each event on a line
    #[arg(long)]
    json: bool,
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Set(set) => set.run().await,
            Self::List(of) => of.list().await,
            Self::Get(one) => one.get().await,
            Self::Delete(one) => one.delete().await,
            Self::Listen(listen) => listen.run().await,
            Self::Receive(receive) => receive.run().await,
        }
    }
}

impl Set {
    async fn run(self) -> Result<Exit, Failure> {
        let Self { of, webhook, id, webhook_token, webhook_credentials, webhook_scheme } = self;
        let token = webhook_token.as_deref().map(secret).transpose()?;
        let credentials = webhook_credentials.as_deref().map(secret).transpose()?;
        let config = TaskPushNotificationConfig {
            tenant: None,
            id,
            task_id: Some(of.task.clone()),
            url: webhook.into(),
            token,
            authentication: credentials.map(|credentials| AuthenticationInfo {
                scheme: webhook_scheme,
                credentials: Some(credentials),
            }),
        };
        let client = of.target.connect().await?;
        let set = client.create_push_config(config).await;
        let set = set.map_err(|error| of.target.failure(&error))?;
        of.show(&set)
    }
}

impl OfTask {
    async fn list(self) -> Result<Exit, Failure> {
        let client = self.target.connect().await?;
        let (mut configs, mut page_token) = (Vec::new(), None);
        for _ in 0..PAGES {
            let request = ListTaskPushNotificationConfigsRequest {
                tenant: None,
                task_id: self.task.clone(),
                page_size: None,
                page_token: page_token.take(),
            };
            let page = client.list_push_configs(request).await;
            let page = page.map_err(|error| self.target.failure(&error))?;
            configs.extend(page.configs);
            if page.next_page_token.is_empty() {
                break;
            }
            page_token = Some(page.next_page_token);
        }
        let mut out = Out::new();
        if self.json {
            out.json(&configs)?;
            return Ok(Exit::Done);
        }
        configs.iter().try_for_each(|config| row(&mut out, config))?;
        out.flush()?;
        if configs.is_empty() {
            note("no webhooks");
        }
        Ok(Exit::Done)
    }

    fn show(&self, config: &TaskPushNotificationConfig) -> Result<Exit, Failure> {
        let mut out = Out::new();
        if self.json {
            out.json(config)?;
        } else {
            row(&mut out, config)?;
        }
        out.flush()?;
        Ok(Exit::Done)
    }
}

impl One {
    async fn get(self) -> Result<Exit, Failure> {
        let client = self.of.target.connect().await?;
        let (task_id, id) = (self.of.task.clone(), self.id.clone());
        let request = GetTaskPushNotificationConfigRequest { tenant: None, task_id, id };
        let config = client.get_push_config(request).await;
        let config = config.map_err(|error| self.of.target.failure(&error))?;
        self.of.show(&config)
    }

    async fn delete(self) -> Result<Exit, Failure> {
        let client = self.of.target.connect().await?;
        let (task_id, id) = (self.of.task.clone(), self.id.clone());
        let request = DeleteTaskPushNotificationConfigRequest { tenant: None, task_id, id };
        let deleted = client.delete_push_config(request).await;
        deleted.map_err(|error| self.of.target.failure(&error))?;
        note(&format!("webhook {} is gone", self.id));
        Ok(Exit::Done)
    }
}

/// A webhook without its secrets.
fn row(out: &mut Out, config: &TaskPushNotificationConfig) -> std::io::Result<()> {
    out.put(Style::Plain, config.id.as_deref().unwrap_or("(without a name)"))?;
    out.put(Style::Plain, &format!("  {}", config.url))?;
    let token = config.token.as_ref().map(|_| "a token".to_owned());
    let scheme = config.authentication.as_ref().map(|it| format!("{} credentials", it.scheme));
    let known: Vec<_> = token.into_iter().chain(scheme).collect();
    let known = if known.is_empty() { "nothing".into() } else { known.join(" and ") };
    out.line(Style::Dim, &format!("  known by {known}"))
}

impl Listen {
    async fn run(self) -> Result<Exit, Failure> {
        let target = &self.of.target;
        let client = target.connect().await?;
        let receiver = self.webhook.listen().await?;
        let mut registration = receiver.register();
        registration.is_of(&self.of.task);
        let setting = client.create_push_config(registration.config());
        let Some(set) = unless_interrupted(setting, target).await? else {
            return Ok(Exit::Interrupted);
        };
        note(&format!("listening at {} for task {}", receiver.url(), self.of.task));
        let ended = show(&mut registration, self.of.json, &self.of.task).await?;
        if let Some(id) = set.id {
            let task_id = self.of.task.clone();
            let request = DeleteTaskPushNotificationConfigRequest { tenant: None, task_id, id };
            // Nobody listens there any more, which the agent finds out by itself as well.
            let _ = client.delete_push_config(request).await;
        }
        Ok(ended.conclude(target))
    }
}

impl Receive {
    async fn run(self) -> Result<Exit, Failure> {
        let receiver = self.webhook.listen().await?;
        let mut registration = receiver.register();
        let config = registration.config();
        let token = config.token.unwrap_or_default();
        note(&format!("listening at {}\nthe token is {token}; Ctrl-C leaves", config.url));
        let mut page = Page::new(self.json);
        loop {
            tokio::select! {
                told = registration.next() => page.show(told)?,
                _ = tokio::signal::ctrl_c() => break,
            };
        }
        page.close()?;
        Ok(Exit::Done)
    }
}

/// Shows what is told of a task until it ends.
async fn show(told: &mut Registration, json: bool, task: &TaskId) -> Result<Ended, Failure> {
    let mut page = Page::new(json);
    loop {
        let state = tokio::select! {
            told = told.next() => page.show(told)?,
            _ = tokio::signal::ctrl_c() => {
                page.close()?;
                return Ok(Ended::Interrupted(Some(task.clone())));
            }
        };
        if let Some(state) = state.filter(|state| state.is_terminal()) {
            page.close()?;
            return Ok(Ended::Task(task.clone(), state));
        }
    }
}

/// Where notifications are shown.
struct Page {
    out: Out,
    running: Running,
    json: bool,
}

impl Page {
    fn new(json: bool) -> Self {
        Self { out: Out::new(), running: Running::default(), json }
    }

    /// Shows a notification; gives where the task stands by it.
    fn show(&mut self, told: Notification) -> Result<Option<TaskState>, Failure> {
        let mut stands = None;
        for item in &told {
            if self.json {
                self.out.json(item)?;
            } else {
                self.running.show(&mut self.out, item)?;
            }
            stands = match item {
                StreamResponse::Task(task) => Some(task.status.state),
                StreamResponse::StatusUpdate(update) => Some(update.status.state),
                StreamResponse::Message(_) | StreamResponse::ArtifactUpdate(_) => stands,
            };
        }
        Ok(stands)
    }

    fn close(&mut self) -> Result<(), Failure> {
        self.running.close(&mut self.out)?;
        Ok(self.out.flush()?)
    }
}
