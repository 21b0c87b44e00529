//! Callers that call too often, as each binding tells them.

use std::sync::Arc;
use std::time::Duration;

use legation_auth::{Chain, Token, Tokens};
use legation_core::{Caller, Limits, Profile, Rate, Service};
use legation_http::Security;
use legation_store::sqlite::{Options, SqliteStore};
use legation_testkit::agents::Echo;
use legation_wire::grpc::Package;

use crate::client::{Ask, ask, rpc, say};
use crate::grpc_client::{call, framed};
use crate::server::{self, Server};

const ANN: &str = "lgn_ann-has-a-token-of-enough-bytes-0001";

/// A server where Ann may call so often.
async fn start(rate: Rate) -> Server {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SqliteStore::open(directory.path(), Options::default()).expect("a new store");
    let service = Service::builder(store)
        .agent(Profile::new("echo", "Echo", "Says it again"), Echo)
        .limits(Limits { rates: vec![rate], ..Limits::default() })
        .build()
        .expect("one agent");
    let caller = Caller { scheme: "bearer".into(), ..Caller::new("t", "ann") };
    let token = Token::new(ANN, caller).expect("a good token");
    let chain = Arc::new(Chain::of_tokens(Tokens::new(vec![token])));
    let change = |settings: &mut legation_http::Settings| settings.security = Security::bearer();
    server::serve(service, directory, chain, change).await
}

fn once_an_hour() -> Rate {
    Rate { count: 1, within: Duration::from_secs(3_600), ..Rate::default() }
}

#[tokio::test]
async fn a_caller_who_calls_too_often_is_told_when_to_come_again() {
    let server = start(once_an_hour()).await;
    let bearer = format!("Bearer {ANN}");
    let rest = ask("POST", "/message:send").and("authorization", &bearer).body(say("hi"));
    assert_eq!(rest.to(server.address).await.status, 200, "the first");

    let wait = |value: Option<&str>| -> u64 {
        value.expect("when to come again").parse().expect("seconds")
    };
    let reply = rest.to(server.address).await;
    assert_eq!(reply.status, 429, "{reply:?}");
    assert!((3_500..=3_600).contains(&wait(reply.header("retry-after"))), "{reply:?}");
    assert!(reply.body.contains("too often"), "{reply:?}");

    let body = rpc("ListTasks", "{}");
    let reply =
        ask("POST", "/a2a").and("authorization", &bearer).body(body).to(server.address).await;
    assert!(reply.body.contains("too often") && reply.body.contains("\"error\""), "{reply:?}");
    assert!((3_500..=3_600).contains(&wait(reply.header("retry-after"))), "{reply:?}");

    let list = call(Package::V1_0, "ListTasks").and("authorization", &bearer).json("{}");
    let reply = list.to(server.address).await;
    assert_eq!(reply.code(), 8, "RESOURCE_EXHAUSTED: {reply:?}");
    assert_eq!(reply.details().0, "RATE_LIMITED");
    assert!((3_500..=3_600).contains(&wait(reply.metadata("retry-after"))), "{reply:?}");
    server.stop().await;
}

/// What is no call counts, on every binding and whatever is wrong with it.
#[tokio::test]
async fn what_cannot_be_read_counts_as_well() {
    let bearer = format!("Bearer {ANN}");
    let by_ann = |ask: Ask| ask.and("authorization", &bearer);
    let plain = [
        ("/a2a", by_ann(ask("POST", "/a2a")).body("{")),
        ("content type", by_ann(ask("POST", "/a2a")).body("{}").with("content-type", "text/plain")),
        ("method", by_ann(ask("POST", "/a2a")).body(rpc("Nothing", "{}"))),
        ("params", by_ann(ask("POST", "/a2a")).body(rpc("GetTask", "[]"))),
        (
            "head",
            by_ann(ask("POST", "/a2a")).body(rpc("ListTasks", "{}")).and("last-event-id", "x"),
        ),
        ("rest", by_ann(ask("POST", "/message:send")).body("{")),
        ("query", by_ann(ask("GET", "/tasks?pageSize=x"))),
        ("rest's head", by_ann(ask("GET", "/tasks")).and("last-event-id", "x")),
    ];
    for (what, request) in plain {
        let server = start(once_an_hour()).await;
        let first = request.to(server.address).await;
        assert!(first.status != 429 && !first.body.contains("too often"), "{what} {first:?}");
        let second = request.to(server.address).await;
        assert!(second.body.contains("too often"), "{what} {second:?}");
        assert!(second.header("retry-after").is_some(), "{what} {second:?}");
        server.stop().await;
    }
    let called = || call(Package::V1_0, "GetTask").and("authorization", &bearer);
    let framed_badly = [
        called().raw(vec![0, 0, 0]),
        called().raw(framed(b"\xff")),
        called().json("{}").and("a2a-version", "0.3"),
        called().json("{}").and("grpc-encoding", "zip"),
    ];
    for request in framed_badly {
        let server = start(once_an_hour()).await;
        assert_ne!(request.to(server.address).await.code(), 8, "{request:?}");
        assert_eq!(request.to(server.address).await.code(), 8, "{request:?}");
        server.stop().await;
    }
}
