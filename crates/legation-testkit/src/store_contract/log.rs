//! The log of one task: durable, in order, with a snapshot where there is one.

use bytes::Bytes;
use legation_core::TaskStore;
use legation_core::store::{Append, Seq, Stored};
use legation_model::TaskState;

use super::Open;
use super::fixture::{Dice, Draft, append_all, at, home, write};

/// What was reported as durable is there when the store is opened again.
pub async fn a_task_survives_its_store(open: Open<'_>) {
    let store = open();
    let mut draft = Draft::new(&*store);
    write(&*store, [draft.settle(3, TaskState::Completed, 7)]).await;
    drop(store);

    let task = draft.load(&*open()).await;
    assert_eq!((task.key, &task.id, &task.scope), (draft.key, &draft.id, &home()));
    assert_eq!((task.epoch, task.seq), (1, 3));
    assert_eq!((task.state, task.status_at), (TaskState::Completed, at(7)));
    assert_eq!(task.document(), Some(&draft.snapshot(3)));
}

/// Entries have the numbers they were given, and reading goes on after any of them.
pub async fn entries_come_in_order_with_their_numbers(open: Open<'_>) {
    let store = open();
    let mut draft = Draft::new(&*store);
    let mut neighbour = Draft::new(&*store);
    for events in [1, 4, 2] {
        let working = TaskState::Working;
        write(&*store, [draft.add(events, working, 1), neighbour.add(1, working, 1)]).await;
    }
    for after in 0..9 {
        let expected: Vec<_> = (after + 1..=7).map(|seq| (seq, draft.entry(seq))).collect();
        let entries = store.entries(&home(), draft.key, after, usize::MAX).await;
        assert_eq!(entries.expect("a readable store"), expected, "after {after}");
    }
}

/// A reader that can take little gets little, but gets on.
pub async fn entries_are_limited_by_bytes_but_come_at_all(open: Open<'_>) {
    let store = open();
    let mut draft = Draft::new(&*store);
    write(&*store, [draft.add(2, TaskState::Working, 1), draft.add(6, TaskState::Working, 1)])
        .await;
    let size = draft.entry(1).len();
    for (bytes, expected) in [(0, 1), (size, 1), (size * 3, 3), (size * 4 + 1, 4), (size * 99, 8)] {
        let entries = store.entries(&home(), draft.key, 0, bytes).await.expect("a readable store");
        let numbers: Vec<Seq> = entries.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(numbers, (1..=expected).collect::<Vec<_>>(), "{bytes} bytes");
    }
}

/// A task is read from its newest snapshot on, and its log still has everything.
pub async fn the_newest_snapshot_comes_with_what_follows_it(open: Open<'_>) {
    let store = open();
    let mut draft = Draft::new(&*store);
    let (asks, works) = (TaskState::InputRequired, TaskState::Working);
    let steps: [(bool, Seq, Option<Seq>); 5] = [
        (false, 2, None),
        (true, 3, Some(5)),
        (false, 1, Some(5)),
        (false, 2, Some(5)),
        (true, 1, Some(9)),
    ];
    for (settles, events, snapshot) in steps {
        let append = match settles {
            true => draft.settle(events, asks, 1),
            false => draft.add(events, works, 1),
        };
        write(&*store, [append]).await;
        let task = draft.load(&*store).await;
        assert_eq!(task.snapshot, snapshot.map(|seq| (seq, draft.snapshot(seq))));
        let tail: Vec<_> =
            (snapshot.unwrap_or(0) + 1..=draft.last).map(|seq| draft.entry(seq)).collect();
        assert_eq!(task.document().is_some(), settles);
        assert_eq!((task.seq, task.tail), (draft.last, tail));
    }
    assert_eq!(draft.log(&*store).await.len(), 9);
}

/// How appends fall into transactions does not show.
pub async fn merged_appends_equal_separate_ones(open: Open<'_>) {
    const TASKS: usize = 12;
    let store = open();
    let mut dice = Dice::new(1);
    let mut separate: Vec<Draft> = (0..TASKS).map(|_| Draft::new(&*store)).collect();
    let mut merged: Vec<Draft> = (0..TASKS).map(|_| Draft::new(&*store)).collect();
    let mut queued = Vec::new();
    for moment in 0..200 {
        let task = dice.roll(TASKS as u64) as usize;
        let events = 1 + dice.roll(4);
        let settles = dice.roll(4) == 0;
        write(&*store, [step(&mut separate[task], settles, events, moment)]).await;
        queued.push(step(&mut merged[task], settles, events, moment));
    }
    for outcome in append_all(&*store, queued).await {
        outcome.expect("the store takes the append");
    }
    for (one, other) in separate.iter().zip(&merged).filter(|(one, _)| one.last > 0) {
        assert_eq!(picture(one, &*store).await, picture(other, &*store).await);
    }
}

fn step(draft: &mut Draft, settles: bool, events: u64, moment: i64) -> Append {
    match settles {
        true => draft.settle(events, TaskState::InputRequired, moment),
        false => draft.add(events, TaskState::Working, moment),
    }
}

/// All that can be read of a task, without what names it.
async fn picture(draft: &Draft, store: &dyn TaskStore) -> impl PartialEq + std::fmt::Debug + use<> {
    let Stored { epoch, seq, state, status_at, snapshot, tail, .. } = draft.load(store).await;
    let nameless = |bytes: Bytes| {
        let text = String::from_utf8(bytes.into()).expect("the entry is text");
        text.replace(draft.id.as_str(), "T")
    };
    let log: Vec<_> =
        draft.log(store).await.into_iter().map(|(seq, entry)| (seq, nameless(entry))).collect();
    let snapshot = snapshot.map(|(seq, snapshot)| (seq, nameless(snapshot)));
    let tail: Vec<_> = tail.into_iter().map(nameless).collect();
    (epoch, seq, state, status_at, snapshot, tail, log)
}

/// A key is never given to a second task.
pub async fn keys_are_new_also_after_a_restart(open: Open<'_>) {
    let store = open();
    let mut draft = Draft::new(&*store);
    assert!(store.next_key() > draft.key);
    write(&*store, [draft.add(1, TaskState::Working, 1)]).await;
    drop(store);
    assert!(open().next_key() > draft.key);
}
