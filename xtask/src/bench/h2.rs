//! A connection of HTTP/2 with prepared heads: as cheap for the load as
//! [`super::connection::Connection`] is for HTTP/1.1.

use std::collections::HashMap;
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
    /// What came of the calls that are not done, by their numbers.
    answers: HashMap<u32, Answer>,
    /// Calls whose answers have ended.
    ended: Vec<u32>,
    next: u32,
    /// Bytes of data that came since the server was told of them.
    taken: u32,
}

/// The body of an answer, as far as it has come and was not taken.
#[derive(Default)]
struct Answer(Vec<u8>);

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
    for (name, value) in [("te", "trailers"), ("a2a-version", "1.0")] {
        head.push(0);
        text(&mut head, name);
        text(&mut head, value);
    }
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
        let (raw, answers, ended) = (Vec::new(), HashMap::new(), Vec::new());
        Ok(Self { stream, raw, answers, ended, next: 1, taken: 0 })
    }
}

impl Channel {
    /// Begins a call with one message, which fits a frame; gives its number.
    pub(super) async fn begin(&mut self, head: &[u8], message: &[u8]) -> anyhow::Result<u32> {
        let mut out = Vec::with_capacity(head.len() + message.len() + 2 * FRAME);
        let call = self.next;
        frame(&mut out, HEADERS, END_HEADERS, call, head);
        frame(&mut out, DATA, END_STREAM, call, message);
        self.next += 2;
        self.answers.insert(call, Answer::default());
        self.stream.write_all(&out).await.context("cannot send")?;
        Ok(call)
    }

    /// Hands the next messages of a call to `take`, all that are there; `false` at its end.
    pub(super) async fn next(
        &mut self,
        call: u32,
        mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        loop {
            let answer = self.answers.get_mut(&call).context("no such call")?;
            if answer.take_messages(&mut take)? {
                return Ok(true);
            }
            if let Some(at) = self.ended.iter().position(|ended| *ended == call) {
                ensure!(answer.0.is_empty(), "a piece of a message at the end");
                self.ended.swap_remove(at);
                self.answers.remove(&call);
                return Ok(false);
            }
            self.read().await?;
        }
    }

    /// Waits until a call is answered, and gives its number.
    pub(super) async fn answered(&mut self) -> anyhow::Result<u32> {
        loop {
            match self.ended.first() {
                Some(call) => return Ok(*call),
                None => self.read().await?,
            }
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        self.raw.reserve(64 << 10);
        let read = self.stream.read_buf(&mut self.raw).await.context("cannot receive")?;
        ensure!(read > 0, "the server closed the connection");
        self.decode().await
    }

    /// Takes every whole frame.
    async fn decode(&mut self) -> anyhow::Result<()> {
        let mut used = 0;
        let mut say = Vec::new();
        while let Some(head) = self.raw.get(used..used + FRAME) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, flags) = (head[3], head[4]);
            let call = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let begin = used + FRAME;
            let Some(payload) = self.raw.get(begin..begin + length) else { break };
            used = begin + length;
            match kind {
                DATA => {
                    ensure!(flags & PADDED == 0, "padding");
                    let answer = self.answers.get_mut(&call).context("data of no call")?;
                    answer.0.extend_from_slice(payload);
                    self.taken += length as u32;
                }
                SETTINGS if flags & ACK == 0 => frame(&mut say, SETTINGS, ACK, 0, &[]),
                PING if flags & ACK == 0 => frame(&mut say, PING, ACK, 0, payload),
                RESET | GO_AWAY => bail!("the server gave up: {payload:?}"),
                _ => {}
            }
            if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                self.ended.push(call);
            }
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

impl Answer {
    /// Hands every whole message to `take`, and removes them; whether there was one.
    fn take_messages(
        &mut self,
        mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        let mut used = 0;
        while let Some(prefix) = self.0.get(used..used + 5) {
            ensure!(prefix[0] == 0, "a compressed message");
            let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
            let Some(message) = self.0.get(used + 5..used + 5 + length) else { break };
            take(message)?;
            used += 5 + length;
        }
        self.0.drain(..used);
        Ok(used > 0)
    }
}
