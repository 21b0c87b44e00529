//! What is sent, and how long and how much is waited for.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
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
    /// The body in all, in bytes.
    pub max_bytes: u64,
}

impl Limits {
    /// For a question that is answered at once: 30 s, 30 s between pieces, 64 MiB.
    pub const SHORT: Self = Self {
        first_byte: Duration::from_secs(30),
        idle: Duration::from_secs(30),
        max_bytes: 64 << 20,
    };
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { method, url, headers, body, limits: Limits::SHORT }
    }
}
