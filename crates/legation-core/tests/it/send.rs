//! Sending: blocking and not, over several turns, within bounds.

use std::sync::Arc;
use std::time::Duration;

use legation_core::{
    AnswerIn, Call, Caller, Limits, OnRestart, Profile, Reply, Scope, Service, TaskStore,
};
use legation_model::{
    CancelTaskRequest, ContextId, ErrorKind, Message, Metadata, Request, Task, TaskId, TaskState,
};

use crate::bench::{Bench, Scripted, by, counted, further, kind, message, state};

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

/// Credentials may say any name, and not every store could keep it.
#[tokio::test]
async fn names_that_are_too_long_for_a_store_are_refused_before_it() {
    let bench = Bench::new();
    let long = |bytes: usize| Call::by(Caller::new("t".repeat(bytes), "s".repeat(bytes)));
    let keyed = |bytes: usize| Call { idempotency_key: Some("k".repeat(bytes)), ..by("ann") };
    let cases = [
        (long(600), None),
        (long(601), Some("tenant: must have at most 600 bytes, not 601")),
        (by(&"s".repeat(601)), Some("subject: must have at most 600 bytes, not 601")),
        (keyed(2_400), None),
        (keyed(2_401), Some("Idempotency-Key: must have at most 2400 bytes, not 2401")),
    ];
    for (call, expected) in cases {
        let sent = bench.service.call(&call, Request::SendMessage(message("answer"))).await;
        let refused = sent.err().map(|error| (error.kind, error.message));
        let expected = expected.map(|text| (ErrorKind::InvalidParams, text.to_owned()));
        assert_eq!(refused, expected);
    }
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

#[tokio::test]
async fn the_answer_is_where_the_profile_says() {
    let cases = [
        (AnswerIn::Both, 1, Some("the answer")),
        (AnswerIn::Artifact, 1, None),
        (AnswerIn::Status, 0, Some("the answer")),
    ];
    for (answer_in, artifacts, said) in cases {
        let bench = Bench::serving(Limits::default(), |profile| profile.answer_in = answer_in);
        let task = bench.say("answer").await;
        assert_eq!(task.artifacts.len(), artifacts, "{answer_in:?}");
        let message = task.status.message.as_ref().map(Message::text);
        assert_eq!(message.as_deref(), said, "{answer_in:?}");
    }
}

#[tokio::test]
async fn a_message_to_the_crew_names_its_agent() {
    let bench = Bench::new();
    let crew = |name: &str| {
        let (gate, replies) = (bench.gate.clone(), bench.replies.clone());
        let agent = Scripted { on_restart: OnRestart::Fail, gate, replies };
        (Profile::new(name, name, "Does what it is told"), agent)
    };
    let ((first, one), (second, two)) = (crew("first"), crew("second"));
    let service = Service::builder(bench.store.clone()).agent(first, one).agent(second, two);
    let service = service.build().expect("two agents with good slugs");
    let agent = |slug: &'static str| Some(Arc::<str>::from(slug));
    let target = |name: &str| Metadata::single("target_agent", &name).ok();
    let cases = [
        (None, None, None, Ok("first")),
        (None, target("second"), None, Ok("second")),
        (None, None, target("second"), Ok("second")),
        (None, target("first"), target("second"), Ok("first")),
        (agent("first"), target("second"), None, Ok("first")),
        (None, target("third"), None, Err("message.metadata.target_agent")),
        (None, None, target("third"), Err("metadata.target_agent")),
    ];
    for (mount, message_metadata, metadata, expected) in cases {
        let mut request = message("answer");
        (request.message.metadata, request.metadata) = (message_metadata, metadata);
        let call = Call { agent: mount, ..by("ann") };
        let got = service.call(&call, Request::SendMessage(request)).await;
        let got = match &got {
            Ok(Reply::SentTask(task)) => {
                let task: Task = task.read().expect("a task");
                let scope = Scope {
                    deployment: "default".into(),
                    tenant: "t".into(),
                    owner: None,
                    agent: None,
                };
                let stored = bench.store.load(&scope, &task.id).await.expect("a readable store");
                stored.and_then(|stored| stored.scope.agent).ok_or("no agent".to_owned())
            }
            Ok(other) => panic!("not a task: {other:?}"),
            Err(error) => Err(error.violations[0].field.clone()),
        };
        assert_eq!(got.as_deref().map_err(String::as_str), expected);
    }
}

#[tokio::test]
async fn messages_wait_their_turn_and_too_many_are_refused() {
    let limits = Limits { queued: 2, ..Limits::default() };
    let bench = Bench::serving(limits, |profile| profile.concurrency = Some(1));
    let at_work = bench.begin("wait answer").await;
    let first = bench.begin("1 answer").await;
    let second = bench.begin("2 answer").await;
    assert_eq!(state(bench.get(&second.id).await.status.state), "SUBMITTED");
    let refused = bench.call(Request::SendMessage(message("answer"))).await.expect_err("a refusal");
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    assert!(refused.retry_after.is_some(), "{refused:?}");
    // Whoever waits may be cancelled, and makes room.
    let request = CancelTaskRequest { tenant: None, id: second.id.clone(), metadata: None };
    let cancelled = bench.call(Request::CancelTask(request)).await;
    let Ok(Reply::Task(cancelled)) = cancelled else { panic!("not a task: {cancelled:?}") };
    let cancelled: Task = cancelled.read().expect("a task");
    assert_eq!(state(cancelled.status.state), "CANCELED");
    let third = bench.begin("3 answer").await;
    bench.gate.notify_one();
    for task in [at_work, first, third] {
        assert_eq!(bench.ended(&task.id).await.status.state, TaskState::Completed);
    }
}
