//! One address that is asked by POST: its headers, its limits, and when it is asked again.

use std::collections::BTreeMap;
use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderName};
use ::http::{HeaderMap, Method};
use bytes::Bytes;
use legation_core::{AgentError, Entrusted};
use legation_net::{Egress, Error, Limits, Request, Response};
use url::Url;

use super::Secret;
use super::fault::Fault;

/// An answer in all.
const MAX_BYTES: u64 = 32 << 20;
/// The body of an answer that says what went wrong.
const ERROR_BYTES: u64 = 64 << 10;
/// How often something is asked that certainly was not carried out.
const TRIES: u32 = 3;
/// Before the second try, unless the other side says otherwise; doubled for the third.
const PAUSE: Duration = Duration::from_millis(500);

/// Settings that no endpoint can be made of.
#[derive(Debug, thiserror::Error)]
pub enum BadSettings {
    /// The address is not one that can be called.
    #[error("`{0}` is not an address to call: it must begin with http:// or https://")]
    Address(String),
    /// A header has a name that no header may have.
    #[error("`{name}` cannot be the name of a header")]
    HeaderName {
        /// The name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: InvalidHeaderName,
    },
    /// A header has a value that no header may have. The value is not shown: it may be a secret.
    #[error("the value of the header `{0}` holds characters that no header may hold")]
    HeaderValue(String),
    /// The HTTP client could not be made.
    #[error("cannot set up the HTTP client")]
    Client(#[source] Error),
}

/// An address ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    http: legation_net::Http,
    url: Url,
    headers: HeaderMap,
    timeout: Duration,
}

impl Endpoint {
    pub(super) fn new(
        url: Url,
        headers: &BTreeMap<String, Secret>,
        timeout: Duration,
        egress: Egress,
    ) -> Result<Self, BadSettings> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadSettings::Address(url.into()));
        }
        let http = legation_net::Http::by(egress);
        let mut read = HeaderMap::new();
        read.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            let bad = |source| BadSettings::HeaderName { name: name.clone(), source };
            read.insert(name.parse::<HeaderName>().map_err(bad)?, header_value(name, value)?);
        }
        Ok(Self { http: http.map_err(BadSettings::Client)?, url, headers: read, timeout })
    }

    /// The same with a bearer token, unless a header of the settings says who calls already.
    pub(super) fn with_bearer(mut self, token: &Secret) -> Result<Self, BadSettings> {
        let value = Secret::from(format!("Bearer {}", token.reveal()));
        let value = header_value("authorization", &value)?;
        self.headers.entry(::http::header::AUTHORIZATION).or_insert(value);
        Ok(self)
    }

    /// Does a message's work within the time that it may take in all.
    pub(super) async fn within_its_time(
        &self,
        who: &str,
        work: impl Future<Output = Result<(), Fault>>,
    ) -> Result<(), AgentError> {
        let done = tokio::time::timeout(self.timeout, work).await;
        let done = done.unwrap_or(Err(Fault::Slow(self.timeout)));
        done.map_err(|fault| fault.into_error(who, &self.place()))
    }

    /// Where it is, as the log may have it: paths and queries hold keys at times.
    pub(super) fn place(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Asks. Who says that it is too busy, or is not there, has done nothing, so it is asked again,
    /// a few times and as late as it wants.
    ///
    /// What the body holds of a caller's headers is in no log.
    pub(super) async fn post(
        &self,
        body: Bytes,
        accept: &'static str,
        entrusted: &Entrusted,
    ) -> Result<Response, Fault> {
        for attempt in 1.. {
            let fault = match self.try_post(body.clone(), accept, entrusted).await {
                Ok(response) => return Ok(response),
                Err(fault) => fault,
            };
            let pause = fault.asked_pause().unwrap_or(PAUSE * 2_u32.pow(attempt - 1));
            if attempt == TRIES || !fault.may_be_asked_again() || pause >= self.timeout {
                return Err(fault);
            }
            tracing::info!(place = self.place(), ?pause, "asked in vain; asking again");
            tokio::time::sleep(pause).await;
        }
        unreachable!("the loop returns with its last try")
    }

    async fn try_post(
        &self,
        body: Bytes,
        accept: &'static str,
        entrusted: &Entrusted,
    ) -> Result<Response, Fault> {
        let mut request = Request::new(Method::POST, self.url.clone());
        request.headers = self.headers.clone();
        request.headers.insert(ACCEPT, HeaderValue::from_static(accept));
        request.body = body;
        // The caller of this has one deadline for everything, which comes first.
        let wait = self.timeout.saturating_add(Duration::from_secs(1));
        request.limits = Limits { first_byte: wait, idle: wait, max_bytes: MAX_BYTES, total: None };
        let response = self.http.send(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let pause = response.headers().get(::http::header::RETRY_AFTER).and_then(seconds);
        let body = response.bytes_up_to(ERROR_BYTES).await.unwrap_or_default();
        let body = self.without_secrets(&body, entrusted);
        Err(Fault::Status { status, pause, body })
    }

    /// A text for the log. What refuses a credential likes to repeat it.
    fn without_secrets(&self, body: &[u8], entrusted: &Entrusted) -> String {
        let mut text = String::from_utf8_lossy(body).into_owned();
        let callers = entrusted.iter().map(|(_, value)| value);
        let own = self.headers.values().filter(|value| value.is_sensitive());
        for secret in own.filter_map(|value| value.to_str().ok()).chain(callers) {
            for word in secret.split_whitespace().filter(|word| word.len() > 5) {
                text = text.replace(word, "***");
            }
        }
        text
    }
}

fn header_value(name: &str, value: &Secret) -> Result<HeaderValue, BadSettings> {
    let bad = |_| BadSettings::HeaderValue(name.to_owned());
    let mut value = HeaderValue::from_str(value.reveal()).map_err(bad)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The seconds of `Retry-After`. Its other form, a date, is not worth trusting a clock for.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, (name, value): (&str, &str)) -> Result<Endpoint, BadSettings> {
        let headers = [(name.to_owned(), value.into())].into();
        let url = Url::parse(url).expect("a URL");
        Endpoint::new(url, &headers, Duration::from_secs(1), Egress::default())
    }

    #[test]
    fn the_log_gets_no_secret_back() {
        let endpoint = endpoint("http://a/", ("x-api-key", "first-secret"));
        let endpoint = endpoint.expect("good settings").with_bearer(&"second-secret".into());
        let text = b"bad key first-secret, bad token `second-secret`, bad Bearer third-secret";
        let callers =
            [("authorization".into(), "Bearer third-secret".into())].into_iter().collect();
        let text = endpoint.expect("a good token").without_secrets(text, &callers);
        assert_eq!(text, "bad key ***, bad token `***`, bad *** ***");
    }

    #[test]
    fn settings_that_cannot_work_are_refused_without_showing_secrets() {
        let cases = [
            ("ftp://a/", ("x", "v"), "must begin with http:// or https://"),
            ("http://a/", ("x y", "v"), "`x y` cannot be the name"),
            ("http://a/", ("x-key", "sec\nret"), "the value of the header `x-key`"),
            ("http://a/", ("x-key", "secret"), ""),
        ];
        for (url, header, expected) in cases {
            let said = match endpoint(url, header) {
                Ok(endpoint) => format!("{endpoint:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(said.contains(expected), "{url}: {said}");
            assert!(!said.contains("sec\\nret") && !said.contains("secret"), "{said}");
        }
    }
}
