//! Services that share one PostgreSQL database are one service to those who call them. The tests make a
//! server for themselves, or use that of `LEGATION_TEST_POSTGRES`; and one of NATS.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test that gets another reply fails")]

mod crew;
mod spread;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crew::{By, Crew, Replica, at_once, further, message, numbers, said, soon, told};
use futures::StreamExt as _;
use futures::future::join_all;
use legation_core::bell::News;
use legation_core::store::{Append, Letter, Sharing as _, StoreError, Stored, TaskKey};
use legation_core::{Bell, DEPLOYMENT, TaskStore as _};
use legation_model::{Effect, ErrorKind, Event, Task, TaskId, TaskState, Timestamp};
use legation_store::postgres::PostgresStore;
use spread::{
    a_run_comes_back_from_a_replica_that_says_nothing,
    a_run_that_is_entrusted_with_something_stays, a_run_that_waits_begins_where_there_is_room,
    much_work_is_spread_and_done_once,
};

/// A lease that does not run out in a test.
const LONG: Duration = Duration::from_secs(60);

/// Two replicas, or the end of the test.
macro_rules! pair {
    ($by:expr) => {
        match Crew::new($by).await {
            Some(crew) => {
                let (a, b) = (crew.replica("A", LONG).await, crew.replica("B", LONG).await);
                (crew, a, b)
            }
            None => return,
        }
    };
}

/// Each rule over each bell.
macro_rules! over_every_bell {
    ($($rule:ident,)*) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $rule() {
                super::$rule(super::By::Postgres).await;
            })*
        }

        mod nats {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $rule() {
                super::$rule(super::By::Nats).await;
            })*
        }
    };
}

over_every_bell! {
    a_task_is_followed_from_another_replica,
    a_reader_changes_its_replica_at_every_event,
    a_repetition_waits_on_another_replica,
    a_message_reaches_the_run_of_another_replica,
    a_task_at_rest_goes_on_anywhere,
    a_run_is_cancelled_from_another_replica,
    the_answer_to_an_authorization_comes_to_any_replica,
    tasks_of_a_replica_that_is_gone_are_taken_over,
    tasks_of_a_replica_that_stops_are_taken_over_at_once,
    a_late_append_is_refused,
    a_message_to_a_lost_run_is_one_more,
    a_key_begins_one_task_among_replicas,
    replicas_that_meet_at_a_task_take_turns,
    a_bell_that_is_cut_off_costs_no_event,
    readers_of_a_replica_that_sees_nothing_are_sent_elsewhere,
    lost_tasks_are_shared_out,
    letters_come_once_and_in_order,
    a_reader_hears_of_an_erasure,
    tasks_end_once_though_a_replica_goes,
    a_stale_owner_does_not_call_what_happened_since_impossible,
    copies_wait_for_a_store_that_hangs_but_once,
    a_run_that_waits_begins_where_there_is_room,
    a_run_that_is_entrusted_with_something_stays,
    a_run_comes_back_from_a_replica_that_says_nothing,
    much_work_is_spread_and_done_once,
    what_is_rung_is_heard_by_the_others_of_a_store,
}

async fn ended(replica: &Replica, id: &TaskId) -> Task {
    soon(Duration::from_secs(20), async || {
        Some(replica.get(id).await).filter(|task| task.status.state.is_terminal())
    })
    .await
}

/// A task at work on one replica is followed on another from any event on, in order and without gap.
async fn a_task_is_followed_from_another_replica(by: By) {
    let (_crew, a, b) = pair!(by);
    let task = a.begin("count 40 every 20").await;
    assert!(!b.get(&task.id).await.status.state.is_terminal());
    let from_now = b.subscribe(&task.id, None).await.expect("a task at work");
    let (at_a, at_b, from_now) =
        tokio::join!(a.told(&task.id, 0), b.told(&task.id, 0), told(from_now));
    assert_eq!(at_b, at_a);
    let all = numbers(&at_b);
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>());
    let since = numbers(&from_now);
    assert_eq!(since, (since[0]..=all.len() as u64).collect::<Vec<_>>());
    assert!(since[0] < all.len() as u64, "it has seen it at work");
    assert_eq!(b.get(&task.id).await, a.get(&task.id).await);
    assert_eq!(said(&b.get(&task.id).await).len(), 40);
}

/// Whoever was told an event by one replica goes on behind it on another, however fast.
async fn a_reader_changes_its_replica_at_every_event(by: By) {
    let (_crew, a, b) = pair!(by);
    let task = a.begin("count 30 every 10").await;
    let mut seen = 0;
    'all: for replica in [&a, &b].into_iter().cycle() {
        let mut follow =
            replica.subscribe(&task.id, Some(seen)).await.expect("an event that is there");
        loop {
            let Some(item) = follow.next().await else { break 'all };
            let item = item.expect("no error in the stream");
            if let Some(seq) = item.seq {
                assert_eq!(seq, seen + 1);
                seen = seq;
                break;
            }
        }
    }
    assert_eq!(a.log(&task.id).await.1.len() as u64, seen);
}

/// A blocking send and its repetition wait on whichever replica they came to.
async fn a_repetition_waits_on_another_replica(by: By) {
    let (_crew, a, b) = pair!(by);
    let request = message("count 20 every 20");
    let first = a.send_once(request.clone(), "key");
    let repeated = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        b.send_once(request.clone(), "key").await
    };
    let (first, repeated) = tokio::join!(first, repeated);
    assert_eq!(first.expect("a task"), repeated.expect("the same task"));
}

/// A further message goes to the agent that is at work, wherever it arrives.
async fn a_message_reaches_the_run_of_another_replica(by: By) {
    let (_crew, a, b) = pair!(by);
    let task = a.begin("listen").await;
    let answered = b.send(further(&task.id, "you there")).await.expect("its task");
    assert_eq!(said(&answered), ["A heard you there"]);
    // The same by a stream, and with a key that is repeated elsewhere.
    let task = b.begin("listen").await;
    let once = a.send_once(further(&task.id, "hello"), "k").await.expect("its task");
    let again = b.send_once(further(&task.id, "hello"), "k").await.expect("its task");
    assert_eq!((said(&once), said(&again)), (vec!["B heard hello".into()], said(&once)));
    assert_eq!(received(&a, &task.id).await, 1);
}

async fn received(replica: &Replica, id: &TaskId) -> usize {
    let (_, log) = replica.log(id).await;
    log.iter().filter(|event| matches!(event.effect, Some(Effect::Received(_)))).count()
}

/// A task that waits goes on where the answer arrives, and who reads it elsewhere sees that.
async fn a_task_at_rest_goes_on_anywhere(by: By) {
    let (_crew, a, b) = pair!(by);
    let task = a.send(message("ask")).await.expect("a task");
    assert_eq!(task.status.state, TaskState::InputRequired);
    let reader = a.subscribe(&task.id, None).await.expect("a task that waits");
    let asked = b.send(further(&task.id, "ask")).await.expect("its task");
    assert_eq!(asked.status.state, TaskState::InputRequired);
    // And back, where it was live all the time.
    let asked = a.send(further(&task.id, "ask")).await.expect("its task");
    assert_eq!(asked.status.state, TaskState::InputRequired);
    let done = b.send(further(&task.id, "this")).await.expect("its task");
    assert_eq!(said(&done), ["B did this"]);
    let seen = numbers(&told(reader).await);
    let (_, log) = a.log(&task.id).await;
    assert_eq!(seen, (seen[0]..=log.len() as u64).collect::<Vec<_>>());
    assert_eq!(a.get(&task.id).await, done);
}

/// A run is cancelled from any replica, and its caller hears of it.
async fn a_run_is_cancelled_from_another_replica(by: By) {
    let (_crew, a, b) = pair!(by);
    let waiting = b.begin("wait").await;
    let reader = a.subscribe(&waiting.id, None).await.expect("a task at work");
    let cancelled = a.cancel(&waiting.id).await.expect("a task at work");
    assert_eq!(cancelled.status.state, TaskState::Canceled);
    assert!(told(reader).await.len() > 1);
    for replica in [&a, &b] {
        let again = replica.cancel(&waiting.id).await.expect_err("it has ended");
        assert_eq!(again.kind, ErrorKind::TaskNotCancelable);
    }
}

/// The answer to an authorization finds the replica that waits for it, once, and nobody else reads it.
async fn the_answer_to_an_authorization_comes_to_any_replica(by: By) {
    let (_crew, a, b) = pair!(by);
    let task = a.send(message("grant")).await.expect("a task that waits");
    assert_eq!(task.status.state, TaskState::AuthRequired);
    let asked = task.status.message.as_ref().expect("what is needed");
    let link = asked.parts.last().and_then(|part| part.as_text()).expect("an address");
    let (_, state) = link.split_once("state=").expect("a state");
    let answer = |state: &str| {
        [("code", "a-secret"), ("state", state)].map(|(name, value)| (name.into(), value.into()))
    };
    let (at, secret) = state.split_once('.').expect("a state that says whose it is");
    for bad in [format!("{at}.{}", secret.to_lowercase()), format!("{at}.")] {
        let error = b.service.authorized(answer(&bad)).await.expect_err("nobody waits for it");
        assert_eq!(error.kind, ErrorKind::InvalidParams);
    }
    b.service.authorized(answer(state)).await.expect("a task that waits");
    assert_eq!(said(&ended(&b, &task.id).await), ["A got a-secret"]);
    let again = b.service.authorized(answer(state)).await.expect_err("it is used up");
    assert_eq!(again.kind, ErrorKind::InvalidParams);
}

/// The tasks of a replica that is gone are taken over when its lease has run out.
async fn tasks_of_a_replica_that_is_gone_are_taken_over(by: By) {
    let Some(crew) = Crew::new(by).await else { return };
    let lease = Duration::from_secs(1);
    let (a, b) = (crew.replica("A", lease).await, crew.replica("B", lease).await);
    let task = a.begin("count 30 every 100").await;
    let reader = b.subscribe(&task.id, Some(0)).await.expect("a task at work");
    tokio::time::sleep(Duration::from_millis(500)).await;
    crew.cut(&a).await;
    let cut = Instant::now();
    restarted(&b, &task.id, lease + Duration::from_secs(2)).await;
    assert!(cut.elapsed() > lease / 2, "it was there until then");
    let told = numbers(&told(reader).await);
    let done = b.get(&task.id).await;
    assert_eq!(said(&done), (1..=30).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(told, (1..=b.log(&task.id).await.1.len() as u64).collect::<Vec<_>>());
    // The one that was gone finds it as it is.
    crew.let_in(&a).await;
    let at_a = soon(Duration::from_secs(5), async || {
        let ready = a.service.ready().is_ok();
        if ready { Some(a.get(&task.id).await) } else { None }
    });
    assert_eq!(at_a.await, done);
}

/// One that stops leaves its tasks to others without making them wait.
async fn tasks_of_a_replica_that_stops_are_taken_over_at_once(by: By) {
    let (_crew, a, b) = pair!(by);
    let task = a.begin("count 20 every 50").await;
    a.service.stop(Duration::ZERO).await;
    let store = a.store.clone();
    tokio::task::spawn_blocking(move || store.close()).await.expect("it does not panic");
    restarted(&b, &task.id, Duration::from_secs(2)).await;
    let done = ended(&b, &task.id).await;
    assert_eq!(said(&done).len(), 20);
}

/// A replica that was thought to be gone and goes on writing is refused, and the task is whole.
async fn a_late_append_is_refused(by: By) {
    let (crew, a, b) = pair!(by);
    let task = a.begin("count 30 every 20").await;
    let (key, _) = a.log(&task.id).await;
    crew.expire(&a).await;
    // A task that its owner writes at this very moment is passed over.
    let log = soon(Duration::from_secs(2), async || {
        b.service.recover().await.expect("a readable store");
        Some(b.log(&task.id).await.1).filter(|log| restarts(log) > 0)
    })
    .await;
    let late = Append {
        key,
        epoch: 1,
        birth: None,
        first: log.len() as u64 + 1,
        entries: Vec::new(),
        state: TaskState::Working,
        status_at: Timestamp::now(),
        at_work: false,
        snapshot: None,
        keys: Vec::new(),
    };
    let (done, outcome) = tokio::sync::oneshot::channel();
    a.store.append(late, Box::new(|result| drop(done.send(result))));
    let refused = outcome.await.expect("the store calls back");
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    let done = ended(&a, &task.id).await;
    assert_eq!(said(&done), (1..=30).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(done.status.state, TaskState::Completed);
    let (_, log) = a.log(&task.id).await;
    assert_eq!(restarts(&log), 1);
}

/// A reader that was told more elsewhere than an owner knows, which has not noticed that it is none any
/// more, is told to come again and not that there is no such event.
async fn a_stale_owner_does_not_call_what_happened_since_impossible(by: By) {
    let (crew, a, b) = pair!(by);
    // It says nothing more, so no refusal of a write tells its replica.
    let task = a.begin("wait").await;
    soon(Duration::from_secs(5), async || (a.log(&task.id).await.1.len() == 2).then_some(())).await;
    crew.expire(&a).await;
    b.service.recover().await.expect("a readable store");
    soon(Duration::from_secs(5), async || (b.log(&task.id).await.1.len() > 3).then_some(())).await;
    let refused = a.subscribe(&task.id, Some(4)).await.expect_err("its own task has ended");
    assert_eq!(refused.kind, ErrorKind::Unavailable, "{refused:?}");
    a.subscribe(&task.id, Some(4)).await.expect("the other's task");
    let never = a.subscribe(&task.id, Some(999)).await.expect_err("there is no such event");
    assert_eq!(never.kind, ErrorKind::InvalidParams, "{never:?}");
    b.cancel(&task.id).await.expect("a task at work");
}

/// Repetitions of a send do not wait for the store one after the other.
async fn copies_wait_for_a_store_that_hangs_but_once(by: By) {
    let Some(crew) = Crew::new(by).await else { return };
    let a = crew.replica("A", LONG).await;
    a.send_once(message("this"), "earlier").await.expect("a task");
    crew.lock("idempotency").await;
    let begun = Instant::now();
    let copies = join_all((0..6).map(|_| a.send_once(message("this"), "key"))).await;
    // Twice the patience: a read and a write may each take it.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    for copy in copies {
        let refused = copy.expect_err("the store hangs");
        assert_eq!(refused.kind, ErrorKind::Unavailable, "{refused:?}");
    }
    crew.unlock().await;
    let done =
        soon(Duration::from_secs(10), async || a.send_once(message("this"), "key").await.ok());
    assert_eq!(said(&done.await), ["A did this"]);
}

/// A message to a task whose replica is gone comes to the run that was lost, before anybody looks for it.
async fn a_message_to_a_lost_run_is_one_more(by: By) {
    let (crew, a, b) = pair!(by);
    let task = a.begin("count 30 every 100").await;
    restarted_never(&b, &task.id).await;
    crew.expire(&a).await;
    let done = b.send(further(&task.id, "hello")).await.expect("its task");
    assert_eq!(said(&done), (1..=30).map(|n| n.to_string()).collect::<Vec<_>>());
    let (_, log) = a.log(&task.id).await;
    assert_eq!((restarts(&log), received(&a, &task.id).await), (1, 1));
}

/// Lets both replicas look for lost tasks, as each does when it begins: there are none.
async fn restarted_never(replica: &Replica, id: &TaskId) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(restarts(&replica.log(id).await.1), 0);
}

/// The log of a task once a run of it has begun again.
async fn restarted(replica: &Replica, id: &TaskId, within: Duration) -> Vec<Event> {
    soon(within, async || Some(replica.log(id).await.1).filter(|log| restarts(log) > 0)).await
}

fn restarts(log: &[Event]) -> usize {
    log.iter().filter(|event| matches!(event.effect, Some(Effect::Restarted { .. }))).count()
}

/// One key makes one task, and its agent works once, wherever the sends arrive at the same moment.
async fn a_key_begins_one_task_among_replicas(by: By) {
    let (_crew, a, b) = pair!(by);
    for round in 0..20 {
        let (key, request) = (format!("key {round}"), message("this"));
        let (at_a, at_b) =
            tokio::join!(a.send_once(request.clone(), &key), b.send_once(request.clone(), &key));
        let (at_a, at_b) = (at_a.expect("a task"), at_b.expect("a task"));
        assert_eq!(at_a, at_b);
        assert_eq!(at_a.status.state, TaskState::Completed);
    }
    assert_eq!(a.runs.load(Ordering::Relaxed) + b.runs.load(Ordering::Relaxed), 20);
}

/// What two replicas do at the same moment to a task that waits is done one after the other.
async fn replicas_that_meet_at_a_task_take_turns(by: By) {
    let (_crew, a, b) = pair!(by);
    for _ in 0..10 {
        let task = a.send(message("ask")).await.expect("a task");
        let (at_a, at_b) = tokio::join!(a.cancel(&task.id), b.cancel(&task.id));
        let outcomes = [at_a.map_err(|error| error.kind), at_b.map_err(|error| error.kind)];
        let cancelled = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(cancelled, 1, "{outcomes:?}");
        assert!(outcomes.contains(&Err(ErrorKind::TaskNotCancelable)), "{outcomes:?}");
    }
    for _ in 0..10 {
        let task = a.send(message("ask")).await.expect("a task");
        let (at_a, at_b) = tokio::join!(
            a.send(at_once(further(&task.id, "ask"))),
            b.send(at_once(further(&task.id, "ask")))
        );
        for sent in [at_a, at_b] {
            sent.expect("its task");
        }
        assert_eq!(received(&b, &task.id).await, 2);
    }
    for _ in 0..10 {
        let task = a.send(message("ask")).await.expect("a task");
        let (said, cancelled) = tokio::join!(a.send(further(&task.id, "ask")), b.cancel(&task.id));
        // Either the message was first, and the task was cancelled at work or at rest, or it came too late.
        let cancelled = cancelled.expect("a task that has not ended");
        assert_eq!(cancelled.status.state, TaskState::Canceled);
        let taken = received(&a, &task.id).await;
        match said {
            Ok(_) => assert_eq!(taken, 1),
            Err(error) => assert_eq!((error.kind, taken), (ErrorKind::UnsupportedOperation, 0)),
        }
    }
}

/// Without the bell, events come a little later.
async fn a_bell_that_is_cut_off_costs_no_event(by: By) {
    let (crew, a, b) = pair!(by);
    let task = a.begin("listen").await;
    let mut reader = b.subscribe(&task.id, None).await.expect("a task at work");
    reader.next().await.expect("the task").expect("no error");
    for replica in [&a, &b] {
        assert!(crew.cut_bell(replica).await);
    }
    let cut = Instant::now();
    a.send(at_once(further(&task.id, "you"))).await.expect("its task");
    let items = told(reader).await;
    assert!(!items.is_empty());
    assert!(cut.elapsed() < Duration::from_secs(3), "{:?}", cut.elapsed());
    // They come back by themselves.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(crew.cut_bell(&a).await && crew.cut_bell(&b).await);
}

/// Whoever follows another replica's task, and hears nothing because the database is out of reach, is told
/// after the lease, and follows it anywhere else.
async fn readers_of_a_replica_that_sees_nothing_are_sent_elsewhere(by: By) {
    let Some(crew) = Crew::new(by).await else { return };
    let a = crew.replica("A", LONG).await;
    let b = crew.replica("B", Duration::from_secs(1)).await;
    let task = a.begin("wait").await;
    let mut reader = b.subscribe(&task.id, None).await.expect("a task at work");
    reader.next().await.expect("the task").expect("no error");
    crew.cut(&b).await;
    let told = tokio::time::timeout(Duration::from_secs(15), async {
        loop {
            if let Err(error) = reader.next().await.expect("no end without a reason") {
                break error;
            }
        }
    });
    assert_eq!(told.await.expect("it is told").kind, ErrorKind::Unavailable);
    let mut elsewhere = a.subscribe(&task.id, None).await.expect("a task at work");
    elsewhere.next().await.expect("the task").expect("no error");
    crew.let_in(&b).await;
    let again = async || b.subscribe(&task.id, None).await.ok();
    soon(Duration::from_secs(10), again).await.next().await.expect("the task").expect("no error");
    a.cancel(&task.id).await.expect("it stops");
}

/// Replicas that look for lost tasks at once share them out: each task goes to one, and its old owner is
/// shut out.
async fn lost_tasks_are_shared_out(by: By) {
    let Some(crew) = Crew::new(by).await else { return };
    let a = crew.replica("A", LONG).await;
    // Stores without services, which would look by themselves.
    let others = join_all((0..3).map(|_| crew.store(LONG))).await;
    let tasks = join_all((0..100).map(|_| a.begin("wait"))).await;
    for store in [&a.store, &others[0].0] {
        assert_eq!(
            store.unfinished(DEPLOYMENT, TaskKey(0), 1000).await.expect("readable").len(),
            0
        );
    }
    crew.expire(&a).await;
    let take = async |(store, _): &(Arc<PostgresStore>, String)| {
        let mut taken = Vec::new();
        loop {
            let after = taken.last().map_or(TaskKey(0), |task: &Stored| task.key);
            let page = store.unfinished(DEPLOYMENT, after, 7).await.expect("readable");
            if page.is_empty() {
                return taken;
            }
            assert!(page.len() <= 7 && page.iter().all(|task| task.elsewhere.is_none()));
            taken.extend(page);
        }
    };
    let taken = join_all(others.iter().map(take)).await;
    let mut owners = HashMap::new();
    for ((store, _), taken) in others.iter().zip(&taken) {
        for task in taken {
            assert_eq!(task.epoch, 2);
            assert_eq!(owners.insert(task.id.clone(), store.replica()), None);
        }
    }
    assert_eq!(owners.len(), 100);
    for task in &tasks {
        assert_eq!(a.stored(&task.id).await.elsewhere, Some(owners[&task.id]));
    }
}

/// Letters come once, in order, to whom they are for.
async fn letters_come_once_and_in_order(by: By) {
    let (crew, a, b) = pair!(by);
    // Without a service that would read them.
    let (c, _) = crew.store(LONG).await;
    for (from, text) in [(&a, "one"), (&b, "two"), (&a, "three")] {
        from.store.post(c.replica(), text.into()).await.expect("a store that can write");
    }
    let mut read = Vec::new();
    for most in [2, 2, 2] {
        let letters = c.letters(most).await.expect("a readable store");
        assert!(letters.len() <= most);
        read.extend(letters);
    }
    let letter = |from: &Replica, text: &'static str| Letter {
        from: from.store.replica(),
        text: text.into(),
    };
    assert_eq!(read, [letter(&a, "one"), letter(&b, "two"), letter(&a, "three")]);
}

/// Readers of a task that is erased elsewhere are told so.
async fn a_reader_hears_of_an_erasure(by: By) {
    let (_crew, a, b) = pair!(by);
    let task = a.send(message("ask")).await.expect("a task");
    let mut reader = b.subscribe(&task.id, None).await.expect("a task that waits");
    reader.next().await.expect("the task").expect("no error");
    a.erase(&task).await;
    let next = tokio::time::timeout(Duration::from_secs(5), reader.next()).await;
    let error = next.expect("an end").expect("a reason").expect_err("it was removed");
    assert_eq!(error.kind, ErrorKind::TaskNotFound);
}

/// Whatever happens to a replica, each task ends once, and its log is one.
async fn tasks_end_once_though_a_replica_goes(by: By) {
    let Some(crew) = Crew::new(by).await else { return };
    let lease = Duration::from_secs(3);
    let replicas = join_all(["A", "B", "C"].map(|name| crew.replica(name, lease))).await;
    let tasks = join_all((0..30).map(|n| replicas[n % 3].begin("count 25 every 60"))).await;
    let watch = async {
        let mut epochs: HashMap<i64, i64> = HashMap::new();
        loop {
            for (key, epoch) in crew.epochs().await {
                let before = epochs.insert(key, epoch).unwrap_or(epoch);
                assert!(before <= epoch, "{key} had {before} and has {epoch}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let end = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        crew.cut(&replicas[0]).await;
        join_all(tasks.iter().map(|task| ended(&replicas[1], &task.id))).await
    };
    let done: Vec<Task> = tokio::select! {
        () = watch => return,
        done = end => done,
    };
    let mut restarted = 0;
    for done in &done {
        assert_eq!(done.status.state, TaskState::Completed, "{done:?}");
        assert_eq!(said(done), (1..=25).map(|n| n.to_string()).collect::<Vec<_>>());
        let (_, log) = replicas[2].log(&done.id).await;
        let ends = log.iter().filter(|event| event.ends()).count();
        let last = log.last().expect("its end");
        assert!(last.ends() && ends == 1);
        restarted += restarts(&log);
    }
    assert!(restarted >= 10, "those of the one that went, not {restarted}");
}

/// What a bell tells next, which must not take long.
async fn heard(bell: &Arc<dyn Bell>) -> News {
    let heard = tokio::time::timeout(Duration::from_secs(20), bell.heard()).await;
    heard.expect("something is heard")
}

fn grown(task: i64) -> News {
    News::Grown(TaskKey(task), 7)
}

/// Whoever is connected looks at everything; then each hears what the others of its store ring, and nobody
/// else's.
async fn what_is_rung_is_heard_by_the_others_of_a_store(by: By) {
    let Some(crew) = Crew::new(by).await else { return };
    let (crew, foreign) = crew.beside().await;
    let stores = [crew.store(LONG), crew.store(LONG), foreign.store(LONG), foreign.store(LONG)];
    let stores = join_all(stores).await;
    let bells: Vec<_> = stores.iter().map(|(store, _)| store.bell()).collect();
    for bell in &bells {
        assert_eq!(heard(bell).await, News::Missed);
    }
    let [a, b, c, d] = &bells[..] else { panic!("four bells") };
    a.ring(grown(1));
    assert_eq!(heard(b).await, grown(1));
    c.ring(News::Gone);
    assert_eq!(heard(d).await, News::Gone);
    b.ring(News::Letter(stores[0].0.replica()));
    assert_eq!(heard(a).await, News::Letter(stores[0].0.replica()));
    d.ring(grown(2));
    assert_eq!(heard(c).await, grown(2), "and none of the others' before");
}

/// NATS may come after those who need it, and go: they hear of it, and ring on.
#[tokio::test(flavor = "multi_thread")]
async fn nats_may_come_later_and_go() {
    let Some(crew) = Crew::new(By::Nats).await else { return };
    crew.stop_nats();
    let stores = join_all([crew.store(LONG), crew.store(LONG)]).await;
    let [a, b] = [stores[0].0.bell(), stores[1].0.bell()];
    const LATE: Duration = Duration::from_secs(20);
    for number in 1..4 {
        crew.start_nats();
        for bell in [&a, &b] {
            soon(LATE, async || Some(heard(bell).await).filter(|news| *news == News::Missed)).await;
        }
        // Whoever was not there yet hears that it missed something, and the next ring.
        soon(LATE, async || {
            a.ring(grown(number));
            Some(heard(&b).await).filter(|news| *news == grown(number))
        })
        .await;
        crew.stop_nats();
    }
}
