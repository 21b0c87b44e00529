//! Streams: a reader's items, framed as they come, as server-sent events (Spec 9.4.2, 11.7) or as
//! messages of gRPC.

mod framing;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::HeaderMap;
use http_body::Frame;
use legation_core::{Follow, Item};
use legation_model::A2aError;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::answer::Answer;
use crate::body::Body;
use crate::grpc::exceeded;
use crate::server::Shared;
pub(crate) use framing::Framing;

/// Frames that are ready go out together up to this many bytes.
const CHUNK: usize = 16 << 10;

/// Items from this size on go out as they are, uncopied.
const LARGE: usize = 8 << 10;

/// The events of one stream. An idle one holds its reader, a few words and one timer.
pub(crate) struct EventStream {
    follow: Option<Follow>,
    framing: Framing,
    /// Frames that wait to go out.
    waiting: BytesMut,
    /// A large item that goes out behind them.
    large: Option<Bytes>,
    /// What goes out behind everything.
    trailers: Option<HeaderMap>,
    /// When the caller wants to hear no more.
    deadline: Option<Pin<Box<Sleep>>>,
    heartbeat: Duration,
    written: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

/// The response that carries a stream.
///
/// # Errors
/// When the stream begins with an error, which is then an ordinary response.
pub(crate) async fn respond(
    shared: &Shared,
    mut follow: Follow,
    framing: Framing,
    deadline: Option<Instant>,
) -> Result<Answer, A2aError> {
    let behind = follow.begins_behind();
    // What is not ready now is not waited for: a resumed stream may be silent for long.
    let first = futures::future::poll_fn(|cx| match follow.poll_next_unpin(cx) {
        Poll::Ready(item) => Poll::Ready(item),
        Poll::Pending => Poll::Ready(None),
    });
    let first = first.await.transpose()?;
    let mut events = EventStream {
        follow: Some(follow),
        framing,
        waiting: BytesMut::new(),
        large: None,
        trailers: None,
        deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
        heartbeat: shared.settings.bounds.heartbeat,
        written: Instant::now(),
        timer: None,
    };
    if let Some(item) = first {
        events.write(&item);
    }
    let mut headers = HeaderMap::new();
    events.framing.head(behind, &mut headers);
    let mut response = Answer::new(Body::stream(events));
    *response.headers_mut() = headers;
    Ok(response)
}

impl EventStream {
    /// What goes out next; `None` at the end.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        // Asked first: a reader that always has something would never let it come to that.
        if self.follow.is_some() && self.is_over(cx) {
            self.fail(&exceeded());
        }
        while self.waiting.len() < CHUNK && self.large.is_none() {
            let Some(follow) = &mut self.follow else { break };
            let Poll::Ready(item) = follow.poll_next_unpin(cx) else { break };
            match item {
                Some(Ok(item)) => self.write(&item),
                Some(Err(error)) => self.fail(&error),
                None => self.end(),
            }
        }
        if let Some(chunk) = self.next_chunk() {
            self.written = Instant::now();
            return Poll::Ready(Some(Frame::data(chunk)));
        }
        if self.follow.is_none() {
            return Poll::Ready(self.trailers.take().map(Frame::trailers));
        }
        self.poll_heartbeat(cx).map(|heartbeat| Some(Frame::data(heartbeat)))
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = &mut self.deadline else { return false };
        // The timer wakes whoever waits; where nobody does, it may be told late.
        deadline.deadline() <= Instant::now() || deadline.as_mut().poll(cx).is_ready()
    }

    fn next_chunk(&mut self) -> Option<Bytes> {
        if !self.waiting.is_empty() {
            return Some(std::mem::take(&mut self.waiting).freeze());
        }
        let large = self.large.take()?;
        self.waiting.extend_from_slice(self.framing.after());
        Some(large)
    }

    fn write(&mut self, item: &Item) {
        let item = match self.framing.before(item, &mut self.waiting) {
            Ok(item) => item,
            Err(error) => return self.fail(&error),
        };
        if item.len() >= LARGE {
            self.large = Some(item);
            return;
        }
        self.waiting.extend_from_slice(&item);
        self.waiting.extend_from_slice(self.framing.after());
    }

    /// Ends with an error as the last thing said.
    fn fail(&mut self, error: &A2aError) {
        self.trailers = self.framing.fail(error, &mut self.waiting);
        self.follow = None;
    }

    /// Ends where the reader ended. When the server stops, the caller learns how to go on.
    fn end(&mut self) {
        let cursor = self.follow.take().and_then(|follow| follow.interrupted_at());
        self.trailers = self.framing.end(cursor, &mut self.waiting);
    }

    /// A heartbeat when nothing was written for a while. The timer is not touched by writes; it
    /// looks at the time of the last one when it fires. It fires where there are no heartbeats as
    /// well: a body that is asked for more shows that its reader is not stuck.
    fn poll_heartbeat(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let (written, heartbeat) = (&mut self.written, self.heartbeat);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(*written + heartbeat)));
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let due = *written + heartbeat <= now;
            if due {
                *written = now;
            }
            timer.as_mut().reset(*written + heartbeat);
            if let (true, Some(heartbeat)) = (due, self.framing.heartbeat()) {
                return Poll::Ready(heartbeat);
            }
        }
        Poll::Pending
    }
}
