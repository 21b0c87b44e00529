//! What idempotency keys stand for: one task or one direct answer, whoever tries to change that.

use bytes::Bytes;
use legation_core::TaskStore;
use legation_core::store::{Append, Outcome, Remembered, StoreError, Swept};
use legation_model::TaskState;

use super::Open;
use super::fixture::{Draft, append_all, at, home, idempotency, scope, sweep, words, write};

const WORKING: TaskState = TaskState::Working;

async fn remembered(store: &dyn TaskStore, key: &str) -> Option<Remembered> {
    store.remembered(&home(), key).await.expect("a readable store")
}

fn task(draft: &Draft, digest: u8) -> Remembered {
    Remembered { outcome: Outcome::Task(draft.id.clone()), digest: [digest; 32] }
}

/// What a key that was refused stands for.
fn taken(outcome: &Result<(), StoreError>) -> Remembered {
    let Err(StoreError::Taken(remembered)) = outcome else { panic!("not taken: {outcome:?}") };
    (**remembered).clone()
}

/// The second birth with a key is refused and told of the first, within a batch and later.
pub async fn a_key_belongs_to_one_task(open: Open<'_>) {
    let store = open();
    let other = scope("deployment", "tenant", Some("owner"), Some("other agent"));
    let mut first = Draft::new(&*store).keyed("key", 1);
    let mut second = Draft::new(&*store).keyed("key", 2);
    let mut third = Draft::new(&*store).keyed("key", 3);
    let mut elsewhere = Draft::new(&*store).within(&other, "context").keyed("key", 4);
    let appends = [
        first.add(1, WORKING, 1),
        second.add(1, WORKING, 1),
        second.add(1, WORKING, 1),
        elsewhere.add(1, WORKING, 1),
    ];
    let outcomes = append_all(&*store, appends).await;
    assert_eq!(words(&outcomes), ["ok", "taken", "fenced", "ok"]);
    let later = append_all(&*store, [third.add(1, WORKING, 2), third.add(1, WORKING, 2)]).await;
    assert_eq!(words(&later), ["taken", "fenced"]);

    for outcome in [&outcomes[1], &later[0]] {
        assert_eq!(taken(outcome), task(&first, 1));
    }
    assert_eq!(remembered(&*store, "key").await, Some(task(&first, 1)));
    assert_eq!(remembered(&*store, "no key").await, None);
    assert!(store.load(&home(), &second.id).await.expect("a readable store").is_none());
}

/// Keys of a task's first message and of its further ones are of one kind. What is refused leaves
/// no event, and what its writer had queued behind it falls with it.
pub async fn a_further_message_has_a_key_of_its_own(open: Open<'_>) {
    let store = open();
    let mut asked = Draft::new(&*store).keyed("birth", 1);
    let mut other = Draft::new(&*store);
    write(&*store, [asked.add(1, WORKING, 1), other.add(1, WORKING, 1)]).await;
    asked = asked.keyed("further", 2);
    other = other.keyed("further", 3);
    let appends = [
        asked.add(1, WORKING, 2),
        asked.add(1, WORKING, 2),
        other.add(1, WORKING, 2),
        other.add(1, WORKING, 2),
    ];
    let outcomes = append_all(&*store, appends).await;
    assert_eq!(words(&outcomes), ["ok", "ok", "taken", "fenced"]);
    assert_eq!(taken(&outcomes[2]), task(&asked, 2));

    let store = {
        drop(store);
        open()
    };
    for (key, digest) in [("birth", 1), ("further", 2)] {
        other.last = 1;
        other = other.keyed(key, 4);
        let outcomes = append_all(&*store, [other.add(1, WORKING, 3)]).await;
        assert_eq!(taken(&outcomes[0]), task(&asked, digest), "{key}");
    }
    other.last = 1;
    write(&*store, [other.add(1, WORKING, 4)]).await;
    assert_eq!((asked.log(&*store).await.len(), other.log(&*store).await.len()), (3, 2));
}

/// Messages that came close upon each other are in one append, each with its key.
pub async fn an_append_takes_all_its_keys_or_none(open: Open<'_>) {
    let store = open();
    let mut draft = Draft::new(&*store).keyed("one", 1).keyed("two", 2);
    write(&*store, [draft.add(2, WORKING, 1)]).await;
    draft = draft.keyed("three", 3).keyed("two", 2);
    let outcomes = append_all(&*store, [draft.add(2, WORKING, 2)]).await;
    assert_eq!(taken(&outcomes[0]), task(&draft, 2));
    // Refused for another reason, an append takes none of its keys either.
    draft = draft.keyed("three", 3);
    let early = Append { first: 9, ..draft.add(1, WORKING, 3) };
    assert_eq!(words(&append_all(&*store, [early]).await), ["fenced"]);
    for (key, digest) in [("one", Some(1)), ("two", Some(2)), ("three", None)] {
        let expected = digest.map(|digest| task(&draft, digest));
        assert_eq!(remembered(&*store, key).await, expected, "{key}");
    }
}

/// A message that was answered without a task leaves the answer, and no task can have its key.
pub async fn a_direct_answer_is_kept_with_its_key(open: Open<'_>) {
    let store = open();
    let answer = Bytes::from_static(br#"{"parts":[{"text":"hi"}]}"#);
    let kept = Remembered { outcome: Outcome::Message(answer.clone()), digest: [1; 32] };
    let remember = async |key, digest| {
        store.remember(&home(), idempotency(key, digest), answer.clone(), at(1)).await
    };
    remember("key", 1).await.expect("a store that can write");
    assert_eq!(taken(&remember("key", 2).await), kept);
    let mut draft = Draft::new(&*store).keyed("key", 3);
    let outcomes = append_all(&*store, [draft.add(1, WORKING, 1)]).await;
    assert_eq!(taken(&outcomes[0]), kept);
    let mut born = Draft::new(&*store).keyed("task", 4);
    write(&*store, [born.add(1, WORKING, 1)]).await;
    assert_eq!(taken(&remember("task", 5).await), task(&born, 4));

    let elsewhere = scope("deployment", "tenant", Some("stranger"), Some("agent"));
    assert_eq!(store.remembered(&elsewhere, "key").await.expect("a readable store"), None);
    drop(store);
    assert_eq!(remembered(&*open(), "key").await, Some(kept));
}

/// Answers are kept as long as the keys of tasks, and by deployment as these.
pub async fn a_sweep_removes_what_old_keys_stand_for(open: Open<'_>) {
    let store = open();
    let foreign = scope("another", "tenant", Some("owner"), Some("agent"));
    let mut draft = Draft::new(&*store).keyed("begun", 1);
    write(&*store, [draft.add(1, WORKING, 10)]).await;
    draft = draft.keyed("old message", 1);
    write(&*store, [draft.add(1, WORKING, 19)]).await;
    draft = draft.keyed("message", 1);
    write(&*store, [draft.add(1, WORKING, 20)]).await;
    for (place, key, moment) in
        [(&home(), "old answer", 19), (&home(), "answer", 20), (&foreign, "old answer", 1)]
    {
        let kept =
            store.remember(place, idempotency(key, 1), Bytes::from_static(b"{}"), at(moment));
        kept.await.expect("a store that can write");
    }
    assert_eq!(sweep(&*store, 20).await, Swept { keys: 3, ..Swept::default() });
    for (key, stays) in [
        ("begun", false),
        ("old message", false),
        ("message", true),
        ("old answer", false),
        ("answer", true),
    ] {
        assert_eq!(remembered(&*store, key).await.is_some(), stays, "{key}");
    }
    let theirs = store.remembered(&foreign, "old answer").await.expect("a readable store");
    assert!(theirs.is_some());
}
