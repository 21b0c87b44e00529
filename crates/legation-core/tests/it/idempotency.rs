//! The same key, the same task.

use std::sync::Arc;

use legation_core::{OnRestart, Reply};
use legation_model::{ErrorKind, Request, SendMessageRequest, Task};

use crate::bench::{Bench, by, kind, message};

async fn send(bench: &Bench, key: &str, request: SendMessageRequest) -> Task {
    let mut call = by("ann");
    call.idempotency_key = Some(key.into());
    match bench.service.call(&call, Request::SendMessage(request)).await {
        Ok(Reply::SentTask(task)) => task.read().expect("a task"),
        other => panic!("not a task: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_copies_at_once_make_one_task() {
    let bench = Arc::new(Bench::new());
    for round in 0..50 {
        let (key, request) = (format!("key-{round}"), message("3 answer"));
        let copies: Vec<_> = (0..8)
            .map(|_| {
                let (bench, key, request) = (bench.clone(), key.clone(), request.clone());
                tokio::spawn(async move { send(&bench, &key, request).await })
            })
            .collect();
        let mut tasks = Vec::new();
        for copy in copies {
            tasks.push(copy.await.expect("no panic"));
        }
        assert!(tasks.windows(2).all(|pair| pair[0] == pair[1]), "round {round}");
    }
}

#[tokio::test]
async fn a_key_outlives_the_process_and_belongs_to_its_request() {
    let bench = Bench::new();
    let request = message("answer");
    let first = send(&bench, "key", request.clone()).await;
    let bench = bench.restart(OnRestart::Fail).await;
    assert_eq!(send(&bench, "key", request).await, first);
    let mut call = by("ann");
    call.idempotency_key = Some("key".into());
    let other = bench.service.call(&call, Request::SendMessage(message("other"))).await;
    assert_eq!(kind(other), ErrorKind::InvalidParams);
    call.caller.subject = "bob".into();
    let theirs = bench.service.call(&call, Request::SendMessage(message("answer"))).await;
    assert!(theirs.is_ok(), "another caller's keys are their own");
}
