//! The one outbound HTTP client: whatever leaves this product leaves through here.
//!
//! It follows no redirect unless it is told to, asks no proxy of the environment, waits for nothing
//! without a limit, asks for nothing compressed and reads no body without a cap. [`Egress`] says by
//! what way calls leave. It leaves out what calls mean: credentials, retries and frames belong to the
//! callers. Only this crate knows which HTTP libraries are underneath: a general one, and for what HTTP/2
//! alone carries one with less between a call and its connection (`http2`).

mod egress;
mod error;
mod guard;
mod http2;
mod names;
mod request;
mod response;
mod secret;
mod tls;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, Method, Uri, Version};
use http_body_util::Either;
use url::Url;

pub use egress::{Authorities, BadProxy, Egress, Identity, Network, NoNetwork, Proxy, Reach};
pub use error::Error;
pub use guard::is_public;
pub use names::{Names, SystemNames};
pub use request::{Limits, Request};
pub use response::Response;
pub use secret::Secret;

use guard::Guard;
use http2::Http2;
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
/// The protocols within TLS, by the names that servers choose among.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
const USER_AGENT: &str = concat!("legation/", env!("CARGO_PKG_VERSION"));
/// What a request that follows a redirect takes along. Whatever else a header is, it may be a
/// credential.
const HARMLESS: [HeaderName; 3] =
    [http::header::ACCEPT, http::header::ACCEPT_LANGUAGE, HeaderName::from_static("a2a-version")];

/// The client. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

impl fmt::Debug for Http {
    /// By what way calls leave; the rest is libraries'.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Http").field(&self.0.egress).finish()
    }
}

struct Inner {
    line: Line,
    /// For exchanges that HTTP/2 alone carries.
    http2: Http2,
    /// For those among them that a proxy connects, made when the first of them comes.
    http2_by_proxy: OnceLock<Line>,
    egress: Egress,
    tls: rustls::ClientConfig,
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
        let tls = tls::config(&egress)?;
        let line = Line::of(&egress, builder(), tls::speaking(&tls, &[HTTP2, HTTP1]))?;
        let http2 = Http2::new(Resolver::of(&egress), tls::speaking(&tls, &[HTTP2]));
        let (http2_by_proxy, guarded) = (OnceLock::new(), OnceLock::new());
        Ok(Self(Arc::new(Inner { line, http2, http2_by_proxy, egress, tls, guarded })))
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
        if !request.http2 {
            return self.0.line.send(request, deadline).await;
        }
        if self.0.line.proxy.as_ref().is_some_and(|proxy| proxy.is_for(&request.url)) {
            return self.0.http2_by_proxy()?.send(request, deadline).await;
        }
        self.0.send_http2(request, deadline).await
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
    async fn send_http2(&self, request: Request, deadline: Deadline) -> Result<Response, Error> {
        let Request { method, url, headers, body, http2: _, limits } = request;
        self.line.admit(&url)?;
        let mut head = http::Request::new(());
        *head.method_mut() = method;
        let uri = url.as_str().parse::<Uri>();
        *head.uri_mut() = uri.map_err(|fault| Error::Address(fault.to_string()))?;
        *head.version_mut() = Version::HTTP_2;
        *head.headers_mut() = headers;
        let agent = head.headers_mut().entry(http::header::USER_AGENT);
        agent.or_insert(HeaderValue::from_static(USER_AGENT));
        let wait = deadline.within(limits.first_byte);
        let answer = tokio::time::timeout(wait, self.http2.send(&url, head, body)).await;
        let answer = answer.map_err(|_| Error::Slow(wait))??.map(Either::Right);
        Ok(Response::new(answer, url, limits, deadline))
    }

    fn http2_by_proxy(&self) -> Result<&Line, Error> {
        if let Some(line) = self.http2_by_proxy.get() {
            return Ok(line);
        }
        let builder = builder().http2_prior_knowledge();
        let builder = builder.http2_keep_alive_interval(http2::PING);
        let builder = builder.http2_keep_alive_timeout(http2::PONG);
        let line = Line::of(&self.egress, builder, tls::speaking(&self.tls, &[HTTP2]))?;
        Ok(self.http2_by_proxy.get_or_init(|| line))
    }

    fn guarded(&self) -> Result<&Line, Error> {
        if self.line.guard.is_some() {
            return Ok(&self.line);
        }
        if let Some(line) = self.guarded.get() {
            return Ok(line);
        }
        let egress = Egress { reach: Reach::default(), ..self.egress.clone() };
        let line = Line::of(&egress, builder(), tls::speaking(&self.tls, &[HTTP2, HTTP1]))?;
        Ok(self.guarded.get_or_init(|| line))
    }
}

impl Line {
    fn of(
        egress: &Egress,
        builder: reqwest::ClientBuilder,
        tls: rustls::ClientConfig,
    ) -> Result<Self, Error> {
        let proxy = egress.proxy.clone();
        let mut builder = builder.dns_resolver(Arc::new(Resolver::of(egress)));
        builder = builder.tls_backend_preconfigured(tls);
        if let Some(proxy) = &proxy {
            builder = builder.proxy(proxy.for_library());
        }
        let client = builder.build().map_err(|fault| Error::Setup(fault.into()))?;
        Ok(Self { client, guard: egress.guard(), proxy })
    }

    async fn send(&self, request: Request, deadline: Deadline) -> Result<Response, Error> {
        let Request { method, url, headers, body, http2: _, limits } = request;
        self.admit(&url)?;
        let sent = self.client.request(method, url.clone()).headers(headers).body(body).send();
        let wait = deadline.within(limits.first_byte);
        let answer = tokio::time::timeout(wait, sent).await;
        let answer = answer.map_err(|_| Error::Slow(wait))?.map_err(Error::from_send)?;
        let answer = http::Response::from(answer).map(Either::Left);
        Ok(Response::new(answer, url, limits, deadline))
    }

    /// Judges an address before anything is done.
    fn admit(&self, url: &Url) -> Result<(), Error> {
        check_address(url)?;
        self.judge(url)
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
