//! Response bodies.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::grpc::Foreign;
use crate::pace::{Phase, Phases};
use crate::readers::Reader;
use crate::stream::EventStream;

/// Documents up to this many bytes are copied between their frames, which costs less than two
/// more buffers in the write.
const COPIED: usize = 16 << 10;

/// Bytes that go out at once on HTTP/2, where whatever is given when the peer takes a single byte
/// waits in memory for the rest, and nobody is asked for more meanwhile.
const SLICE: usize = 64 << 10;

/// A response body, and who watches over it.
pub(crate) struct Body {
    kind: Kind,
    /// What goes out before more is asked for.
    rest: Bytes,
    watch: Watch,
}

/// Who sees to it that a connection does not wait for ever.
pub(crate) enum Watch {
    /// Nobody yet.
    Nobody,
    /// The transport of an HTTP/1.1 connection, which is idle again when the body is dropped.
    Transport(Phases),
    /// An HTTP/2 connection, which marks here that the body's reader takes it.
    Readers(Reader),
}

enum Kind {
    /// What stands before a document, the document, and what stands behind it.
    Pieces([Bytes; 3]),
    /// A message and the trailers behind it.
    Message([Bytes; 2], Option<HeaderMap>),
    /// What a service of others says.
    Foreign(Box<Foreign>),
    /// Events as they come.
    Stream(Box<EventStream>),
}

impl Body {
    /// A body of these bytes.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Kind::Pieces([bytes.into(), Bytes::new(), Bytes::new()]).into()
    }

    /// A document with text around it. A large one is not copied.
    pub(crate) fn framed(before: &[&str], document: &Bytes, after: &[&str]) -> Self {
        let copied = if document.len() <= COPIED { document.len() } else { 0 };
        let around = before.iter().chain(after).map(|piece| piece.len()).sum::<usize>();
        let mut text = BytesMut::with_capacity(around + copied);
        before.iter().for_each(|piece| text.extend_from_slice(piece.as_bytes()));
        if copied < document.len() {
            return Kind::Pieces([text.freeze(), document.clone(), after.concat().into()]).into();
        }
        text.extend_from_slice(document);
        after.iter().for_each(|piece| text.extend_from_slice(piece.as_bytes()));
        Self::full(text.freeze())
    }

    /// Events as they come.
    pub(crate) fn stream(events: EventStream) -> Self {
        Kind::Stream(Box::new(events)).into()
    }

    /// A message with what stands before it, and trailers behind it. A large one is not copied.
    pub(crate) fn message(before: &[u8], message: Bytes, trailers: HeaderMap) -> Self {
        let copied = if message.len() <= COPIED { message.len() } else { 0 };
        let mut text = BytesMut::with_capacity(before.len() + copied);
        text.extend_from_slice(before);
        let pieces = if copied < message.len() {
            [text.freeze(), message]
        } else {
            text.extend_from_slice(&message);
            [text.freeze(), Bytes::new()]
        };
        Kind::Message(pieces, Some(trailers)).into()
    }

    /// What a service of others says.
    pub(crate) fn foreign(body: Foreign) -> Self {
        Kind::Foreign(Box::new(body)).into()
    }

    /// What goes out of a frame now; the rest of it waits.
    fn begin(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        match frame.into_data() {
            Ok(data) if data.len() > SLICE => {
                self.rest = data;
                Frame::data(self.slice())
            }
            Ok(data) => Frame::data(data),
            Err(frame) => frame,
        }
    }

    fn slice(&mut self) -> Bytes {
        let most = self.rest.len().min(SLICE);
        self.rest.split_to(most)
    }

    /// The body under a watch.
    pub(crate) fn watched_by(&mut self, watch: Watch) {
        self.watch = watch;
    }
}

impl From<Kind> for Body {
    fn from(kind: Kind) -> Self {
        Self { kind, rest: Bytes::new(), watch: Watch::Nobody }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Watch::Transport(phases) = &self.watch {
            phases.enter(Phase::Idle);
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let is_watched = if let Watch::Readers(reader) = &self.watch {
            reader.takes();
            true
        } else {
            false
        };
        if !self.rest.is_empty() {
            let slice = self.slice();
            return Poll::Ready(Some(Ok(Frame::data(slice))));
        }
        let next = |pieces: &mut [Bytes]| {
            let next = pieces.iter_mut().find(|piece| piece.has_remaining());
            next.map(|piece| Frame::data(std::mem::take(piece)))
        };
        let frame = match &mut self.kind {
            Kind::Stream(events) => ready!(events.poll_frame(cx)),
            Kind::Foreign(foreign) => ready!(foreign.poll_frame(cx)),
            Kind::Pieces(pieces) => next(pieces),
            Kind::Message(pieces, trailers) => {
                next(pieces).or_else(|| trailers.take().map(Frame::trailers))
            }
        };
        Poll::Ready(frame.map(|frame| Ok(if is_watched { self.begin(frame) } else { frame })))
    }

    fn is_end_stream(&self) -> bool {
        if !self.rest.is_empty() {
            return false;
        }
        match &self.kind {
            Kind::Stream(_) | Kind::Message(_, Some(_)) => false,
            Kind::Foreign(foreign) => foreign.is_end_stream(),
            Kind::Message(_, None) => true,
            Kind::Pieces(pieces) => pieces.iter().all(Bytes::is_empty),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Stream(_) | Kind::Foreign(_) | Kind::Message(..) => SizeHint::default(),
            Kind::Pieces(pieces) => {
                let pieces = pieces.iter().chain([&self.rest]);
                SizeHint::with_exact(pieces.map(|piece| piece.len() as u64).sum())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn large_documents_are_not_copied_and_lengths_are_exact() {
        for length in [0, 10, COPIED, COPIED + 1] {
            let document = Bytes::from(vec![b'x'; length]);
            let body = Body::framed(&["<", "a>"], &document, &["</", "a>"]);
            let hint = http_body::Body::size_hint(&body).exact();
            let whole = body.collect().await.expect("bodies do not fail").to_bytes();
            assert_eq!(hint, Some(whole.len() as u64));
            assert_eq!(whole.len(), length + 7);
            assert!(whole.starts_with(b"<a>") && whole.ends_with(b"</a>"));
        }
    }

    #[tokio::test]
    async fn on_http_2_a_large_document_goes_out_in_slices() {
        let document = Bytes::from(vec![b'x'; SLICE * 2 + 7]);
        let trailers = crate::grpc::went_well();
        let bodies = [
            (Body::framed(&["<"], &document, &[">"]), 5, Some(document.len() as u64 + 2)),
            (Body::message(b"prefix", document.clone(), trailers), 5, None),
        ];
        for (mut body, frames, length) in bodies {
            let (readers, _) = crate::readers::Readers::new(tokio_util::task::TaskTracker::new());
            body.watched_by(Watch::Readers(readers.add()));
            let (mut sent, mut count) = (0, 0);
            while !http_body::Body::is_end_stream(&body) {
                let left = http_body::Body::size_hint(&body).exact();
                assert_eq!(left, length.map(|length| length - sent as u64));
                let frame = body.frame().await.expect("more").expect("bodies do not fail");
                let data = frame.into_data().unwrap_or_default();
                assert!(data.len() <= SLICE, "{}", data.len());
                (sent, count) = (sent + data.len(), count + 1);
            }
            assert!(sent > document.len() && count == frames, "{sent} in {count}");
        }
    }
}
