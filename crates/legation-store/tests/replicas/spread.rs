//! Runs that wait for their agent begin wherever it has room.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use legation_core::Call;
use legation_core::bell::News;
use legation_core::store::Sharing as _;
use legation_model::{ErrorKind, Request, TaskState};

use crate::crew::{By, Crew, Replica, at_once, by_ann, message, numbers, said, soon, task};
use crate::{LONG, ended, restarted_never};

async fn replicas<const N: usize>(crew: &Crew, names: [&'static str; N]) -> [Replica; N] {
    let replicas = join_all(names.map(|name| crew.replica_with(name, LONG, Some(1)))).await;
    replicas.try_into().ok().expect("as many")
}

/// A run that waits here begins there, and whoever waits for it here is told as if it had begun here.
pub(crate) async fn a_run_that_waits_begins_where_there_is_room(by: By) {
    let Some(crew) = Crew::new(by).await else { return };
    let [a, b] = replicas(&crew, ["A", "B"]).await;
    let at_work = a.begin("wait").await;
    let answered = a.send(message("this")).await.expect("a task");
    assert_eq!(said(&answered), ["B did this"]);
    let streamed = a.begin("count 5 20").await;
    let told = a.told(&streamed.id, 0).await;
    let told = numbers(&told);
    assert!(told.iter().copied().eq(1..=told.len() as u64), "{told:?}");
    restarted_never(&b, &streamed.id).await;
    assert_eq!((a.runs.load(Ordering::Relaxed), b.runs.load(Ordering::Relaxed)), (1, 2));
    a.cancel(&at_work.id).await.expect("a task at work");
}

/// What a caller entrusts an agent with is in the memory of one replica, and its run stays there.
pub(crate) async fn a_run_that_is_entrusted_with_something_stays(by: By) {
    let Some(crew) = Crew::new(by).await else { return };
    let [a, b] = replicas(&crew, ["A", "B"]).await;
    let at_work = a.begin("wait").await;
    let entrusted = [("x-secret".to_owned(), "s".to_owned())].into_iter().collect();
    let call = Call { entrusted, ..by_ann() };
    let request = Request::SendMessage(at_once(message("this")));
    let waits = task(a.service.call(&call, request).await.expect("a task"));
    let goes = a.send(message("that")).await.expect("a task");
    assert_eq!(said(&goes), ["B did that"]);
    assert_eq!(b.get(&waits.id).await.status.state, TaskState::Submitted);
    a.cancel(&at_work.id).await.expect("a task at work");
    assert_eq!(said(&ended(&b, &waits.id).await), ["A did this"]);
}

/// A replica that asks for work and is never heard of again costs a while.
pub(crate) async fn a_run_comes_back_from_a_replica_that_says_nothing(by: By) {
    let Some(crew) = Crew::new(by).await else { return };
    let [a] = replicas(&crew, ["A"]).await;
    let (silent, _) = crew.store(LONG).await;
    let at_work = a.begin("wait").await;
    let waits = a.begin("this").await;
    let seeks =
        r#"{"number":0,"what":{"Seeks":{"deployment":"default","agents":[["scripted",1]]}}}"#;
    let other = seeks.replace("default", "other");
    silent.post(a.store.replica(), Bytes::from(other)).await.expect("a database");
    silent.post(a.store.replica(), Bytes::from(seeks)).await.expect("a database");
    let bell = silent.bell();
    bell.ring(News::Letter(a.store.replica()));
    let letters = soon(Duration::from_secs(5), async || {
        let letters = silent.letters(9).await.expect("a database");
        (!letters.is_empty()).then_some(letters)
    })
    .await;
    assert_eq!(letters.len(), 1);
    let given = Instant::now();
    // While nobody can tell whose it is.
    let refused = a.cancel(&waits.id).await.expect_err("somebody has to say whose it is");
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    a.cancel(&at_work.id).await.expect("a task at work");
    assert_eq!(said(&ended(&a, &waits.id).await), ["A did this"]);
    assert!(given.elapsed() < Duration::from_secs(4), "{:?}", given.elapsed());
    restarted_never(&a, &waits.id).await;
    // What comes late is of no use.
    let claimed = silent.claim(a.stored(&waits.id).await.key, 1).await.expect("a database");
    assert!(claimed.is_none());
}

/// Everything ends, once, whoever begins it and whoever cancels some of it meanwhile.
pub(crate) async fn much_work_is_spread_and_done_once(by: By) {
    let Some(crew) = Crew::new(by).await else { return };
    let all = replicas(&crew, ["A", "B", "C"]).await;
    let tasks = join_all((0..60).map(|_| all[0].begin("pause"))).await;
    let cancels = tasks.iter().step_by(5).enumerate().map(async |(number, task)| {
        // A cancellation that meets the task on its way may be told to come again.
        let replica = &all[number % 3];
        soon(Duration::from_secs(10), async || match replica.cancel(&task.id).await {
            Err(error) if error.kind == ErrorKind::Unavailable => None,
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::TaskNotCancelable, "{error:?}");
                Some(())
            }
            Ok(_) => Some(()),
        })
        .await
    });
    join_all(cancels).await;
    let mut by = BTreeSet::new();
    for task in &tasks {
        let ended = ended(&all[1], &task.id).await;
        match ended.status.state {
            TaskState::Completed => by.extend(said(&ended)),
            state => assert_eq!(state, TaskState::Canceled),
        }
        let (_, log) = all[2].log(&task.id).await;
        assert_eq!(log.iter().filter(|event| event.ends()).count(), 1);
    }
    assert!(by.len() == 3, "{by:?}");
}
