//! What can go wrong on the way out, by what the caller can do about it.

use std::io;
use std::time::Duration;

use crate::guard::Refused;

/// What an error comes from.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A request that did not get its answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client itself could not be made.
    #[error("cannot set up the HTTP client")]
    Setup(#[source] Cause),
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
        source: Cause,
    },
    /// The other side was silent, or did not come to an end, for this long. It may have received the request.
    #[error("no answer for {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// The connection broke. The other side may have received the request.
    #[error("the connection broke")]
    Broken(#[source] Cause),
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
        let certificate = innermost(&**source).downcast_ref::<rustls::Error>();
        matches!(certificate, Some(rustls::Error::InvalidCertificate(_)))
    }

    pub(crate) fn from_send(source: reqwest::Error) -> Self {
        // Its text would tell the whole address, which may hold a credential.
        let source = source.without_url();
        match (source.is_connect(), source.is_timeout()) {
            (true, true) => Self::late_connect(source.into()),
            (true, false) => Self::from_connect(source.into()),
            (false, _) => Self::Broken(source.into()),
        }
    }

    pub(crate) fn from_connect(source: Cause) -> Self {
        match refusal(&*source) {
            Some(refused) => Self::Address(refused.to_string()),
            None => Self::Connect { reason: root(&*source), source },
        }
    }

    pub(crate) fn late_connect(source: Cause) -> Self {
        Self::Connect { reason: "connecting took too long".into(), source }
    }

    /// Of a body that broke off.
    pub(crate) fn from_body(source: Cause) -> Self {
        Self::Broken(match source.downcast::<reqwest::Error>() {
            Ok(source) => source.without_url().into(),
            Err(source) => source,
        })
    }
}

/// What the guard said of a name, when that is why no connection stands.
fn refusal<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Refused> {
    let mut cause = error;
    loop {
        if let Some(refused) = cause.downcast_ref() {
            return Some(refused);
        }
        cause = cause.source()?;
    }
}

fn innermost<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> &'e (dyn std::error::Error + 'static) {
    let mut cause = error;
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
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let cause = innermost(error);
    match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".into(),
        Some(io::ErrorKind::NetworkUnreachable) => "network unreachable".into(),
        Some(io::ErrorKind::HostUnreachable) => "host unreachable".into(),
        Some(io::ErrorKind::TimedOut) => "connecting took too long".into(),
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
