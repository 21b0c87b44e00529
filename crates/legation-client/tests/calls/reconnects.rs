//! Two thousand cuts and more, at places of every kind, and what is heard is the log.

use std::fmt::Write as _;
use std::time::Duration;

use legation_client::{Binding, Client, Options, Patience, Version};
use legation_http::Interface;
use legation_model::{SendMessageResponse, TaskId, TaskState};
use serde_json::Value;

use crate::matrix::{PLAIN, get, json, replayed, request};
use crate::real::{Real, interfaces};

/// The cuts of each of the three bindings.
const CUTS: usize = 700;
/// How far a task counts. It begins and ends as well.
const COUNT: usize = 300;
/// Tasks that are enough for the cuts of a version.
const TASKS: usize = 60;

/// A caller that is soon back and gives up late.
fn tireless() -> Options {
    let patience = Patience {
        // Few connections carry a frame of HTTP/2 that is full.
        attempts: 300,
        total: Duration::from_secs(60),
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
    };
    Options { patience, ..Options::default() }
}

/// Where connections are cut at the latest; most are long before, some before they said anything. A
/// frame of HTTP/2, which holds 16 KiB of what a caller is behind, comes whole or not at all.
const fn reach(binding: Binding) -> usize {
    match binding {
        Binding::JsonRpc | Binding::HttpJson => 6_000,
        Binding::Grpc => 18_500,
    }
}

#[tokio::test]
async fn seven_hundred_cuts_of_json_rpc_lose_and_repeat_nothing() {
    check(Binding::JsonRpc).await;
}

#[tokio::test]
async fn seven_hundred_cuts_of_rest_lose_and_repeat_nothing() {
    check(Binding::HttpJson).await;
}

#[tokio::test]
async fn seven_hundred_cuts_of_grpc_lose_and_repeat_nothing() {
    check(Binding::Grpc).await;
}

#[expect(clippy::print_stderr, reason = "a person may want to see how many cuts there were")]
async fn check(binding: Binding) {
    let server = Real::counting().await;
    let plain = server.client(PLAIN, Options::default()).await;
    let ways = interfaces().filter(|interface| interface.binding == binding);
    // The REST of 0.1 has nothing to resume by.
    let has_numbers = |interface: &Interface| {
        (interface.version, interface.binding) != (Version::V0_1, Binding::HttpJson)
    };
    let ways: Vec<Interface> = ways.filter(has_numbers).collect();
    let each = CUTS.div_ceil(ways.len());
    let mut counts = String::new();
    for interface in ways {
        let client = server.client(interface, tireless()).await;
        let (before, mut tasks) = (server.cuts(), 0);
        while server.cuts() - before < each {
            let id = begin(&plain, tasks).await;
            let heard = hear(&server, &client, interface, &id).await;
            let numbers: Vec<_> = heard.iter().map(|(number, _)| *number).collect();
            let all: Vec<_> = (1..=COUNT as u64 + 3).map(Some).collect();
            assert_eq!(numbers, all, "{interface:?}");
            assert_eq!(heard, replayed(&plain, interface, &id).await, "{interface:?}");
            check_task(&plain, &id).await;
            tasks += 1;
            assert!(tasks <= TASKS, "{interface:?}: {} cuts", server.cuts() - before);
        }
        let (version, cuts) = (interface.version.name(), server.cuts() - before);
        let _ = writeln!(counts, "{} {version}: {cuts} cuts, {tasks} tasks", binding.name());
    }
    assert!(server.cuts() >= CUTS, "{counts}");
    eprint!("{counts}");
    server.stop().await;
}

/// Begins to count. The first task is heard as it happens; behind the others the caller is.
async fn begin(plain: &Client, tasks: usize) -> TaskId {
    let script = format!("count {COUNT} every {}", u8::from(tasks == 0));
    let mut asked = request(&script);
    asked.configuration.return_immediately = true;
    match plain.send(asked).await {
        Ok(SendMessageResponse::Task(task)) => task.id,
        other => panic!("{other:?}"),
    }
}

/// The items of a task with their numbers, through connections that are cut from the first byte on.
async fn hear(
    server: &Real,
    client: &Client,
    interface: Interface,
    id: &TaskId,
) -> Vec<(Option<u64>, Value)> {
    server.cut_within(reach(interface.binding));
    let mut events = client.subscribe(id.clone(), Some(0)).await.expect("a stream");
    let mut heard = Vec::new();
    while let Some(event) = events.next().await {
        let (number, item) = event.unwrap_or_else(|error| panic!("{interface:?}: {error}"));
        heard.push((number, json(item)));
    }
    server.cut_after(None);
    assert_eq!(events.state(), Some(TaskState::Completed), "{interface:?}");
    heard
}

/// The task holds what was counted, in order.
async fn check_task(plain: &Client, id: &TaskId) {
    let task = plain.get_task(get(id)).await.expect("a task");
    let parts = task.artifacts[0].parts.iter();
    let counted: Vec<_> = parts.map(|part| part.as_text().unwrap_or_default().to_owned()).collect();
    let all: Vec<_> = (1..=COUNT).map(|number| number.to_string()).collect();
    assert_eq!(counted, all);
}
