//! What is counted for quotas.

use bytes::Bytes;
use legation_core::store::{Day, Swept, Usage, Used};
use legation_core::{Scope, TaskStore};
use legation_model::TaskState;

use super::Open;
use super::fixture::{
    Draft, append_all, at, context, home, idempotency, scope, sweep, words, write,
};

const COMPLETED: TaskState = TaskState::Completed;
/// The first moment of the second day.
const DAY: i64 = Day::MILLIS;

async fn used(store: &dyn TaskStore, scope: &Scope, day: i64) -> Used {
    store.used(scope, Day(day)).await.expect("a readable store")
}

fn usage(tasks: u64, bytes: u64) -> Usage {
    Usage { tasks, bytes }
}

/// The bytes of a task's entries, of which a row may hold several with a byte between them.
async fn bytes(store: &dyn TaskStore, drafts: &[&Draft]) -> std::ops::RangeInclusive<u64> {
    let (mut least, mut most) = (0, 0);
    for draft in drafts {
        for (_, entry) in draft.log(store).await {
            least += entry.len() as u64;
            most += entry.len() as u64 + 1;
        }
    }
    least..=most
}

/// A tenant is all its callers, a caller is so through all agents, and both outlive the store.
pub async fn tasks_of_a_day_and_bytes_are_counted_for_tenants_and_callers(open: Open<'_>) {
    let store = open();
    let of = |owner, agent| scope("deployment", "tenant", Some(owner), Some(agent));
    let draft = |scope: &Scope| Draft::new(&*store).within(scope, "c");
    let (mut early, mut late, mut other) =
        (draft(&home()), draft(&home()), draft(&of("owner", "other")));
    let mut bobs = draft(&of("bob", "agent"));
    let mut foreign = draft(&scope("deployment", "elsewhere", Some("owner"), Some("agent")));
    let mut parallel = draft(&scope("parallel", "tenant", Some("owner"), Some("agent")));
    write(&*store, [early.settle(3, COMPLETED, DAY - 1)]).await;
    let one = used(&*store, &home(), 0).await;
    assert_eq!((one.tenant, one.caller.tasks), (one.caller, 1));
    assert!(bytes(&*store, &[&early]).await.contains(&one.caller.bytes), "{one:?}");
    let appends = [
        late.add(1, TaskState::Working, DAY),
        other.settle(1, COMPLETED, DAY),
        bobs.settle(2, COMPLETED, DAY + 1),
        foreign.settle(1, COMPLETED, DAY),
        parallel.settle(1, COMPLETED, DAY),
    ];
    write(&*store, appends).await;
    // What comes later is no new task, on whatever day.
    write(&*store, [late.settle(4, COMPLETED, 3 * DAY)]).await;
    let counted = used(&*store, &home(), 1).await;
    assert_eq!((counted.tenant.tasks, counted.caller.tasks), (3, 2));
    let owners = [&early, &late, &other];
    assert!(bytes(&*store, &owners).await.contains(&counted.caller.bytes), "{counted:?}");
    let all = [&early, &late, &other, &bobs];
    assert!(bytes(&*store, &all).await.contains(&counted.tenant.bytes), "{counted:?}");
    assert_eq!(used(&*store, &home(), 2).await.tenant.tasks, 0, "a new day");
    assert_eq!(used(&*store, &foreign.scope, 1).await.tenant.tasks, 1);
    assert_eq!(used(&*store, &parallel.scope, 1).await.tenant.tasks, 1);
    let nobody = scope("deployment", "tenant", Some("nobody"), None);
    let nobodys = used(&*store, &nobody, 1).await;
    assert_eq!((nobodys.caller, nobodys.tenant), (Usage::default(), counted.tenant));
    drop(store);
    let store = open();
    assert_eq!(used(&*store, &home(), 1).await, counted, "after a restart");
}

/// Neither tasks whose name or key is taken nor answers that are not kept.
pub async fn what_is_refused_is_not_counted(open: Open<'_>) {
    let store = open();
    let mut first = Draft::new(&*store).keyed("key", 1);
    write(&*store, [first.settle(1, COMPLETED, 0)]).await;
    let before = used(&*store, &home(), 0).await;
    let mut named = Draft { id: first.id.clone(), ..Draft::new(&*store) };
    let mut keyed = Draft::new(&*store).keyed("key", 1);
    let appends = [named.settle(1, COMPLETED, 0), keyed.settle(1, COMPLETED, 0)];
    assert_eq!(words(&append_all(&*store, appends).await), ["fenced", "taken"]);
    let answer = Bytes::from_static(b"{}");
    let kept = store.remember(&home(), idempotency("key", 1), answer, at(0)).await;
    kept.expect_err("the key is taken");
    assert_eq!(used(&*store, &home(), 0).await, before);
}

/// A task that was begun today was begun, whatever becomes of it.
pub async fn what_is_removed_gives_bytes_back_and_no_tasks(open: Open<'_>) {
    let store = open();
    let mut kept = Draft::new(&*store).within(&home(), "kept");
    let mut erased = Draft::new(&*store).within(&home(), "erased").keyed("key", 1);
    write(&*store, [kept.settle(2, COMPLETED, 0)]).await;
    let one = used(&*store, &home(), 0).await;
    write(&*store, [erased.settle(3, COMPLETED, 0)]).await;
    let answer = Bytes::from_static(br#"{"contextId":"erased"}"#);
    let length = answer.len() as u64;
    let before = used(&*store, &home(), 0).await;
    store.remember(&home(), idempotency("answer", 1), answer, at(0)).await.expect("a new key");
    let with_answer = used(&*store, &home(), 0).await;
    assert_eq!(with_answer.caller, usage(2, before.caller.bytes + length));
    store
        .erase(&home(), Some(&context("erased")), &mut Swept::default())
        .await
        .expect("a store that can write");
    let left = used(&*store, &home(), 0).await;
    assert_eq!(left.caller, usage(2, one.caller.bytes));
    assert_eq!(left.tenant, left.caller);
    let answer = Bytes::from_static(b"{}");
    store.remember(&home(), idempotency("old", 1), answer, at(0)).await.expect("a new key");
    sweep(&*store, DAY).await;
    let swept = used(&*store, &home(), 0).await;
    assert_eq!(swept, Used { tenant: usage(2, 0), caller: usage(2, 0) });
}
