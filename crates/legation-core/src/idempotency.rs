//! Sends that may be repeated: the same key finds what came of the first (contract C4).
//!
//! A message that begins a task, one that goes on with a task and one that is answered directly
//! take the same way: the send claims its key, and what comes of it becomes durable with the key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use aws_lc_rs::digest;
use legation_model::{A2aError, ErrorKind, MessageId, SendMessageRequest, TaskId, Timestamp};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::call::Call;
use crate::live::Live;
use crate::service::Core;
use crate::store::{Idempotency, Outcome, Remembered, Seq, StoreError};
use crate::{Document, Scope, page};

/// Keys whose outcome is not durable yet; afterwards the store remembers them.
pub(crate) type InFlight = Mutex<HashMap<Key, Pending>>;

type Key = (Scope, String);

#[derive(Clone)]
pub(crate) struct Pending {
    digest: [u8; 32],
    before: watch::Receiver<Option<Came>>,
}

/// What came of the first send, or why the store does not tell.
type Came = Result<Before, StoreError>;

/// What came of the first send with a key.
#[derive(Clone)]
pub(crate) enum Before {
    /// A task that has the message with this event or an earlier one.
    Task(Arc<Live>, Seq),
    /// A direct answer, which is durable.
    Message(Document),
    /// The result of a task that was removed since.
    Result(Document),
}

/// What becomes of a send.
pub(crate) enum Turnout {
    /// It is the first with its key, or has none.
    First(Option<Claim>),
    /// It repeats one that came to this.
    Repeat(Before),
}

/// The right of the first send to say what its key stands for. Repetitions wait for it; when it is
/// dropped before, the next of them is the first.
pub(crate) struct Claim {
    core: Arc<Core>,
    scope: Scope,
    pub(crate) idempotency: Idempotency,
    before: watch::Sender<Option<Came>>,
}

impl Claim {
    /// Hands the task to the repetitions that wait, and keeps the claim until the event with the
    /// message is durable.
    pub(crate) fn settle(self, live: &Arc<Live>, seq: Seq) {
        self.before.send_replace(Some(Ok(Before::Task(live.clone(), seq))));
        let live = live.clone();
        self.core.runs.clone().spawn(async move {
            // Durable or given up: either way the store knows, and the claim ends.
            let _ = live.durable_to(seq).await;
            drop(self);
        });
    }

    /// Makes a direct answer durable, then hands it to the repetitions that wait. Gives what the
    /// key stands for: an earlier answer, when its sender left before it was durable.
    pub(crate) async fn keep(self, answer: Document) -> Result<Before, A2aError> {
        let (idempotency, json) = (self.idempotency.clone(), answer.bytes().clone());
        let kept = self.core.store.remember(&self.scope, idempotency, json, Timestamp::now()).await;
        let before = match kept {
            Ok(()) => Before::Message(answer),
            Err(StoreError::Taken(earlier)) => self.repeat(*earlier).await?,
            Err(error) => return Err(self.fail(error).into()),
        };
        self.before.send_replace(Some(Ok(before.clone())));
        Ok(before)
    }

    /// Gives an error of the store, which is that of the repetitions too when it is away: if each of them
    /// tried again, the last would have waited for it as often as there are repetitions.
    pub(crate) fn fail(&self, error: StoreError) -> StoreError {
        if let StoreError::Unavailable(_) | StoreError::Full = error {
            self.before.send_replace(Some(Err(error.clone())));
        }
        error
    }

    /// What the store remembers, when it is of the same request.
    async fn repeat(&self, earlier: Remembered) -> Result<Before, A2aError> {
        check(&self.idempotency, earlier.digest)?;
        Ok(match earlier.outcome {
            // The store knows the key, so the message is durable, whichever event has it.
            Outcome::Task(id) => match self.core.live(&self.scope, &id).await {
                Err(error) if error.kind == ErrorKind::TaskNotFound => {
                    Before::Result(page::read(&self.core, &self.scope, &id, None).await?)
                }
                live => Before::Task(live?, 1),
            },
            Outcome::Message(json) => Before::Message(Document::from_stored(json)),
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let key = (self.scope.clone(), self.idempotency.key.clone());
        self.core.in_flight.lock().remove(&key);
    }
}

/// Claims the key of a send, or finds what came of an earlier send with it.
pub(crate) async fn claim(
    core: &Arc<Core>,
    call: &Call,
    scope: &Scope,
    request: &SendMessageRequest,
) -> Result<Turnout, A2aError> {
    let Some(key) = &call.idempotency_key else { return Ok(Turnout::First(None)) };
    let idempotency = Idempotency { key: key.clone(), digest: digest_of(request) };
    loop {
        let mut pending = match claim_or_wait(core, scope, &idempotency) {
            Ok(claim) => return first(claim).await,
            Err(pending) => pending,
        };
        check(&idempotency, pending.digest)?;
        // An error says that the first send came to nothing: try to be the first.
        if let Ok(found) = pending.before.wait_for(Option::is_some).await
            && let Some(came) = found.clone()
        {
            return Ok(Turnout::Repeat(came?));
        }
    }
}

/// What came of an earlier send with the key of this one, to a task that was removed since.
pub(crate) async fn to_removed(
    core: &Arc<Core>,
    call: &Call,
    task: &TaskId,
    request: &SendMessageRequest,
) -> Result<Option<Before>, A2aError> {
    if call.idempotency_key.is_none() {
        return Ok(None);
    }
    let Some(result) = core.store.result(&core.scope(call), task).await? else { return Ok(None) };
    Ok(match claim(core, call, &result.scope, request).await? {
        Turnout::Repeat(before) => Some(before),
        Turnout::First(_) => None,
    })
}

/// The digest of all that a request says but the message's id: many callers make a new one for each
/// attempt, and some have none at all.
fn digest_of(request: &SendMessageRequest) -> [u8; 32] {
    let mut request = request.clone();
    request.message.message_id = MessageId::parse("any").expect("a valid identifier");
    let request = serde_json::to_vec(&request).expect("model values have text keys only");
    let digest = digest::digest(&digest::SHA256, &request);
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

fn claim_or_wait(
    core: &Arc<Core>,
    scope: &Scope,
    idempotency: &Idempotency,
) -> Result<Claim, Pending> {
    match core.in_flight.lock().entry((scope.clone(), idempotency.key.clone())) {
        Entry::Occupied(pending) => Err(pending.get().clone()),
        Entry::Vacant(free) => {
            let (before, receiver) = watch::channel(None);
            free.insert(Pending { digest: idempotency.digest, before: receiver });
            let (core, scope, idempotency) = (core.clone(), scope.clone(), idempotency.clone());
            Ok(Claim { core, scope, idempotency, before })
        }
    }
}

/// The first in this process; an earlier process may still have been before it.
async fn first(claim: Claim) -> Result<Turnout, A2aError> {
    let earlier = claim.core.store.remembered(&claim.scope, &claim.idempotency.key).await;
    match earlier.map_err(|error| claim.fail(error))? {
        None => Ok(Turnout::First(Some(claim))),
        Some(earlier) => claim.repeat(earlier).await.map(Turnout::Repeat),
    }
}

fn check(idempotency: &Idempotency, digest: [u8; 32]) -> Result<(), A2aError> {
    if idempotency.digest == digest {
        return Ok(());
    }
    let text = format!("`{}` was used before with another request", idempotency.key);
    Err(A2aError::invalid("Idempotency-Key", text))
}
