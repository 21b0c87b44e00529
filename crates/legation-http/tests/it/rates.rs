//! Callers that call too often, as each binding tells them.

use std::sync::Arc;
use std::time::Duration;

use legation_auth::{Chain, Token, Tokens};
use legation_core::{Caller, Limits, Profile, Rate, Service};
use legation_http::Security;
use legation_store::sqlite::{Options, SqliteStore};
use legation_testkit::agents::Echo;
use legation_wire::grpc::Package;

use crate::client::{ask, rpc, say};
use crate::grpc_client::call;
use crate::server;

const ANN: &str = "lgn_ann-has-a-token-of-enough-bytes-0001";

#[tokio::test]
async fn a_caller_who_calls_too_often_is_told_when_to_come_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SqliteStore::open(directory.path(), Options::default()).expect("a new store");
    let rate = Rate { count: 1, within: Duration::from_secs(3_600), ..Rate::default() };
    let service = Service::builder(store)
        .agent(Profile::new("echo", "Echo", "Says it again"), Echo)
        .limits(Limits { rates: vec![rate], ..Limits::default() })
        .build()
        .expect("one agent");
    let caller = Caller { scheme: "bearer".into(), ..Caller::new("t", "ann") };
    let token = Token::new(ANN, caller).expect("a good token");
    let chain = Arc::new(Chain::of_tokens(Tokens::new(vec![token])));
    let server = server::serve(service, directory, chain, |settings| {
        settings.security = Security::bearer();
    })
    .await;
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
