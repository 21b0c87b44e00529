//! Services that share one PostgreSQL database are one service to those who call them. The tests make a
//! server for themselves, or use that of `LEGATION_TEST_POSTGRES`.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test that gets another reply fails")]

mod crew;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crew::{Crew, Replica, at_once, further, message, numbers, said, soon, told};
use futures::StreamExt as _;
use futures::future::join_all;
use legation_core::store::{Append, Letter, Sharing as _, StoreError, Stored, TaskKey};
use legation_core::{DEPLOYMENT, TaskStore as _};
use legation_model::{Effect, ErrorKind, Event, Task, TaskId, TaskState, Timestamp};
use legation_store::postgres::PostgresStore;

/// A lease that does not run out in a test.
const LONG: Duration = Duration::from_secs(60);

/// Two replicas, or the end of the test.
macro_rules! pair {
    () => {
        match Crew::new().await {
            Some(crew) => {
                let (a, b) = (crew.replica("A", LONG).await, crew.replica("B", LONG).await);
                (crew, a, b)
            }
            None => return,
        }
    };
}

async fn ended(replica: &Replica, id: &TaskId) -> Task {
    soon(Duration::from_secs(20), async || {
        Some(replica.get(id).await).filter(|task| task.status.state.is_terminal())
    })
    .await
}

/// A task at work on one replica is followed on another from any event on, in order and without gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_followed_from_another_replica() {
    let (_crew, a, b) = pair!();
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
    assert!(since[0] < 20, "it has seen it at work");
    assert_eq!(b.get(&task.id).await, a.get(&task.id).await);
    assert_eq!(said(&b.get(&task.id).await).len(), 40);
}

/// Whoever was told an event by one replica goes on behind it on another, however fast.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_changes_its_replica_at_every_event() {
    let (_crew, a, b) = pair!();
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
#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_waits_on_another_replica() {
    let (_crew, a, b) = pair!();
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
#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_the_run_of_another_replica() {
    let (_crew, a, b) = pair!();
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
#[tokio::test(flavor = "multi_thread")]
async fn a_task_at_rest_goes_on_anywhere() {
    let (_crew, a, b) = pair!();
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
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_from_another_replica() {
    let (_crew, a, b) = pair!();
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

/// The tasks of a replica that is gone are taken over when its lease has run out.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_a_replica_that_is_gone_are_taken_over() {
    let Some(crew) = Crew::new().await else { return };
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
#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_a_replica_that_stops_are_taken_over_at_once() {
    let (_crew, a, b) = pair!();
    let task = a.begin("count 20 every 50").await;
    a.service.stop(Duration::ZERO).await;
    let store = a.store.clone();
    tokio::task::spawn_blocking(move || store.close()).await.expect("it does not panic");
    restarted(&b, &task.id, Duration::from_secs(2)).await;
    let done = ended(&b, &task.id).await;
    assert_eq!(said(&done).len(), 20);
}

/// A replica that was thought to be gone and goes on writing is refused, and the task is whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_append_is_refused() {
    let (crew, a, b) = pair!();
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

/// A message to a task whose replica is gone comes to the run that was lost, before anybody looks for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_lost_run_is_one_more() {
    let (crew, a, b) = pair!();
    let task = a.begin("count 30 every 20").await;
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
#[tokio::test(flavor = "multi_thread")]
async fn a_key_begins_one_task_among_replicas() {
    let (_crew, a, b) = pair!();
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
#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_meet_at_a_task_take_turns() {
    let (_crew, a, b) = pair!();
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
#[tokio::test(flavor = "multi_thread")]
async fn a_bell_that_is_cut_off_costs_no_event() {
    let (crew, a, b) = pair!();
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

/// Replicas that look for lost tasks at once share them out: each task goes to one, and its old owner is
/// shut out.
#[tokio::test(flavor = "multi_thread")]
async fn lost_tasks_are_shared_out() {
    let Some(crew) = Crew::new().await else { return };
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
#[tokio::test(flavor = "multi_thread")]
async fn letters_come_once_and_in_order() {
    let (crew, a, b) = pair!();
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
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_hears_of_an_erasure() {
    let (_crew, a, b) = pair!();
    let task = a.send(message("ask")).await.expect("a task");
    let mut reader = b.subscribe(&task.id, None).await.expect("a task that waits");
    reader.next().await.expect("the task").expect("no error");
    a.erase(&task).await;
    let next = tokio::time::timeout(Duration::from_secs(5), reader.next()).await;
    let error = next.expect("an end").expect("a reason").expect_err("it was removed");
    assert_eq!(error.kind, ErrorKind::TaskNotFound);
}

/// Whatever happens to a replica, each task ends once, and its log is one.
#[tokio::test(flavor = "multi_thread")]
async fn tasks_end_once_though_a_replica_goes() {
    let Some(crew) = Crew::new().await else { return };
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
