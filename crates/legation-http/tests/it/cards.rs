//! Cards and health.

use crate::client::ask;
use crate::server;

#[tokio::test]
async fn cards_are_where_clients_look_and_name_live_addresses() {
    let server = server::start().await;
    let cases = [
        ("/.well-known/agent-card.json", "Echo", "/a2a"),
        ("/.well-known/agent.json", "Echo", "/a2a"),
        ("/a2a", "Echo", "/a2a"),
        ("/a2a/.well-known/agent-card.json", "Echo", "/a2a"),
        ("/a2a/agents/counter", "Counter", "/a2a/agents/counter"),
        ("/a2a/agents/counter/.well-known/agent-card.json", "Counter", "/a2a/agents/counter"),
    ];
    for (path, name, interface) in cases {
        // A card is public and has no version: it says which there are.
        let card = ask("GET", path).without("a2a-version").to(server.address).await;
        assert_eq!(card.status, 200, "{path}");
        assert_eq!(card.header("content-type"), Some("application/json"));
        assert_eq!(card.header("cache-control"), Some("public, max-age=300"));
        assert!(card.body.contains(&format!(r#""name":"{name}""#)), "{card:?}");
        let url = format!(r#""url":"http://{}{interface}""#, server.address);
        assert!(card.body.contains(&url), "{url} {card:?}");
        let etag = card.header("etag").expect("a tag");
        let again = ask("GET", path).and("if-none-match", etag).to(server.address).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""));
        let date = card.header("last-modified").expect("a date");
        let again = ask("GET", path).and("if-modified-since", date).to(server.address).await;
        assert_eq!(again.status, 304);
        let head = ask("HEAD", path).to(server.address).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), Some(&*card.body.len().to_string()));
    }
    server.stop().await;
}

#[tokio::test]
async fn readiness_follows_the_service() {
    let server = server::start().await;
    let status = async |path: &str| ask("GET", path).to(server.address).await.status;
    assert_eq!((status("/healthz").await, status("/readyz").await), (200, 200));
    server.service.drain();
    assert_eq!((status("/healthz").await, status("/readyz").await), (200, 503));
    server.stop().await;
}
