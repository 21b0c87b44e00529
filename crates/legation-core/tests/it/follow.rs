//! Following: every reader sees every event, in order, once.

use legation_core::{Limits, OnRestart};
use legation_model::{ErrorKind, StreamResponse};

use crate::bench::{Bench, further, items, message, short};

#[tokio::test]
async fn a_stream_begins_with_the_task_and_ends_with_the_turn() {
    let bench = Bench::new();
    let told = short(&items(bench.stream("2 answer").await).await);
    assert_eq!(
        told,
        ["1 task SUBMITTED", "2 WORKING", "3 +1", "4 +2", "5 +the answer", "6 COMPLETED"]
    );
    let told = short(&items(bench.stream("ask").await).await);
    assert_eq!(told, ["1 task SUBMITTED", "2 WORKING", "3 INPUT_REQUIRED"]);
}

#[tokio::test]
async fn a_further_message_streams_from_the_task_as_it_is() {
    let bench = Bench::new();
    let asked = bench.say("1 ask").await;
    let request = legation_model::Request::SendStreamingMessage(further(&asked, "2 answer"));
    let Ok(legation_core::Reply::Stream(follow)) = bench.call(request).await else {
        panic!("not a stream")
    };
    let told = items(follow).await;
    let StreamResponse::Task(task) = &told[0].1 else { panic!("begins with {:?}", told[0]) };
    assert!(task.history.iter().any(|message| message.text() == "2 answer"));
    assert_eq!(short(&told).last().map(String::as_str), Some("9 COMPLETED"));
}

#[tokio::test]
async fn all_readers_see_the_same_and_can_resume_anywhere() {
    let bench = Bench::new();
    let task = bench.begin("wait 40 answer").await;
    let early = bench.subscribe(&task.id, None).await.expect("a task at work");
    let twin = bench.subscribe(&task.id, None).await.expect("a task at work");
    bench.gate.notify_one();
    let (early, twin) = tokio::join!(items(early), items(twin));
    assert_eq!(early[1..], twin[1..]);
    let full = items(bench.subscribe(&task.id, Some(0)).await.expect("the whole log")).await;
    assert_eq!(full.len(), 1 + 44, "a header and every event");
    for after in 0..=44 {
        let rest = items(bench.subscribe(&task.id, Some(after)).await.expect("a cursor")).await;
        assert_eq!(rest[0].0, None, "a header has no number");
        assert_eq!(rest[1..], full[1 + after as usize..], "after {after}");
    }
}

#[tokio::test]
async fn the_header_of_a_replay_is_the_task_as_it_was() {
    let bench = Bench::new();
    let task = bench.say("3 answer").await;
    let rest = items(bench.subscribe(&task.id, Some(3)).await.expect("a cursor")).await;
    let StreamResponse::Task(header) = &rest[0].1 else { panic!("begins with {:?}", rest[0]) };
    assert_eq!(header.status.state, legation_model::TaskState::Working);
    assert!(header.artifacts.is_empty() && header.history.is_empty());
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let bench = Bench::new();
    let ended = bench.say("answer").await;
    let unknown = message("x").message.message_id;
    let unknown = legation_model::TaskId::parse(unknown.as_str()).expect("valid");
    let cases = [
        (&ended.id, None, ErrorKind::UnsupportedOperation),
        (&ended.id, Some(99), ErrorKind::InvalidParams),
        (&unknown, None, ErrorKind::TaskNotFound),
    ];
    for (id, after, expected) in cases {
        let refused = bench.subscribe(id, after).await.expect_err("a refusal");
        assert_eq!(refused.kind, expected, "{after:?}");
    }
}

#[tokio::test]
async fn a_reader_that_falls_behind_reads_the_log() {
    let limits = Limits { ring_bytes: 1_000, ..Limits::default() };
    let bench = Bench::with(OnRestart::Fail, limits);
    let task = bench.begin("wait 2000 answer").await;
    let reader = bench.subscribe(&task.id, None).await.expect("a task at work");
    bench.gate.notify_one();
    bench.ended(&task.id).await;
    let told = items(reader).await;
    let numbers: Vec<u64> = told.iter().filter_map(|(seq, _)| *seq).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "no gap");
    assert_eq!(numbers.last(), Some(&2004));
}

#[tokio::test]
async fn streams_end_with_a_cursor_when_the_server_stops() {
    let bench = Bench::new();
    let task = bench.begin("wait answer").await;
    let mut reader = bench.subscribe(&task.id, None).await.expect("a task at work");
    let service = bench.service.clone();
    let stop = tokio::spawn(async move { service.stop(std::time::Duration::ZERO).await });
    while futures::StreamExt::next(&mut reader).await.is_some() {}
    assert!(reader.interrupted_at().is_some());
    stop.await.expect("a clean stop");
    assert!(!bench.get(&task.id).await.status.state.is_terminal(), "left for the next start");
}
