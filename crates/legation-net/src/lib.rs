//! The one outbound HTTP client: whatever leaves this product leaves through here.
//!
//! It follows no redirect unless it is told to, asks no proxy of the environment, waits for nothing
//! without a limit, asks for nothing compressed and reads no body without a cap. [`Egress`] says by
//! what way calls leave. It leaves out what calls mean: credentials, retries and frames belong to the
//! callers. Only this crate knows which HTTP library is underneath.

mod egress;
mod error;
mod guard;
mod names;
mod request;
mod response;
mod secret;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{HeaderName, LOCATION};
use http::{HeaderMap, Method};
use url::Url;

pub use egress::{Authorities, BadProxy, Egress, Identity, Network, NoNetwork, Proxy, Reach};
pub use error::Error;
pub use guard::is_public;
pub use names::{Names, SystemNames};
pub use request::{Limits, Request};
pub use response::Response;
pub use secret::Secret;

use guard::Guard;
use names::Resolver;
use request::Deadline;

/// How long a connection, TLS included, may take to stand.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept. Shorter than servers keep theirs, so that a request
/// seldom meets a connection that is being closed.
const KEEP: Duration = Duration::from_secs(15);
/// The headers of an answer in all, in bytes, where HTTP/2 is spoken. That of HTTP/1.1 has a
/// hundred lines at most, and they fit a buffer of the library.
const MAX_HEADERS: u32 = 64 << 10;
/// How often a connection of HTTP/2 alone is asked whether it still stands while it is in use. gRPC's
/// streams say nothing by themselves when there is nothing to say, and its servers cut off callers that
/// ask more often than every five minutes.
const PING: Duration = Duration::from_secs(330);
/// How long the answer to that may take.
const PONG: Duration = Duration::from_secs(20);
const USER_AGENT: &str = concat!("legation/", env!("CARGO_PKG_VERSION"));
/// What a request that follows a redirect takes along. Whatever else a header is, it may be a
/// credential.
const HARMLESS: [HeaderName; 3] =
    [http::header::ACCEPT, http::header::ACCEPT_LANGUAGE, HeaderName::from_static("a2a-version")];

/// The client. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Http(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    line: Line,
    /// For exchanges that HTTP/2 alone carries, made when the first of them comes.
    http2: OnceLock<Line>,
    egress: Egress,
    /// For addresses that another server chose, when the line itself goes anywhere.
    guarded: OnceLock<Line>,
}

/// Connections with what they are judged by.
#[derive(Clone, Debug)]
struct Line {
    client: reqwest::Client,
    guard: Option<Guard>,
    proxy: Option<Proxy>,
}

impl Http {
    /// Makes a client with its own connections that calls any address. It is for addresses that a
    /// person at the keyboard or the operator chose.
    ///
    /// # Errors
    /// When the TLS trust roots of the system cannot be loaded.
    pub fn new() -> Result<Self, Error> {
        Self::by(Egress { reach: Reach::Any, ..Egress::default() })
    }

    /// Makes a client with its own connections that calls the public internet only: no loopback,
    /// no private network, no link, however the address is spelled and whatever its name resolves
    /// to, and no port that is known to be of something else than the web.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub fn guarded() -> Result<Self, Error> {
        Self::by(Egress::default())
    }

    /// Makes a client with its own connections that calls by this way.
    ///
    /// # Errors
    /// As [`Http::new`], and when an authority is none or a key is not that of its certificate.
    pub fn by(egress: Egress) -> Result<Self, Error> {
        let line = Line::of(&egress, builder())?;
        let (http2, guarded) = (OnceLock::new(), OnceLock::new());
        Ok(Self(Arc::new(Inner { line, http2, egress, guarded })))
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
        let deadline = Deadline::of(request.limits);
        let line = if request.http2 { self.0.http2()? } else { &self.0.line };
        line.send(request, deadline).await
    }

    /// Asks for a public document, following this many redirects at most. Each is judged anew: it must
    /// not leave TLS, and one to another origin must lead to the public internet, also where this
    /// client calls any address, because another server chose it. Credentials go to the first
    /// address alone, and so does any header that might be one. Only what GET asks is followed.
    ///
    /// # Errors
    /// As [`Http::send`]; `Address` when a redirect leads where none may, or there is one too many.
    ///
    /// # Cancel safety
    /// As [`Http::send`].
    pub async fn follow(&self, mut request: Request, most: u8) -> Result<Response, Error> {
        let Request { limits, url: first, .. } = request.clone();
        let (deadline, headers) = (Deadline::of(limits), harmless(&request.headers));
        for _ in 0..=most {
            let here = request.url.clone();
            let is_question = request.method == Method::GET;
            let is_own = here.origin() == first.origin();
            let line = if is_own { &self.0.line } else { self.0.guarded()? };
            let response = line.send(request, deadline).await?;
            let next = if is_question { redirect(&response, &here)? } else { None };
            let Some(next) = next else { return Ok(response) };
            request = Request { limits, ..Request::new(Method::GET, next) };
            request.headers = headers.clone();
        }
        Err(Error::Address(format!("it redirects more than {most} times")))
    }
}

impl Inner {
    /// Without TLS nobody says whether HTTP/2 is spoken, so whoever needs it has to speak it from the
    /// first byte on.
    fn http2(&self) -> Result<&Line, Error> {
        if let Some(line) = self.http2.get() {
            return Ok(line);
        }
        let builder = builder().http2_prior_knowledge();
        let builder = builder.http2_keep_alive_interval(PING).http2_keep_alive_timeout(PONG);
        let line = Line::of(&self.egress, builder)?;
        Ok(self.http2.get_or_init(|| line))
    }

    fn guarded(&self) -> Result<&Line, Error> {
        if self.line.guard.is_some() {
            return Ok(&self.line);
        }
        if let Some(line) = self.guarded.get() {
            return Ok(line);
        }
        let egress = Egress { reach: Reach::default(), ..self.egress.clone() };
        let line = Line::of(&egress, builder())?;
        Ok(self.guarded.get_or_init(|| line))
    }
}

impl Line {
    fn of(egress: &Egress, builder: reqwest::ClientBuilder) -> Result<Self, Error> {
        let guard = match &egress.reach {
            Reach::Any => None,
            Reach::Public(allowed) => Some(Guard { allowed: allowed.clone() }),
        };
        let names = egress.names.clone().unwrap_or_else(|| Arc::new(SystemNames));
        let proxy = egress.proxy.clone();
        let name = proxy.as_ref().and_then(Proxy::name).map(str::to_owned);
        let resolver = Resolver { names, guard: guard.clone(), proxy: name };
        let mut builder = builder.dns_resolver(Arc::new(resolver));
        if let Some(proxy) = &proxy {
            builder = builder.proxy(proxy.for_library());
        }
        if let Some(Authorities(certificates)) = &egress.authorities {
            builder = builder.tls_certs_only(certificates.iter().cloned());
        }
        if let Some(Identity(identity)) = &egress.identity {
            builder = builder.identity(identity.clone());
        }
        Ok(Self { client: builder.build().map_err(Error::Setup)?, guard, proxy })
    }

    async fn send(&self, request: Request, deadline: Deadline) -> Result<Response, Error> {
        let Request { method, url, headers, body, http2: _, limits } = request;
        check_address(&url)?;
        self.judge(&url)?;
        let sent = self.client.request(method, url).headers(headers).body(body).send();
        let wait = deadline.within(limits.first_byte);
        let answer = tokio::time::timeout(wait, sent).await;
        let answer = answer.map_err(|_| Error::Slow(wait))?.map_err(Error::from_send)?;
        Ok(Response::new(answer, limits, deadline))
    }

    fn judge(&self, url: &Url) -> Result<(), Error> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let refuse = |refused: guard::Refused| Error::Address(refused.to_string());
        let Some(proxy) = &self.proxy else { return guard.check(url).map_err(refuse) };
        // Its name is resolved without the guard, so that a call of it would go unjudged.
        if proxy.name().is_some_and(|name| url.domain() == Some(name)) {
            return Err(Error::Address("the proxy itself is not called".into()));
        }
        let judged = if proxy.is_for(url) { guard.check_by_name(url) } else { guard.check(url) };
        judged.map_err(refuse)
    }
}

/// Where an answer redirects to, if it does and that may be followed.
fn redirect(response: &Response, from: &Url) -> Result<Option<Url>, Error> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(target) = response.headers().get(LOCATION) else { return Ok(None) };
    let refuse = |why: &str| Err(Error::Address(format!("it redirects to {why}")));
    let target = target.to_str().ok().and_then(|target| from.join(target).ok());
    let Some(mut target) = target else { return refuse("something that is no address") };
    if from.scheme() == "https" && target.scheme() != "https" {
        return refuse("an address without TLS");
    }
    target.set_fragment(None);
    Ok(Some(target))
}

fn harmless(headers: &HeaderMap) -> HeaderMap {
    let kept = HARMLESS.into_iter().filter_map(|name| {
        let value = headers.get(&name).filter(|value| !value.is_sensitive())?;
        Some((name, value.clone()))
    });
    kept.collect()
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that makes HTTP clients")]
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        // A redirect would carry credentials and bodies to an address nobody approved.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(KEEP)
        .http2_max_header_list_size(MAX_HEADERS)
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
