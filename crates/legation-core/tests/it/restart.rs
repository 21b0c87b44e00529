//! What becomes of a run whose process ended.

use legation_core::OnRestart;
use legation_model::{Task, TaskState};

use crate::bench::{Bench, counted, state};

async fn interrupted(script: &str) -> (Bench, Task) {
    let bench = Bench::new();
    let task = bench.begin(script).await;
    // The events before the wait are durable when a reader has seen the last of them.
    let mut reader = bench.subscribe(&task.id, Some(0)).await.expect("a task at work");
    while reader.cursor() < Some(5) {
        futures::StreamExt::next(&mut reader).await;
    }
    (bench, task)
}

#[tokio::test]
async fn retry_begins_again_and_voids_what_was_lost() {
    let (bench, task) = interrupted("3 wait 5 answer").await;
    let bench = bench.restart(OnRestart::Retry).await;
    bench.gate.notify_one();
    let ended = bench.ended(&task.id).await;
    assert_eq!(counted(&ended), ["1", "2", "3", "4", "5", "the answer"]);
}

#[tokio::test]
async fn resume_goes_on_from_where_it_was() {
    let (bench, task) = interrupted("3 wait 5 answer").await;
    let bench = bench.restart(OnRestart::Resume).await;
    bench.gate.notify_one();
    let ended = bench.ended(&task.id).await;
    assert_eq!(counted(&ended), ["1", "2", "3", "4", "5", "the answer"]);
}

#[tokio::test]
async fn fail_says_why() {
    let (bench, task) = interrupted("3 wait answer").await;
    let bench = bench.restart(OnRestart::Fail).await;
    let ended = bench.ended(&task.id).await;
    assert_eq!(ended.status.state, TaskState::Failed);
    let reason = ended.status.message.expect("a reason").text();
    assert!(reason.starts_with("The server restarted while the agent was at work."), "{reason}");
}

#[tokio::test]
async fn attempts_are_counted_and_bounded() {
    let (mut bench, task) = interrupted("3 attempt wait answer").await;
    for _ in 0..2 {
        bench = bench.restart(OnRestart::Retry).await;
    }
    bench = bench.restart(OnRestart::Retry).await;
    let ended = bench.ended(&task.id).await;
    assert_eq!(state(ended.status.state), "FAILED");
    let reason = ended.status.message.expect("a reason").text();
    assert!(reason.starts_with("The run was lost 3 times."), "{reason}");
}

#[tokio::test]
async fn a_task_that_waits_for_its_caller_still_waits() {
    let bench = Bench::new();
    let asked = bench.say("ask").await;
    let bench = bench.restart(OnRestart::Fail).await;
    assert_eq!(bench.get(&asked.id).await, asked);
    let done = bench.send(crate::bench::further(&asked, "answer")).await;
    assert_eq!(done.status.state, TaskState::Completed);
}

#[tokio::test]
async fn a_message_that_came_during_the_work_belongs_to_the_lost_turn() {
    // It used to be taken for a turn of its own, and the lost turn's chunks were doubled.
    let (bench, task) = interrupted("3 wait 5 answer").await;
    let mut further = crate::bench::further(&task, "and be quick");
    further.configuration.return_immediately = true;
    bench.send(further).await;
    let bench = bench.restart(OnRestart::Retry).await;
    bench.gate.notify_one();
    let ended = bench.ended(&task.id).await;
    assert_eq!(counted(&ended), ["1", "2", "3", "4", "5", "the answer"]);
}

#[tokio::test]
async fn a_run_that_waits_for_a_credential_is_lost_with_its_process_as_well() {
    let (bench, task) = interrupted("2 authorize wait answer").await;
    assert_eq!(state(bench.get(&task.id).await.status.state), "AUTH_REQUIRED");
    let bench = bench.restart(OnRestart::Resume).await;
    bench.gate.notify_one();
    let ended = bench.ended(&task.id).await;
    assert_eq!(counted(&ended), ["1", "2", "the answer"]);

    let (bench, task) = interrupted("2 authorize wait answer").await;
    let ended = bench.restart(OnRestart::Fail).await.ended(&task.id).await;
    assert_eq!(state(ended.status.state), "FAILED");

    // One that has said so and ended waits for nobody.
    let bench = Bench::new();
    let task = bench.say("authorize ask").await;
    let bench = bench.restart(OnRestart::Fail).await;
    assert_eq!(state(bench.get(&task.id).await.status.state), "INPUT_REQUIRED");
}
