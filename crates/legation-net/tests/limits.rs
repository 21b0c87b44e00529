//! The client against servers that answer badly: nothing is followed, awaited or read for ever.

use std::time::Duration;

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
    request.limits = Limits { first_byte: pause, idle: pause, max_bytes: 10 };
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
