//! What comes back: the head at once, the body piece by piece or whole, within its limits.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Either};

use crate::http2;
use crate::request::Deadline;
use crate::{Error, Limits};

/// A body, by whichever kind of connection it comes.
pub(crate) type Body = Either<reqwest::Body, http2::Body>;

/// An answer whose body may still be arriving.
#[derive(Debug)]
pub struct Response {
    inner: http::Response<Body>,
    /// Who answered.
    url: url::Url,
    /// What came behind the body.
    trailers: Option<HeaderMap>,
    limits: Limits,
    deadline: Deadline,
    taken: u64,
}

impl Response {
    pub(crate) fn new(
        inner: http::Response<Body>,
        url: url::Url,
        limits: Limits,
        deadline: Deadline,
    ) -> Self {
        Self { inner, url, trailers: None, limits, deadline, taken: 0 }
    }

    /// Who answered: the address that was asked, or the one that redirects led to.
    pub fn url(&self) -> &url::Url {
        &self.url
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The media type without parameters, in lower case; empty when none is said.
    pub fn media_type(&self) -> String {
        let value = self.headers().get(http::header::CONTENT_TYPE);
        let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The next piece of the body; `None` when it ended as the protocol says it must.
    ///
    /// # Errors
    /// When the body breaks off, pauses or lasts for too long, or outgrows its cap.
    ///
    /// # Cancel safety
    /// Safe: a dropped call has taken nothing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let wait = self.deadline.within(self.limits.idle);
            let frame = tokio::time::timeout(wait, self.inner.body_mut().frame()).await;
            let frame = frame.map_err(|_| self.too_slow(wait))?.transpose();
            let frame = frame.map_err(Error::from_body)?;
            let Some(frame) = frame else { return Ok(None) };
            let piece = match frame.into_data() {
                Ok(piece) => piece,
                Err(frame) => {
                    self.trailers = frame.into_trailers().ok().or(self.trailers.take());
                    continue;
                }
            };
            self.taken += piece.len() as u64;
            if self.taken > self.limits.max_bytes {
                return Err(Error::TooLarge(self.limits.max_bytes));
            }
            return Ok(Some(piece));
        }
    }

    /// What came behind the body, once it has ended.
    pub const fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// The bound that was overstepped: the wait, unless the end of all was nearer.
    fn too_slow(&self, wait: std::time::Duration) -> Error {
        let total = self.limits.total.filter(|_| wait < self.limits.idle);
        Error::Slow(total.unwrap_or(wait))
    }

    /// The same answer, whose body keeps to these limits from now on where they are the narrower
    /// ones: what was to be a stream that goes on for days may be something else.
    #[must_use]
    pub fn within(mut self, limits: Limits) -> Self {
        self.limits.idle = self.limits.idle.min(limits.idle);
        self.limits.max_bytes = self.limits.max_bytes.min(limits.max_bytes);
        let totals = self.limits.total.into_iter().chain(limits.total);
        self.limits.total = totals.min();
        self.deadline = self.deadline.or(Deadline::of(limits));
        self
    }

    /// The whole body when it has at most this many bytes: a cap below that of the request.
    ///
    /// # Errors
    /// As [`Response::chunk`].
    pub async fn bytes_up_to(mut self, max_bytes: u64) -> Result<Bytes, Error> {
        self.limits.max_bytes = self.limits.max_bytes.min(max_bytes);
        self.bytes().await
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Response::chunk`].
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        self.take().await
    }

    /// The rest of the body; its trailers can be looked at then.
    ///
    /// # Errors
    /// As [`Response::chunk`].
    pub async fn take(&mut self) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}
