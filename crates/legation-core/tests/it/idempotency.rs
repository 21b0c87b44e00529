//! The same key, the same outcome.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt as _;
use legation_core::{Limits, OnRestart, Reply, Retention, When};
use legation_model::{
    A2aError, ErrorKind, Message, Request, SendMessageRequest, StreamResponse, Task, TaskState,
};

use crate::bench::{Bench, by, further, items, kind, message, state};

async fn call(bench: &Bench, key: &str, request: Request) -> Result<Reply, A2aError> {
    let mut call = by("ann");
    call.idempotency_key = Some(key.into());
    bench.service.call(&call, request).await
}

async fn try_send(
    bench: &Bench,
    key: &str,
    request: SendMessageRequest,
) -> Result<Reply, A2aError> {
    call(bench, key, Request::SendMessage(request)).await
}

async fn send(bench: &Bench, key: &str, request: SendMessageRequest) -> Task {
    match try_send(bench, key, request).await {
        Ok(Reply::SentTask(task)) => task.read().expect("a task"),
        other => panic!("not a task: {other:?}"),
    }
}

async fn ask(bench: &Bench, key: &str, request: SendMessageRequest) -> Message {
    match try_send(bench, key, request).await {
        Ok(Reply::SentMessage(answer)) => answer.read().expect("a message"),
        other => panic!("not a message: {other:?}"),
    }
}

/// Sends eight copies at once, which all must be answered alike; gives the answer.
async fn copies<T, F>(
    bench: &Arc<Bench>,
    key: &str,
    request: &SendMessageRequest,
    send: impl Fn(Arc<Bench>, String, SendMessageRequest) -> F,
) -> T
where
    T: PartialEq + Debug + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let begin = |_| tokio::spawn(send(bench.clone(), key.to_owned(), request.clone()));
    let begun: Vec<_> = (0..8).map(begin).collect();
    let mut answers = Vec::new();
    for copy in begun {
        answers.push(copy.await.expect("no panic"));
    }
    let first = answers.pop().expect("eight of them");
    assert!(answers.iter().all(|answer| *answer == first), "{key}: {first:?} {answers:?}");
    first
}

async fn send_owned(bench: Arc<Bench>, key: String, request: SendMessageRequest) -> Task {
    send(&bench, &key, request).await
}

fn said(task: &Task) -> Vec<String> {
    task.history.iter().map(Message::text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_copies_at_once_make_one_task() {
    let bench = Arc::new(Bench::new());
    for round in 0..50 {
        copies(&bench, &format!("key-{round}"), &message("3 answer"), send_owned).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_copies_at_once_are_one_further_message() {
    let bench = Arc::new(Bench::new());
    for round in 0..50 {
        let key = format!("key-{round}");
        let asked = bench.say("ask").await;
        let done = copies(&bench, &key, &further(&asked, "3 answer"), send_owned).await;
        assert_eq!(said(&done), ["ask", "which?", "3 answer", "the answer"], "{key}");

        // The same to a run at work, which takes one message and ends.
        let at_work = bench.begin("next").await;
        let (key, request) = (format!("more-{round}"), further(&at_work, "one"));
        let done = copies(&bench, &key, &request, send_owned).await;
        assert_eq!(said(&done), ["next", "one", "one"], "{key}: the message and its echo");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_copies_at_once_ask_for_one_answer() {
    let bench = Arc::new(Bench::new());
    for round in 1..=50 {
        let key = format!("key-{round}");
        let send = |bench: Arc<Bench>, key: String, request| async move {
            ask(&bench, &key, request).await
        };
        let answer = copies(&bench, &key, &message("hello"), send).await;
        assert_eq!(answer.text(), "hi");
        assert_eq!(bench.replies.load(Ordering::Relaxed), round);
    }
}

#[tokio::test]
async fn a_key_outlives_the_process_and_belongs_to_its_request() {
    let bench = Bench::new();
    let request = message("answer");
    let first = send(&bench, "key", request.clone()).await;
    let bench = bench.restart(OnRestart::Fail).await;
    assert_eq!(send(&bench, "key", request).await, first);
    let other = try_send(&bench, "key", message("other")).await;
    assert_eq!(kind(other), ErrorKind::InvalidParams);
    let mut call = by("bob");
    call.idempotency_key = Some("key".into());
    let theirs = bench.service.call(&call, Request::SendMessage(message("answer"))).await;
    assert!(theirs.is_ok(), "another caller's keys are their own");
}

#[tokio::test]
async fn a_further_message_is_received_once_also_after_a_restart() {
    let mut bench = Bench::new();
    let asked = send(&bench, "first", message("ask")).await;
    let request = further(&asked, "ask");
    let again = send(&bench, "second", request.clone()).await;
    assert_eq!(said(&again), ["ask", "which?", "ask", "which?"]);
    for _ in 0..2 {
        assert_eq!(send(&bench, "second", request.clone()).await, again);
        let mut other = request.clone();
        other.message.parts = message("answer").message.parts;
        for (key, request) in [
            ("second", other.clone()),
            ("first", other),
            ("second", message("answer")),
            ("second", message("hello")),
        ] {
            let refused = try_send(&bench, key, request).await.expect_err("another request");
            assert_eq!(refused.kind, ErrorKind::InvalidParams, "{key}");
            assert!(refused.to_string().contains("Idempotency-Key"), "{refused}");
        }
        assert_eq!(bench.get(&asked.id).await, again);
        bench = bench.restart(OnRestart::Fail).await;
    }
    // Without a key an equal message is a new one, as the protocol has it.
    assert_eq!(said(&bench.send(request).await).len(), 6);
}

/// An answer to a repetition says no less than one to the first: the message is durable.
#[tokio::test]
async fn a_repetition_that_does_not_wait_finds_its_message() {
    let bench = Bench::new();
    let task = bench.begin("wait").await;
    let mut request = further(&task, "more");
    request.configuration.return_immediately = true;
    let sends = (0..4).map(|_| send(&bench, "key", request.clone()));
    for task in futures::future::join_all(sends).await {
        assert_eq!(said(&task), ["wait", "more"]);
    }
    bench.gate.notify_one();
    assert_eq!(said(&bench.ended(&task.id).await), ["wait", "more"]);
}

#[tokio::test]
async fn a_repetition_may_ask_for_a_stream() {
    let bench = Bench::new();
    let asked = bench.say("ask").await;
    let request = further(&asked, "2 answer");
    let done = send(&bench, "key", request.clone()).await;
    let reply = call(&bench, "key", Request::SendStreamingMessage(request)).await;
    let Ok(Reply::Stream(follow)) = reply else { panic!("not a stream: {reply:?}") };
    assert!(follow.count().await > 4, "the whole log");
    assert_eq!(bench.get(&asked.id).await, done);

    let answer = ask(&bench, "hello", message("hello")).await;
    assert_eq!(answer.text(), "hi");
}

/// A context may end before its keys do.
#[tokio::test]
async fn a_repetition_finds_the_result_of_a_task_that_was_removed() {
    let bench = Bench::new();
    let (first, again) = (message("ask"), message("answer"));
    let asked = send(&bench, "first", first.clone()).await;
    let second = further(&asked, "answer");
    let done = send(&bench, "second", second.clone()).await;
    let (max_life, leeway) = (Some(Duration::ZERO), Duration::ZERO);
    let short = Retention { max_life, leeway, ..Retention::default() };
    tokio::time::sleep(Duration::from_millis(2)).await;
    let swept = bench.service.sweep(&short, When::Now).await.expect("a store that can write");
    assert_eq!(swept.map(|swept| (swept.tasks, swept.kept, swept.keys)), Some((1, 1, 0)));

    for (key, request) in [("first", first), ("second", second.clone())] {
        assert_eq!(send(&bench, key, request.clone()).await, done, "{key}");
        let streamed = call(&bench, key, Request::SendStreamingMessage(request)).await;
        let Ok(Reply::Stream(follow)) = streamed else { panic!("not a stream: {streamed:?}") };
        let items = items(follow).await;
        assert!(matches!(&items[..], [(None, StreamResponse::Task(task))] if *task == done));
    }
    assert_eq!(kind(try_send(&bench, "second", again).await), ErrorKind::InvalidParams);
    assert_eq!(kind(try_send(&bench, "third", second).await), ErrorKind::TaskNotFound);
}

/// A message that was not taken leaves its key free.
#[tokio::test]
async fn a_refused_message_leaves_its_key() {
    let bench = Bench::new();
    let ended = bench.say("answer").await;
    for _ in 0..2 {
        let refused = try_send(&bench, "key", further(&ended, "more")).await;
        assert_eq!(kind(refused), ErrorKind::UnsupportedOperation);
    }
    let task = send(&bench, "key", message("answer")).await;
    assert_eq!(state(task.status.state), "COMPLETED");
}

#[tokio::test]
async fn a_direct_answer_outlives_the_process_and_belongs_to_its_request() {
    let bench = Bench::new();
    let request = message("hello");
    let first = ask(&bench, "key", request.clone()).await;
    assert_eq!(ask(&bench, "key", request.clone()).await, first);
    assert_eq!(bench.replies.load(Ordering::Relaxed), 1);
    let bench = bench.restart(OnRestart::Fail).await;
    assert_eq!(ask(&bench, "key", request.clone()).await, first);
    assert_eq!(bench.replies.load(Ordering::Relaxed), 0);
    let asked = bench.say("ask").await;
    // With another id of the message it is the same request.
    assert_eq!(ask(&bench, "key", message("hello")).await, first);
    for other in [message("hello you"), message("answer"), further(&asked, "answer")] {
        assert_eq!(kind(try_send(&bench, "key", other).await), ErrorKind::InvalidParams);
    }
    // Another key, or none, is another send.
    assert_ne!(ask(&bench, "another", request.clone()).await, first);
    assert!(matches!(bench.call(Request::SendMessage(request)).await, Ok(Reply::SentMessage(_))));
    assert_eq!(bench.replies.load(Ordering::Relaxed), 2);
    assert_eq!(bench.get(&asked.id).await.status.state, TaskState::InputRequired);
}

/// A caller that leaves while the agent makes up its answer takes nothing from those who stay.
#[tokio::test]
async fn a_sender_that_leaves_makes_room_for_the_next() {
    let bench = Bench::with(OnRestart::Fail, Limits::default());
    let request = message("hello");
    let mut first = Box::pin(try_send(&bench, "key", request.clone()));
    assert!(futures::poll!(&mut first).is_pending(), "the agent answers at its second poll");
    let mut second = Box::pin(ask(&bench, "key", request.clone()));
    assert!(futures::poll!(&mut second).is_pending(), "it waits for the first");
    drop(first);
    let answer = second.await;
    assert_eq!(ask(&bench, "key", request).await, answer);
}
