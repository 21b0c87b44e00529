//! What a start and a sweep find.

use legation_core::store::{Append, Query, Swept, TaskKey};
use legation_model::TaskState;

use super::Open;
use super::fixture::{Draft, context, home, keys, list, scope, sweep, write};

const ENDED: [TaskState; 4] =
    [TaskState::Completed, TaskState::Failed, TaskState::Canceled, TaskState::Rejected];

/// Old tasks go with their logs and keys, and so do contexts in which nothing happened since, with their
/// tasks at rest; all else stays.
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

    let expected = Swept { expired: 2, tasks: 3, contexts: 2, keys: 1, ..Swept::default() };
    assert_eq!(sweep(&*store, 20).await, expected);
    assert_eq!(sweep(&*store, 20).await, Swept::default());
    for (draft, stays) in
        [(&old, false), (&mixed, false), (&recent, true), (&asking, false), (&foreign, true)]
    {
        let loaded = store.load(&draft.scope, &draft.id).await.expect("a readable store");
        assert_eq!(loaded.is_some(), stays);
        assert_eq!(draft.log(&*store).await.len(), if stays { 3 } else { 0 });
    }
    let page = list(&*store, &home(), &Query { limit: 9, ..Query::default() }).await;
    assert_eq!((keys(&page.tasks), page.total), (vec![recent.key], 1));
    for (key, stays) in [("old", false), ("recent", true)] {
        let remembered = store.remembered(&home(), key).await.expect("a readable store");
        assert_eq!(remembered.is_some(), stays);
    }
}

/// However many steps that takes, and only of the ones that are old.
pub async fn a_sweep_takes_all_that_is_old(open: Open<'_>) {
    const TASKS: usize = 200;
    let store = open();
    let mut appends = Vec::new();
    for number in 0..TASKS {
        let (state, contexts) = (ENDED[number % 4], ["many", "more", "most"]);
        let mut draft = Draft::new(&*store).within(&home(), contexts[number % 3]);
        appends.push(draft.settle(1, state, number as i64));
    }
    write(&*store, appends).await;
    for (before, tasks, contexts) in [(0, 0, 0), (150, 150, 0), (200, 50, 3)] {
        let swept = sweep(&*store, before).await;
        assert_eq!((swept.tasks, swept.contexts), (tasks, contexts), "before {before}");
        let left = TASKS as u64 - (before as u64);
        assert_eq!(list(&*store, &home(), &Query::default()).await.total, left);
    }
}

/// A context stays while any agent of its owner has a task in it. Another owner's context of the
/// same id neither keeps nor takes it.
pub async fn a_context_goes_with_its_last_task(open: Open<'_>) {
    let store = open();
    let of = |owner, agent| scope("deployment", "tenant", Some(owner), Some(agent));
    let tasks = [("a", "x", 10), ("a", "y", 30), ("b", "x", 20), ("b", "x", 30), ("c", "x", 10)];
    let mut appends = Vec::new();
    for (owner, agent, ended_at) in tasks {
        let mut draft = Draft::new(&*store).within(&of(owner, agent), "shared");
        appends.push(draft.add(1, TaskState::Working, 5));
        appends.push(draft.settle(1, TaskState::Completed, ended_at));
    }
    write(&*store, appends).await;
    let mut asking = Draft::new(&*store).within(&of("b", "y"), "shared");
    write(&*store, [asking.add(1, TaskState::Working, 5)]).await;
    let asked = asking.add(1, TaskState::InputRequired, 6);
    write(&*store, [Append { at_work: true, ..asked }]).await;

    // `c` has its only task end at 10, `a` its last at 30; `b` has one that waits for an answer.
    for (before, tasks, contexts) in [(10, 0, 0), (20, 2, 1), (30, 1, 0), (31, 2, 1), (99, 0, 0)] {
        let expected = Swept { expired: contexts, tasks, contexts, ..Swept::default() };
        assert_eq!(sweep(&*store, before).await, expected, "before {before}");
    }
    write(&*store, [asking.settle(1, TaskState::Canceled, 99)]).await;
    let expected = Swept { expired: 1, tasks: 1, contexts: 1, ..Swept::default() };
    assert_eq!(sweep(&*store, 100).await, expected);
}

/// The id of a context that was removed can be used again, and brings nothing of it back.
pub async fn a_context_that_was_removed_begins_anew(open: Open<'_>) {
    let store = open();
    let query = Query { context_id: Some(context("context")), limit: 9, ..Query::default() };
    for moment in [10, 20, 30] {
        let mut draft = Draft::new(&*store);
        write(&*store, [draft.settle(1, TaskState::Completed, moment)]).await;
        let page = list(&*store, &home(), &query).await;
        assert_eq!((keys(&page.tasks), page.total), (vec![draft.key], 1));
        let swept = sweep(&*store, moment + 1).await;
        assert_eq!((swept.tasks, swept.contexts), (1, 1));
        assert_eq!(list(&*store, &home(), &query).await.total, 0);
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
    // A question whose run waits for the answer, and one whose run has then ended without a word.
    for waits in [true, false] {
        let mut draft = Draft::new(&*store);
        let asked = draft.add(2, TaskState::InputRequired, 1);
        write(&*store, [Append { at_work: true, ..asked }]).await;
        assert!(draft.load(&*store).await.at_work);
        if waits {
            expected.push(draft.key);
        } else {
            write(&*store, [draft.add(0, TaskState::InputRequired, 1)]).await;
            assert!(!draft.load(&*store).await.at_work);
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
