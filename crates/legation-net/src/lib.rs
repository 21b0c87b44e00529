//! The one outbound HTTP client: whatever leaves this product leaves through here.
//!
//! It follows no redirect, asks no proxy of the environment, waits for nothing without a limit and
//! reads no body without a cap. It leaves out what calls mean: credentials, retries and frames
//! belong to the callers. Only this crate knows which HTTP library is underneath.

mod error;
mod guard;
mod request;
mod response;

use std::time::Duration;

pub use error::Error;
pub use request::{Limits, Request};
pub use response::Response;

/// How long a connection, TLS included, may take to stand.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept. Shorter than servers keep theirs, so that a request
/// seldom meets a connection that is being closed.
const KEEP: Duration = Duration::from_secs(15);
const USER_AGENT: &str = concat!("legation/", env!("CARGO_PKG_VERSION"));

/// Certificate authorities that are believed instead of those of the system.
#[derive(Clone, Debug)]
pub struct Authorities(Vec<reqwest::Certificate>);

impl Authorities {
    /// Those in a text in PEM; `None` when there are none in it, or they are broken.
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).ok()?;
        (!certificates.is_empty()).then_some(Self(certificates))
    }
}

/// The client. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Http {
    inner: reqwest::Client,
    /// Whether only the public internet is called.
    guarded: bool,
}

impl Http {
    /// Makes a client with its own connections that calls any address. It is for addresses that a
    /// person at the keyboard or the operator chose.
    ///
    /// # Errors
    /// When the TLS trust roots of the system cannot be loaded.
    pub fn new() -> Result<Self, Error> {
        let inner = builder().build().map_err(Error::Setup)?;
        Ok(Self { inner, guarded: false })
    }

    /// Makes a client as [`Http::new`] does that believes these authorities only.
    ///
    /// # Errors
    /// When one of them is no authority.
    pub fn believing(authorities: &Authorities) -> Result<Self, Error> {
        let builder = builder().tls_certs_only(authorities.0.iter().cloned());
        Ok(Self { inner: builder.build().map_err(Error::Setup)?, guarded: false })
    }

    /// Makes a client with its own connections that calls the public internet only: no loopback,
    /// no private network, no link, however the address is spelled and whatever its name resolves
    /// to, and no port that is known to be of something else than the web.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub fn guarded() -> Result<Self, Error> {
        let builder = builder().dns_resolver(guard::Resolver::shared());
        Ok(Self { inner: builder.build().map_err(Error::Setup)?, guarded: true })
    }

    /// Sends a request and waits for the head of the answer. A redirect is an answer like others.
    ///
    /// # Errors
    /// `Address` and `Connect` when nothing was sent; `Slow` and `Broken` when the other side may
    /// have received the request.
    ///
    /// # Cancel safety
    /// Dropping the future drops the request, which the other side may have received by then.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let Request { method, url, headers, body, limits } = request;
        check_address(&url)?;
        if self.guarded {
            guard::check(&url).map_err(|refused| Error::Address(refused.to_string()))?;
        }
        let sent = self.inner.request(method, url).headers(headers).body(body).send();
        let answer = tokio::time::timeout(limits.first_byte, sent).await;
        let answer =
            answer.map_err(|_| Error::Slow(limits.first_byte))?.map_err(Error::from_send)?;
        Ok(Response::new(answer, limits))
    }
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        // A redirect would carry credentials and bodies to an address nobody approved.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(KEEP)
        .user_agent(USER_AGENT)
}

fn check_address(url: &url::Url) -> Result<(), Error> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::Address(format!("the scheme `{}` is not http or https", url.scheme())));
    }
    // Credentials in an address end up in logs and histories.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Address("an address must not hold a user name or password".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_web_addresses_are_called() {
        let cases = [
            ("http://a/b", true),
            ("https://a:1/b?c", true),
            ("ftp://a/b", false),
            ("file:///etc/passwd", false),
            ("data:text/plain,x", false),
            ("http://user@a/", false),
            ("http://:secret@a/", false),
        ];
        for (text, good) in cases {
            let url = url::Url::parse(text).expect("a URL");
            assert_eq!(check_address(&url).is_ok(), good, "{text}");
        }
    }
}
