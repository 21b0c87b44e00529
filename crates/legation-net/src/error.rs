//! What can go wrong on the way out, by what the caller can do about it.

use std::io;
use std::time::Duration;

use crate::guard::Refused;

/// A request that did not get its answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client itself could not be made.
    #[error("cannot set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    /// The address is not one that is called; nothing was sent.
    #[error("{0}")]
    Address(String),
    /// No connection stood, so nothing was sent.
    #[error("{reason}")]
    Connect {
        /// Why, in plain words.
        reason: String,
        /// The whole story.
        #[source]
        source: reqwest::Error,
    },
    /// The other side was silent, or did not come to an end, for this long. It may have received the request.
    #[error("no answer for {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// The connection broke. The other side may have received the request.
    #[error("the connection broke")]
    Broken(#[source] reqwest::Error),
    /// The body is larger than this many bytes.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
}

impl Error {
    /// Whether it is certain that nothing reached the other side, so that a further try is harmless.
    pub const fn nothing_sent(&self) -> bool {
        match self {
            Self::Setup(_) | Self::Address(_) | Self::Connect { .. } => true,
            Self::Slow(_) | Self::Broken(_) | Self::TooLarge(_) => false,
        }
    }

    /// Whether the other side's certificate was not believed.
    pub fn is_distrust(&self) -> bool {
        let Self::Connect { source, .. } = self else { return false };
        let certificate = innermost(source).downcast_ref::<rustls::Error>();
        matches!(certificate, Some(rustls::Error::InvalidCertificate(_)))
    }

    pub(crate) fn from_send(source: reqwest::Error) -> Self {
        // Its text would tell the whole address, which may hold a credential.
        let source = source.without_url();
        if !source.is_connect() {
            return Self::Broken(source);
        }
        if let Some(refused) = refusal(&source) {
            return Self::Address(refused.to_string());
        }
        let reason =
            if source.is_timeout() { "connecting took too long".into() } else { root(&source) };
        Self::Connect { reason, source }
    }
}

/// What the guard said of a name, when that is why no connection stands.
fn refusal(error: &reqwest::Error) -> Option<&Refused> {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(refused) = cause.downcast_ref() {
            return Some(refused);
        }
        cause = cause.source()?;
    }
}

fn innermost(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    loop {
        // The source of an I/O error is that of the error it holds, which it leaves out.
        let held = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let held = held.map(|held| held as &(dyn std::error::Error + 'static));
        match held.or_else(|| cause.source()) {
            Some(inner) => cause = inner,
            None => return cause,
        }
    }
}

/// The innermost cause in plain words: the outer ones only say that something failed.
fn root(error: &reqwest::Error) -> String {
    let cause = innermost(error);
    match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".into(),
        Some(io::ErrorKind::NetworkUnreachable) => "network unreachable".into(),
        Some(io::ErrorKind::HostUnreachable) => "host unreachable".into(),
        // The rest of `ErrorKind` is open-ended, and its texts are plain enough.
        _ => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::{Http, Request};

    async fn call(url: &str) -> Error {
        let http = Http::new().expect("a client");
        let url = Url::parse(url).expect("a URL");
        http.send(Request::new(http::Method::GET, url)).await.expect_err("nobody is there")
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        for url in ["http://localhost:8080/", "http://LOCALHOST:8080/", "http://127.0.0.1:8080/"] {
            let http = Http::guarded().expect("a client");
            let parsed = Url::parse(url).expect("a URL");
            let error = http.send(Request::new(http::Method::GET, parsed)).await;
            let error = error.expect_err("not of the public internet");
            assert!(matches!(error, Error::Address(_)), "{url}: {error:?}");
            assert!(error.to_string().contains("public internet"), "{url}: {error}");
        }
    }

    #[tokio::test]
    async fn failures_to_connect_say_why_and_that_nothing_was_sent() {
        // Port 1 is reserved and nobody listens there; `.invalid` never resolves.
        let cases =
            [("http://127.0.0.1:1/", "connection refused"), ("http://a.invalid/", "lookup")];
        for (url, word) in cases {
            let error = call(url).await;
            assert!(error.to_string().contains(word) && error.nothing_sent(), "{url}: {error:?}");
        }
    }
}
