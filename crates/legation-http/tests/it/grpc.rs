//! gRPC: what its calls say beside their messages, and how they end.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::Either;
use legation_auth::Anonymous;
use legation_core::{Authenticated, Authenticator, CURSOR_EXTENSION, Credentials};
use legation_http::{ErrorProfile, MissingVersion, Settings};
use legation_wire::grpc::Package;

use crate::client::{ask, say};
use crate::grpc_client::{GrpcAsk, GrpcReply, at, call, encode, framed};
use crate::server::{self, Server};

const V1: Package = Package::V1_0;
const V0: Package = Package::V0_3;

async fn start(change: impl FnOnce(&mut Settings)) -> Server {
    server::start_with(Arc::new(Anonymous), change).await
}

fn send(package: Package, text: &str) -> GrpcAsk {
    said(package, "SendMessage", text)
}

fn said(package: Package, method: &str, text: &str) -> GrpcAsk {
    let content = if package == V1 { "parts" } else { "content" };
    call(package, method).json(&format!(
        r#"{{"message":{{"messageId":"m","role":"ROLE_USER","{content}":[{{"text":"{text}"}}]}}}}"#
    ))
}

fn get(package: Package, id: &str) -> GrpcAsk {
    let params = if package == V1 { r#"{"id":"ID"}"# } else { r#"{"name":"tasks/ID"}"# };
    call(package, "GetTask").json(&params.replace("ID", id))
}

/// The id of the task in an answer.
fn id_of(reply: &GrpcReply) -> String {
    let value: serde_json::Value = serde_json::from_str(&reply.json()[0]).expect("JSON");
    value["task"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn what_is_not_there_is_unimplemented() {
    let server = start(|_| {}).await;
    let cases = [
        at("/lf.a2a.v1.A2AService/EatMessage"),
        at("/lf.a2a.v1.A2AService/"),
        at("/a2a.v1.A2AService/ListTasks"),
        at("/a2a.v1.A2AService/SubscribeToTask"),
        at("/a2a.v2.A2AService/SendMessage"),
        at("/SendMessage"),
        at("/"),
        at("/a2a"),
    ];
    for case in cases {
        let reply = case.clone().raw(framed(b"")).to(server.address).await;
        assert_eq!((reply.http, reply.code()), (200, 12), "{case:?} {reply:?}");
        assert_eq!(reply.metadata("content-type"), Some("application/grpc"));
        assert!(reply.trailers.is_empty(), "told in the head");
    }
    let old = ask("POST", "/lf.a2a.v1.A2AService/SendMessage");
    let old = old.with("content-type", "application/grpc").to(server.address).await;
    assert_eq!(old.status, 404, "not over HTTP/1.1: {old:?}");
    server.stop().await;
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let server = start(|settings| settings.grpc = None).await;
    let open = send(V1, "hi").open(server.address).await;
    assert_eq!(open.reply.http, 404, "gRPC clients call that unimplemented");
    let card = ask("GET", "/.well-known/agent-card.json").to(server.address).await;
    assert!(!card.body.contains("GRPC"), "{card:?}");
    server.stop().await;
}

#[tokio::test]
async fn the_version_that_is_stated_agrees_with_the_package() {
    let server = start(|_| {}).await;
    let cases = [
        (V1, Some("1.0"), 0),
        (V1, Some("1.0.7"), 0),
        (V1, Some(""), 9),
        (V1, None, 9),
        (V1, Some("0.3"), 9),
        (V1, Some("9.9"), 9),
        (V1, Some("nonsense"), 9),
        (V0, Some("0.3"), 0),
        (V0, Some("0.2"), 0),
        (V0, Some(""), 0),
        (V0, None, 0),
        (V0, Some("1.0"), 12),
    ];
    for (package, stated, code) in cases {
        let reply = send(package, "hi").stating(stated).to(server.address).await;
        assert_eq!(reply.code(), code, "{package:?} {stated:?}: {reply:?}");
        if code != 0 {
            assert_eq!(reply.details().0, "VERSION_NOT_SUPPORTED");
        } else {
            assert_eq!(reply.metadata("a2a-version"), Some(package.version().name()));
        }
    }
    server.stop().await;
    let server = start(|settings| settings.errors = ErrorProfile::V1_0_0).await;
    let reply = send(V1, "hi").stating(Some("0.3")).to(server.address).await;
    assert_eq!(reply.code(), 12, "as 1.0.0 has it");
    server.stop().await;
}

#[tokio::test]
async fn a_call_without_a_version_is_told_what_to_send_or_let_pass() {
    for (missing, code) in [(MissingVersion::Strict, 9), (MissingVersion::Infer, 0)] {
        let server = start(|settings| settings.missing_version = missing).await;
        let reply = send(V1, "hi").stating(None).to(server.address).await;
        assert_eq!(reply.code(), code, "{missing:?}: {reply:?}");
        let told = reply.metadata("grpc-message").unwrap_or_default();
        let says_what = told.contains("send the metadata `a2a-version: 1.0`");
        assert_eq!(says_what, missing == MissingVersion::Strict, "{told}");
        let other = send(V1, "hi").stating(Some("0.3")).to(server.address).await;
        assert_eq!(other.code(), 9, "what is stated counts: {other:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn bodies_that_are_no_message_are_refused() {
    let server = start(|settings| settings.bounds.body = 1_000).await;
    let good = encode(V1, "GetTask", r#"{"id":"x"}"#);
    let mut cut = framed(&good);
    cut.pop();
    let cases = [
        (Vec::new(), 3),
        (vec![0, 0, 0], 3),
        (cut, 3),
        ([framed(&good), framed(&good)].concat(), 3),
        ([&[1], &framed(&good)[1..]].concat(), 3),
        (framed(b"\xff\xff\xff"), 3),
        (framed(&[0; 2_000]), 8),
        (framed(&good), 5),
    ];
    for (body, code) in cases {
        let reply = call(V1, "GetTask").raw(body.clone()).to(server.address).await;
        assert_eq!((reply.http, reply.code()), (200, code), "{body:?}: {reply:?}");
        assert!(!reply.details().0.is_empty());
    }
    server.stop().await;
}

#[tokio::test]
async fn the_field_that_is_wrong_is_named() {
    let server = start(|_| {}).await;
    let cases = [
        (V1, "SendMessage", "{}", "message"),
        (
            V1,
            "SendMessage",
            r#"{"message":{"role":"ROLE_USER","parts":[{"text":"x"}]}}"#,
            "message.message_id",
        ),
        (
            V1,
            "SendMessage",
            r#"{"message":{"messageId":"m","parts":[{"text":"x"}]}}"#,
            "message.role",
        ),
        (V1, "SendMessage", r#"{"message":{"messageId":"m","role":"ROLE_USER"}}"#, "message.parts"),
        (
            V1,
            "SendMessage",
            r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":[{}]}}"#,
            "message.parts[0]",
        ),
        (V1, "GetTask", r#"{"id":"a\nb"}"#, "id"),
        (V1, "GetTask", r#"{"id":"x","historyLength":-1}"#, "history_length"),
        (V1, "ListTasks", r#"{"pageSize":101}"#, "page_size"),
        (V1, "ListTasks", r#"{"tenant":"another"}"#, "tenant"),
        (V0, "SendMessage", "{}", "request"),
        (V0, "GetTask", r#"{"name":"x"}"#, "name"),
    ];
    for (package, method, params, field) in cases {
        let reply = call(package, method).json(params).to(server.address).await;
        assert_eq!(reply.code(), 3, "{params}: {reply:?}");
        let (reason, fields) = reply.details();
        assert_eq!(reason, "INVALID_PARAMS", "{params}");
        assert!(fields.iter().any(|named| named == field), "{params}: {fields:?}");
    }
    for (name, value) in [("grpc-timeout", "soon"), ("last-event-id", "x"), ("idempotency-key", "")]
    {
        let reply = send(V1, "hi").and(name, value).to(server.address).await;
        assert_eq!((reply.code(), reply.details().1.len()), (3, 1), "{name}: {reply:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_idempotency_key_makes_one_task() {
    let server = start(|_| {}).await;
    let send = send(V1, "hi").and("idempotency-key", "k-1");
    let [one, two] = [send.to(server.address).await, send.to(server.address).await];
    assert_eq!(id_of(&one), id_of(&two));
    server.stop().await;
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_not_the_work() {
    let server = start(|_| {}).await;
    let unary = send(V1, "wait").and("grpc-timeout", "300m").to(server.address).await;
    assert_eq!((unary.code(), unary.details().0.as_str()), (4, "DEADLINE_EXCEEDED"));
    let stream = said(V1, "SendStreamingMessage", "wait").and("grpc-timeout", "300m");
    let stream = stream.to(server.address).await;
    assert_eq!((stream.code(), stream.messages.len()), (4, 2), "{stream:?}");
    let task = get(V1, &id_of(&stream)).to(server.address).await;
    assert!(task.json()[0].contains("TASK_STATE_WORKING"), "{task:?}");
    let listed = call(V1, "ListTasks").json("{}").to(server.address).await;
    assert_eq!(listed.json()[0].matches("TASK_STATE_WORKING").count(), 2, "both go on");
    let none = send(V1, "hi").and("grpc-timeout", "0n").to(server.address).await;
    assert_eq!(none.code(), 4);
    server.stop().await;
}

#[tokio::test]
async fn a_stream_is_resumed_from_the_number_that_its_items_carry() {
    let server = start(|_| {}).await;
    for package in [V1, V0] {
        let stream = said(package, "SendStreamingMessage", "hi");
        let stream = stream.and("a2a-extensions", CURSOR_EXTENSION).to(server.address).await;
        assert_eq!(stream.metadata("a2a-extensions"), Some(CURSOR_EXTENSION));
        let told = stream.json();
        for (number, item) in told.iter().enumerate() {
            let seq = format!(r#""{CURSOR_EXTENSION}":{{"seq":{}}}"#, number + 1);
            assert!(item.contains(&seq), "{item}");
        }
        let (method, params) = match package {
            V1 => ("SubscribeToTask", r#"{"id":"ID"}"#),
            V0 => ("TaskSubscription", r#"{"name":"tasks/ID"}"#),
        };
        let resumed = call(package, method).json(&params.replace("ID", &id_of(&stream)));
        let resumed = resumed.and("last-event-id", "2").and("x-a2a-extensions", CURSOR_EXTENSION);
        let resumed = resumed.to(server.address).await;
        assert_eq!(resumed.code(), 0, "{resumed:?}");
        assert_eq!(resumed.json()[1..], told[2..], "what was missed, behind a header");
        assert_eq!(resumed.metadata("x-a2a-extensions"), Some(CURSOR_EXTENSION));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_says_behind_which_event_its_items_begin() {
    let server = start(|_| {}).await;
    for package in [V1, V0] {
        let stream = said(package, "SendStreamingMessage", "hi").to(server.address).await;
        assert_eq!(stream.metadata("last-event-id"), Some("0"));
        let subscribe = |id: &str| match package {
            V1 => call(V1, "SubscribeToTask").json(&format!(r#"{{"id":"{id}"}}"#)),
            V0 => call(V0, "TaskSubscription").json(&format!(r#"{{"name":"tasks/{id}"}}"#)),
        };
        let resumed = subscribe(&id_of(&stream)).and("last-event-id", "2").to(server.address).await;
        assert_eq!(resumed.metadata("last-event-id"), Some("2"));
        assert_eq!(resumed.messages.len(), 1 + stream.messages.len() - 2, "with a header");
        let mut first = said(package, "SendStreamingMessage", "wait").open(server.address).await;
        first.next().await.expect("the task");
        first.next().await.expect("that it works");
        let waiting = id_of(&first.reply);
        // The task as of event 2 is an item like any other: the one behind event 1.
        let joined = subscribe(&waiting).open(server.address).await;
        assert_eq!(joined.reply.metadata("last-event-id"), Some("1"));
    }
    server.stop().await;
}

#[tokio::test]
async fn many_and_large_items_arrive_whole_and_in_order() {
    let server = start(|_| {}).await;
    let reply = said(V1, "SendStreamingMessage", "chunks 1000").to(server.address).await;
    assert_eq!((reply.code(), reply.messages.len()), (0, 1003));
    let large = "x".repeat(100_000);
    for method in ["SendMessage", "SendStreamingMessage"] {
        let reply = said(V1, method, &large).to(server.address).await;
        assert_eq!(reply.code(), 0);
        assert!(reply.json().iter().any(|item| item.contains(&large)));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_that_ends_with_the_server_says_how_to_go_on() {
    let server = start(|_| {}).await;
    let mut stream = said(V1, "SendStreamingMessage", "wait").open(server.address).await;
    stream.next().await.expect("the task");
    stream.next().await.expect("that it works");
    let reading = tokio::spawn(stream.collect());
    server.stop().await;
    let reply = reading.await.expect("no panic");
    assert_eq!((reply.code(), reply.details().0.as_str()), (14, "UNAVAILABLE"), "{reply:?}");
    assert_eq!(reply.metadata("last-event-id"), Some("2"));
}

#[tokio::test]
async fn a_silent_stream_stays_open() {
    let change = |settings: &mut Settings| {
        settings.bounds.heartbeat = Duration::from_millis(50);
        settings.bounds.write_stall = Duration::from_millis(100);
    };
    let server = start(change).await;
    let mut stream = said(V1, "SendStreamingMessage", "wait").open(server.address).await;
    stream.next().await.expect("the task");
    stream.next().await.expect("that it works");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let cancel = format!("/tasks/{}:cancel", id_of(&stream.reply));
    let cancelled = ask("POST", &cancel).body("{}").to(server.address).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let reply = stream.collect().await;
    assert_eq!(reply.code(), 0, "{reply:?}");
    assert!(reply.json().pop().expect("the end").contains("TASK_STATE_CANCELED"));
    server.stop().await;
}

#[tokio::test]
async fn answers_have_a_bound() {
    let server = start(|settings| settings.bounds.grpc_answer = 2_000).await;
    let large = "x".repeat(2_000);
    for method in ["SendMessage", "SendStreamingMessage"] {
        let reply = said(V1, method, &large).to(server.address).await;
        assert_eq!((reply.code(), reply.details().0.as_str()), (8, "TOO_LARGE"), "{reply:?}");
    }
    assert_eq!(send(V1, "hi").to(server.address).await.code(), 0);
    server.stop().await;
}

fn packed(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(message).expect("memory");
    let packed = encoder.finish().expect("memory");
    [&[1][..], &u32::try_from(packed.len()).expect("short").to_be_bytes(), &packed].concat()
}

#[tokio::test]
async fn compression_is_used_where_it_is_switched_on_and_asked_for() {
    let text = "x".repeat(5_000);
    let message = encode(V1, "SendMessage", &say(&text));
    let request = call(V1, "SendMessage").raw(packed(&message)).and("grpc-encoding", "gzip");
    let off = start(|_| {}).await;
    let refused = request.to(off.address).await;
    assert_eq!(refused.code(), 12);
    assert_eq!(refused.metadata("grpc-accept-encoding"), Some("identity"));
    let plain = send(V1, &text).and("grpc-accept-encoding", "gzip").to(off.address).await;
    assert_eq!((plain.code(), plain.metadata("grpc-encoding")), (0, None));
    off.stop().await;

    let on = start(|settings| {
        settings.grpc.as_mut().expect("by default").gzip = true;
        settings.bounds.body = 100_000;
    });
    let on = on.await;
    let taken = request.to(on.address).await;
    assert_eq!((taken.code(), taken.metadata("grpc-encoding")), (0, None), "not asked for");
    let asked = request.clone().and("grpc-accept-encoding", "identity,gzip").to(on.address).await;
    assert_eq!((asked.code(), asked.metadata("grpc-encoding")), (0, Some("gzip")));
    assert!(asked.json()[0].contains(&text));
    let bomb = packed(&vec![0; 50_000_000]);
    assert!(bomb.len() < 100_000);
    let bomb = call(V1, "SendMessage").raw(bomb).and("grpc-encoding", "gzip").to(on.address).await;
    assert_eq!((bomb.code(), bomb.details().0.as_str()), (8, "TOO_LARGE"));
    on.stop().await;
}

#[tokio::test]
async fn an_agent_is_called_below_its_mount_or_at_a_port_of_its_own() {
    let server = start(|_| {}).await;
    let at_mount = send(V1, "hi").below("/a2a/agents/counter").to(server.address).await;
    let crew = send(V1, "hi").to(server.address).await;
    let id = id_of(&crew);
    assert_eq!(get(V1, &id).to(server.address).await.code(), 0);
    assert_eq!(get(V1, &id).below("/a2a/counter").to(server.address).await.code(), 5);
    assert_eq!(get(V1, &id).below("/a2a/agents/echo").to(server.address).await.code(), 0);
    assert_eq!(get(V1, &id_of(&at_mount)).to(server.address).await.code(), 0, "one of the crew's");
    assert_eq!(get(V1, &id).below("/a2a/agents/nobody").to(server.address).await.code(), 12);
    server.stop().await;
}

/// Knows nobody, and takes long to say so.
struct Slow;

impl Authenticator for Slow {
    fn authenticate<'a>(&'a self, _: Credentials<'a>) -> Authenticated<'a> {
        Either::Right(Box::pin(std::future::pending()))
    }
}

#[tokio::test]
async fn the_deadline_counts_from_the_beginning() {
    let server = server::start_with(Arc::new(Slow), |_| {}).await;
    let reply = send(V1, "hi").and("grpc-timeout", "100m").to(server.address).await;
    assert_eq!(reply.code(), 4, "{reply:?}");
    server.stop().await;
}
