//! Which appends a store refuses, and that this harms no other.

use legation_core::store::Append;
use legation_model::TaskState;

use super::Open;
use super::fixture::{Draft, append_all, home, words, write};

const WORKING: TaskState = TaskState::Working;

/// A run that was replaced cannot write any more, whether or not it knows.
pub async fn a_lower_epoch_is_refused_and_a_higher_one_takes_over(open: Open<'_>) {
    let store = open();
    let mut draft = Draft::new(&*store);
    write(&*store, [draft.add(1, WORKING, 1)]).await;
    for (epoch, expected) in [(1, "ok"), (3, "ok"), (2, "fenced"), (1, "fenced"), (3, "ok")] {
        let last = draft.last;
        draft.epoch = epoch;
        let outcomes = append_all(&*store, [draft.add(1, WORKING, 2)]).await;
        assert_eq!(words(&outcomes), [expected], "epoch {epoch}");
        if expected != "ok" {
            draft.last = last;
        }
    }
    let task = draft.load(&*store).await;
    assert_eq!((task.epoch, task.seq), (3, 4));
}

/// Two runs of one epoch, which should not be, cannot spoil the order of the log either.
pub async fn entry_numbers_neither_repeat_nor_leave_a_gap(open: Open<'_>) {
    let store = open();
    let mut draft = Draft::new(&*store);
    write(&*store, [draft.add(3, WORKING, 1)]).await;
    for (last, expected) in [(2, "fenced"), (0, "fenced"), (4, "fenced"), (3, "ok")] {
        draft.last = last;
        let mut append = draft.add(2, WORKING, 2);
        append.birth = None;
        assert_eq!(words(&append_all(&*store, [append]).await), [expected], "after {last}");
    }
    assert_eq!(draft.log(&*store).await.len(), 5);
}

/// What is written together stands or falls by itself.
pub async fn a_refused_append_fails_alone(open: Open<'_>) {
    let store = open();
    let (mut one, mut two, mut never) =
        (Draft::new(&*store), Draft::new(&*store), Draft::new(&*store));
    write(&*store, [one.add(1, WORKING, 1)]).await;
    let unborn = Append { birth: None, ..never.add(1, WORKING, 1) };
    let again = Append { birth: None, first: 1, ..one.add(1, WORKING, 2) };
    one.last = 1;
    let appends =
        [two.add(2, WORKING, 2), again, unborn, one.add(1, WORKING, 2), two.add(1, WORKING, 3)];
    let outcomes = append_all(&*store, appends).await;
    assert_eq!(words(&outcomes), ["ok", "fenced", "fenced", "ok", "ok"]);
    assert_eq!((one.load(&*store).await.seq, two.load(&*store).await.seq), (2, 3));
    assert!(store.load(&home(), &never.id).await.expect("a readable store").is_none());
}
