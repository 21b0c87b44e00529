//! A connection of HTTP/2 for one call after the other, with prepared heads: as cheap for the load as
//! [`super::connection::Connection`] is for HTTP/1.1.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::load::Connect;
use crate::tls::Stream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// Bytes before a frame.
const FRAME: usize = 9;

/// Bytes that the server may send without being told that they were read.
const WINDOW: u32 = 1 << 30;

pub(super) struct Channel {
    stream: Stream,
    raw: Vec<u8>,
    body: Vec<u8>,
    next: u32,
    ended: bool,
    /// Bytes of data that came since the server was told of them.
    taken: u32,
}

/// The head of a request as HPACK, without its table.
pub(super) fn head(path: &str, token: &str) -> Vec<u8> {
    // Names by their number in the static table, values as they are.
    let mut head = vec![0x83, 0x86];
    let mut literal = |name: u8, value: &str| {
        name_number(&mut head, name);
        text(&mut head, value);
    };
    literal(4, path);
    literal(1, "127.0.0.1");
    literal(31, "application/grpc");
    literal(23, &format!("Bearer {token}"));
    head.push(0);
    text(&mut head, "te");
    text(&mut head, "trailers");
    head
}

/// A literal that no table keeps, by the number of its name: a prefix of four bits, and the rest.
fn name_number(head: &mut Vec<u8>, number: u8) {
    match number {
        0..15 => head.push(number),
        _ => head.extend([15, number - 15]),
    }
}

fn text(head: &mut Vec<u8>, text: &str) {
    // The prefix has seven bits, and what is longer goes on behind it.
    match u8::try_from(text.len()).ok().filter(|length| *length < 127) {
        Some(length) => head.push(length),
        None => {
            let mut rest = text.len() - 127;
            head.push(127);
            while rest >= 128 {
                head.push(rest as u8 | 128);
                rest /= 128;
            }
            head.push(rest as u8);
        }
    }
    head.extend_from_slice(text.as_bytes());
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
}

impl Connect for Channel {
    async fn open_by(
        address: SocketAddr,
        connector: Option<&TlsConnector>,
    ) -> anyhow::Result<Self> {
        let mut stream = Stream::open(address, connector).await?;
        let mut hello = PREFACE.to_vec();
        // INITIAL_WINDOW_SIZE, for every stream; then the connection's.
        let settings = [&[0, 4][..], &WINDOW.to_be_bytes()].concat();
        frame(&mut hello, SETTINGS, 0, 0, &settings);
        frame(&mut hello, WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        stream.write_all(&hello).await.context("cannot send")?;
        Ok(Self { stream, raw: Vec::new(), body: Vec::new(), next: 1, ended: true, taken: 0 })
    }
}

impl Channel {
    /// Begins a call with one message, which fits a frame.
    pub(super) async fn begin(&mut self, head: &[u8], message: &[u8]) -> anyhow::Result<()> {
        ensure!(self.ended && self.body.is_empty(), "more arrived than the last answer");
        let mut out = Vec::with_capacity(head.len() + message.len() + 2 * FRAME);
        frame(&mut out, HEADERS, END_HEADERS, self.next, head);
        frame(&mut out, DATA, END_STREAM, self.next, message);
        self.next += 2;
        self.ended = false;
        self.stream.write_all(&out).await.context("cannot send")
    }

    /// Takes the next message; `None` at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(Some(message));
            }
            if self.ended {
                ensure!(self.body.is_empty(), "a piece of a message at the end");
                return Ok(None);
            }
            self.raw.reserve(64 << 10);
            let read = self.stream.read_buf(&mut self.raw).await.context("cannot receive")?;
            ensure!(read > 0, "the server closed the connection");
            self.decode().await?;
        }
    }

    fn take_message(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(prefix) = self.body.get(..5) else { return Ok(None) };
        ensure!(prefix[0] == 0, "a compressed message");
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
        if self.body.len() < 5 + length {
            return Ok(None);
        }
        let rest = self.body.split_off(5 + length);
        let message = std::mem::replace(&mut self.body, rest);
        Ok(Some(message[5..].to_vec()))
    }

    /// Takes every whole frame.
    async fn decode(&mut self) -> anyhow::Result<()> {
        let mut used = 0;
        let mut say = Vec::new();
        while let Some(head) = self.raw.get(used..used + FRAME) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, flags) = (head[3], head[4]);
            let begin = used + FRAME;
            let Some(payload) = self.raw.get(begin..begin + length) else { break };
            used = begin + length;
            match kind {
                DATA => {
                    ensure!(flags & PADDED == 0, "padding");
                    self.body.extend_from_slice(payload);
                    self.taken += length as u32;
                }
                SETTINGS if flags & ACK == 0 => frame(&mut say, SETTINGS, ACK, 0, &[]),
                PING if flags & ACK == 0 => frame(&mut say, PING, ACK, 0, payload),
                RESET | GO_AWAY => bail!("the server gave up: {payload:?}"),
                _ => {}
            }
            self.ended |= matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
        }
        self.raw.drain(..used);
        if self.taken > WINDOW / 2 {
            frame(&mut say, WINDOW_UPDATE, 0, 0, &self.taken.to_be_bytes());
            self.taken = 0;
        }
        if !say.is_empty() {
            self.stream.write_all(&say).await.context("cannot send")?;
        }
        Ok(())
    }
}
