//! Connections: bounded in time, cut when their peer dawdles, let go when the server stops.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use legation_auth::Anonymous;
use legation_http::Bounds;
use legation_wire::grpc::Package;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{ask, exchange, read_to_end, read_until, rpc, say};
use crate::grpc_client::{Transport, encode, framed};
use crate::server::{self, Server};

async fn start(bounds: Bounds) -> Server {
    server::start_with(Arc::new(Anonymous), |settings| settings.bounds = bounds).await
}

fn quick() -> Bounds {
    Bounds {
        first_byte: Duration::from_millis(200),
        header: Duration::from_millis(200),
        idle: Duration::from_millis(200),
        body_grace: Duration::from_millis(200),
        ..Bounds::default()
    }
}

#[tokio::test]
async fn peers_that_dawdle_are_cut() {
    let server = start(quick()).await;
    let body = ask("POST", "/a2a").with("content-length", "100").bytes();
    let chunked = ask("POST", "/a2a").and("transfer-encoding", "chunked").bytes();
    let complete = ask("GET", "/healthz").without("connection").bytes();
    // The preface, settings, and HEADERS: without END_HEADERS, and with half of what it says.
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let open = [&http2[..], b"\0\0\x01\x01\0\0\0\0\x01\x82"].concat();
    let half = [&http2[..], b"\0\0\x05\x01\x04\0\0\0\x01\x82"].concat();
    let cases: [(&str, &[u8]); 9] = [
        ("nothing", b""),
        ("half a preface", b"PRI"),
        ("half a head on HTTP/2", &open),
        ("half a frame of a head", &half),
        ("half a head", b"POST /a2a HTT"),
        ("half a header", b"POST /a2a HTTP/1.1\r\nhost: lo"),
        ("no body", &body),
        ("half a body", &[&body, &b"{\"jsonrpc\""[..]].concat()),
        ("no chunk", &chunked),
    ];
    for (name, bytes) in cases.into_iter().chain([("no next request", &complete[..])]) {
        let mut stream = TcpStream::connect(server.address).await.expect("a listening server");
        let begin = Instant::now();
        stream.write_all(bytes).await.expect("an open connection");
        read_to_end(&mut stream).await;
        let took = begin.elapsed();
        assert!((100..3_000).contains(&took.as_millis()), "{name}: {took:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let server = start(quick()).await;
    let request = ask("POST", "/a2a").without("connection").body(rpc("ListTasks", "{}"));
    let mut stream = TcpStream::connect(server.address).await.expect("a listening server");
    // For longer than any of the bounds, which each request begins anew.
    for _ in 0..10 {
        stream.write_all(&request.bytes()).await.expect("an open connection");
        read_until(&mut stream, r#""totalSize":0}}"#).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut() {
    let bounds = Bounds { write_stall: Duration::from_millis(300), ..Bounds::default() };
    let server = start(bounds).await;
    let request = ask("POST", "/message:stream").body(say("chunks 60000")).bytes();
    let mut stream = TcpStream::connect(server.address).await.expect("a listening server");
    stream.write_all(&request).await.expect("an open connection");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut heard = Vec::new();
    // What was on its way arrives, then the connection is reset or closed.
    let _ = stream.read_to_end(&mut heard).await;
    assert!(!heard.ends_with(b"0\r\n\r\n"), "cut, not ended");
    server.stop().await;
}

#[tokio::test]
async fn too_many_connections_from_one_address_are_closed() {
    let server = start(Bounds { connections_per_address: 2, ..Bounds::default() }).await;
    let held = [
        TcpStream::connect(server.address).await.expect("a listening server"),
        TcpStream::connect(server.address).await.expect("a listening server"),
    ];
    assert_eq!(exchange(server.address, &ask("GET", "/healthz").bytes()).await.status, 0);
    drop(held);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(exchange(server.address, &ask("GET", "/healthz").bytes()).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn too_many_or_too_large_headers_are_refused() {
    let server = server::start().await;
    let many = (0..100).fold(ask("GET", "/healthz"), |ask, n| ask.and(&format!("x-{n}"), "1"));
    let large = ask("GET", "/healthz").and("x-large", &"x".repeat(1 << 20));
    for request in [many, large] {
        assert_eq!(request.to(server.address).await.status, 431);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_in_flight_survives_the_drain() {
    let server = server::start().await;
    let body = rpc("SendMessage", &say("count 5 every 50"));
    let request = ask("POST", "/a2a/agents/counter").body(body);
    let address = server.address;
    let sent = tokio::spawn(async move { request.to(address).await });
    let idle = TcpStream::connect(address).await.expect("a listening server");
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.drain.cancel();
    let reply = sent.await.expect("no panic");
    assert!(reply.body.contains("TASK_STATE_COMPLETED"), "{reply:?}");
    tokio::time::timeout(Duration::from_secs(2), server.task)
        .await
        .expect("nothing left")
        .expect("no panic");
    assert!(TcpStream::connect(address).await.is_err(), "no longer listening");
    drop(idle);
}

#[tokio::test]
async fn the_drain_has_an_end() {
    let server = start(Bounds { drain: Duration::from_millis(200), ..Bounds::default() }).await;
    let mut stream = TcpStream::connect(server.address).await.expect("a listening server");
    let request = ask("POST", "/message:stream").body(say("wait")).bytes();
    stream.write_all(&request).await.expect("an open connection");
    read_until(&mut stream, "TASK_STATE_WORKING").await;
    server.drain.cancel();
    tokio::time::timeout(Duration::from_secs(2), server.task)
        .await
        .expect("cut")
        .expect("no panic");
}

pub(crate) type Http2 = hyper::client::conn::http2::SendRequest<Full<bytes::Bytes>>;

/// An HTTP/2 connection and the task that drives it.
async fn http2(server: &Server) -> (Http2, tokio::task::JoinHandle<()>) {
    http2_over(TcpStream::connect(server.address).await.expect("a listening server")).await
}

/// The same over a connection that is there.
pub(crate) async fn http2_over(stream: impl Transport) -> (Http2, tokio::task::JoinHandle<()>) {
    let io = TokioIo::new(stream);
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    // A small window for each stream, so that one can be stuck while others go on.
    builder.initial_stream_window_size(64 << 10).initial_connection_window_size(4 << 20);
    let (sender, connection) = builder.handshake(io).await.expect("HTTP/2");
    // However it ends, it ends.
    (sender, tokio::spawn(async move { drop(connection.await) }))
}

pub(crate) fn request(path: &str, body: String) -> hyper::Request<Full<bytes::Bytes>> {
    hyper::Request::post(format!("http://localhost{path}"))
        .header("a2a-version", "1.0")
        .header("content-type", "application/json")
        .body(Full::from(body))
        .expect("a valid request")
}

#[tokio::test]
async fn http_2_is_spoken_by_prior_knowledge() {
    let server = server::start().await;
    let (mut sender, driver) = http2(&server).await;
    let sends =
        [request("/a2a", rpc("SendMessage", &say("hi"))), request("/message:stream", say("hi"))];
    for send in sends {
        let response = sender.send_request(send).await.expect("a response");
        assert_eq!(response.status(), 200);
        let body = response.collect().await.expect("a whole body").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("text");
        assert!(body.contains("TASK_STATE_COMPLETED"), "{body}");
    }
    server.stop().await;
    driver.abort();
}

#[tokio::test]
async fn http_2_without_requests_is_ended_and_with_one_it_stays() {
    let server = start(Bounds { idle: Duration::from_millis(400), ..Bounds::default() }).await;
    let (mut sender, driver) = http2(&server).await;
    let waits = sender.send_request(request("/message:stream", say("wait"))).await;
    let waits = waits.expect("a response");
    let (idle, idle_driver) = http2(&server).await;
    tokio::time::timeout(Duration::from_secs(5), idle_driver)
        .await
        .expect("ended")
        .expect("no panic");
    drop(idle);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!driver.is_finished(), "a stream is at work");
    drop(waits);
    tokio::time::timeout(Duration::from_secs(5), driver).await.expect("ended").expect("no panic");
    server.stop().await;
}

/// What was left of its answer used to keep the connection for ever: no request was at work.
#[tokio::test]
async fn http_2_whose_peer_takes_an_answer_by_the_byte_is_cut() {
    let short = Duration::from_millis(400);
    let server = start(Bounds { idle: short, write_stall: short, ..Bounds::default() }).await;
    let stream = TcpStream::connect(server.address).await.expect("a listening server");
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(1).adaptive_window(false);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.expect("HTTP/2");
    let driver = tokio::spawn(async move { drop(connection.await) });
    let card = hyper::Request::get("http://localhost/.well-known/agent-card.json");
    let card = card.body(Full::<bytes::Bytes>::default()).expect("a valid request");
    let unread = sender.send_request(card).await.expect("the head of an answer");
    tokio::time::timeout(Duration::from_secs(5), driver).await.expect("cut").expect("no panic");
    drop(unread);
    server.stop().await;
}

#[tokio::test]
async fn a_body_in_many_tiny_pieces_is_refused() {
    let server = start(Bounds { body_pieces: 10, ..Bounds::default() }).await;
    let chunks = |size: usize, count| format!("{size:x}\r\n{}\r\n", " ".repeat(size)).repeat(count);
    for (size, count, refused) in [(1, 5, false), (1, 1_000, true), (100, 1_000, false)] {
        let request = ask("POST", "/message:send").with("transfer-encoding", "chunked").bytes();
        let body = format!("{}0\r\n\r\n", chunks(size, count));
        let reply = exchange(server.address, &[&request, body.as_bytes()].concat()).await;
        assert_eq!(reply.body.contains("too many tiny pieces"), refused, "{size}: {reply:?}");
    }
    server.stop().await;
}

/// A call of gRPC that sends a text to an agent.
pub(crate) fn grpc_request(
    agent: &str,
    method: &str,
    text: &str,
) -> hyper::Request<Full<bytes::Bytes>> {
    let message = framed(&encode(Package::V1_0, method, &say(text)));
    let path = format!("/a2a/agents/{agent}/{}/{method}", Package::V1_0.service());
    hyper::Request::post(format!("http://localhost{path}"))
        .header("a2a-version", "1.0")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::from(message))
        .expect("a valid request")
}

/// Sends a request and reads its answer, which has to be whole and of a task that completed.
pub(crate) fn completes(
    sender: &mut Http2,
    request: hyper::Request<Full<bytes::Bytes>>,
) -> impl Future<Output = ()> + use<> {
    let response = sender.send_request(request);
    async {
        let read = response.await.expect("a response").collect().await.expect("all of it");
        let is_well = read.trailers().map(|trailers| trailers["grpc-status"] == "0");
        let text = read.to_bytes();
        let text = String::from_utf8_lossy(&text);
        assert!(is_well.unwrap_or_else(|| text.contains("TASK_STATE_COMPLETED")), "{text}");
    }
}

/// The whole connection used to be cut for one of its readers.
#[tokio::test]
async fn a_stream_whose_reader_takes_nothing_is_reset_and_the_others_go_on() {
    let large = "x".repeat(1_000_000);
    let cases = [
        ("events", request("/message:stream", say("chunks 5000"))),
        ("messages", grpc_request("echo", "SendStreamingMessage", "chunks 5000")),
        ("a document", request("/message:send", say(&large))),
        ("a message", grpc_request("echo", "SendMessage", &large)),
    ];
    for (name, stuck) in cases {
        let bounds = Bounds {
            write_stall: Duration::from_millis(300),
            heartbeat: Duration::from_millis(50),
            ..Bounds::default()
        };
        let server = start(bounds).await;
        let (mut sender, driver) = http2(&server).await;
        let unread = sender.send_request(stuck).await.expect("a response");
        let count = "count 20 every 50";
        let others = [
            request("/a2a/agents/counter/message:stream", say(count)),
            grpc_request("counter", "SendStreamingMessage", count),
            // At work for longer than a response may be left.
            grpc_request("counter", "SendMessage", count),
        ];
        join_all(others.map(|request| completes(&mut sender, request))).await;
        let error = unread.collect().await.err().map(|error| format!("{error:?}"));
        let error = error.unwrap_or_else(|| panic!("{name}: ended and not reset"));
        assert!(error.contains("CANCEL"), "{name}: {error}");
        let next = sender.send_request(request("/message:send", say("hi"))).await;
        assert_eq!(next.expect("the same connection").status(), 200, "{name}");
        server.stop().await;
        driver.abort();
    }
}

#[tokio::test]
async fn a_refusal_without_the_body_says_that_the_connection_ends() {
    let server = server::start().await;
    let cases = [
        (ask("POST", "/nowhere"), Some("close")),
        (ask("POST", "/a2a").with("content-type", "text/plain"), Some("close")),
        (ask("PUT", "/a2a"), Some("close")),
        // Here the body was read.
        (ask("POST", "/message:send"), None),
    ];
    for (request, expected) in cases {
        let mut stream = TcpStream::connect(server.address).await.expect("a server");
        let request = request.without("connection");
        let head = request.clone().with("content-length", "2").bytes();
        stream.write_all(&head).await.expect("an open connection");
        // Later than the head, as it is with most clients.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = stream.write_all(b"{}").await;
        let head = read_until(&mut stream, "\r\n\r\n").await.to_lowercase();
        let got = head.lines().find_map(|line| line.strip_prefix("connection: "));
        assert_eq!(got, expected, "{head}");
    }
    server.stop().await;
}
