//! What a peer says before the body: statuses, headers, types and redirects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use legation_client::{Binding, Client, Credential, Options};

use super::peer::Act::Repeat;
use super::peer::{Act, Asked, Peer};
use super::told::of_error;
use super::variant::Ask::{Get, Send, Stream};
use super::variant::{self, SECRET, Variant, check, rest, rpc};
use super::{TASK, card, http, json, result, say, task};

#[tokio::test]
async fn a_status_is_what_it_says() {
    check(STATUSES).await;
}

#[tokio::test]
async fn a_redirect_of_a_call_leads_nowhere() {
    check(REDIRECTS).await;
}

#[tokio::test]
async fn a_head_has_bounds_and_a_body_the_type_that_was_asked_for() {
    check(HEADERS).await;
}

/// Each refusal names another challenge, and says that the last one was too old.
#[tokio::test]
async fn challenges_that_change_for_ever_are_answered_once_for_a_call() {
    let count = AtomicU64::new(0);
    let script = move |asked: &Asked| {
        if asked.is_for_card() {
            return vec![json(card(&asked.base))];
        }
        let nonce = count.fetch_add(1, Ordering::Relaxed);
        let parameters = format!("nonce=\"{nonce}\", qop=\"auth\", algorithm=SHA-256, stale=true");
        challenge(&format!("Digest realm=\"r\", {parameters}"))
    };
    let peer = Peer::start(Arc::new(script), "", false).await;
    let credentials = Credential::digest("user", SECRET).into();
    let options = Options { credentials, ..variant::options(Binding::JsonRpc) };
    let client = Client::discover(&peer.url(), options).await.expect("a good card");
    for _ in 0..2 {
        let error = client.send(variant::message()).await.expect_err("refused");
        let told = of_error(&error);
        assert!(told.starts_with("Denied Unauthenticated: ") && !told.contains(SECRET), "{told}");
    }
    let asked = peer.asked.lock();
    let calls: Vec<_> = asked.iter().filter(|asked| !asked.is_for_card()).collect();
    // The second call begins with an answer to what the first one heard last.
    assert_eq!(calls.len(), 4);
    let answered = calls.iter().filter(|asked| asked.text.contains("uthorization: Digest"));
    assert_eq!(answered.count(), 3);
    assert!(!asked.iter().any(|asked| asked.text.contains(SECRET)));
}

const BROKE: &str = "Lost: ...the connection broke";
const NO_RPC: &str = "BadAnswer: ";

const STATUSES: &[Variant] = &[
    rpc(
        "101, to another protocol",
        Get,
        |_| status("101 Switching Protocols"),
        "BadAnswer: ...101",
    ),
    rpc(
        "103, then the answer",
        Get,
        |_| vec![say("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), task()],
        "task t WORKING",
    ),
    rpc("201", Get, |_| vec![http("201 Created", "", rpc_task().as_bytes())], "task t WORKING"),
    rpc("204", Get, |_| status("204 No Content"), NO_RPC),
    rest("204, for a task", Get, |_| status("204 No Content"), NO_RPC),
    rpc("204, for a stream", Stream, |_| status("204 No Content"), "BadAnswer: ...not a stream"),
    rpc("205", Send, |_| status("205 Reset Content"), NO_RPC),
    rpc("304, unasked", Get, |_| status("304 Not Modified"), "BadAnswer: ...304"),
    rpc("407", Get, |_| status("407 Proxy Authentication Required"), "BadAnswer: ...407"),
    rpc("418", Get, |_| status("418 I'm a teapot"), "BadAnswer: ...418"),
    rpc("421", Get, |_| status("421 Misdirected Request"), "BadAnswer: ...421"),
    rpc("500", Get, |_| status("500 "), "Agent Internal: ...500"),
    rpc("599", Get, |_| status("599 Odd"), "Agent Internal: ...599"),
    rpc("999", Get, |_| status("999 Odd"), "...999"),
    rpc("000", Get, |_| status("000 Odd"), BROKE),
    rpc("a status of two digits", Get, |_| status("20 OK"), BROKE),
    rpc(
        "a failure that says it is a result",
        Get,
        |_| vec![http("500 No", "", rpc_task().as_bytes())],
        "Agent Internal: ",
    ),
    rpc(
        "a page behind 502",
        Get,
        |_| vec![html("502 Bad Gateway")],
        "Agent Unavailable: GetTask: HTTP status 502",
    ),
    rest(
        "a page behind 503, for a message",
        Send,
        |_| vec![html("503 Busy")],
        "Agent Unavailable: SendMessage: HTTP status 503",
    ),
    rest(
        "a page behind 404",
        Get,
        |_| vec![html("404 Not Found")],
        "Agent MethodNotFound: GetTask: HTTP status 404",
    ),
    rpc("429 for ever", Get, |_| busy(""), "Agent RateLimited: "),
    rpc("429 for ever, for a message", Send, |_| busy("Retry-After: 0\r\n"), "Agent RateLimited: "),
    rpc("429 for a century", Get, |_| busy("Retry-After: 3155760000\r\n"), "Agent RateLimited: ")
        .times(1),
    rpc(
        "429 until 2099",
        Get,
        |_| busy("Retry-After: Sat, 21 Nov 2099 12:00:07 GMT\r\n"),
        "Agent RateLimited: ",
    )
    .times(1),
    rpc(
        "429 until 1970",
        Get,
        |_| busy("Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
        "Agent RateLimited: ",
    ),
    rpc("429 for less than nothing", Get, |_| busy("Retry-After: -1\r\n"), "Agent RateLimited: "),
    rpc(
        "429 for 2^64 s",
        Get,
        |_| busy("Retry-After: 18446744073709551616\r\n"),
        "Agent RateLimited: ",
    ),
    rpc("429 for a word", Get, |_| busy("Retry-After: \u{1f9a5}\r\n"), "Agent RateLimited: "),
    rpc(
        "an error for 2^64 s",
        Get,
        |_| vec![delayed("18446744073709549568s")],
        "Agent Unavailable: ",
    )
    .times(1),
    rpc("an error for less than nothing", Get, |_| vec![delayed("-5s")], "Agent Unavailable: "),
    rpc("an error for no number", Get, |_| vec![delayed("NaNs")], "Agent Unavailable: "),
    rpc("401 for ever", Get, |_| challenge("Bearer"), "Denied Unauthenticated: ").times(1),
    rpc(
        "401 with a challenge of garbage",
        Get,
        |_| challenge("=,=\"\\,;Digest nonce=\"\\"),
        "Denied Unauthenticated: ",
    )
    .times(1),
    rpc(
        "401 with a thousand challenges",
        Get,
        |_| challenge(&"Digest nonce=a, ".repeat(1_000)),
        "Denied Unauthenticated: ",
    )
    .times(1),
    rpc("403 for a stream", Stream, |_| status("403 Forbidden"), "Denied PermissionDenied: "),
];

/// What is said of every redirect. Cards are another matter.
const LEFT: &str = "BadAnswer: ...redirects are not followed";

const REDIRECTS: &[Variant] = &[
    rpc("301 elsewhere", Get, |asked| moved(301, &asked.elsewhere), LEFT),
    rpc("302 elsewhere, for a message", Send, |asked| moved(302, &asked.elsewhere), LEFT),
    rest("303 elsewhere", Get, |asked| moved(303, &asked.elsewhere), LEFT),
    rest("307 elsewhere, for a message", Send, |asked| moved(307, &asked.elsewhere), LEFT),
    rpc("307 elsewhere, for a stream", Stream, |asked| moved(307, &asked.elsewhere), LEFT),
    rpc("308 elsewhere", Get, |asked| moved(308, &asked.elsewhere), LEFT),
    rpc("307 to itself for ever", Get, |asked| moved(307, &asked.base), LEFT).times(1),
    rpc("307 to a path", Get, |_| moved(307, "/rpc/"), LEFT).times(1),
    rpc("307 to metadata", Get, |_| moved(307, "http://169.254.169.254/latest/"), LEFT),
    rpc("307 to a file", Get, |_| moved(307, "file:///etc/passwd"), LEFT),
    rpc("307 to a script", Get, |_| moved(307, "javascript:alert(1)"), LEFT),
    rpc(
        "307 with a name and a password",
        Get,
        |asked| moved(307, &asked.elsewhere.replace("//", "//u:p@")),
        LEFT,
    ),
    rpc("307 to nowhere", Get, |_| status("307 Moved"), "BadAnswer: ...307"),
    rpc(
        "307 to no text",
        Get,
        |_| vec![say(b"HTTP/1.1 307 Moved\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n")],
        "BadAnswer: ...307",
    ),
    rpc("300 elsewhere", Get, |asked| moved(300, &asked.elsewhere), LEFT),
    rpc("305 to a proxy", Get, |asked| moved(305, &asked.elsewhere), LEFT),
    rpc("200 and elsewhere", Get, |asked| elsewhere_beside("Location", asked), "task t WORKING"),
    rpc(
        "a refresh elsewhere",
        Get,
        |asked| elsewhere_beside("Refresh: 0;url", asked),
        "task t WORKING",
    ),
    rpc(
        "another service elsewhere",
        Get,
        |asked| elsewhere_beside("Alt-Svc: h2", asked),
        "task t WORKING",
    ),
];

const HEADERS: &[Variant] = &[
    rpc("100,000 headers", Get, |_| headers(&"a: b\r\n".repeat(100_000)), BROKE),
    rpc("a header of 1 MB", Get, |_| headers(&format!("a: {}\r\n", "b".repeat(1 << 20))), BROKE),
    rpc(
        "headers without end",
        Send,
        |_| vec![say("HTTP/1.1 200 OK\r\n"), Repeat(b"a: b\r\n".repeat(900))],
        BROKE,
    ),
    rpc(
        "a header without end",
        Send,
        |_| vec![say("HTTP/1.1 200 OK\r\na: "), Repeat(vec![b'b'; 9_000])],
        BROKE,
    ),
    rpc("a header with a NUL", Get, |_| headers("a: \0\r\n"), BROKE),
    rpc("a header without a name", Get, |_| headers(": b\r\n"), BROKE),
    rpc(
        "cookies",
        Get,
        |_| vec![http("429 Busy", "Set-Cookie: id=1; Path=/\r\n", b"")],
        "Agent RateLimited: ",
    ),
    rpc(
        "gzip, unasked",
        Get,
        |_| vec![gzip(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c\x04\x02\0")],
        NO_RPC,
    ),
    rpc(
        "plain JSON that says it is gzip",
        Get,
        |_| vec![gzip(rpc_task().as_bytes())],
        "task t WORKING",
    ),
    rpc("JSON as plain text", Get, |_| vec![typed("text/plain", &rpc_task())], "task t WORKING"),
    rpc(
        "JSON as nothing",
        Get,
        |_| vec![http("200 OK", "", rpc_task().as_bytes())],
        "task t WORKING",
    ),
    rpc("a page", Get, |_| vec![html("200 OK")], NO_RPC),
    rest("a page, for a message", Send, |_| vec![html("200 OK")], NO_RPC),
    rpc(
        "a page, for a stream",
        Stream,
        |_| vec![html("200 OK")],
        "BadAnswer: ...not a stream but `text/html`",
    ),
    rpc(
        "an event for an answer",
        Get,
        |_| vec![typed("text/event-stream", &format!("data: {}\n\n", rpc_task()))],
        NO_RPC,
    ),
    rpc(
        "an answer for a stream",
        Stream,
        |_| vec![result(&format!("{{\"task\":{TASK}}}"))],
        "BadAnswer: ...not a stream but `application/json`",
    ),
    rpc(
        "a stream of no type",
        Stream,
        |_| vec![http("200 OK", "", b"data: {}\n\n")],
        "BadAnswer: ...not a stream",
    ),
    rest(
        "a stream of two types",
        Stream,
        |_| vec![typed("text/html, text/event-stream", "data: {}\n\n")],
        "BadAnswer: ...not a stream",
    ),
    rest(
        "a stream behind 500",
        Stream,
        |_| vec![http("500 No", "Content-Type: text/event-stream\r\n", b"data: {}\n\n")],
        "Agent Internal: ",
    ),
];

fn rpc_task() -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{TASK}}}"#)
}

fn status(line: &str) -> Vec<Act> {
    vec![say(format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n"))]
}

fn busy(headers: &str) -> Vec<Act> {
    vec![http("429 Too Many Requests", headers, b"")]
}

fn challenge(text: &str) -> Vec<Act> {
    vec![http("401 Unauthorized", &format!("WWW-Authenticate: {text}\r\n"), b"")]
}

/// An error that says itself when to come back.
fn delayed(delay: &str) -> Act {
    let data = format!(r#"[{{"reason":"UNAVAILABLE"}},{{"retryDelay":"{delay}"}}]"#);
    let error = format!(r#"{{"code":-32603,"message":"m","data":{data}}}"#);
    super::json(format!(r#"{{"jsonrpc":"2.0","id":1,"error":{error}}}"#))
}

pub(super) fn moved(status: u16, target: &str) -> Vec<Act> {
    vec![http(&format!("{status} Moved"), &format!("Location: {target}\r\n"), b"")]
}

/// A good answer beside which another address is named.
fn elsewhere_beside(header: &str, asked: &Asked) -> Vec<Act> {
    let line = if header.contains(':') {
        format!("{header}={}", asked.elsewhere)
    } else {
        format!("{header}: {}", asked.elsewhere)
    };
    vec![http("200 OK", &format!("{line}\r\n"), rpc_task().as_bytes())]
}

fn headers(lines: &str) -> Vec<Act> {
    vec![http("200 OK", lines, rpc_task().as_bytes())]
}

fn gzip(body: &[u8]) -> Act {
    http("200 OK", "Content-Encoding: gzip\r\n", body)
}

fn typed(media_type: &str, body: &str) -> Act {
    http("200 OK", &format!("Content-Type: {media_type}\r\n"), body.as_bytes())
}

fn html(status: &str) -> Act {
    http(status, "Content-Type: text/html\r\n", b"<html><body><h1>Sorry</h1></body></html>")
}
