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
    let mut swept = Swept::default();
    // What is not durable yet the store does not know.
    let at_once =
        live().find(|live| live.is_at_work()).map(|live| Erasure::AtWork(live.id.clone()));
    let end = match at_once {
        Some(at_work) => Ok(at_work),
        None => core.store.erase(&scope, context, &mut swept).await,
    };
    let fault = match end {
        Ok(Erasure::Erased) => None,
        Ok(Erasure::AtWork(task)) => Some(at_work(what, &task)),
        Err(error) => Some(error.into()),
    };
    if fault.is_none() {
        // Those that a message has reached meanwhile keep what they have.
        live().filter(|live| !live.is_at_work()).for_each(|live| live.end(StoreError::Removed));
    }
    let recorded = record(core, call, what, swept, fault.as_ref()).await;
    fault.map_or(recorded.map(|()| swept), Err)
}

/// Records what was erased, and why not all of it was, before its caller hears of it.
async fn record(
    core: &Core,
    call: &Call,
    what: &What,
    swept: Swept,
    fault: Option<&A2aError>,
) -> Result<(), A2aError> {
    let Some(audit) = &core.audit else { return Ok(()) };
    let actor = Actor::from(&call.caller);
    let (action, target) = match what {
        What::Context(id) => (AuditAction::EraseContext, id.as_str()),
        What::Subject(subject) => (AuditAction::EraseSubject, &**subject),
    };
    let Swept { tasks, results, keys, .. } = swept;
    let mut detail = format!("{tasks} tasks, {results} results, {keys} idempotency keys");
    let outcome = match fault {
        None => AuditOutcome::Done,
        Some(fault) => {
            detail = format!("{detail}, then: {}", fault.message);
            AuditOutcome::Failed
        }
    };
    let event = AuditEvent::new(actor, action, outcome).to(target).saying(detail);
    if swept == Swept::default() {
        // Nothing was changed, and what comes to nothing may come often.
        if fault.is_some() {
            audit.note(event);
        }
        return Ok(());
    }
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
