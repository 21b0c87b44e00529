//! What a start and a sweep find.

use legation_core::TaskStore;
use legation_core::store::{Query, Swept, TaskKey};
use legation_model::TaskState;

use super::Open;
use super::fixture::{Draft, at, home, keys, list, scope, write};

const ENDED: [TaskState; 4] =
    [TaskState::Completed, TaskState::Failed, TaskState::Canceled, TaskState::Rejected];

async fn sweep(store: &dyn TaskStore, before: i64, limit: usize) -> Swept {
    store.sweep("deployment", at(before), limit).await.expect("a store that can write")
}

/// Old tasks go with their logs, keys and empty contexts; all else stays.
pub async fn a_sweep_removes_what_ended_before_a_moment(open: Open<'_>) {
    let store = open();
    let mut old = Draft::new(&*store).within(&home(), "old").keyed("old", 1);
    let mut mixed = Draft::new(&*store).within(&home(), "mixed");
    let mut recent = Draft::new(&*store).within(&home(), "mixed").keyed("recent", 1);
    let mut asking = Draft::new(&*store).within(&home(), "asking");
    let elsewhere = scope("another", "tenant", Some("owner"), Some("agent"));
    let mut foreign = Draft::new(&*store).within(&elsewhere, "old");
    let appends = [
        old.settle(3, TaskState::Completed, 10),
        mixed.settle(3, TaskState::Failed, 10),
        recent.settle(3, TaskState::Completed, 20),
        asking.settle(3, TaskState::InputRequired, 10),
        foreign.settle(3, TaskState::Completed, 10),
    ];
    write(&*store, appends).await;

    assert_eq!(sweep(&*store, 20, 100).await, Swept { tasks: 2, contexts: 1, keys: 1 });
    assert_eq!(sweep(&*store, 20, 100).await, Swept::default());
    for (draft, stays) in
        [(&old, false), (&mixed, false), (&recent, true), (&asking, true), (&foreign, true)]
    {
        let loaded = store.load(&draft.scope, &draft.id).await.expect("a readable store");
        assert_eq!(loaded.is_some(), stays);
        assert_eq!(draft.log(&*store).await.len(), if stays { 3 } else { 0 });
    }
    let page = list(&*store, &home(), &Query { limit: 9, ..Query::default() }).await;
    assert_eq!((keys(&page.tasks), page.total), (vec![recent.key, asking.key], 2));
    for (key, stays) in [("old", false), ("recent", true)] {
        let remembered = store.remembered(&home(), key).await.expect("a readable store");
        assert_eq!(remembered.is_some(), stays);
    }
}

/// The limit holds whatever the number of tasks, states and steps it takes.
pub async fn a_sweep_stops_at_its_limit(open: Open<'_>) {
    const TASKS: usize = 200;
    let store = open();
    let mut appends = Vec::new();
    for number in 0..TASKS {
        appends.push(Draft::new(&*store).settle(1, ENDED[number % 4], number as i64));
    }
    write(&*store, appends).await;
    let mut left = TASKS as u64;
    for (limit, removed) in [(0, 0), (1, 1), (64, 64), (100, 100), (100, 35)] {
        assert_eq!(sweep(&*store, 1_000, limit).await.tasks, removed, "limit {limit}");
        left -= removed;
        assert_eq!(list(&*store, &home(), &Query::default()).await.total, left);
    }
}

/// A start finds what a process that died left behind, page by page.
pub async fn unfinished_tasks_are_found_by_key(open: Open<'_>) {
    let store = open();
    let mut expected = Vec::new();
    for state in TaskState::ALL.iter().cycle().take(40) {
        let mut draft = Draft::new(&*store);
        write(&*store, [draft.add(1, TaskState::Submitted, 1)]).await;
        write(&*store, [draft.add(1, *state, 2)]).await;
        if matches!(state, TaskState::Submitted | TaskState::Working) {
            expected.push(draft.key);
        }
    }
    let store = {
        drop(store);
        open()
    };
    let mut found = Vec::new();
    loop {
        let after = found.last().copied().unwrap_or(TaskKey(0));
        let page = store.unfinished("deployment", after, 4).await.expect("a readable store");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 4 && page.iter().all(|task| task.tail.len() == 2));
        found.extend(keys(&page));
    }
    assert_eq!(found, expected);
}
