//! Reading the configuration again while the server works, on SIGHUP and when the file changes.
//!
//! Agents and their cards change, and the certificate for TLS; runs at work and open streams do not notice. A file that is bad,
//! or that needs a restart, changes nothing at all.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use legation::{Actor, AuditAction, AuditEvent, AuditLog, AuditOutcome, Exposed, Front};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::agents;
use crate::config::{self, Given, LoadError, Overrides, Resolved, ResolvedAgent};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// An agent as it was described and as it works.
pub(crate) type Served = (ResolvedAgent, Exposed);

/// Makes the agents of a configuration. Of those that are served already, one whose work is still
/// done the same way goes on: it may hold processes or connections.
///
/// # Errors
/// When what does an agent's work cannot be had.
pub(crate) fn serve_all(resolved: &Resolved, served: &[Served]) -> anyhow::Result<Vec<Served>> {
    let make = |new: &ResolvedAgent| {
        let is_same = |(old, _): &&Served| {
            let same_work = (&old.runtime, old.on_restart) == (&new.runtime, new.on_restart);
            same_work && old.profile.slug == new.profile.slug
        };
        let exposed = match served.iter().find(is_same) {
            Some((_, old)) => Exposed { profile: new.profile.clone(), agent: old.agent.clone() },
            None => agents::build(new, &resolved.egress())?,
        };
        Ok((new.clone(), exposed))
    };
    resolved.agents.iter().map(make).collect()
}

/// A configuration in force, and the server that it is in force for.
pub(crate) struct Reload {
    pub(crate) file: PathBuf,
    pub(crate) overrides: Overrides,
    pub(crate) given: Given,
    pub(crate) served: Vec<Served>,
    pub(crate) front: Front,
    pub(crate) audit: Arc<dyn AuditLog>,
    /// The file when it was read, so that a change since then is one.
    pub(crate) stamp: Option<Stamp>,
}

impl Reload {
    /// Takes changes up, until the terminal that the server was started on is gone: then the signal
    /// says that, and a server that goes on unseen is not what its user wants.
    pub(crate) async fn run(mut self) {
        let is_watched = io::stderr().is_terminal();
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut taken = self.stamp;
        let mut last = taken;
        loop {
            tokio::select! {
                () = next(&mut hangup) => {
                    if is_watched && !io::stderr().is_terminal() {
                        return;
                    }
                    reload_tls(&self.front);
                }
                () = tokio::time::sleep(LOOK_EVERY) => {
                    let now = Stamp::of(&self.file);
                    // Twice the same, so that nobody is in the middle of writing it.
                    let is_steady = std::mem::replace(&mut last, now) == now;
                    if now == taken || now.is_none() || !is_steady {
                        continue;
                    }
                }
            }
            taken = Stamp::of(&self.file);
            self.reload().await;
        }
    }

    async fn reload(&mut self) {
        let file = self.file.display().to_string();
        let before = self.served.clone();
        let reloaded = self.try_reload();
        let (outcome, detail) = match &reloaded {
            Ok(()) => (AuditOutcome::Done, changes(&before, &self.served)),
            Err(_) => (AuditOutcome::Failed, "all stayed as it was".to_owned()),
        };
        let event = AuditEvent::new(Actor::operator(), AuditAction::Reload, outcome);
        if let Err(error) = self.audit.record(event.to(&file).saying(detail)).await {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "cannot write the audit log");
        }
        match reloaded {
            Ok(()) => {
                let slugs: Vec<_> =
                    self.served.iter().map(|(agent, _)| &*agent.profile.slug).collect();
                tracing::info!(file, agents = slugs.join(", "), "the configuration was read again");
            }
            // The faults are lines that editors can follow, so they stay lines.
            Err(error) => tracing::error!(
                "cannot take up the changed configuration; all stays as it was:\n{error:#}"
            ),
        }
    }

    fn try_reload(&mut self) -> anyhow::Result<()> {
        let (given, resolved) = config::load(Some(&self.file), &self.overrides)?;
        if let Some(faults) = self.given.needs_restart(&given) {
            return Err(LoadError::Faults(faults).into());
        }
        let served = serve_all(&resolved, &self.served)?;
        let agents = served.iter().map(|(_, exposed)| exposed.clone()).collect();
        self.front.replace_agents(agents, resolved.crew.as_ref()).context("cannot be served")?;
        (self.given, self.served) = (given, served);
        Ok(())
    }
}

/// What is otherwise in the agents that are served.
fn changes(before: &[Served], after: &[Served]) -> String {
    let slug = |(agent, _): &Served| agent.profile.slug.clone();
    let find = |served: &[Served], name: &str| -> Option<ResolvedAgent> {
        served
            .iter()
            .find(|(agent, _)| *agent.profile.slug == *name)
            .map(|(agent, _)| agent.clone())
    };
    let of = |what: &str, slugs: Vec<Arc<str>>| {
        (!slugs.is_empty()).then(|| format!("{what} {}", slugs.join(", ")))
    };
    let is_new = |slug: &Arc<str>| find(before, slug).is_none();
    let is_gone = |slug: &Arc<str>| find(after, slug).is_none();
    let is_other = |slug: &Arc<str>| !is_new(slug) && find(before, slug) != find(after, slug);
    let changes = [
        of("added", after.iter().map(slug).filter(is_new).collect()),
        of("removed", before.iter().map(slug).filter(is_gone).collect()),
        of("changed", after.iter().map(slug).filter(is_other).collect()),
    ];
    let changes: Vec<_> = changes.into_iter().flatten().collect();
    if changes.is_empty() { "the agents are the same".into() } else { changes.join("; ") }
}

/// Reads the files for TLS again whenever a SIGHUP asks for it, where there is TLS. Elsewhere the
/// signal ends the process, as it is used to.
pub(crate) async fn tls_on_hangup(front: Front) {
    if front.tls().is_none() {
        return std::future::pending().await;
    }
    let is_watched = io::stderr().is_terminal();
    let mut hangup = signal(SignalKind::hangup()).ok();
    loop {
        next(&mut hangup).await;
        if is_watched && !io::stderr().is_terminal() {
            return;
        }
        reload_tls(&front);
    }
}

fn reload_tls(front: &Front) {
    if let Some(tls) = front.tls() {
        tls.tell(tls.reload());
    }
}

/// Waits for the signal; for ever where there are none.
async fn next(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

/// By which one sees that a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: SystemTime,
    inode: u64,
    length: u64,
}

impl Stamp {
    pub(crate) fn of(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        let modified = metadata.modified().ok()?;
        Some(Self { modified, inode: metadata.ino(), length: metadata.len() })
    }
}
