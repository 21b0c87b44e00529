//! HTTP/2 by hand: frames that no honest library would send, and what comes back.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::tls::Stream;

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const PRIORITY: u8 = 0x2;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PING: u8 = 0x6;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;
const GOAWAY: u8 = 0x7;

/// Bytes of a frame's header.
const HEADER: usize = 9;

pub(super) const END_STREAM: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const ACK: u8 = 0x1;

/// How a connection begins: the preface, and settings that say nothing.
pub(super) fn preface() -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat()
}

/// A frame (RFC 9113 4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Headers as literals that nobody remembers (RFC 7541 6.2.2).
pub(super) fn headers(lines: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in lines {
        block.push(0);
        text(&mut block, name);
        text(&mut block, value);
    }
    block
}

/// A text with its length as an integer of a prefix of seven bits (RFC 7541 5.1).
fn text(block: &mut Vec<u8>, text: &str) {
    const PREFIX: usize = 127;
    if text.len() < PREFIX {
        block.push(text.len() as u8);
    } else {
        block.push(PREFIX as u8);
        let mut rest = text.len() - PREFIX;
        while rest >= 128 {
            block.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        block.push(rest as u8);
    }
    block.extend_from_slice(text.as_bytes());
}

/// The headers of a request, without a body unless there is a length.
pub(super) fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let own = [
        (":method", method),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
        ("a2a-version", "1.0"),
        ("content-type", "application/json"),
    ];
    headers(&[&own[..], more].concat())
}

/// What a connection came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// The code of the last GOAWAY.
    pub(super) goaway: Option<u32>,
    /// How many streams were reset, and the code of the last of them.
    pub(super) resets: (usize, Option<u32>),
    /// How many answers began.
    pub(super) answers: usize,
    pub(super) is_closed: bool,
}

/// Whether a frame of a kind begins in what was heard from the beginning.
pub(super) fn has(mut heard: &[u8], kind: u8) -> bool {
    while let Some((head, rest)) = heard.split_at_checked(HEADER) {
        if head[3] == kind {
            return true;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        heard = rest.get(length..).unwrap_or_default();
    }
    false
}

/// Sends bytes, and reads what comes until the connection ends, or nothing comes for a while, or it
/// is what was waited for.
pub(super) async fn exchange(
    stream: Stream,
    bytes: Vec<u8>,
    patience: Duration,
    is_enough: impl Fn(&End) -> bool,
) -> End {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (pongs, mut wanted) = mpsc::channel(16);
    let writing = tokio::spawn(async move {
        let mut next = Some(bytes);
        // It may be cut in the middle.
        while let Some(bytes) = next {
            if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
                return;
            }
            next = wanted.recv().await;
        }
    });
    let mut end = End::default();
    while !is_enough(&end) {
        let mut head = [0; HEADER];
        match timeout(patience, reader.read_exact(&mut head)).await {
            Err(_) => break,
            Ok(Err(_)) => {
                end.is_closed = true;
                break;
            }
            Ok(Ok(_)) => {}
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        if reader.read_exact(&mut payload).await.is_err() {
            end.is_closed = true;
            break;
        }
        if head[3] == PING && head[4] & ACK == 0 {
            // A peer that does not say that it is there would be cut for that.
            let _ = pongs.try_send(frame(PING, ACK, 0, &payload));
        }
        end.see(head[3], &payload);
    }
    writing.abort();
    end
}

impl End {
    fn see(&mut self, kind: u8, payload: &[u8]) {
        let number = |at: usize| {
            let bytes = payload.get(at..at + 4)?;
            Some(u32::from_be_bytes(bytes.try_into().ok()?))
        };
        match kind {
            GOAWAY => self.goaway = number(4),
            RST_STREAM => self.resets = (self.resets.0 + 1, number(0)),
            HEADERS => self.answers += 1,
            _ => {}
        }
    }
}
