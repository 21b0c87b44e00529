//! What erasing a context, or all that somebody has, removes, and what it leaves.

use bytes::Bytes;
use legation_core::store::{Append, Erasure, Query, Swept};
use legation_core::{Cutoffs, Scope, TaskStore};
use legation_model::{ContextId, TaskState};

use super::Open;
use super::fixture::{Draft, Told, at, context, home, idempotency, list, scope, sweep_by, write};

const COMPLETED: TaskState = TaskState::Completed;

/// Erases a context; gives how that ended, and what went.
async fn erase(store: &dyn TaskStore, scope: &Scope, id: &str) -> (Erasure, Swept) {
    erase_any(store, scope, Some(&context(id))).await
}

async fn erase_any(
    store: &dyn TaskStore,
    scope: &Scope,
    context: Option<&ContextId>,
) -> (Erasure, Swept) {
    let mut erased = Swept::default();
    let end = store.erase(scope, context, &mut erased).await;
    (end.expect("a store that can write"), erased)
}

fn erased(tasks: u64, contexts: u64, keys: u64) -> (Erasure, Swept) {
    (Erasure::Erased, Swept { tasks, contexts, keys, ..Swept::default() })
}

fn kept_by(task: &Draft) -> (Erasure, Swept) {
    (Erasure::AtWork(task.id.clone()), Swept::default())
}

async fn answer(store: &dyn TaskStore, scope: &Scope, key: &str, context: &str) {
    let json = format!(r#"{{"messageId":"m","contextId":"{context}","role":"ROLE_AGENT"}}"#);
    let kept = store.remember(scope, idempotency(key, 1), Bytes::from(json), at(1)).await;
    kept.expect("a store that can write");
}

/// Through an agent's mount only that agent's tasks go; the rest of the context, other contexts and
/// other owners' contexts of the same id stay, also after a restart.
pub async fn a_context_is_erased_with_all_that_its_scope_has_of_it(open: Open<'_>) {
    let store = open();
    let of = |owner, agent| scope("deployment", "tenant", Some(owner), agent);
    let sibling = of("owner", Some("sibling"));
    let bob = of("bob", Some("agent"));
    let mut one = Draft::new(&*store).within(&home(), "c").keyed("one", 1);
    let mut asking = Draft::new(&*store).within(&home(), "c");
    let mut with_sibling = Draft::new(&*store).within(&sibling, "c").keyed("sibling", 1);
    let mut elsewhere = Draft::new(&*store).within(&home(), "d").keyed("elsewhere", 1);
    let mut foreign = Draft::new(&*store).within(&bob, "c").keyed("foreign", 1);
    let appends = [
        one.settle(3, COMPLETED, 10),
        asking.settle(2, TaskState::InputRequired, 10),
        with_sibling.settle(1, COMPLETED, 10),
        elsewhere.settle(1, COMPLETED, 10),
        foreign.settle(1, COMPLETED, 10),
    ];
    write(&*store, appends).await;
    answer(&*store, &home(), "answer", "c").await;
    answer(&*store, &home(), "other answer", "d").await;

    assert_eq!(erase(&*store, &home(), "c").await, erased(2, 0, 2));
    assert_eq!(erase(&*store, &home(), "c").await, erased(0, 0, 0));
    assert_eq!(erase(&*store, &of("owner", None), "c").await, erased(1, 1, 1));
    assert_eq!(erase(&*store, &of("owner", None), "never").await, erased(0, 0, 0));

    drop(store);
    let store = open();
    for (draft, stays) in [
        (&one, false),
        (&asking, false),
        (&with_sibling, false),
        (&elsewhere, true),
        (&foreign, true),
    ] {
        let loaded = store.load(&draft.scope, &draft.id).await.expect("a readable store");
        assert_eq!(loaded.is_some(), stays, "{:?}", draft.scope);
        assert_eq!(draft.log(&*store).await.is_empty(), !stays);
    }
    for (scope, key, stays) in [
        (&home(), "one", false),
        (&home(), "answer", false),
        (&sibling, "sibling", false),
        (&home(), "other answer", true),
        (&home(), "elsewhere", true),
        (&bob, "foreign", true),
    ] {
        let remembered = store.remembered(scope, key).await.expect("a readable store");
        assert_eq!(remembered.is_some(), stays, "{key}");
    }
    assert_eq!(list(&*store, &home(), &Query { limit: 9, ..Query::default() }).await.total, 1);
}

/// A task that somebody is at work on would write into what is gone.
pub async fn a_task_at_work_keeps_its_context(open: Open<'_>) {
    let store = open();
    let mut done = Draft::new(&*store).within(&home(), "c");
    let mut working = Draft::new(&*store).within(&home(), "c");
    let appends = [done.settle(1, COMPLETED, 1), working.add(1, TaskState::Working, 1)];
    write(&*store, appends).await;
    assert_eq!(erase(&*store, &home(), "c").await, kept_by(&working));
    // One whose run waits for an answer is at work as well.
    let asked = working.add(1, TaskState::InputRequired, 2);
    write(&*store, [Append { at_work: true, ..asked }]).await;
    assert_eq!(erase(&*store, &home(), "c").await, kept_by(&working));
    write(&*store, [working.settle(1, TaskState::Canceled, 3)]).await;
    assert_eq!(erase(&*store, &home(), "c").await, erased(2, 1, 0));
}

/// However many tasks and keys there are.
pub async fn a_large_context_is_erased_whole(open: Open<'_>) {
    const TASKS: u64 = 300;
    let store = open();
    let mut appends = Vec::new();
    for number in 0..TASKS {
        let mut draft = Draft::new(&*store).within(&home(), "c").keyed(&number.to_string(), 1);
        appends.push(draft.settle(1, COMPLETED, 1));
    }
    write(&*store, appends).await;
    assert_eq!(erase(&*store, &home(), "c").await, erased(TASKS, 1, TASKS));
    assert_eq!(list(&*store, &home(), &Query::default()).await.total, 0);
}

/// All that an owner has, with one agent or with all, and nothing of anybody else.
pub async fn an_owner_is_erased_with_all_there_is(open: Open<'_>) {
    let store = open();
    let told = Told::by(&*store);
    let of = |owner, agent| scope("deployment", "tenant", Some(owner), agent);
    let sibling = of("owner", Some("sibling"));
    let bob = of("bob", Some("agent"));
    let mut gone = Draft::new(&*store).within(&home(), "gone");
    write(&*store, [gone.settle(1, COMPLETED, 1)]).await;
    sweep_by(&*store, &Cutoffs { results: Some(at(0)), ..Cutoffs::quiet_before(at(2)) }).await;
    let mut drafts = Vec::new();
    for number in 0..150 {
        let (context, key) = (format!("c{}", number % 4), format!("key {number}"));
        drafts.push(Draft::new(&*store).within(&home(), &context).keyed(&key, 1));
    }
    drafts.push(Draft::new(&*store).within(&sibling, "c1").keyed("key", 1));
    drafts.push(Draft::new(&*store).within(&bob, "c1").keyed("key", 1));
    let appends: Vec<_> = drafts.iter_mut().map(|draft| draft.settle(1, COMPLETED, 3)).collect();
    write(&*store, appends).await;
    answer(&*store, &home(), "answer", "answered").await;
    answer(&*store, &bob, "answer", "answered").await;
    told.take();

    let all = async |scope: &Scope| erase_any(&*store, scope, None).await;
    let mut working = Draft::new(&*store).within(&home(), "c0");
    write(&*store, [working.add(1, TaskState::Working, 4)]).await;
    assert_eq!(all(&of("owner", None)).await, kept_by(&working));
    write(&*store, [working.settle(1, COMPLETED, 5)]).await;

    let with_agent = Swept { tasks: 151, contexts: 3, keys: 151, results: 1, ..Swept::default() };
    assert_eq!(
        all(&home()).await,
        (Erasure::Erased, with_agent),
        "`c1` has a task of the sibling's"
    );
    assert_eq!(all(&home()).await, erased(0, 0, 0));
    assert_eq!(all(&of("owner", None)).await, erased(1, 1, 1));
    let pruned = ["c0", "c1", "c2", "c3"].map(|id| format!("context.pruned owner/{id}"));
    assert_eq!(told.take(), pruned);
    assert!(store.result(&home(), &gone.id).await.expect("a readable store").is_none());

    assert_eq!(list(&*store, &bob, &Query::default()).await.total, 1);
    for (scope, key, stays) in
        [(&home(), "key 7", false), (&home(), "answer", false), (&bob, "key", true)]
    {
        let remembered = store.remembered(scope, key).await.expect("a readable store");
        assert_eq!(remembered.is_some(), stays, "{key}");
    }
    assert_eq!(all(&of("bob", None)).await, erased(1, 1, 2));
}
