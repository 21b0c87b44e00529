//! Erasing a context, or all that a subject has: nothing is left, neither in the store nor in memory.

use std::sync::Arc;

use legation_model::{A2aError, ContextId, ErrorKind, TaskId};

use crate::call::Call;
use crate::gate;
use crate::service::Core;
use crate::store::{Erasure, StoreError, Swept};
use crate::{Actor, AuditAction, AuditEvent, AuditOutcome};

/// What is to be erased.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// What the caller has of a context.
    Context(ContextId),
    /// All that a subject of the caller's tenant has.
    Subject(Arc<str>),
}

impl What {
    fn context(&self) -> Option<&ContextId> {
        match self {
            Self::Context(id) => Some(id),
            Self::Subject(_) => None,
        }
    }
}

/// Erases what the caller may, through its mount.
pub(crate) async fn erase(core: &Core, call: &Call, what: &What) -> Result<Swept, A2aError> {
    gate::require(&call.caller, gate::ERASE)?;
    let mut scope = core.scope(call);
    if let What::Subject(subject) = what
        && *subject != call.caller.subject
    {
        gate::require_by_name(&call.caller, gate::ADMIN)?;
        scope.owner = Some(subject.clone());
    }
    let context = what.context();
    let live = || {
        let all = core.registry.all().into_iter();
        all.filter(|live| {
            context.is_none_or(|id| live.context_id == *id) && scope.sees(&live.scope)
        })
    };
    // What is not durable yet the store does not know.
    if let Some(live) = live().find(|live| live.is_at_work()) {
        return Err(at_work(what, &live.id));
    }
    match core.store.erase(&scope, context).await? {
        Erasure::AtWork(task) => Err(at_work(what, &task)),
        Erasure::Erased(swept) => {
            // Those that a message has reached meanwhile keep what they have.
            live().filter(|live| !live.is_at_work()).for_each(|live| live.end(StoreError::Removed));
            record(core, call, what, swept).await?;
            Ok(swept)
        }
    }
}

/// Records what was erased, before its caller hears of it.
async fn record(core: &Core, call: &Call, what: &What, swept: Swept) -> Result<(), A2aError> {
    let Some(audit) = core.audit.as_ref().filter(|_| swept != Swept::default()) else {
        return Ok(());
    };
    let actor = Actor::from(&call.caller);
    let (action, target) = match what {
        What::Context(id) => (AuditAction::EraseContext, id.as_str()),
        What::Subject(subject) => (AuditAction::EraseSubject, &**subject),
    };
    let Swept { tasks, results, keys, .. } = swept;
    let event = AuditEvent::new(actor, action, AuditOutcome::Done)
        .to(target)
        .saying(format!("{tasks} tasks, {results} results, {keys} idempotency keys"));
    let recorded = audit.record(event.clone()).await;
    Ok(recorded.inspect_err(|_| {
        // Another try finds nothing left to erase and to tell of, so this is kept until it can be
        // written.
        audit.note(event);
    })?)
}

fn at_work(what: &What, task: &TaskId) -> A2aError {
    let what = match what {
        What::Context(id) => format!("the context `{id}`"),
        What::Subject(subject) => format!("what `{subject}` has"),
    };
    let text = format!(
        "{what} cannot be erased while its task `{task}` is at work; wait for it or cancel it first"
    );
    A2aError::new(ErrorKind::UnsupportedOperation, text)
}
