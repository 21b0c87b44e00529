//! What comes back: the head at once, the body piece by piece or whole, within its limits.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use crate::request::Deadline;
use crate::{Error, Limits};

/// An answer whose body may still be arriving.
#[derive(Debug)]
pub struct Response {
    inner: reqwest::Response,
    limits: Limits,
    deadline: Deadline,
    taken: u64,
}

impl Response {
    pub(crate) fn new(inner: reqwest::Response, limits: Limits, deadline: Deadline) -> Self {
        Self { inner, limits, deadline, taken: 0 }
    }

    /// Who answered: the address that was asked, or the one that redirects led to.
    pub fn url(&self) -> &url::Url {
        self.inner.url()
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
        let wait = self.deadline.within(self.limits.idle);
        let piece = tokio::time::timeout(wait, self.inner.chunk()).await;
        let piece = piece
            .map_err(|_| self.too_slow(wait))?
            .map_err(|broken| Error::Broken(broken.without_url()))?;
        self.taken += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.taken > self.limits.max_bytes {
            return Err(Error::TooLarge(self.limits.max_bytes));
        }
        Ok(piece)
    }

    /// The bound that was overstepped: the wait, unless the end of all was nearer.
    fn too_slow(&self, wait: std::time::Duration) -> Error {
        let total = self.limits.total.filter(|_| wait < self.limits.idle);
        Error::Slow(total.unwrap_or(wait))
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
        let mut whole = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}
