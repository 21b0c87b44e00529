//! The client against servers that answer badly: nothing is followed, awaited or read for ever.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use legation_net::{Error, Http, Limits, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

/// What a scripted server does after it has read the head of a request.
#[derive(Clone, Copy)]
enum Then {
    Close,
    Stall,
}

/// Answers one request with these bytes on a free port.
async fn answer(bytes: &'static str, then: Then) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a caller");
        let mut head = [0; 4096];
        let _ = socket.read(&mut head).await;
        socket.write_all(bytes.as_bytes()).await.expect("the caller reads");
        if matches!(then, Then::Stall) {
            std::future::pending::<()>().await;
        }
    });
    Url::parse(&format!("http://{address}/")).expect("a URL")
}

async fn fetch(bytes: &'static str, then: Then) -> Result<(u16, Vec<u8>), Error> {
    let mut request = Request::new(Method::GET, answer(bytes, then).await);
    let pause = Duration::from_millis(200);
    request.limits = Limits { first_byte: pause, idle: pause, max_bytes: 10, total: None };
    let response = Http::new()?.send(request).await?;
    let status = response.status().as_u16();
    Ok((status, response.bytes().await?.to_vec()))
}

fn told(result: Result<(u16, Vec<u8>), Error>) -> String {
    match result {
        Ok((status, body)) => format!("{status} {}", String::from_utf8_lossy(&body)),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn answers_are_taken_within_their_limits() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let cases = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Then::Close, "200 hi"),
        ("HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\n\r\n", Then::Close, "307 "),
        ("HTTP/1.1 200 OK\r\n\r\nmore than ten bytes", Then::Close, "larger than 10 bytes"),
        (HEAD, Then::Stall, "no answer for 0.2 s"),
        (HEAD, Then::Close, "the connection broke"),
        ("", Then::Stall, "no answer for 0.2 s"),
        ("", Then::Close, "the connection broke"),
        ("SSH-2.0-hello\r\n", Then::Close, "the connection broke"),
    ];
    for (bytes, then, expected) in cases {
        let told = told(fetch(bytes, then).await);
        assert!(told.contains(expected), "{bytes:?}: {told}");
    }
}

/// Writes a head and then these bytes again and again until the caller goes away; counts them.
async fn endless(head: &'static str, piece: Vec<u8>, pause: Duration) -> (Url, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let written = Arc::<AtomicU64>::default();
    let count = Arc::clone(&written);
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a caller");
        let mut asked = [0; 4096];
        let _ = socket.read(&mut asked).await;
        let _ = socket.write_all(head.as_bytes()).await;
        while socket.write_all(&piece).await.is_ok() {
            count.fetch_add(piece.len() as u64, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
        }
    });
    (Url::parse(&format!("http://{address}/")).expect("a URL"), written)
}

/// The most memory that this process has had, in bytes.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("there on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[tokio::test]
async fn what_has_no_end_is_cut_at_its_limit() {
    const PLAIN: &str = "HTTP/1.1 200 OK\r\n\r\n";
    const CAP: u64 = 8 << 20;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0; 32 << 20]).expect("memory takes all");
    let bomb = bomb.finish().expect("memory takes all");
    let (quick, slow) = (Duration::ZERO, Duration::from_millis(20));
    let large = vec![b'x'; 64 << 10];
    // Head, what follows it for ever, the pauses between, and how it ends.
    let cases = [
        ("endless body", PLAIN, large.clone(), quick, "larger than"),
        (
            "endless event",
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ",
            large.clone(),
            quick,
            "larger than",
        ),
        ("endless headers", "HTTP/1.1 200 OK\r\n", b"a: b\r\n".repeat(100), quick, "broke"),
        ("endless header", "HTTP/1.1 200 OK\r\na: ", large, quick, "broke"),
        ("bombs", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", bomb, quick, "larger than"),
        ("drip", PLAIN, b"x".to_vec(), slow, "no answer for 1 s"),
        ("drip of headers", "HTTP/1.1 200 OK\r\na: ", b"x".to_vec(), slow, "no answer for"),
    ];
    #[cfg(target_os = "linux")]
    let before = peak();
    for (what, head, piece, pause, expected) in cases {
        let (url, written) = endless(head, piece, pause).await;
        let second = Duration::from_secs(1);
        let patient = 20 * second;
        let total = if pause.is_zero() { patient } else { second };
        let mut request = Request::new(Method::GET, url);
        request.limits =
            Limits { first_byte: patient, idle: patient, max_bytes: CAP, total: Some(total) };
        let begun = Instant::now();
        let http = Http::new().expect("a client");
        let told = async { http.send(request).await?.bytes().await }.await;
        let told = told.expect_err(what).to_string();
        assert!(told.contains(expected), "{what}: {told}");
        assert!(begun.elapsed() < total + second, "{what}");
        // What the system's own buffers hold has been written as well.
        let written = written.load(Ordering::Relaxed);
        assert!(written < CAP + (16 << 20), "{what}: {written}");
    }
    #[cfg(target_os = "linux")]
    assert!(peak() - before < 2 * CAP + (4 << 20), "{} bytes", peak() - before);
}

#[tokio::test]
async fn an_answer_can_be_held_to_less_than_its_request() {
    let second = Duration::from_secs(1);
    let wide = Limits { first_byte: second, idle: 60 * second, max_bytes: u64::MAX, total: None };
    let short = Duration::from_millis(300);
    let cases = [
        (Limits { idle: short, ..wide }, 600, "no answer for 0.3 s"),
        (Limits { total: Some(short), ..wide }, 20, "no answer for 0.3 s"),
        (Limits { max_bytes: 8, ..wide }, 0, "larger than 8 bytes"),
    ];
    for (narrow, pause, expected) in cases {
        let pause = Duration::from_millis(pause);
        let (url, _) = endless("HTTP/1.1 200 OK\r\n\r\n", b"x".to_vec(), pause).await;
        let request = Request { limits: wide, ..Request::new(Method::GET, url) };
        let answer = Http::new().expect("a client").send(request).await.expect("an answer");
        let told = answer.within(narrow).bytes().await.expect_err("no end").to_string();
        assert!(told.contains(expected), "{told}");
    }
}
