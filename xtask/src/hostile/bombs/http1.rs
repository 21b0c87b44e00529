//! Bombs over HTTP/1.1: heads, bodies and their framing, and JSON.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{Act, Bomb, bomb, dear, heavy};
use crate::hostile::target::{Target, message};
use crate::tls::Stream;

/// How long an answer may take: longer than the bounds of a head and of a body.
const PATIENCE: Duration = Duration::from_secs(20);

const MANY: usize = 10_000;
const MEGA: usize = 1 << 20;

/// Every bomb. An answer is a status, with the code of an error of JSON-RPC behind it; `closed` is
/// none.
pub(super) const BOMBS: &[Bomb] = &[
    bomb("a header of 1 MB", |t| say(t, head(t, "GET", &line("x", MEGA))), &["431"]),
    bomb("10,000 headers", |t| say(t, head(t, "GET", &"x-many: 1\r\n".repeat(MANY))), &["431"]),
    bomb("a path of 1 MB", |t| say(t, get(&format!("/{}", "a".repeat(MEGA)))), &["414", "431"]),
    bomb(
        "a query of 32 KB",
        |t| say(t, get(&format!("/healthz?{}", "a=1&".repeat(8_000)))),
        &["200"],
    ),
    bomb("a path of 10,000 steps", |t| say(t, get(&"/..%2f".repeat(MANY))), &["404"]),
    bomb("a header with a zero byte", |t| say(t, head(t, "GET", "x: \0\r\n")), &["400"]),
    bomb("a folded header", |t| say(t, head(t, "GET", "x: a\r\n b\r\n")), &["400"]),
    bomb("a space before a colon", |t| say(t, head(t, "GET", "x : a\r\n")), &["400"]),
    bomb(
        "a length of 1 TB",
        |t| say(t, post(t, "Content-Length: 1099511627776\r\n", "")),
        &["413"],
    ),
    bomb("a length that is none", |t| say(t, post(t, "Content-Length: +5\r\n", "{}")), &["400"]),
    bomb(
        "two lengths",
        |t| say(t, post(t, "Content-Length: 2\r\nContent-Length: 3\r\n", "{}")),
        &["400"],
    ),
    bomb(
        "chunks in a coding beyond",
        |t| say(t, post(t, "Transfer-Encoding: chunked, gzip\r\n", "")),
        &["400"],
    ),
    bomb(
        "an unknown coding",
        |t| say(t, post(t, "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
        &["400"],
    ),
    bomb("a length beside chunks", |t| Box::pin(smuggle(t)), &["one answer"]),
    bomb("a chunk of no size", |t| say(t, post(t, CHUNKED, "zz\r\n{}\r\n0\r\n\r\n")), BROKEN),
    bomb("a chunk of 2^64 bytes", |t| say(t, post(t, CHUNKED, "10000000000000000\r\n")), BROKEN),
    bomb(
        "an endless chunk extension",
        |t| say(t, post(t, CHUNKED, &format!("1;{}", "a".repeat(MEGA)))),
        BROKEN,
    ),
    dear(2, bomb("17 MB in chunks", |t| say(t, post(t, CHUNKED, &chunks(17))), &["413"])),
    bomb(
        "half a million tiny chunks",
        |t| say(t, post(t, CHUNKED, &"1\r\n \r\n".repeat(MEGA / 2))),
        BROKEN,
    ),
    dear(3, bomb("10,000 requests at once", |t| Box::pin(pipeline(t)), &["answered"])),
    heavy(
        3,
        dear(4, bomb("a message of 5 MB", |t| rpc(t, &message(&"x".repeat(5 * MEGA))), &["200"])),
    ),
    bomb("JSON of 100,000 levels", |t| body(t, &"[".repeat(100_000)), &["200 -32", "400"]),
    dear(2, bomb("a million members", |t| rpc(t, &members(MEGA)), &["200 -32"])),
    dear(2, bomb("a million parts", |t| rpc(t, &parts(MEGA)), &["200 -32"])),
    bomb(
        "a member twice",
        |t| rpc(t, r#"{"message":{"messageId":"a","messageId":"b"}}"#),
        &["200 -32602"],
    ),
    bomb("a number of 100,000 digits", |t| rpc(t, &data(&"9".repeat(100_000))), &["200"]),
    bomb("a number beyond all", |t| rpc(t, &data("1e999999999")), &["200"]),
    bomb("text that is none", |t| Box::pin(not_utf8(t)), &["200 -32700"]),
    dear(2, bomb("a batch of 100,000 calls", |t| body(t, &batch(100_000)), &["200 -32600"])),
    bomb("a body in gzip", |t| Box::pin(gzip(t)), &["415", "200 -32700"]),
    bomb("another protocol", |t| say(t, b"SSH-2.0-x\r\n\r\n".to_vec()), &["400", "closed"]),
];

/// The answer to a body that is no body.
const BROKEN: &[&str] = &["200 -32600"];

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

fn line(name: &str, length: usize) -> String {
    format!("{name}: {}\r\n", "a".repeat(length))
}

fn head(target: &Target, method: &str, lines: &str) -> Vec<u8> {
    format!("{}{lines}\r\n", target.head(method, "/healthz")).into_bytes()
}

fn post(target: &Target, framing: &str, body: &str) -> Vec<u8> {
    format!("{}{framing}\r\n{body}", target.head("POST", "/a2a/agents/echo")).into_bytes()
}

fn chunks(count: usize) -> String {
    format!("100000\r\n{}\r\n", " ".repeat(MEGA)).repeat(count)
}

fn members(count: usize) -> String {
    let all: Vec<_> = (0..count).map(|number| format!(r#""k{number}":1"#)).collect();
    format!("{{{}}}", all.join(","))
}

fn parts(count: usize) -> String {
    let parts = vec![r#"{"text":"a"}"#; count].join(",");
    format!(r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{parts}]}}}}"#)
}

fn data(json: &str) -> String {
    format!(r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{{"data":{json}}}]}}}}"#)
}

fn batch(count: usize) -> String {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"ListTasks","params":{}}"#;
    format!("[{}]", vec![call; count].join(","))
}

/// Sends bytes and takes one answer.
fn say(target: &Target, bytes: Vec<u8>) -> Act<'_> {
    Box::pin(async move {
        let mut stream = target.connect("http/1.1").await?;
        Ok(told(&exchange(&mut stream, &bytes).await))
    })
}

fn body<'t>(target: &'t Target, body: &str) -> Act<'t> {
    say(target, target.request("POST", "/a2a/agents/echo", body))
}

fn rpc<'t>(target: &'t Target, params: &str) -> Act<'t> {
    say(target, target.call("SendMessage", params))
}

/// Sends bytes while reading, until the first answer is whole or the connection ends.
async fn exchange(stream: &mut Stream, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let read = async {
        while !is_whole(&answer) {
            match reader.read_buf(&mut answer).await {
                Ok(count) if count > 0 => {}
                _ => return,
            }
        }
    };
    let write = async {
        // The server may close before it has taken all of it.
        let _ = writer.write_all(bytes).await;
        let _ = writer.flush().await;
        std::future::pending::<()>().await;
    };
    let both = async {
        tokio::select! { () = read => {}, () = write => {} }
    };
    // A hang is an answer that is missing.
    let _ = timeout(PATIENCE, both).await;
    answer
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&answer[..end]);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    answer.len() >= end + 4 + length
}

/// The status of an answer, and the code of its error when it is one of JSON-RPC.
fn told(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let Some(status) = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)) else {
        return "closed".into();
    };
    match text.split_once(r#""error":{"code":"#) {
        Some((_, rest)) if status == "200" => {
            let code: String =
                rest.chars().take_while(|c| *c == '-' || c.is_ascii_digit()).collect();
            format!("{status} {code}")
        }
        _ => status.to_owned(),
    }
}

/// A request within the body of another, for whoever believes the length.
async fn smuggle(target: &Target) -> anyhow::Result<String> {
    let inner = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let framing = format!("Content-Length: {}\r\n{CHUNKED}", inner.len() + 5);
    let mut stream = target.connect("http/1.1").await?;
    stream.write_all(&post(target, &framing, &format!("0\r\n\r\n{inner}"))).await?;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    let text = String::from_utf8_lossy(&answer);
    Ok(match text.matches("HTTP/1.1 ").count() {
        1 => format!("one answer, {}", told(&answer)),
        several => format!("{several} answers"),
    })
}

async fn pipeline(target: &Target) -> anyhow::Result<String> {
    let mut stream = target.connect("http/1.1").await?;
    let requests = get("/healthz").repeat(MANY);
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let mut answers = Vec::new();
    let read = async {
        let mut buffer = vec![0; 64 << 10];
        let mut count = 0;
        while count < MANY {
            match timeout(PATIENCE, reader.read(&mut buffer)).await {
                Ok(Ok(bytes)) if bytes > 0 => answers.extend_from_slice(&buffer[..bytes]),
                _ => break,
            }
            count = answers.windows(13).filter(|window| *window == b"HTTP/1.1 200 ").count();
            if count < MANY {
                tokio::task::yield_now().await;
            }
        }
        count
    };
    let write = async {
        let _ = writer.write_all(&requests).await;
        let _ = writer.flush().await;
    };
    let (count, ()) = tokio::join!(read, write);
    Ok(if count == MANY { "answered".into() } else { format!("{count} answers") })
}

async fn not_utf8(target: &Target) -> anyhow::Result<String> {
    let mut bytes = target.call("SendMessage", &message("xx"));
    let at = bytes.windows(4).position(|window| window == b"\"xx\"").unwrap_or_default();
    bytes[at + 1] = 0xff;
    let mut stream = target.connect("http/1.1").await?;
    Ok(told(&exchange(&mut stream, &bytes).await))
}

/// What would be much when it is unpacked is nothing, because nobody unpacks it.
async fn gzip(target: &Target) -> anyhow::Result<String> {
    // The head of gzip (RFC 1952).
    let packed = "\u{1f}\u{8}\0\0\0\0\0\0\0\u{3}";
    let framing = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", packed.len());
    let mut stream = target.connect("http/1.1").await?;
    Ok(told(&exchange(&mut stream, &post(target, &framing, packed)).await))
}
