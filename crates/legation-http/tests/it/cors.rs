//! Pages of other origins: none calls unless it is let in, and then it can read what it needs.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use legation_auth::Anonymous;
use legation_http::Cors;

use crate::client::{Ask, Reply, ask, rpc, say};
use crate::server::{self, Server};

const PAGE: &str = "https://console.example.com";

async fn start(credentials: bool) -> Server {
    let cors = Cors {
        origins: vec![PAGE.into()],
        headers: vec![HeaderName::from_static("x-api-key")],
        credentials,
        max_age: Duration::from_secs(600),
    };
    server::start_with(Arc::new(Anonymous), |settings| settings.cors = Some(cors)).await
}

fn preflight(path: &str, origin: &str) -> Ask {
    let request = ask("OPTIONS", path).and("origin", origin);
    request.and("access-control-request-method", "POST")
}

fn send(path: &str) -> Ask {
    let body = if path == "/a2a" { rpc("SendMessage", &say("hi")) } else { say("hi") };
    ask("POST", path).body(body)
}

/// The header of a list, its names in order.
fn names(reply: &Reply, header: &str) -> Vec<String> {
    let list = reply.header(header).unwrap_or_default();
    list.split(", ").map(str::to_owned).collect()
}

#[tokio::test]
async fn a_page_that_is_let_in_may_call_and_read_every_binding() {
    let server = start(false).await;
    for path in ["/a2a", "/message:send", "/message:stream", "/a2a/agents/echo"] {
        let reply = preflight(path, PAGE).to(server.address).await;
        assert_eq!(reply.status, 204, "{path}: {reply:?}");
        assert_eq!(reply.header("access-control-allow-origin"), Some(PAGE));
        assert_eq!(reply.header("access-control-max-age"), Some("600"));
        assert_eq!(reply.header("access-control-allow-credentials"), None);
        assert_eq!(reply.header("vary"), Some("Origin"));
        let allowed = names(&reply, "access-control-allow-headers");
        for name in ["authorization", "a2a-version", "a2a-extensions", "last-event-id", "x-api-key"]
        {
            assert!(allowed.iter().any(|known| known == name), "{name} in {allowed:?}");
        }
    }
    for path in ["/a2a", "/message:send"] {
        let reply = send(path).and("origin", PAGE).to(server.address).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("access-control-allow-origin"), Some(PAGE));
        let read = names(&reply, "access-control-expose-headers");
        assert!(read.iter().any(|name| name == "a2a-version"), "{read:?}");
    }
    // Errors are for the page to read as well.
    let missing = ask("GET", "/tasks/none").and("origin", PAGE).to(server.address).await;
    assert_eq!((missing.status, missing.header("access-control-allow-origin")), (404, Some(PAGE)));
    server.stop().await;
}

#[tokio::test]
async fn no_other_page_is_let_in_nor_told_anything() {
    let server = start(true).await;
    let own = preflight("/a2a", PAGE).to(server.address).await;
    assert_eq!(own.header("access-control-allow-credentials"), Some("true"));
    let others = [
        "https://evil.example",
        "http://console.example.com",
        "https://console.example.com:8443",
        "https://console.example.com.evil.example",
        "https://x.console.example.com",
        "null",
        "*",
    ];
    for origin in others {
        for request in [preflight("/a2a", origin), send("/a2a").and("origin", origin)] {
            let reply = request.to(server.address).await;
            assert_eq!(reply.status, 403, "{origin}: {reply:?}");
            assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
            assert_eq!(reply.header("access-control-allow-credentials"), None, "{origin}");
        }
    }
    let program = send("/a2a").to(server.address).await;
    assert_eq!((program.status, program.header("access-control-allow-origin")), (200, None));
    server.stop().await;
}

#[tokio::test]
async fn without_cors_there_is_no_word_of_it() {
    let server = server::start().await;
    let reply = preflight("/a2a", "http://localhost:3000").to(server.address).await;
    assert_eq!(reply.status, 405, "{reply:?}");
    let reply = send("/a2a").and("origin", "http://localhost:3000").to(server.address).await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, None));
    server.stop().await;
}
