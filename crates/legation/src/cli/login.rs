//! `legation login` and `logout`: tokens of an issuer for an agent's calls.

use std::process::{Command, Stdio};

use legation_client::credentials::Visit;

use super::exit::{Exit, Failure};
use super::follow::unless_interrupted;
use super::out::{Out, Style, note};
use super::target::Target;

/// The agent whose issuer is visited.
#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    #[command(flatten)]
    target: Target,
    /// Open no browser, only say where to go
    #[arg(long)]
    no_browser: bool,
}

/// The agent whose tokens are forgotten.
#[derive(Debug, clap::Args)]
pub(crate) struct Logout {
    #[command(flatten)]
    target: Target,
}

impl Login {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let client = self.target.connect().await?;
        let opens = !self.no_browser;
        let visit = move |visit: Visit<'_>| tell(visit, opens);
        let Some(places) = unless_interrupted(client.log_in(&visit), &self.target).await? else {
            return Ok(Exit::Interrupted);
        };
        if places == 0 {
            let why = "no token of an issuer goes to it: its card asks for none, or no credential of \
                the type `oauth` is given for it";
            return Err(Failure::of_command(format!("{}: {why}", self.target.url())));
        }
        let mut out = Out::new();
        out.line(Style::Good, &format!("logged in for {}", self.target.url()))?;
        Ok(Exit::Done)
    }
}

impl Logout {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let client = self.target.connect().await?;
        let had = client.log_out().await.map_err(|error| self.target.failure(&error))?;
        let what = if had { "forgot the tokens for" } else { "there were no tokens for" };
        Out::new().line(Style::Plain, &format!("{what} {}", self.target.url()))?;
        Ok(Exit::Done)
    }
}

fn tell(visit: Visit<'_>, opens: bool) {
    note(&format!("log in at:\n  {}", visit.url));
    match visit.code {
        Some(code) => note(&format!("and type in:\n  {code}")),
        None if opens => open(visit.url.as_str()),
        None => {}
    }
}

/// Opens a browser, where there is one; the address has been told anyway.
fn open(url: &str) {
    const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(OPENER);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Nobody waits for it: it may be the browser itself.
    drop(command.spawn());
}
