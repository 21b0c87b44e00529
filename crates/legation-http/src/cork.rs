//! A transport whose writes go out together.
//!
//! On HTTP/2 a response is several frames, and responses to requests that came together are many. The
//! library hands them over piece by piece; sent like that, each piece costs a call of the system here
//! and at the peer as much as all of them. So they wait here until the connection has had its turn.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that wait at most. More are sent before the turn is over.
const MOST: usize = 32 << 10;

/// Room that is kept while nothing waits: connections that are quiet are many.
const KEPT: usize = 2 << 10;

/// A transport that sends nothing before its [`Uncork`] says so.
pub(crate) struct Corked<S>(Arc<Mutex<Cork<S>>>);

/// Sends what waits in a [`Corked`] transport.
pub(crate) struct Uncork<S>(Arc<Mutex<Cork<S>>>);

/// One task owns both, so nobody ever waits for the lock.
struct Cork<S> {
    stream: S,
    waiting: BytesMut,
    /// Something was handed to the stream that it may not have sent.
    is_unflushed: bool,
}

/// A transport, and what sends that which was written to it.
pub(crate) fn corked<S>(stream: S) -> (Corked<S>, Uncork<S>) {
    let cork = Cork { stream, waiting: BytesMut::new(), is_unflushed: false };
    let cork = Arc::new(Mutex::new(cork));
    (Corked(cork.clone()), Uncork(cork))
}

impl<S: AsyncWrite + Unpin> Uncork<S> {
    /// Sends what waits; ready when all of it is sent.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_send(cx)
    }
}

impl<S: AsyncWrite + Unpin> Cork<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.waiting))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(sent);
            self.is_unflushed = true;
        }
        if self.is_unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        // What was sent has shortened the room, and the rest of it may be less than is worth keeping.
        if self.waiting.capacity() > KEPT {
            self.waiting = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Corked<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().stream).poll_read(cx, buf)
    }
}

/// It takes one piece at a time: they are put together here anyway.
impl<S: AsyncWrite + Unpin> AsyncWrite for Corked<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let cork = &mut *self.0.lock();
        if cork.waiting.len() + buf.len() > MOST {
            ready!(cork.poll_send(cx))?;
            if buf.len() > MOST {
                cork.is_unflushed = true;
                return Pin::new(&mut cork.stream).poll_write(cx, buf);
            }
        }
        cork.waiting.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    /// Sends nothing: its turn is not over.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let cork = &mut *self.0.lock();
        ready!(cork.poll_send(cx))?;
        Pin::new(&mut cork.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_written_goes_out_at_the_end_of_the_turn() {
        let (mut peer, stream) = duplex(MOST * 4);
        let (mut corked, mut uncork) = corked(stream);
        let mut got = vec![0; MOST * 3];
        for piece in [&b"head"[..], b"body", b"trailers"] {
            corked.write_all(piece).await.expect("room");
            corked.flush().await.expect("nothing to wait for");
        }
        let nothing = timeout(Duration::from_secs(1), peer.read(&mut got)).await;
        assert!(nothing.is_err(), "sent before its time");
        poll_fn(|cx| uncork.poll(cx)).await.expect("sent");
        assert_eq!(peer.read(&mut got).await.expect("open"), 16);
        assert_eq!(&got[..16], b"headbodytrailers");
        // More than may wait does not.
        corked.write_all(&vec![b'x'; MOST]).await.expect("room");
        corked.write_all(b"y").await.expect("sent");
        peer.read_exact(&mut got[..MOST]).await.expect("sent");
        corked.write_all(&vec![b'z'; MOST + 1]).await.expect("sent");
        peer.read_exact(&mut got[..MOST + 2]).await.expect("sent");
        assert!(got.starts_with(b"yzz"), "in order");
        corked.write_all(b"end").await.expect("room");
        corked.shutdown().await.expect("sent");
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).await.expect("ended");
        assert_eq!(rest, b"end");
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_waited_for() {
        let (mut peer, stream) = duplex(4);
        let (mut corked, mut uncork) = corked(stream);
        corked.write_all(b"12345678").await.expect("room");
        let sent = tokio::spawn(async move { poll_fn(|cx| uncork.poll(cx)).await });
        let mut got = [0; 8];
        peer.read_exact(&mut got).await.expect("sent");
        sent.await.expect("no panic").expect("sent");
        assert_eq!(&got, b"12345678");
        assert_eq!(corked.0.lock().waiting.len(), 0);
    }
}
