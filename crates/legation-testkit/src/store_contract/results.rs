//! What is left of tasks that were removed.

use legation_core::store::{Erasure, Query, Stored, Swept};
use legation_core::{Cutoffs, Scope, TaskStore};
use legation_model::TaskId;
use legation_model::TaskState::{Canceled, Completed, InputRequired};

use super::Open;
use super::fixture::{Draft, at, context, home, list, scope, sweep_by, write};

async fn result(store: &dyn TaskStore, scope: &Scope, id: &TaskId) -> Option<Stored> {
    store.result(scope, id).await.expect("a readable store")
}

/// All that is old goes, and results of tasks that ended at a moment or later stay.
fn keeping(before: i64, results: i64) -> Cutoffs {
    Cutoffs { results: Some(at(results)), ..Cutoffs::quiet_before(at(before)) }
}

/// A task leaves what it came to, until that has had its time; what it was on the way is gone.
pub async fn a_result_outlives_its_task(open: Open<'_>) {
    let store = open();
    let mut settled = Draft::new(&*store);
    let mut behind = Draft::new(&*store);
    let mut plain = Draft::new(&*store).within(&home(), "other");
    let mut early = Draft::new(&*store);
    let mut asking = Draft::new(&*store);
    write(&*store, [settled.settle(3, Completed, 20), early.settle(1, Completed, 9)]).await;
    write(&*store, [behind.settle(2, InputRequired, 15)]).await;
    write(&*store, [behind.add(1, InputRequired, 15)]).await;
    write(&*store, [behind.add(2, Canceled, 20)]).await;
    write(&*store, [plain.add(2, Completed, 20), asking.settle(1, InputRequired, 20)]).await;
    let mut before = Vec::new();
    for draft in [&settled, &behind, &plain] {
        assert_eq!(result(&*store, &home(), &draft.id).await.map(|result| result.seq), None);
        before.push(draft.load(&*store).await);
    }
    let swept = sweep_by(&*store, &keeping(21, 10)).await;
    let expected = Swept { expired: 2, kept: 3, tasks: 5, contexts: 2, ..Swept::default() };
    assert_eq!(swept, expected);
    drop(store);
    let store = open();
    for (draft, before) in [&settled, &behind, &plain].into_iter().zip(before) {
        assert!(store.load(&home(), &draft.id).await.expect("a readable store").is_none());
        let kept = result(&*store, &home(), &draft.id).await.expect("it is kept");
        let said = |task: &Stored| {
            let Stored { scope, id, seq, state, status_at, snapshot, tail, .. } = task.clone();
            (scope, id, seq, state, status_at, snapshot, tail)
        };
        assert_eq!(said(&kept), said(&before));
    }
    for draft in [&early, &asking] {
        assert!(result(&*store, &home(), &draft.id).await.is_none());
    }
    assert_eq!(list(&*store, &home(), &Query::default()).await.total, 0, "no task is listed");

    assert_eq!(sweep_by(&*store, &keeping(21, 20)).await, Swept::default());
    let swept = sweep_by(&*store, &keeping(22, 21)).await;
    assert_eq!(swept, Swept { results: 3, ..Swept::default() });
    assert!(result(&*store, &home(), &settled.id).await.is_none());
}

/// "Not yours" is "not there", and so is what another deployment keeps.
pub async fn a_result_is_its_owners(open: Open<'_>) {
    let store = open();
    let mut kept = Draft::new(&*store);
    write(&*store, [kept.settle(1, Completed, 10)]).await;
    assert_eq!(sweep_by(&*store, &keeping(11, 0)).await.kept, 1);
    let of = |deployment, tenant, owner, agent| scope(deployment, tenant, owner, agent);
    for (scope, sees) in [
        (of("deployment", "tenant", Some("owner"), Some("agent")), true),
        (of("deployment", "tenant", Some("owner"), None), true),
        (of("deployment", "tenant", None, None), true),
        (of("deployment", "tenant", Some("owner"), Some("sibling")), false),
        (of("deployment", "tenant", Some("bob"), None), false),
        (of("deployment", "elsewhere", Some("owner"), Some("agent")), false),
        (of("another", "tenant", Some("owner"), Some("agent")), false),
    ] {
        assert_eq!(result(&*store, &scope, &kept.id).await.is_some(), sees, "{scope:?}");
    }
    let none = Cutoffs { results: None, ..keeping(11, 0) };
    let elsewhere = store.sweep("another", &none).await.expect("a store that can write");
    assert_eq!(elsewhere, Swept::default());
    // Who keeps none any more forgets those that there are.
    assert_eq!(sweep_by(&*store, &none).await, Swept { results: 1, ..Swept::default() });
}

/// A result is part of its context, also when nothing else is left of that.
pub async fn a_result_is_erased_with_its_context(open: Open<'_>) {
    let store = open();
    let mut kept = Draft::new(&*store).within(&home(), "c").keyed("key", 1);
    let mut other = Draft::new(&*store).within(&home(), "d");
    write(&*store, [kept.settle(1, Completed, 10), other.settle(1, Completed, 10)]).await;
    let sweep = Cutoffs { born: at(11), ..keeping(0, 0) };
    let swept = sweep_by(&*store, &sweep).await;
    assert_eq!((swept.kept, swept.contexts, swept.keys), (2, 2, 0));
    let mut erased = Swept::default();
    let end = store.erase(&home(), Some(&context("c")), &mut erased).await;
    assert_eq!(end.expect("a store that can write"), Erasure::Erased);
    assert_eq!(erased, Swept { results: 1, keys: 1, ..Swept::default() });
    assert!(result(&*store, &home(), &kept.id).await.is_none());
    assert!(result(&*store, &home(), &other.id).await.is_some());
}

/// A name that a caller has chosen again stands for the task there is, then for the later result.
pub async fn a_later_task_of_the_same_name_leaves_the_result(open: Open<'_>) {
    let store = open();
    let mut first = Draft::new(&*store);
    write(&*store, [first.settle(1, Completed, 10)]).await;
    assert_eq!(sweep_by(&*store, &keeping(11, 0)).await.kept, 1);
    let mut second = Draft { id: first.id.clone(), ..Draft::new(&*store) };
    write(&*store, [second.settle(4, Canceled, 20)]).await;
    assert_eq!(sweep_by(&*store, &keeping(21, 0)).await.kept, 1);
    let kept = result(&*store, &home(), &first.id).await.expect("it is kept");
    assert_eq!((kept.seq, kept.state), (4, Canceled));
    assert_eq!(sweep_by(&*store, &keeping(21, 21)).await.results, 1);
}
