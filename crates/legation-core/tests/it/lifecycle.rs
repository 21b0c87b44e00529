//! The lives of contexts, as callers and programs see them.

use std::time::Duration;

use futures::StreamExt as _;
use legation_core::store::Swept;
use legation_core::{Reply, Retention, When};
use legation_model::{
    A2aError, CancelTaskRequest, ContextId, ErrorKind, GetTaskRequest, ListTasksRequest, Request,
    SendMessageRequest, Task, TaskId, TaskState, Timestamp,
};

use crate::bench::{Bench, by, further, kind, message};

const HOUR: Duration = Duration::from_secs(3_600);

/// By this everything at rest is over at once, and results stay for an hour.
const AT_ONCE: Retention = Retention {
    idle_after: HOUR,
    keep: Duration::ZERO,
    max_life: None,
    results: HOUR,
    leeway: Duration::ZERO,
    every: HOUR,
};

fn within(context: &str, text: &str) -> SendMessageRequest {
    let mut request = message(text);
    request.message.context_id = Some(ContextId::parse(context).expect("a valid id"));
    request
}

/// Sweeps, a moment after all that happened.
async fn sweep(bench: &Bench, retention: &Retention) -> Swept {
    let now = Timestamp::now();
    while Timestamp::now() <= now {
        std::hint::spin_loop();
    }
    let swept = bench.service.sweep(retention, When::Now).await.expect("a store that can write");
    swept.expect("nobody else is at it")
}

async fn get(bench: &Bench, subject: &str, id: &TaskId) -> Result<Task, A2aError> {
    let request = GetTaskRequest { tenant: None, id: id.clone(), history_length: None };
    match bench.service.call(&by(subject), Request::GetTask(request)).await? {
        Reply::Task(task) => Ok(task.read().expect("a task")),
        other => panic!("not a task: {other:?}"),
    }
}

#[tokio::test]
async fn the_result_of_a_task_that_was_removed_can_be_got() {
    let bench = Bench::new();
    let answered = bench.send(within("c", "answer")).await;
    // So large that the log has it once, without a snapshot.
    let large = format!("see:{}", "x".repeat(100_000));
    let large = bench.send(within("c", &large)).await;
    assert!(large.status.state.is_terminal());
    let before = [get(&bench, "ann", &answered.id).await, get(&bench, "ann", &large.id).await];

    let swept = sweep(&bench, &AT_ONCE).await;
    let expected = Swept { expired: 1, kept: 2, tasks: 2, contexts: 1, ..Swept::default() };
    assert_eq!(swept, expected);
    for (task, before) in [&answered, &large].into_iter().zip(before) {
        let result = get(&bench, "ann", &task.id).await.expect("its result");
        assert_eq!(result, before.expect("it was there"));
        let error = get(&bench, "bob", &task.id).await.expect_err("not his");
        assert_eq!(error.kind, ErrorKind::TaskNotFound);
    }
    // The task itself is gone.
    let listed = bench.call(Request::ListTasks(ListTasksRequest::default())).await;
    let Ok(Reply::Tasks(listed)) = listed else { panic!("not a listing: {listed:?}") };
    assert!(std::str::from_utf8(listed.bytes()).expect("JSON").contains(r#""totalSize":0"#));
    let sent = bench.call(Request::SendMessage(further(&answered, "answer"))).await;
    assert_eq!(kind(sent), ErrorKind::TaskNotFound);
    let cancel = CancelTaskRequest { tenant: None, id: answered.id.clone(), metadata: None };
    let canceled = bench.call(Request::CancelTask(cancel)).await;
    assert_eq!(kind(canceled), ErrorKind::TaskNotFound);

    let swept = sweep(&bench, &Retention { results: Duration::ZERO, ..AT_ONCE }).await;
    assert_eq!(swept, Swept { results: 2, ..Swept::default() });
    let error = get(&bench, "ann", &answered.id).await.expect_err("its time is over");
    assert_eq!(error.kind, ErrorKind::TaskNotFound);
}

#[tokio::test]
async fn programs_hear_what_becomes_of_contexts() {
    let bench = Bench::new();
    let told = || std::mem::take(&mut *bench.told.lock().expect("nobody panics"));
    let idle = Retention { idle_after: Duration::ZERO, keep: HOUR, ..AT_ONCE };
    bench.send(within("c", "answer")).await;
    bench.send(within("c", "answer")).await;
    assert_eq!(told(), ["context.created c"]);
    assert_eq!(sweep(&bench, &idle).await, Swept { idle: 1, ..Swept::default() });
    assert_eq!(told(), ["context.idle c"]);
    let asking = bench.send(within("c", "ask")).await;
    assert_eq!(told(), ["context.resumed c"]);
    sweep(&bench, &idle).await;
    assert_eq!(told(), ["context.idle c"]);
    bench.send(further(&asking, "answer")).await;
    assert_eq!(told(), ["context.resumed c"]);

    // What is at work is not over.
    let waiting = bench.send_at_once(within("w", "wait")).await;
    sweep(&bench, &AT_ONCE).await;
    let expected = ["context.created w", "context.expired c", "context.pruned c"];
    assert_eq!(told(), expected);
    assert_eq!(bench.get(&waiting.id).await.status.state, TaskState::Working);
    bench.gate.notify_one();
    bench.ended(&waiting.id).await;
    sweep(&bench, &AT_ONCE).await;
    assert_eq!(told(), ["context.expired w", "context.pruned w"]);
    bench.send(within("c", "answer")).await;
    assert_eq!(told(), ["context.created c"], "of the same name, and another");
}

#[tokio::test]
async fn who_follows_a_task_of_a_context_that_expires_is_told() {
    let bench = Bench::new();
    let asking = bench.send(within("c", "ask")).await;
    let mut reader = bench.subscribe(&asking.id, None).await.expect("a stream");
    reader.next().await.expect("the task").expect("no error");
    assert_eq!(sweep(&bench, &AT_ONCE).await.tasks, 1);
    let end = reader.next().await.expect("a last word").expect_err("the task is gone");
    assert_eq!(end.kind, ErrorKind::TaskNotFound);
    assert!(reader.next().await.is_none());
    // It never ended, so nothing came of it.
    let error = get(&bench, "ann", &asking.id).await.expect_err("no result");
    assert_eq!(error.kind, ErrorKind::TaskNotFound);
}

#[tokio::test]
async fn sweeps_come_in_their_time() {
    let bench = Bench::new();
    let due = async |retention| bench.service.sweep(retention, When::Due).await.expect("readable");
    assert_eq!(due(&AT_ONCE).await, Some(Swept::default()), "the first");
    bench.say("answer").await;
    assert_eq!(due(&AT_ONCE).await, None);
    assert_eq!(sweep(&bench, &AT_ONCE).await.tasks, 1);
    let often = Retention { every: Duration::ZERO, ..AT_ONCE };
    assert_eq!(due(&often).await, Some(Swept::default()));
}
