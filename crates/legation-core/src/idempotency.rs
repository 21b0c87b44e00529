//! Sends that may be repeated: the same key finds the same task (contract C4).

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use legation_model::{A2aError, SendMessageRequest};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::Scope;
use crate::call::Call;
use crate::live::Live;
use crate::service::Core;
use crate::store::Idempotency;

/// Keys whose task is not durable yet; afterwards the store remembers them.
pub(crate) type InFlight = Mutex<HashMap<Key, Pending>>;

type Key = (Scope, String);

pub(crate) struct Pending {
    digest: [u8; 32],
    live: watch::Receiver<Option<Arc<Live>>>,
}

/// What becomes of a send with a key.
pub(crate) enum Turnout {
    /// It is the first.
    First(Claim),
    /// It repeats one whose task is this.
    Repeat(Arc<Live>),
}

/// The right of the first send to make the task of its key. Repetitions wait for it; when it is
/// dropped without a task, the next of them is the first.
pub(crate) struct Claim {
    core: Arc<Core>,
    key: Key,
    pub(crate) idempotency: Idempotency,
    live: watch::Sender<Option<Arc<Live>>>,
}

impl Claim {
    /// Hands the task to the repetitions that wait, and keeps the claim until it is durable.
    pub(crate) fn settle(self, live: &Arc<Live>) {
        self.live.send_replace(Some(live.clone()));
        let live = live.clone();
        self.core.runs.clone().spawn(async move {
            // Durable or given up: either way the store knows, and the claim ends.
            let _ = live.durable_to(1).await;
            drop(self);
        });
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.core.in_flight.lock().remove(&self.key);
    }
}

/// What marks a request as a possible repetition; `None` when the caller did not ask for it.
pub(crate) fn of(call: &Call, request: &SendMessageRequest) -> Option<Idempotency> {
    let key = call.idempotency_key.clone()?;
    let request = serde_json::to_vec(request).expect("model values have text keys only");
    let digest = digest::digest(&digest::SHA256, &request);
    let digest = digest.as_ref().try_into().expect("SHA-256 gives 32 bytes");
    Some(Idempotency { key, digest })
}

/// Finds the task of an earlier send with the same key, or claims the key.
pub(crate) async fn claim(
    core: &Arc<Core>,
    scope: &Scope,
    idempotency: Idempotency,
) -> Result<Turnout, A2aError> {
    let key = (scope.clone(), idempotency.key.clone());
    loop {
        let (digest, mut live) = match claim_or_wait(core, &key, &idempotency) {
            Ok(claim) => return first(core, scope, claim).await,
            Err(pending) => pending,
        };
        check(&idempotency, digest)?;
        // An error says that the first send came to nothing: try to be the first.
        if let Ok(found) = live.wait_for(Option::is_some).await
            && let Some(live) = found.clone()
        {
            return Ok(Turnout::Repeat(live));
        }
    }
}

type Waiting = ([u8; 32], watch::Receiver<Option<Arc<Live>>>);

fn claim_or_wait(core: &Arc<Core>, key: &Key, idempotency: &Idempotency) -> Result<Claim, Waiting> {
    let mut in_flight = core.in_flight.lock();
    if let Some(pending) = in_flight.get(key) {
        return Err((pending.digest, pending.live.clone()));
    }
    let (live, receiver) = watch::channel(None);
    in_flight.insert(key.clone(), Pending { digest: idempotency.digest, live: receiver });
    let (core, key, idempotency) = (core.clone(), key.clone(), idempotency.clone());
    Ok(Claim { core, key, idempotency, live })
}

/// The first in this process; an earlier process may still have been before it.
async fn first(core: &Arc<Core>, scope: &Scope, claim: Claim) -> Result<Turnout, A2aError> {
    let Some(before) = core.store.remembered(scope, &claim.idempotency.key).await? else {
        return Ok(Turnout::First(claim));
    };
    check(&claim.idempotency, before.digest)?;
    core.live(scope, &before.task).await.map(Turnout::Repeat)
}

fn check(idempotency: &Idempotency, digest: [u8; 32]) -> Result<(), A2aError> {
    if idempotency.digest == digest {
        return Ok(());
    }
    let text = format!("`{}` was used before with another request", idempotency.key);
    Err(A2aError::invalid("Idempotency-Key", text))
}
