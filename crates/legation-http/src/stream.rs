//! Server-sent events (Spec 9.4.2, 11.7): a reader's items, framed as they come.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use legation_core::{Follow, Item};
use legation_model::A2aError;
use legation_wire::answer as wire;
use legation_wire::codec::Codec;
use legation_wire::error::ErrorProfile;
use legation_wire::fault;
use legation_wire::jsonrpc::Id;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::answer::{Answer, EVENTS, answer};
use crate::body::Body;
use crate::server::Shared;

/// Frames that are ready go out together up to this many bytes.
const CHUNK: usize = 16 << 10;

/// Items from this size on go out as they are, uncopied.
const LARGE: usize = 8 << 10;

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How a binding writes an item into an event.
pub(crate) enum Framing {
    /// As the result of a JSON-RPC response; the text is what stands before the result.
    Rpc(Box<str>, Codec),
    /// As it is.
    Rest(ErrorProfile, Codec),
}

impl Framing {
    /// The framing of a JSON-RPC call.
    pub(crate) fn rpc(id: Id<'_>, codec: Codec) -> Self {
        Self::Rpc(format!(r#"{{"jsonrpc":"2.0","id":{id},"#).into(), codec)
    }

    fn codec(&self) -> Codec {
        match self {
            Self::Rpc(_, codec) | Self::Rest(_, codec) => *codec,
        }
    }

    fn before(&self) -> [&str; 2] {
        match self {
            Self::Rpc(envelope, _) => [envelope, r#""result":"#],
            Self::Rest(..) => ["", ""],
        }
    }

    fn after(&self) -> &'static str {
        match self {
            Self::Rpc(..) => "}\n\n",
            Self::Rest(..) => "\n\n",
        }
    }

    fn error(&self, error: &A2aError) -> String {
        match self {
            Self::Rpc(envelope, codec) => {
                let error = fault::write_rpc(error, codec.version());
                format!("data: {envelope}\"error\":{error}}}\n\n")
            }
            Self::Rest(profile, codec) => {
                let error = fault::write_rest(error, codec.version(), *profile);
                format!("event: error\ndata: {error}\n\n")
            }
        }
    }
}

/// The events of one stream. An idle one holds its reader, a few words and one timer.
pub(crate) struct EventStream {
    follow: Option<Follow>,
    framing: Framing,
    /// Frames that wait to go out.
    waiting: BytesMut,
    /// A large item that goes out behind them.
    large: Option<Bytes>,
    heartbeat: Duration,
    written: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    drain: CancellationToken,
}

/// The response that carries a stream.
///
/// # Errors
/// When the stream begins with an error, which is then an ordinary response.
pub(crate) async fn respond(
    shared: &Shared,
    mut follow: Follow,
    framing: Framing,
) -> Result<Answer, A2aError> {
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
        heartbeat: shared.settings.bounds.heartbeat,
        written: Instant::now(),
        timer: None,
        drain: shared.drain.clone(),
    };
    if let Some(item) = first {
        events.write(&item);
    }
    let mut response: Response<Body> = answer(StatusCode::OK, EVENTS, Body::stream(events));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

impl EventStream {
    /// The next bytes to go out; `None` at the end.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
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
            return Poll::Ready(Some(chunk));
        }
        if self.follow.is_none() {
            return Poll::Ready(None);
        }
        self.poll_heartbeat(cx).map(Some)
    }

    fn next_chunk(&mut self) -> Option<Bytes> {
        if !self.waiting.is_empty() {
            return Some(std::mem::take(&mut self.waiting).freeze());
        }
        let large = self.large.take()?;
        self.waiting.extend_from_slice(self.framing.after().as_bytes());
        Some(large)
    }

    fn write(&mut self, item: &Item) {
        // An item stands by itself in every version, so its frame is empty.
        let json = match self.framing.codec().write(wire::Answer::Item, item.json.bytes()) {
            Ok(written) => written.document,
            Err(error) => return self.fail(&error),
        };
        let Self { waiting, framing, .. } = self;
        if let Some(seq) = item.seq {
            waiting.extend_from_slice(format!("id: {seq}\n").as_bytes());
        }
        waiting.extend_from_slice(b"data: ");
        for piece in framing.before() {
            waiting.extend_from_slice(piece.as_bytes());
        }
        if json.len() >= LARGE {
            self.large = Some(json);
            return;
        }
        waiting.extend_from_slice(&json);
        waiting.extend_from_slice(framing.after().as_bytes());
    }

    /// Ends with an error as the last event.
    fn fail(&mut self, error: &A2aError) {
        self.waiting.extend_from_slice(self.framing.error(error).as_bytes());
        self.follow = None;
    }

    /// Ends where the reader ended. When the server stops, the caller learns how to go on.
    fn end(&mut self) {
        let cursor = self.follow.take().and_then(|follow| follow.cursor());
        if let Some(cursor) = cursor.filter(|_| self.drain.is_cancelled()) {
            let comment = format!(": resume with Last-Event-ID: {cursor}\n\n");
            self.waiting.extend_from_slice(comment.as_bytes());
        }
    }

    /// A comment when nothing was written for a while. The timer is not touched by writes; it
    /// looks at the time of the last one when it fires.
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
            if due {
                return Poll::Ready(Bytes::from_static(b": keep-alive\n\n"));
            }
        }
        Poll::Pending
    }
}
