//! Sending: blocking and not, over several turns, within bounds.

use std::time::Duration;

use legation_core::{Limits, OnRestart, Reply};
use legation_model::{ContextId, ErrorKind, Message, Request, TaskId, TaskState};

use crate::bench::{Bench, counted, further, kind, message, state};

#[tokio::test]
async fn a_blocking_send_returns_the_settled_task() {
    let bench = Bench::new();
    let task = bench.say("3 answer").await;
    assert_eq!(task.status.state, TaskState::Completed);
    assert_eq!(counted(&task), ["1", "2", "3", "the answer"]);
    let texts: Vec<String> = task.history.iter().map(Message::text).collect();
    assert_eq!(texts, ["3 answer", "the answer"]);
    assert_eq!(bench.get(&task.id).await, task);
}

#[tokio::test]
async fn returning_immediately_leaves_the_task_at_work() {
    let bench = Bench::new();
    let task = bench.begin("wait answer").await;
    assert!(!task.status.state.is_settled());
    bench.gate.notify_one();
    assert_eq!(bench.ended(&task.id).await.status.state, TaskState::Completed);
}

#[tokio::test]
async fn a_direct_answer_makes_no_task() {
    let bench = Bench::new();
    let reply = bench.call(Request::SendMessage(message("hello"))).await;
    let Ok(Reply::SentMessage(answer)) = reply else { panic!("not a message: {reply:?}") };
    let answer: Message = answer.read().expect("a message");
    assert_eq!(answer.text(), "hi");
    assert!(answer.context_id.is_some() && answer.task_id.is_none());
}

#[tokio::test]
async fn a_question_is_answered_in_the_same_task() {
    let bench = Bench::new();
    let asked = bench.say("2 ask").await;
    assert_eq!(asked.status.state, TaskState::InputRequired);
    let done = bench.send(further(&asked, "4 answer")).await;
    assert_eq!(done.status.state, TaskState::Completed);
    assert_eq!((&done.id, &done.context_id), (&asked.id, &asked.context_id));
    assert_eq!(counted(&done), ["1", "2", "3", "4", "the answer"]);
    let texts: Vec<String> = done.history.iter().map(Message::text).collect();
    assert_eq!(texts, ["2 ask", "which?", "4 answer", "the answer"]);
}

#[tokio::test]
async fn a_message_reaches_a_run_at_work() {
    let bench = Bench::new();
    let task = bench.begin("next").await;
    let done = bench.send(further(&task, "over here")).await;
    assert_eq!(counted(&done), ["over here"]);
}

#[tokio::test]
async fn messages_to_the_wrong_place_are_refused() {
    let bench = Bench::new();
    let asked = bench.say("ask").await;
    let ended = bench.say("answer").await;

    let mut mismatched = further(&asked, "answer");
    mismatched.message.context_id = ContextId::parse("another").ok();
    let mut unknown = message("answer");
    unknown.message.task_id = TaskId::parse("unknown").ok();
    let mut empty = message("answer");
    empty.message.parts.clear();
    let mut typed = message("answer");
    typed.message.parts[0].media_type = Some("image/png".into());
    let mut lost = message("answer");
    lost.message.reference_task_ids = vec![TaskId::parse("unknown").expect("valid")];
    let mut elsewhere = message("answer");
    elsewhere.message.context_id = ContextId::parse("another").ok();
    elsewhere.message.reference_task_ids = vec![ended.id.clone()];
    let mut tenant = message("answer");
    tenant.tenant = Some("theirs".into());
    let cases = [
        ("another context", mismatched, ErrorKind::InvalidParams),
        ("an unknown task", unknown, ErrorKind::TaskNotFound),
        ("an ended task", further(&ended, "answer"), ErrorKind::UnsupportedOperation),
        ("no parts", empty, ErrorKind::InvalidParams),
        ("a media type not taken", typed, ErrorKind::ContentTypeNotSupported),
        ("a reference to nothing", lost, ErrorKind::InvalidParams),
        ("a reference elsewhere", elsewhere, ErrorKind::InvalidParams),
        ("another tenant", tenant, ErrorKind::InvalidParams),
    ];
    for (what, request, expected) in cases {
        assert_eq!(kind(bench.call(Request::SendMessage(request)).await), expected, "{what}");
    }
    assert_eq!(bench.get(&asked.id).await, asked, "a refused message leaves no trace");
}

#[tokio::test]
async fn a_reference_brings_its_context() {
    let bench = Bench::new();
    let first = bench.say("answer").await;
    let mut request = message("answer");
    request.message.reference_task_ids = vec![first.id.clone()];
    assert_eq!(bench.send(request).await.context_id, first.context_id);
}

#[tokio::test]
async fn a_run_that_goes_wrong_fails_its_task_with_a_reason() {
    let limits = Limits { run_time: Duration::from_millis(200), events: 50, ..Limits::default() };
    let bench = Bench::with(OnRestart::Fail, limits);
    let cases = [
        ("panic", "The agent crashed."),
        ("error", "out of luck."),
        ("sleep", "The agent took longer than"),
        ("100 answer", "The agent was stopped: the task would exceed 50 events."),
    ];
    for (script, reason) in cases {
        let task = bench.say(script).await;
        assert_eq!(state(task.status.state), "FAILED", "{script}");
        let said = task.status.message.expect("a reason").text();
        assert!(said.starts_with(reason), "{script}: {said}");
        assert!(said.contains("can go on from here"), "{script}: {said}");
    }
}

#[tokio::test]
async fn a_full_server_refuses_before_it_begins() {
    let bench = Bench::with(OnRestart::Fail, Limits { runs: 1, ..Limits::default() });
    let task = bench.begin("wait answer").await;
    let refused = bench.call(Request::SendMessage(message("answer"))).await;
    let refused = refused.expect_err("there is room for one");
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    assert!(refused.retry_after.is_some());
    bench.gate.notify_one();
    bench.ended(&task.id).await;
}

#[tokio::test]
async fn a_run_that_breaks_after_its_question_says_so() {
    let bench = Bench::new();
    assert_eq!(state(bench.say("authorize error").await.status.state), "FAILED");
}

#[tokio::test]
async fn a_run_that_stays_for_the_reply_gets_it() {
    let bench = Bench::new();
    let task = bench.say("authorize next").await;
    assert_eq!(state(task.status.state), "AUTH_REQUIRED");
    let done = bench.send(further(&task, "the credential is there")).await;
    assert_eq!(counted(&done), ["the credential is there"]);
}
