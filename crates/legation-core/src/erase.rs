//! Erasing a context: nothing of it is left, neither in the store nor in memory.

use legation_model::{A2aError, ContextId, ErrorKind, TaskId};

use crate::call::Call;
use crate::gate;
use crate::service::Core;
use crate::store::{Erasure, StoreError, Swept};
use crate::{Actor, AuditAction, AuditEvent, AuditOutcome};

/// Erases what the caller has of a context.
pub(crate) async fn erase(core: &Core, call: &Call, id: &ContextId) -> Result<Swept, A2aError> {
    gate::require(&call.caller, gate::ERASE)?;
    let scope = core.scope(call);
    let live = || {
        let all = core.registry.all().into_iter();
        all.filter(|live| live.context_id == *id && scope.sees(&live.scope))
    };
    // What is not durable yet the store does not know.
    if let Some(live) = live().find(|live| live.is_at_work()) {
        return Err(at_work(id, &live.id));
    }
    match core.store.erase(&scope, id).await? {
        Erasure::AtWork(task) => Err(at_work(id, &task)),
        Erasure::Erased(swept) => {
            // Those that a message has reached meanwhile keep what they have.
            live().filter(|live| !live.is_at_work()).for_each(|live| live.end(StoreError::Removed));
            record(core, call, id, swept).await?;
            Ok(swept)
        }
    }
}

/// Records what was erased, before its caller hears of it.
async fn record(core: &Core, call: &Call, id: &ContextId, swept: Swept) -> Result<(), A2aError> {
    let Some(audit) = core.audit.as_ref().filter(|_| swept != Swept::default()) else {
        return Ok(());
    };
    let actor = Actor::from(&call.caller);
    let event = AuditEvent::new(actor, AuditAction::EraseContext, AuditOutcome::Done)
        .to(id.as_str())
        .saying(format!("{} tasks, {} idempotency keys", swept.tasks, swept.keys));
    let recorded = audit.record(event.clone()).await;
    Ok(recorded.inspect_err(|_| {
        // Another try finds nothing left to erase and to tell of, so this is kept until it can be
        // written.
        audit.note(event);
    })?)
}

fn at_work(context: &ContextId, task: &TaskId) -> A2aError {
    let text = format!(
        "the context `{context}` cannot be erased while its task `{task}` is at work; wait for it \
         or cancel it first"
    );
    A2aError::new(ErrorKind::UnsupportedOperation, text)
}
