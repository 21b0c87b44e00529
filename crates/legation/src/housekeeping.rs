//! What a server does by itself from time to time.

use std::sync::Arc;
use std::time::Duration;

use legation_core::store::{StoreError, Swept};
use legation_core::{Retention, Service, When};
use legation_model::Timestamp;
use legation_store::{Audit, Tokens};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::audited;

/// How often tasks are looked for that lost their run because the store was away.
const MEND_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether a use of an integration token is to be written.
const WRITE_USES_EVERY: Duration = Duration::from_secs(1);
/// How often what was noted for the audit log is written.
const WRITE_AUDIT_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether contexts are to be swept: because it is time, or somebody asks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long after a sweep that failed the next one is tried.
const SWEEP_AGAIN: Duration = Duration::from_secs(60);

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
        mend(service.clone()),
        sweep(service, retention),
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

async fn mend(service: Arc<Service>) {
    let mut tick = interval(MEND_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        service.mend().await;
    }
}

async fn sweep(service: Arc<Service>, retention: Retention) {
    let mut tick = interval(LOOK_EVERY.min(retention.every));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match service.sweep(&retention, When::Due).await {
            Ok(None) => {}
            Ok(Some(swept)) if swept == Swept::default() => tracing::debug!("nothing to sweep"),
            Ok(Some(swept)) => {
                let Swept { idle, expired, kept, tasks, contexts, keys, results } = swept;
                tracing::info!(idle, expired, kept, tasks, contexts, keys, results, "swept");
            }
            Err(error) => {
                cannot_sweep(&error);
                sleep(SWEEP_AGAIN).await;
            }
        }
    }
}

fn cannot_sweep(error: &StoreError) {
    let error: &dyn std::error::Error = error;
    tracing::warn!(error, "cannot sweep contexts; trying again later");
}
