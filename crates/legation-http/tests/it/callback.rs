//! The page on which the answer to an authorization arrives.

use std::sync::Arc;

use async_trait::async_trait;
use legation_auth::Anonymous;
use legation_core::{Agent, AgentError, Authorization, Profile, Service, Turn};
use legation_store::sqlite::{Options, SqliteStore};

use crate::client::{ask, rpc, say};
use crate::server;

/// Needs somebody's word for whatever it is asked.
struct Careful;

#[async_trait]
impl Agent for Careful {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        match turn.granted() {
            None => turn.authorize(Authorization::at("https://idp.example/a")?, "May I?").await,
            Some(grant) if grant.parameters.contains_key("code") => turn.answer("done").await,
            Some(_) => turn.reject("not without you").await,
        }
    }
}

fn service(directory: &tempfile::TempDir) -> Arc<Service> {
    let store = SqliteStore::open(directory.path(), Options::default()).expect("a new store");
    let profile = Profile::new("careful", "Careful", "Asks first");
    Service::builder(store).agent(profile, Careful).build().expect("one agent")
}

/// Without a public address, behind a proxy that is trusted, the answer comes by that proxy as well.
#[tokio::test]
async fn the_answer_comes_by_the_proxy_that_the_caller_came_by() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let service = service(&directory);
    let trust = |settings: &mut legation_http::Settings| {
        settings.trusted_proxies = vec!["127.0.0.1".parse().expect("a network")];
    };
    let server = server::serve(service, directory, Arc::new(Anonymous), trust).await;
    let own = format!("http%3A%2F%2F127.0.0.1%3A{}%2Fa2a%2Fcallback", server.address.port());
    let plain = ask("POST", "/a2a").body(rpc("SendMessage", &say("go")));
    let proxied = plain
        .clone()
        .and("x-forwarded-host", "agents.example")
        .and("x-forwarded-proto", "https")
        .and("x-forwarded-prefix", "/x");
    let seen = "https%3A%2F%2Fagents.example%2Fx%2Fa2a%2Fcallback";
    for (request, expected) in [(proxied, seen), (plain, &*own)] {
        let sent = request.to(server.address).await;
        assert_eq!(sent.text_after("redirect_uri=").split('&').next(), Some(expected), "{sent:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_browser_brings_the_answer_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let service = service(&directory);
    let server = server::serve(service, directory, Arc::new(Anonymous), |_| {}).await;
    for (answer, end) in [("code=c", "COMPLETED"), ("error=access_denied", "REJECTED")] {
        let sent =
            ask("POST", "/a2a").body(rpc("SendMessage", &say("go"))).to(server.address).await;
        assert!(sent.body.contains("TASK_STATE_AUTH_REQUIRED"), "{sent:?}");
        let id = sent.text_after(r#""task":{"id":""#);
        let callback =
            format!("http%3A%2F%2F127.0.0.1%3A{}%2Fa2a%2Fcallback", server.address.port());
        let state = sent.text_after(&format!("redirect_uri={callback}&state="));
        let path = format!("/a2a/callback?{answer}&state={state}");
        let browse = async |method: &str| {
            let ask = ask(method, &path).without("content-type").without("a2a-version");
            ask.to(server.address).await
        };
        // Those who only look do not use the answer up.
        for method in ["HEAD", "POST"] {
            assert_eq!(browse(method).await.status, 405, "{method}");
        }
        let page = browse("GET").await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/html; charset=utf-8"))
        );
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        let policy = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(page.header("content-security-policy"), Some(policy));
        let again = browse("GET").await;
        assert_eq!(again.status, 400);
        assert!(!again.body.contains(state), "{again:?}");
        let of_task = format!(r#"{{"id":"{id}"}}"#);
        let of_task = async |method: &str| {
            ask("POST", "/a2a").body(rpc(method, &of_task)).to(server.address).await
        };
        // To its end, unless that is past.
        of_task("SubscribeToTask").await;
        let got = of_task("GetTask").await;
        assert!(got.body.contains(&format!("TASK_STATE_{end}")), "{got:?}");
    }
    server.stop().await;
}
