//! Cancelling.

use legation_core::Reply;
use legation_model::{A2aError, CancelTaskRequest, ErrorKind, Request, Task, TaskId};

use crate::bench::{Bench, by, state};

async fn cancel(bench: &Bench, subject: &str, id: &TaskId) -> Result<Task, A2aError> {
    let request = CancelTaskRequest { tenant: None, id: id.clone(), metadata: None };
    match bench.service.call(&by(subject), Request::CancelTask(request)).await? {
        Reply::Task(task) => task.read(),
        other => panic!("not a task: {other:?}"),
    }
}

#[tokio::test]
async fn a_task_at_work_or_waiting_is_cancelled_and_an_ended_one_is_not() {
    let bench = Bench::new();
    let cases = [
        (bench.begin("sleep").await, Ok("CANCELED")),
        (bench.say("ask").await, Ok("CANCELED")),
        (bench.say("answer").await, Err(ErrorKind::TaskNotCancelable)),
    ];
    for (task, expected) in cases {
        let got = cancel(&bench, "ann", &task.id).await;
        let got = got.map(|task| state(task.status.state)).map_err(|error| error.kind);
        assert_eq!(got, expected);
        let again = cancel(&bench, "ann", &task.id).await.map_err(|error| error.kind);
        assert_eq!(again, Err(ErrorKind::TaskNotCancelable));
    }
}

#[tokio::test]
async fn a_stranger_cannot_cancel() {
    let bench = Bench::new();
    let task = bench.begin("wait answer").await;
    let refused = cancel(&bench, "bob", &task.id).await.expect_err("a refusal");
    assert_eq!(refused, A2aError::task_not_found(task.id.as_str()));
    bench.gate.notify_one();
    assert_eq!(state(bench.ended(&task.id).await.status.state), "COMPLETED");
}
