//! What a peer does with the connection: ends, pauses and lengths that are none.

use super::peer::Act::{Drip, Hush, Repeat, Reset};
use super::variant::Ask::{Follow, Get, Send, Stream};
use super::variant::{Variant, check, rest, rpc};
use super::{http, say, task};

/// The head of a body that ends with its connection.
const OPEN: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn connections_that_fail_are_lost_and_no_more() {
    check(ENDS).await;
}

#[tokio::test]
async fn nobody_waits_longer_than_was_said() {
    check(PAUSES).await;
}

#[tokio::test]
async fn no_more_is_taken_than_was_said() {
    check(LENGTHS).await;
}

const BROKE: &str = "Lost: ...the connection broke";
const SLOW: &str = "Lost: ...no answer for";
const LARGE: &str = "Lost: ...larger than 65536 bytes";

const ENDS: &[Variant] = &[
    rpc("a reset at once", Get, |_| vec![Reset], BROKE),
    rpc("a reset at once, for a message", Send, |_| vec![Reset], BROKE),
    rpc("an end at once", Get, |_| vec![], BROKE),
    rpc("half a status line", Get, |_| vec![say("HTTP/1.1 2")], BROKE),
    rpc("another protocol", Get, |_| vec![say("SSH-2.0-hello\r\n\r\n")], BROKE),
    rpc("a body without a head", Get, |_| vec![say("{}\r\n\r\n")], BROKE),
    rpc("half a head", Get, |_| vec![say("HTTP/1.1 200 OK\r\nContent-Ty")], BROKE),
    rpc(
        "a length beyond the body",
        Get,
        |_| vec![say("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"jsonrpc\":")],
        BROKE,
    ),
    rpc(
        "a length within the body",
        Get,
        |_| vec![say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"jsonrpc\":\"2.0\"}")],
        "BadAnswer: ",
    ),
    rpc("a length that is none", Get, |_| vec![say(length("-1"))], BROKE),
    rpc("a length in words", Get, |_| vec![say(length("ten"))], BROKE),
    rpc("a length of 2^70", Get, |_| vec![say(length("1180591620717411303424"))], BROKE),
    rpc("two lengths", Get, |_| vec![say(length("2\r\nContent-Length: 3"))], BROKE),
    rpc(
        "a length and chunks",
        Get,
        |_| vec![say(length("2\r\nTransfer-Encoding: chunked"))],
        BROKE,
    ),
    rpc("an end before the first chunk", Get, |_| vec![say(CHUNKED)], BROKE),
    rpc("an end within the size of a chunk", Get, |_| vec![chunked("1")], BROKE),
    rpc("an end within a chunk", Get, |_| vec![chunked("ff\r\n{\"json")], BROKE),
    rpc("an end between chunks", Get, |_| vec![chunked("2\r\n{}\r\n")], BROKE),
    rpc("an end before the last line", Get, |_| vec![chunked("2\r\n{}\r\n0\r\n")], BROKE),
    rpc("a chunk of 2^80", Get, |_| vec![chunked("ffffffffffffffffffff\r\n{}")], BROKE),
    rpc("a chunk of no size", Get, |_| vec![chunked("zz\r\n{}\r\n0\r\n\r\n")], BROKE),
    rpc("a chunk longer than its size", Get, |_| vec![chunked("1\r\n{}\r\n0\r\n\r\n")], BROKE),
    rpc(
        "an answer and half of another",
        Get,
        |_| vec![task(), say("HTTP/1.1 5")],
        "task t WORKING",
    ),
    rpc("two answers", Get, |_| vec![task(), http("500 No", "", b"")], "task t WORKING"),
];

const PAUSES: &[Variant] = &[
    rpc("silence", Get, |_| vec![Hush], SLOW),
    rpc("silence, for a message", Send, |_| vec![Hush], SLOW),
    rest("silence, for a stream", Stream, |_| vec![Hush], SLOW),
    rpc("silence behind the head", Get, |_| vec![say(OPEN), Hush], SLOW),
    rpc("silence within the body", Get, |_| vec![say(OPEN), say("{\"json"), Hush], SLOW),
    rpc(
        "a head in drips",
        Get,
        |_| vec![say("HTTP/1.1 200 OK\r\na: "), Drip(vec![b'x'; 999])],
        SLOW,
    ),
    rpc("a body in drips", Send, |_| vec![say(OPEN), Drip(vec![b' '; 999])], SLOW),
    // What is no stream has to come to its end, though streams need not.
    rpc("a body in drips, for a stream", Stream, |_| vec![say(OPEN), Drip(vec![b' '; 999])], SLOW),
    rest("a page in drips, for a stream", Stream, |_| page("200 OK"), SLOW),
    rest("a refusal in drips, for a stream", Stream, |_| page("401 Unauthorized"), SLOW),
    rest("a refusal in drips", Send, |_| page("403 Forbidden"), SLOW),
    rest("a failure in drips", Send, |_| page("503 Service Unavailable"), SLOW),
    rpc("100 Continue for ever", Send, |_| vec![Repeat(going_on())], SLOW),
    rpc("chunks of nothing in drips", Follow, |_| vec![say(CHUNKED), Hush], SLOW),
];

const LENGTHS: &[Variant] = &[
    rpc("an endless body", Get, |_| vec![say(OPEN), Repeat(vec![b'['; 9_000])], LARGE),
    rest(
        "an endless body, for a message",
        Send,
        |_| vec![say(OPEN), Repeat(vec![b' '; 9_000])],
        LARGE,
    ),
    rpc("an endless string", Get, |_| vec![say(OPEN), say("\""), Repeat(vec![b'x'; 9_000])], LARGE),
    rpc(
        "chunks without end",
        Get,
        |_| vec![say(CHUNKED), Repeat(b"5\r\n[1,2,\r\n".repeat(900))],
        LARGE,
    ),
    rpc(
        "a body of a terabyte",
        Get,
        |_| {
            vec![
                say("HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n"),
                Repeat(vec![b' '; 9_000]),
            ]
        },
        LARGE,
    ),
    rpc("an endless failure", Get, |_| endless("500 Internal Server Error"), LARGE),
    rpc("an endless refusal", Get, |_| endless("401 Unauthorized"), LARGE),
    rest(
        "an endless page, for a stream",
        Stream,
        |_| endless("200 OK"),
        "Lost: ...larger than 1048576 bytes",
    ),
    rpc(
        "an endless extension of a chunk",
        Get,
        |_| vec![chunked("1;"), Repeat(vec![b'x'; 9_000])],
        BROKE,
    ),
    rpc(
        "endless trailers",
        Get,
        |_| vec![chunked("0\r\n"), Repeat(b"a: b\r\n".repeat(900))],
        BROKE,
    ),
];

fn length(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {text}\r\n\r\n{{}}")
}

fn chunked(text: &str) -> super::Act {
    say(format!("{CHUNKED}{text}"))
}

fn going_on() -> Vec<u8> {
    b"HTTP/1.1 100 Continue\r\n\r\n".repeat(99)
}

/// A page with this status that comes a byte at a time.
fn page(status: &str) -> Vec<super::Act> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\n\r\n");
    vec![say(head), Drip(vec![b'x'; 999])]
}

fn endless(status: &str) -> Vec<super::Act> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\n\r\n");
    vec![say(head), Repeat(vec![b'x'; 9_000])]
}
