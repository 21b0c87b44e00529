//! What is sent, and how long and how much is waited for.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::time::Instant;
use url::Url;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Of whom.
    pub url: Url,
    /// The headers; the user agent is added.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// Whether HTTP/2 alone carries it, as it does gRPC.
    pub http2: bool,
    /// How long and how much is waited for.
    pub limits: Limits,
}

/// How long and how much an exchange may take once connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From sending to the head of the answer; includes the time to connect.
    pub first_byte: Duration,
    /// Between two pieces of the body.
    pub idle: Duration,
    /// The body in all, in bytes. Nothing is asked for compressed, so these are the bytes that come.
    pub max_bytes: u64,
    /// From sending to the end of the body; absent where an answer may go on for days.
    pub total: Option<Duration>,
}

impl Limits {
    /// For a question that is answered at once: 30 s, 30 s between pieces, 64 MiB,
    /// five minutes in all.
    pub const SHORT: Self = Self {
        first_byte: Duration::from_secs(30),
        idle: Duration::from_secs(30),
        max_bytes: 64 << 20,
        total: Some(Duration::from_secs(300)),
    };
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { method, url, headers, body, http2: false, limits: Limits::SHORT }
    }
}

/// When an exchange has to be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// That of an exchange that begins now.
    pub(crate) fn of(limits: Limits) -> Self {
        Self(limits.total.and_then(|total| Instant::now().checked_add(total)))
    }

    /// The earlier of two.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0.into_iter().chain(other.0).min())
    }

    /// How long may be waited for something that may take so long by itself.
    pub(crate) fn within(self, wait: Duration) -> Duration {
        self.0.map_or(wait, |end| wait.min(end.saturating_duration_since(Instant::now())))
    }
}
