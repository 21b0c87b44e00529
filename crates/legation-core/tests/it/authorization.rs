//! Authorization in the middle of a task, whose answer comes by another way than messages.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt as _;
use legation_core::{Call, Limits, OnRestart, Reply};
use legation_model::{CancelTaskRequest, ErrorKind, Request, StreamResponse, Task};

use crate::bench::{Bench, by, counted, further, items, kind, message, short, state};

const SECRET: &str = "a-code-for-nobody-else";

fn bench(limits: Limits) -> Bench {
    let bench = Bench::with(OnRestart::Retry, limits);
    bench.service.authorizations_arrive_at("http://here/a2a/callback");
    bench
}

/// The parameters that the server has put into the address at the end of what was said.
fn asked(task: &Task) -> HashMap<String, String> {
    let message = task.status.message.as_ref().expect("what is needed");
    let link = message.parts.last().and_then(|part| part.as_text()).expect("an address");
    let link = url::Url::parse(link).expect("a URL");
    assert_eq!(link.host_str(), Some("idp.example"));
    link.query_pairs().into_owned().collect()
}

/// The answer of a browser that was sent to the address.
fn answer(state: &str) -> Vec<(String, String)> {
    [("code", SECRET), ("state", state)].map(|(name, value)| (name.into(), value.into())).into()
}

#[tokio::test]
async fn the_task_goes_on_with_the_answer_and_streams_stay_open() {
    let bench = bench(Limits::default());
    let mut stream = bench.stream("grant").await;
    let mut seen = Vec::new();
    let task = loop {
        let item = stream.next().await.expect("an open stream").expect("no error");
        seen.push((item.seq, item.json.read().expect("a stream response")));
        if let Some((_, StreamResponse::StatusUpdate(update))) = seen.last()
            && state(update.status.state) == "AUTH_REQUIRED"
        {
            break bench.get(&update.task_id).await;
        }
    };
    let asked = asked(&task);
    assert_eq!(asked["redirect_uri"], "http://here/a2a/callback");
    assert_eq!(asked["scope"], "calendar");
    bench.service.authorized(answer(&asked["state"])).await.expect("a task that waits");
    seen.extend(items(stream).await);
    let expected = [
        "1 task SUBMITTED",
        "2 WORKING",
        "3 AUTH_REQUIRED",
        "4 WORKING",
        "5 WORKING",
        "6 +got a code of 22 letters, kept 7",
        "7 COMPLETED",
    ];
    assert_eq!(short(&seen), expected);
    let again = bench.service.authorized(answer(&asked["state"])).await;
    assert_eq!(again.expect_err("it is used up").kind, ErrorKind::InvalidParams);
    // What came is for the agent alone: none of it is in a file.
    for file in std::fs::read_dir(bench.dir.path()).expect("a directory") {
        let bytes = std::fs::read(file.expect("a file").path()).unwrap_or_default();
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    }
}

#[tokio::test]
async fn an_answer_that_nothing_waits_for_changes_nothing() {
    let refused = async |bench: &Bench, answer: Vec<(String, String)>| {
        bench.service.authorized(answer).await.expect_err("nothing waits for it").to_string()
    };
    let bench = bench(Limits::default());
    let task = bench.say("grant").await;
    let link = asked(&task);
    let known = refused(&bench, answer("unknown")).await;
    let twice = [answer(&link["state"]), answer(&link["state"])].concat();
    let stateless = vec![("code".to_owned(), SECRET.to_owned())];
    for bad in [twice, stateless, Vec::new()] {
        assert_eq!(refused(&bench, bad).await, known);
    }
    // A message makes a new link, in place of the earlier one.
    let task = bench.send(further(&task, "grant")).await;
    let newer = asked(&task);
    assert_eq!(refused(&bench, answer(&link["state"])).await, known);
    // A task that has gone on without it, or has ended, takes no answer.
    let task = bench.send(further(&task, "ask")).await;
    assert_eq!(state(task.status.state), "INPUT_REQUIRED");
    assert_eq!(refused(&bench, answer(&newer["state"])).await, known);
    let task = bench.say("grant").await;
    let cancel = CancelTaskRequest { tenant: None, id: task.id.clone(), metadata: None };
    bench.call(Request::CancelTask(cancel)).await.expect("a task that waits is cancelled");
    assert_eq!(refused(&bench, answer(&asked(&task)["state"])).await, known);
    assert_eq!(state(bench.get(&task.id).await.status.state), "CANCELED");
    // After a restart the link leads nowhere, and the task still waits.
    let task = bench.say("grant").await;
    let bench = bench.restart(OnRestart::Retry).await;
    assert_eq!(refused(&bench, answer(&asked(&task)["state"])).await, known);
    assert_eq!(state(bench.get(&task.id).await.status.state), "AUTH_REQUIRED");
}

/// The run that an answer begins is one of its caller's, and waits for a place like one.
#[tokio::test]
async fn an_answer_waits_for_a_place_and_is_not_lost() {
    let bench = bench(Limits { runs_per_caller: Some(1), ..Limits::default() });
    let [first, second] = [bench.say("grant").await, bench.say("grant").await];
    let at_work = bench.begin("wait").await;
    for task in [&first, &second] {
        bench.service.authorized(answer(&asked(task)["state"])).await.expect("a task that waits");
        let is_accepted = async {
            while state(bench.get(&task.id).await.status.state) != "WORKING" {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let accepted = tokio::time::timeout(Duration::from_secs(20), is_accepted).await;
        accepted.expect("it becomes durable while it waits");
    }
    // A run would have begun by now.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(bench.get(&first.id).await.artifacts.is_empty());
    let refused = bench.call(Request::SendMessage(message("answer"))).await;
    assert_eq!(kind(refused), ErrorKind::RateLimited, "those who wait come first");
    let cancel = CancelTaskRequest { tenant: None, id: second.id.clone(), metadata: None };
    bench.call(Request::CancelTask(cancel)).await.expect("one that waits can be cancelled");
    assert_eq!(state(bench.get(&second.id).await.status.state), "CANCELED");
    bench.gate.notify_one();
    bench.ended(&at_work.id).await;
    let ended = bench.ended(&first.id).await;
    assert_eq!(counted(&ended), ["got a code of 22 letters, kept 7"]);
    assert_eq!(state(bench.say("answer").await.status.state), "COMPLETED", "all are free again");
}

#[tokio::test]
async fn the_answer_arrives_where_the_caller_sees_the_server() {
    let bench = bench(Limits::default());
    let behind = Call { callback: Some("https://seen/a2a/callback".into()), ..by("ann") };
    for (call, expected) in
        [(behind, "https://seen/a2a/callback"), (by("ann"), "http://here/a2a/callback")]
    {
        let sent = bench.service.call(&call, Request::SendMessage(message("grant"))).await;
        let Ok(Reply::SentTask(task)) = sent else { panic!("{sent:?}") };
        assert_eq!(asked(&task.read().expect("a task"))["redirect_uri"], expected);
    }
}

#[tokio::test]
async fn links_end_and_there_are_only_so_many() {
    let few = bench(Limits { authorizations: 1, ..Limits::default() });
    let ends = [few.say("grant").await, few.say("grant").await];
    let ends = ends.map(|task| state(task.status.state));
    assert_eq!(ends, ["AUTH_REQUIRED", "FAILED"]);
    // One that has ended makes room.
    let wait = Duration::ZERO;
    let brief = bench(Limits { authorizations: 1, authorization_wait: wait, ..Limits::default() });
    for _ in 0..2 {
        let task = brief.say("grant").await;
        let late = brief.service.authorized(answer(&asked(&task)["state"])).await;
        assert_eq!(late.expect_err("it is over").kind, ErrorKind::InvalidParams);
    }
}

#[tokio::test]
async fn without_an_address_there_are_no_links() {
    let bench = Bench::new();
    let task = bench.say("grant").await;
    let said = task.status.message.expect("a reason").text();
    assert!(said.starts_with("this server has no address for authorizations."), "{said}");
    assert!(bench.service.call(&by("ann"), Request::SendMessage(message("answer"))).await.is_ok());
}
