//! What goes out to a caller of gRPC.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use legation_core::Document;
use legation_core::store::Seq;
use legation_model::{A2aError, ErrorKind};
use legation_wire::answer::Answer as Kind;
use legation_wire::grpc::{self as codec, Items, Numbers};

use super::message::Outgoing;
use super::status::{GRPC, Tongue, went_well};
use crate::answer::Answer;
use crate::body::Body;
use crate::call::LAST_EVENT_ID;

/// How a caller is answered.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(super) tongue: Tongue,
    pub(super) outgoing: Outgoing,
    pub(super) numbers: Numbers,
}

impl Writer {
    /// The headers of an answer with messages.
    pub(crate) fn head(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, GRPC);
        self.outgoing.encoding.tell(headers);
    }

    /// What writes the items of a stream.
    pub(crate) fn items(&self) -> Items {
        Items::new(self.tongue.package, self.numbers)
    }

    /// Writes the message of an item behind others; gives it instead when it is too large to be copied, or
    /// packed.
    ///
    /// # Errors
    /// As [`Writer::answer`].
    pub(crate) fn item(
        &self,
        item: &Document,
        items: &mut Items,
        out: &mut BytesMut,
        large: usize,
    ) -> Result<Bytes, A2aError> {
        let message = items.write(item.bytes())?;
        if message.len() >= large || self.outgoing.packs(message.len()) {
            let (prefix, message) = self.outgoing.frame(items.take().into())?;
            out.extend_from_slice(&prefix);
            return Ok(message);
        }
        out.extend_from_slice(&self.outgoing.prefix(message.len())?);
        out.extend_from_slice(message);
        Ok(Bytes::new())
    }

    /// The answer that is one message.
    ///
    /// # Errors
    /// When the document is more than the caller is sent, or cannot be written in its package.
    pub(super) fn answer(&self, kind: Kind, document: &Document) -> Result<Answer, A2aError> {
        let message = codec::write(self.tongue.package, kind, document.bytes(), self.numbers)?;
        let (prefix, message) = self.outgoing.frame(message.into())?;
        let mut answer = Answer::new(Body::message(&prefix, message, went_well()));
        self.head(answer.headers_mut());
        Ok(answer)
    }

    /// The trailers of a stream that failed.
    pub(crate) fn failed(&self, error: &A2aError) -> HeaderMap {
        self.tongue.failed(error)
    }

    /// The trailers of a stream that the server ends before its time, and by which it is resumed.
    pub(crate) fn interrupted(&self, cursor: Seq) -> HeaderMap {
        let text = format!("the server is stopping; resume with last-event-id: {cursor}");
        let mut trailers = self.failed(&A2aError::new(ErrorKind::Unavailable, text));
        trailers.insert(LAST_EVENT_ID, HeaderValue::from(cursor));
        trailers
    }
}
