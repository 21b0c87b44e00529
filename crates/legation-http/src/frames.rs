//! The frames of an HTTP/2 peer, counted by what they are for.
//!
//! Some frames cost the server work and carry nothing: pings, settings, resets, priorities, empty or
//! tiny pieces of data and of headers. HTTP/2 has no bound for them, so a peer gets an allowance that
//! grows with time and with what it is sent: whoever reads much has windows to update and pings to
//! measure with. A peer that spends it all is cut, and so is one that does not finish a head: until
//! it does, nobody else's frames get through on its connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::pace::{Phase, Phases};

/// How an HTTP/2 connection begins (RFC 9113 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame's header (RFC 9113 4.1).
const HEADER: usize = 9;

/// Kinds of frames and their flags (RFC 9113 6).
const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Pieces of data and of headers below this many bytes count as empty.
const TINY: u32 = 16;

/// Bytes sent to the peer for which it may send one frame more.
const BYTES_A_FRAME: f64 = 32.0;

/// A transport of HTTP/2 that fails when its peer sends too many frames for nothing.
pub(crate) struct Metered<S> {
    stream: S,
    frames: Frames,
    allowance: Allowance,
    phases: Phases,
}

impl<S> Metered<S> {
    /// A transport whose peer may send this many such frames in a minute. The phase is that of a
    /// head within the preface and within the headers of a request, else that of a response.
    pub(crate) fn new(stream: S, phases: Phases, frames_a_minute: u32) -> Self {
        let allowance = Allowance::new(frames_a_minute, Instant::now());
        Self { stream, frames: Frames::default(), allowance, phases }
    }

    fn meter(&mut self, bytes: &[u8]) -> io::Result<()> {
        let before = self.frames.head();
        let costly = self.frames.take(bytes);
        let now = self.frames.head();
        if now != before {
            self.phases.enter(if now.is_some() { Phase::Head } else { Phase::Response });
        }
        if costly == 0 || self.allowance.spend(costly, Instant::now()) {
            return Ok(());
        }
        Err(io::Error::other("the peer sends too many frames for nothing"))
    }

    fn earn(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.allowance.earn(*bytes);
        }
    }
}

/// Where in the peer's bytes the frames are.
#[derive(Default)]
struct Frames {
    /// Bytes of the preface that have come.
    preface: usize,
    header: [u8; HEADER],
    /// Bytes of the next header that have come.
    have: usize,
    /// Bytes of the present frame still to come.
    rest: usize,
    /// Heads that have begun, and whether the last of them goes on after the present frame.
    heads: u64,
    head_goes_on: bool,
}

impl Frames {
    /// The number of the head that has begun and not ended; the preface is the first.
    fn head(&self) -> Option<u64> {
        let is_preface = self.preface < PREFACE.len();
        let is_rest = self.rest > 0 && matches!(self.header[3], HEADERS | CONTINUATION);
        (is_preface || is_rest || self.head_goes_on).then_some(self.heads)
    }

    /// Goes through the bytes that came; gives how many frames for nothing begin in them.
    fn take(&mut self, mut bytes: &[u8]) -> u32 {
        let mut costly = 0;
        // What it consists of is for the codec to check.
        bytes = skip(bytes, PREFACE.len() - self.preface, &mut self.preface);
        while !bytes.is_empty() {
            let skipped = self.rest.min(bytes.len());
            (self.rest, bytes) = (self.rest - skipped, &bytes[skipped..]);
            let count = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + count].copy_from_slice(&bytes[..count]);
            (self.have, bytes) = (self.have + count, &bytes[count..]);
            if self.have == HEADER {
                let length =
                    u32::from_be_bytes([0, self.header[0], self.header[1], self.header[2]]);
                let [kind, flags] = [self.header[3], self.header[4]];
                costly += u32::from(is_costly(length, kind, flags));
                (self.have, self.rest) = (0, length as usize);
                if matches!(kind, HEADERS | CONTINUATION) {
                    self.heads += u64::from(kind == HEADERS);
                    self.head_goes_on = flags & END_HEADERS == 0;
                }
            }
        }
        costly
    }
}

/// Leaves out at most so many bytes, and counts them.
fn skip<'b>(bytes: &'b [u8], most: usize, skipped: &mut usize) -> &'b [u8] {
    let count = most.min(bytes.len());
    *skipped += count;
    &bytes[count..]
}

/// Whether a frame costs work and carries nothing (RFC 9113 6).
fn is_costly(length: u32, kind: u8, flags: u8) -> bool {
    match kind {
        // These may be short where they end something.
        DATA => length < TINY && flags & END_STREAM == 0,
        CONTINUATION => length < TINY && flags & END_HEADERS == 0,
        // A request, which has bounds of its own.
        HEADERS => false,
        // PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE and what nobody knows.
        _ => true,
    }
}

/// How many frames for nothing a peer may still send.
struct Allowance {
    left: f64,
    most: f64,
    since: Instant,
}

impl Allowance {
    fn new(a_minute: u32, now: Instant) -> Self {
        let most = f64::from(a_minute);
        Self { left: most, most, since: now }
    }

    /// Whether so many frames were still allowed.
    fn spend(&mut self, frames: u32, now: Instant) -> bool {
        let minutes = now.duration_since(self.since).as_secs_f64() / 60.0;
        self.left = (self.left + minutes * self.most).min(self.most) - f64::from(frames);
        self.since = now;
        self.left >= 0.0
    }

    fn earn(&mut self, written: usize) {
        self.left = (self.left + written as f64 / BYTES_A_FRAME).min(self.most);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.meter(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.earn(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.earn(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let size = (length as u32).to_be_bytes();
        let header = [size[1], size[2], size[3], kind, flags, 0, 0, 0, 1];
        [&header[..], &vec![0; length]].concat()
    }

    #[test]
    fn frames_for_nothing_are_found_wherever_a_read_ends() {
        let cases = [
            (frame(0x0, 0, 0), 1),
            (frame(0x0, 0, 16), 0),
            (frame(0x0, 1, 0), 0),
            (frame(0x1, 0, 3), 0),
            (frame(0x2, 0, 5), 1),
            (frame(0x3, 0, 4), 1),
            (frame(0x4, 0, 0), 1),
            (frame(0x6, 0, 8), 1),
            (frame(0x8, 0, 4), 1),
            (frame(0x9, 0, 0), 1),
            (frame(0x9, 4, 0), 0),
            (frame(0x9, 0, 100), 0),
            (frame(0xaa, 0, 70_000), 1),
        ];
        let all: Vec<u8> = cases.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let all = [PREFACE, &all].concat();
        let expected: u32 = cases.iter().map(|(_, costly)| costly).sum();
        for size in [1, 7, 9, 24, 1000, all.len()] {
            let mut frames = Frames::default();
            let costly: u32 = all.chunks(size).map(|piece| frames.take(piece)).sum();
            assert_eq!((costly, frames.have, frames.rest), (expected, 0, 0), "by {size}");
        }
    }

    #[test]
    fn a_head_lasts_until_its_last_byte() {
        let [whole, open] = [frame(HEADERS, END_HEADERS, 5), frame(HEADERS, 0, 5)];
        let [more, last] = [frame(CONTINUATION, 0, 20), frame(CONTINUATION, END_HEADERS, 2)];
        let data = frame(DATA, 0, 20);
        let cases: [(&[&[u8]], _); 10] = [
            (&[&PREFACE[..20]], Some(0)),
            (&[PREFACE], None),
            (&[PREFACE, &whole[..8]], None),
            (&[PREFACE, &whole[..13]], Some(1)),
            (&[PREFACE, &whole], None),
            (&[PREFACE, &open], Some(1)),
            (&[PREFACE, &open, &more], Some(1)),
            (&[PREFACE, &open, &more, &last[..10]], Some(1)),
            (&[PREFACE, &open, &more, &last, &data[..20]], None),
            (&[PREFACE, &open, &last, &whole, &open], Some(3)),
        ];
        for (pieces, expected) in cases {
            for size in [1, 10, 1000] {
                let mut frames = Frames::default();
                for piece in pieces.concat().chunks(size) {
                    frames.take(piece);
                }
                assert_eq!(frames.head(), expected, "{pieces:?} by {size}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_allowance_grows_with_time_and_with_what_was_sent() {
        let mut allowance = Allowance::new(600, Instant::now());
        assert!(allowance.spend(600, Instant::now()));
        assert!(!allowance.spend(1, Instant::now()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(allowance.spend(9, Instant::now()));
        assert!(!allowance.spend(10, Instant::now()));
        allowance.earn(32 * 100);
        assert!(allowance.spend(89, Instant::now()));
        assert!(!allowance.spend(89, Instant::now()));
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(!allowance.spend(601, Instant::now()), "no more than that of a minute is kept");
    }
}
