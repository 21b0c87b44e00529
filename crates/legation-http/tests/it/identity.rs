//! Who calls: nobody is served without saying, before anything of the body is looked at.

use std::sync::Arc;

use legation_auth::{Bearer, Token};
use legation_core::Caller;
use legation_http::{Security, Version};
use legation_wire::operation;

use crate::client::{Ask, ask, exchange, rpc, say};
use crate::server::{self, Server};

const ANN: &str = "lgn_ann-has-a-token-of-enough-bytes-0001";
const BOB: &str = "lgn_bob-has-a-token-of-enough-bytes-0002";

async fn start() -> Server {
    let token = |secret, tenant: &str| {
        let caller = Caller::new(tenant, tenant);
        Token::new(secret, caller).expect("long enough")
    };
    let bearer = Bearer::new(vec![token(ANN, "ann"), token(BOB, "bob")]);
    server::start_with(Arc::new(bearer), |settings| settings.security = Security::Bearer).await
}

/// A request for each operation of each version on each binding and mount, with the version stated
/// and, where the method or the path say it as well, without.
fn operations() -> Vec<(String, Ask)> {
    let mut all = Vec::new();
    let mut add = |version: Version, method: &str, path: &str, body: String| {
        let name = format!("{} {method} {path} {body}", version.name());
        let stated = ask(method, path).with("a2a-version", version.name()).body(body);
        if version != Version::V1_0 {
            all.push((name.clone(), stated.clone().without("a2a-version")));
        }
        all.push((name, stated));
    };
    for version in Version::SERVED {
        for row in operation::rows(version) {
            for path in ["/", "/a2a", "/a2a/", "/a2a/agents/echo", "/a2a/echo"] {
                add(version, "POST", path, rpc(row.method, "{}"));
            }
            for mount in ["", "/acme", "/a2a/agents/echo", "/a2a/echo"] {
                if mount == "/acme" && version != Version::V1_0 {
                    continue;
                }
                for verb in row.verbs {
                    let path = ["{id}", "{taskId}", "{pushNotificationConfigId}"]
                        .iter()
                        .fold(row.path.to_owned(), |path, name| path.replace(name, "1"));
                    add(version, verb.name(), &format!("{mount}{path}"), "{}".into());
                }
            }
        }
    }
    all
}

#[tokio::test]
async fn no_operation_is_anonymous() {
    let server = start().await;
    let wrong = format!("Bearer {ANN}x");
    for (name, request) in operations() {
        let two = request.clone().and("authorization", &format!("Bearer {ANN}"));
        let cases = [
            request.clone(),
            request.clone().and("authorization", ""),
            request.clone().and("authorization", "Basic eDp5"),
            request.clone().and("authorization", &wrong),
            two.and("authorization", "Basic eDp5"),
        ];
        for case in cases {
            let reply = case.to(server.address).await;
            assert_eq!(reply.status, 401, "{name} {reply:?}");
            let challenge = reply.header("www-authenticate").expect("a challenge");
            assert!(challenge.starts_with(r#"Bearer realm="legation""#), "{challenge}");
            assert!(reply.body.contains("UNAUTHENTICATED"), "{reply:?}");
        }
        let known = request.and("authorization", &format!("Bearer {ANN}"));
        assert_ne!(known.to(server.address).await.status, 401, "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_refusal_does_not_wait_for_the_body() {
    let server = start().await;
    for path in ["/a2a", "/message:send"] {
        let announced = ask("POST", path).with("content-length", "1000000").bytes();
        assert_eq!(exchange(server.address, &announced).await.status, 401);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let server = start().await;
    let by = |method, path: &str, token| {
        ask(method, path).and("authorization", &format!("Bearer {token}"))
    };
    let sent = by("POST", "/message:send", ANN).body(say("hi")).to(server.address).await;
    let id = sent.text_after(r#""task":{"id":""#);
    let random = "0190f3a0-0000-7000-8000-000000000000";
    for (method, path) in
        [("GET", "/tasks/#"), ("POST", "/tasks/#:cancel"), ("GET", "/tasks/#:subscribe")]
    {
        let foreign = by(method, &path.replace('#', id), BOB).to(server.address).await;
        let missing = by(method, &path.replace('#', random), BOB).to(server.address).await;
        assert_eq!(foreign.status, 404, "{path}");
        assert_eq!(foreign.body.replace(id, random), missing.body, "{path}");
    }
    let own = by("GET", &format!("/ann/tasks/{id}"), ANN).to(server.address).await;
    assert_eq!(own.status, 200, "a tenant may be named by those who belong to it");
    server.stop().await;
}

#[tokio::test]
async fn cards_and_health_are_public() {
    let server = start().await;
    for path in ["/.well-known/agent-card.json", "/a2a/agents/echo", "/healthz", "/readyz"] {
        assert_eq!(ask("GET", path).to(server.address).await.status, 200, "{path}");
    }
    let card = ask("GET", "/.well-known/agent-card.json").to(server.address).await;
    assert!(card.body.contains(r#""httpAuthSecurityScheme":{"scheme":"Bearer"}"#), "{card:?}");
    server.stop().await;
}

#[tokio::test]
async fn foreign_hosts_and_pages_are_refused() {
    let server = start().await;
    let token = format!("Bearer {ANN}");
    for path in ["/a2a", "/tasks", "/.well-known/agent-card.json", "/healthz"] {
        let request = ask("GET", path).and("authorization", &token);
        let foreign_host = request.clone().with("host", "evil.example").to(server.address).await;
        let foreign_page = request.and("origin", "http://evil.example").to(server.address).await;
        assert_eq!((foreign_host.status, foreign_page.status), (403, 403), "{path}");
    }
    server.stop().await;
}
