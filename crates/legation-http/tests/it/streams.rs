//! Streams: framed, numbered, kept alive, resumed.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::{Reply, ask, read_to_end, read_until, rpc, say, without_chunks};
use crate::server::{self, Server};

/// The events of a body: their id and their data.
fn events(body: &str) -> Vec<(Option<u64>, String)> {
    let blocks = body.split("\n\n").filter(|block| block.contains("data: "));
    let event = |block: &str| {
        let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        (line("id: ").and_then(|id| id.parse().ok()), line("data: ").expect("data").to_owned())
    };
    blocks.map(event).collect()
}

async fn stream(server: &Server, binding: &str, text: &str) -> Reply {
    let request = match binding {
        "rpc" => ask("POST", "/a2a").body(rpc("SendStreamingMessage", &say(text))),
        _ => ask("POST", "/message:stream").body(say(text)),
    };
    request.to(server.address).await
}

#[tokio::test]
async fn both_bindings_tell_the_same_events() {
    let server = server::start().await;
    for binding in ["rpc", "rest"] {
        let reply = stream(&server, binding, "hi").await;
        assert_eq!(reply.status, 200);
        let headers = ["content-type", "cache-control", "x-accel-buffering", "a2a-version"]
            .map(|name| reply.header(name).unwrap_or_default().to_owned());
        assert_eq!(headers, ["text/event-stream", "no-store", "no", "1.0"]);
        let events = events(&reply.body);
        let ids: Vec<_> = events.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [1, 2, 3, 4].map(Some), "{events:?}");
        let envelope = if binding == "rpc" { r#"{"jsonrpc":"2.0","id":1,"result":"# } else { "" };
        let kinds = ["task", "statusUpdate", "artifactUpdate", "statusUpdate"];
        for ((_, data), kind) in events.iter().zip(kinds) {
            assert!(data.starts_with(&format!(r#"{envelope}{{"{kind}":{{"#)), "{data}");
        }
        assert!(reply.body.ends_with("}\n\n"));
    }
    server.stop().await;
}

#[tokio::test]
async fn many_and_large_events_arrive_whole_and_in_order() {
    let server = server::start().await;
    let reply = stream(&server, "rpc", "chunks 1000").await;
    let ids: Vec<_> = events(&reply.body).into_iter().filter_map(|(id, _)| id).collect();
    assert!(ids.iter().copied().eq(1..=1003), "{} events", ids.len());
    let large = "x".repeat(100_000);
    for binding in ["rpc", "rest"] {
        let reply = stream(&server, binding, &large).await;
        let events = events(&reply.body);
        assert_eq!(events.len(), 4);
        let artifact = events.iter().find(|(_, data)| data.contains("artifactUpdate"));
        assert!(artifact.expect("an artifact").1.contains(&large));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_is_resumed_from_a_number() {
    let server = server::start().await;
    let reply = stream(&server, "rpc", "hi").await;
    let id = reply.text_after(r#""task":{"id":""#).to_owned();
    let uri = legation_core::CURSOR_EXTENSION;
    let params = format!(r#"{{"id":"{id}","metadata":{{"{uri}":{{"after":2}}}}}}"#);
    let rest = ask("GET", &format!("/tasks/{id}:subscribe")).and("last-event-id", "2");
    let by_rest = rest.to(server.address).await;
    let by_rpc = ask("POST", "/a2a").and("a2a-extensions", uri);
    let by_rpc = by_rpc.body(rpc("SubscribeToTask", &params)).to(server.address).await;
    for reply in [&by_rest, &by_rpc] {
        let ids: Vec<_> = events(&reply.body).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [None, Some(3), Some(4)], "{reply:?}");
    }
    assert_eq!(by_rpc.header("a2a-extensions"), Some(uri));
    assert!(by_rpc.body.contains(&format!(r#""metadata":{{"{uri}":{{"seq":4}}}}"#)), "{by_rpc:?}");
    server.stop().await;
}

#[tokio::test]
async fn faults_before_the_first_event_are_ordinary_answers() {
    let server = server::start().await;
    let rpc = ask("POST", "/a2a").body(rpc("SubscribeToTask", r#"{"id":"x"}"#));
    let rpc = rpc.to(server.address).await;
    assert_eq!((rpc.status, rpc.header("content-type")), (200, Some("application/json")));
    assert!(rpc.body.contains(r#""code":-32001"#), "{rpc:?}");
    let rest = ask("POST", "/tasks/x:subscribe").without("content-type").to(server.address).await;
    assert_eq!((rest.status, rest.header("content-type")), (404, Some("application/a2a+json")));
    server.stop().await;
}

/// Opens a stream on a task that works until it is stopped.
async fn open_waiting(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("a listening server");
    let request = ask("POST", "/a2a").body(rpc("SendStreamingMessage", &say("wait")));
    stream.write_all(&request.bytes()).await.expect("an open connection");
    read_until(&mut stream, "TASK_STATE_WORKING").await;
    stream
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive() {
    let change = |settings: &mut legation_http::Settings| {
        settings.bounds.heartbeat = Duration::from_millis(50);
    };
    let server = server::start_with(std::sync::Arc::new(legation_auth::Anonymous), change).await;
    let mut stream = open_waiting(&server).await;
    let heard = read_until(&mut stream, ": keep-alive\n\n\r\n").await;
    assert!(!heard.contains("data:"));
    read_until(&mut stream, ": keep-alive\n\n\r\n").await;
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn a_stream_that_ends_with_the_server_says_how_to_go_on() {
    let server = server::start().await;
    let mut stream = open_waiting(&server).await;
    let reading = tokio::spawn(async move { read_to_end(&mut stream).await });
    server.stop().await;
    let raw = String::from_utf8(reading.await.expect("no panic")).expect("text");
    let rest = without_chunks(&raw);
    assert!(rest.contains(": resume with Last-Event-ID: 2\n\n"), "{rest}");
    assert!(raw.ends_with("0\r\n\r\n"), "ended in good order: {raw}");
}
