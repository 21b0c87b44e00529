//! What is asked of issuers: short questions with small answers in JSON.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use legation_net::{Egress, Http, Limits, Request};
use serde_json::{Map, Value};
use url::Url;

/// The largest answer that is read, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// How long an answer may take in all.
const PATIENCE: Duration = Duration::from_secs(10);

const LIMITS: Limits = Limits {
    first_byte: Duration::from_secs(5),
    idle: Duration::from_secs(5),
    max_bytes: MAX_BYTES,
    total: Some(PATIENCE),
};

/// Why there is no answer. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("cannot reach it: {0}")]
    Net(#[from] legation_net::Error),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Slow,
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("its answer is not a JSON object")]
    Form,
}

/// An issuer's addresses cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The client cannot be made.
    #[error("cannot set up the client for issuers")]
    Client(#[from] legation_net::Error),
    /// The address is not one that credentials may go to.
    #[error("`{0}` is not an `https` address; on a private network say so")]
    Address(String),
}

/// How issuers are reached.
#[derive(Clone, Debug)]
pub struct Line {
    http: Http,
    is_private: bool,
}

impl Line {
    /// A line to the public internet; a private one reaches any address, also without TLS.
    ///
    /// # Errors
    /// When the trust roots of the system cannot be loaded.
    pub fn new(is_private: bool) -> Result<Self, SetupError> {
        Self::by(Egress::default(), is_private)
    }

    /// A line as [`Line::new`] makes it that leaves by this way.
    ///
    /// # Errors
    /// As [`Line::new`].
    pub fn by(egress: Egress, is_private: bool) -> Result<Self, SetupError> {
        Ok(Self { http: Http::by(egress.to_any_if(is_private))?, is_private })
    }

    /// An address that may be called on this line.
    ///
    /// # Errors
    /// When it may not.
    pub(crate) fn address(&self, text: &str) -> Result<Url, SetupError> {
        let url = Url::parse(text).ok().filter(|url| url.has_host());
        let allowed =
            |url: &Url| url.scheme() == "https" || self.is_private && url.scheme() == "http";
        url.filter(allowed).ok_or_else(|| SetupError::Address(text.to_owned()))
    }

    /// Gets a document.
    pub(crate) async fn get(&self, url: &Url) -> Result<Map<String, Value>, FetchError> {
        let mut request = Request::new(Method::GET, url.clone());
        request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        self.ask(request).await
    }

    /// Asks a question in a form, with credentials of ours if there are any.
    pub(crate) async fn post(
        &self,
        url: &Url,
        form: String,
        credentials: Option<&HeaderValue>,
    ) -> Result<Map<String, Value>, FetchError> {
        let mut request = Request::new(Method::POST, url.clone());
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers.insert(CONTENT_TYPE, form_type);
        request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(credentials) = credentials {
            request.headers.insert(AUTHORIZATION, credentials.clone());
        }
        request.body = Bytes::from(form);
        self.ask(request).await
    }

    async fn ask(&self, mut request: Request) -> Result<Map<String, Value>, FetchError> {
        request.limits = LIMITS;
        let asked = async {
            let response = self.http.send(request).await?;
            // A redirect is an answer like others, and none of these.
            if response.status() != StatusCode::OK {
                return Err(FetchError::Status(response.status()));
            }
            let bytes = response.bytes_up_to(MAX_BYTES).await?;
            serde_json::from_slice(&bytes).map_err(|_| FetchError::Form)
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(FetchError::Slow))
    }
}
