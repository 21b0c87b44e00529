//! How a command learns what becomes of a task, and where it is told when that is by webhook.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use legation_client::credentials::Secret;
use legation_client::{Pace, Push, Receiver, Updates, receiver};
use url::Url;

use super::exit::Failure;

/// How a command learns what becomes of a task.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct HowTold {
    /// How to learn what becomes of a task; of an agent that does not stream by looking at it
    #[arg(long, value_name = "HOW", value_enum, default_value_t, help_heading = "Following")]
    updates: How,
    #[command(flatten)]
    webhook: Webhook,
}

/// The ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum How {
    /// A stream: everything at once
    #[default]
    Streaming,
    /// A look at the task every now and then
    Polling,
    /// A look at the task when the agent posts to the webhook
    Push,
}

/// Where this command is told by agents.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Webhook {
    /// Where to listen for what agents post
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", help_heading = "Following")]
    pub(super) webhook_listen: SocketAddr,
    /// Where agents reach that, when it is by a gateway or a tunnel
    #[arg(long, value_name = "URL", help_heading = "Following")]
    webhook_url: Option<Url>,
    /// File with the secret that notifications have to be signed with (HMAC-SHA256)
    #[arg(long, value_name = "FILE", help_heading = "Following")]
    webhook_secret: Option<PathBuf>,
}

impl HowTold {
    /// The same for the library. For webhooks it begins to listen.
    pub(crate) async fn updates(&self) -> Result<Updates, Failure> {
        Ok(match self.updates {
            How::Streaming => Updates::Streaming,
            How::Polling => Updates::Polling(Pace::default()),
            How::Push => Updates::Push(Push::by(self.webhook.listen().await?)),
        })
    }
}

impl Webhook {
    /// Begins to listen.
    pub(super) async fn listen(&self) -> Result<Receiver, Failure> {
        let secret = self.webhook_secret.as_deref().map(secret).transpose()?;
        if self.webhook_url.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
            return Err(Failure::usage("--webhook-url begins with http:// or https://"));
        }
        let (address, url) = (self.webhook_listen, self.webhook_url.clone());
        let secret = secret.map(Secret::from);
        let listening = Receiver::listen(address, url, secret, receiver::Limits::default()).await;
        listening.map_err(|error| Failure::usage(format!("cannot listen at {address}: {error}")))
    }
}

/// The secret in a file. Command lines are seen by others and kept in histories.
pub(super) fn secret(file: &Path) -> Result<String, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Failure::usage(format!("cannot read `{name}`: {error}")))?;
    // Editors end the last line.
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Failure::usage(format!("`{name}` holds no secret")));
    }
    Ok(text.to_owned())
}
