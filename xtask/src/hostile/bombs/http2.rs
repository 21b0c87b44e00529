//! Bombs over HTTP/2: what its frames may do to a server.

use std::time::Duration;

use super::{Act, Bomb, bomb, dear, long};
use crate::hostile::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, End, HEADERS, PING, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, exchange, frame, headers, preface, request,
};
use crate::hostile::grpc;
use crate::hostile::target::{Target, message};

/// How long the server may be silent before it counts as going on.
const PATIENCE: Duration = Duration::from_secs(3);

/// Frames of a flood.
const MANY: u32 = 100_000;

/// Codes of RFC 9113 7.
const PROTOCOL: u32 = 0x1;
const FLOW_CONTROL: u32 = 0x3;
const FRAME_SIZE: u32 = 0x6;
const REFUSED_STREAM: u32 = 0x7;
const COMPRESSION: u32 = 0x9;
const CALM: u32 = 0xb;

/// Every bomb. An answer is how the connection ended, or that it did not.
pub(super) const BOMBS: &[Bomb] = &[
    bomb("endless CONTINUATION", |t| flood(t, continuations()), &["closed"]),
    bomb(
        "a header list of 1 MB by reference",
        |t| flood(t, references()),
        &["closed", "refused", "answered"],
    ),
    dear(2, bomb("rapid reset", |t| flood(t, resets()), &["closed: calm", "closed"])),
    dear(
        2,
        bomb("10,000 streams", |t| flood(t, streams()), &["closed: calm", "closed", "refused"]),
    ),
    dear(
        2,
        bomb(
            "100,000 PINGs",
            |t| flood(t, frame(PING, 0, 0, &[0; 8]).repeat(MANY as usize)),
            &["closed"],
        ),
    ),
    dear(
        2,
        bomb(
            "100,000 SETTINGS",
            |t| flood(t, frame(SETTINGS, 0, 0, &[]).repeat(MANY as usize)),
            &["closed"],
        ),
    ),
    dear(
        2,
        bomb(
            "100,000 PRIORITYs",
            |t| flood(t, frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 0]).repeat(MANY as usize)),
            &["closed"],
        ),
    ),
    dear(
        2,
        bomb(
            "100,000 WINDOW_UPDATEs",
            |t| flood(t, frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()).repeat(MANY as usize)),
            &["closed"],
        ),
    ),
    dear(2, bomb("100,000 empty DATA", |t| flood(t, empty_data()), &["closed"])),
    bomb(
        "a window beyond 2^31",
        |t| flood(t, frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes())),
        &["closed: flow control"],
    ),
    bomb(
        "a frame of 1 MB",
        |t| flood(t, frame(DATA, 0, 1, &vec![0; 1 << 20])),
        &["closed: frame size"],
    ),
    bomb("DATA on no stream", |t| flood(t, frame(DATA, 0, 0, b"x")), &["closed: protocol"]),
    bomb(
        "broken HPACK",
        |t| flood(t, frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 16])),
        &["closed: compression", "closed: protocol"],
    ),
    bomb(
        "more body than its length",
        |t| flood(t, longer_than_said()),
        &["refused", "answered", "closed"],
    ),
    bomb("a header of HTTP/1.1", |t| flood(t, hop_by_hop()), &["refused", "closed", "answered"]),
    long(dear(
        6,
        bomb("readers without a window", |t| Box::pin(no_window(t)), &["refused 2 streams"]),
    )),
];

/// Sends frames after the preface, and tells what came of it.
fn flood(target: &Target, frames: Vec<u8>) -> Act<'_> {
    Box::pin(async move {
        let stream = target.connect("h2").await?;
        let bytes = [preface(), frame(SETTINGS, ACK, 0, &[]), frames].concat();
        Ok(told(&exchange(stream, bytes, PATIENCE, |_| false).await))
    })
}

fn told(end: &End) -> String {
    let why = |code| match code {
        PROTOCOL => ": protocol",
        FLOW_CONTROL => ": flow control",
        FRAME_SIZE => ": frame size",
        COMPRESSION => ": compression",
        CALM => ": calm",
        _ => "",
    };
    let (resets, last) = end.resets;
    match end.goaway {
        Some(code) if end.is_closed => format!("closed{}", why(code)),
        _ if end.is_closed => "closed".into(),
        _ if resets > 0 && last == Some(REFUSED_STREAM) => format!("refused {resets} streams"),
        _ if resets > 0 => format!("refused {resets} streams{}", last.map_or("", why)),
        _ if end.answers > 0 => format!("answered {} times", end.answers),
        _ => "went on".into(),
    }
}

fn continuations() -> Vec<u8> {
    let piece = frame(CONTINUATION, 0, 1, &headers(&[("x", &"a".repeat(1_000))]));
    [frame(HEADERS, 0, 1, &request("GET", "/healthz", &[])), piece.repeat(2_000)].concat()
}

/// A large header that is remembered, and then said 10,000 times with a byte each (RFC 7541 6.1).
fn references() -> Vec<u8> {
    let mut block = request("GET", "/healthz", &[]);
    block.extend([0x40, 1, b'x', 127, (3_000 % 128) as u8 | 128, (3_000 / 128) as u8]);
    block.extend(vec![b'a'; 3_000 + 127]);
    block.extend([0xbe; 10_000]);
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)
}

fn resets() -> Vec<u8> {
    let block = request("GET", "/healthz", &[]);
    let pair = |number: u32| {
        let stream = 2 * number + 1;
        let begins = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
        [begins, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    (0..20_000).flat_map(pair).collect()
}

fn streams() -> Vec<u8> {
    let block = request("POST", "/a2a", &[("content-length", "100")]);
    (0..10_000).flat_map(|number| frame(HEADERS, END_HEADERS, 2 * number + 1, &block)).collect()
}

fn empty_data() -> Vec<u8> {
    let begins = frame(HEADERS, END_HEADERS, 1, &request("POST", "/a2a", &[]));
    [begins, frame(DATA, 0, 1, &[]).repeat(MANY as usize)].concat()
}

fn longer_than_said() -> Vec<u8> {
    let block = request("POST", "/a2a", &[("content-length", "2")]);
    let begins = frame(HEADERS, END_HEADERS, 1, &block);
    [begins, frame(DATA, END_STREAM, 1, b"{}{}{}")].concat()
}

fn hop_by_hop() -> Vec<u8> {
    let block = request("GET", "/healthz", &[("transfer-encoding", "chunked")]);
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)
}

/// Readers that ask for much and let nothing through are reset by the bound for that, of events and
/// of messages.
async fn no_window(target: &Target) -> anyhow::Result<String> {
    // Longer than the server lets a response wait, and than it takes to notice.
    const LONG: Duration = Duration::from_secs(180);
    const TEXT: &str = "chunks 20000";
    let stream = target.connect("h2").await?;
    // SETTINGS_INITIAL_WINDOW_SIZE (0x4) of nothing.
    let none = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let token = format!("Bearer {}", target.token);
    let token = ("authorization", &*token);
    let events = request("POST", "/a2a/agents/echo/message:stream", &[token]);
    let path = grpc::V1_0.path("SendStreamingMessage");
    let messages = headers(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", &path),
        ("content-type", "application/grpc"),
        ("a2a-version", "1.0"),
        token,
    ]);
    let send = grpc::V1_0.send(&grpc::message(&grpc::part(TEXT.as_bytes())));
    let send = [grpc::prefix(0, send.len()), send].concat();
    let bytes = [
        preface(),
        none,
        frame(HEADERS, END_HEADERS, 1, &events),
        frame(DATA, END_STREAM, 1, message(TEXT).as_bytes()),
        frame(HEADERS, END_HEADERS, 3, &messages),
        frame(DATA, END_STREAM, 3, &send),
    ];
    let end = exchange(stream, bytes.concat(), LONG, |end| end.resets.0 == 2).await;
    Ok(told(&end))
}
