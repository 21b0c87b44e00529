//! What a server does by itself from time to time.

use std::sync::Arc;
use std::time::Duration;

use legation_core::Service;
use legation_core::store::StoreError;
use legation_model::Timestamp;
use legation_store::{Audit, Tokens};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::audited;

/// How often tasks are looked for that lost their run because the store was away.
const MEND_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether a use of an integration token is to be written.
const WRITE_USES_EVERY: Duration = Duration::from_secs(1);
/// How often what was noted for the audit log is written.
const WRITE_AUDIT_EVERY: Duration = Duration::from_secs(1);
/// How many tasks one step of a sweep removes; between steps other writes have their turn.
const SWEEP_STEP: usize = 500;

/// How long ended tasks are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Tasks that ended longer ago than this are removed, with their logs.
    pub keep: Duration,
    /// How often that is done.
    pub every: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { keep: Duration::from_secs(30 * 24 * 3_600), every: Duration::from_secs(3_600) }
    }
}

/// Mends, sweeps, and writes uses of tokens and what was noted for the audit log, until it is
/// aborted.
pub(crate) async fn run(
    service: Arc<Service>,
    retention: Retention,
    (tokens, audit): (Option<Tokens>, Audit),
) {
    // Beside each other, so that runs are mended while a write waits.
    let attending = service.clone();
    tokio::join!(
        mend_and_sweep(service, retention),
        write_audit(audit, retention.every),
        async {
            if let Some(tokens) = tokens {
                write_uses(tokens).await;
            }
        },
        attending.attend()
    );
}

/// Writes what was noted, and removes what is too old.
async fn write_audit(audit: Audit, forget_every: Duration) {
    let mut tick = interval(WRITE_AUDIT_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut forgotten: Option<Instant> = None;
    loop {
        tick.tick().await;
        let is_due = forgotten.is_none_or(|forgotten| forgotten.elapsed() >= forget_every);
        if is_due {
            forgotten = Some(Instant::now());
        }
        let now = Timestamp::now();
        let mut written = audit.write_noted(now).await;
        if is_due && written.is_ok() {
            written = audit.forget(now).await.map(drop);
        }
        if let Err(error) = written {
            audited::cannot_write(&error);
        }
    }
}

async fn write_uses(tokens: Tokens) {
    let mut tick = interval(WRITE_USES_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = tokens.write_uses(Timestamp::now()).await {
            cannot_write_uses(&error);
        }
    }
}

pub(crate) fn cannot_write_uses(error: &StoreError) {
    let error: &dyn std::error::Error = error;
    tracing::warn!(error, "cannot write when integration tokens were last used");
}

async fn mend_and_sweep(service: Arc<Service>, retention: Retention) {
    let mut tick = interval(MEND_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept = Instant::now();
    loop {
        tick.tick().await;
        service.mend().await;
        if swept.elapsed() >= retention.every {
            swept = Instant::now();
            sweep(&service, retention.keep).await;
        }
    }
}

async fn sweep(service: &Service, keep: Duration) {
    let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp::now().as_millis().saturating_sub(keep);
    let Some(before) = Timestamp::from_millis(before) else { return };
    loop {
        match service.sweep(before, SWEEP_STEP).await {
            Ok(swept) if swept.tasks == 0 => return,
            Ok(swept) => tracing::info!(tasks = swept.tasks, contexts = swept.contexts, "swept"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                return tracing::warn!(error, "cannot sweep old tasks; trying again later");
            }
        }
    }
}
