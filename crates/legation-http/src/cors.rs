//! Cross-origin requests of pages in browsers (CORS): which pages may call, and what they may read.
//!
//! Nothing is allowed unless it is configured. Origins are exact and are said back one by one, never
//! as `*`, so a page can be let in with credentials without letting in every other.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_NONE_MATCH, ORIGIN, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::answer::{A2A_VERSION, Answer};
use crate::body::Body;
use crate::call::{EXTENSIONS, IDEMPOTENCY_KEY, LAST_EVENT_ID};
use crate::settings::Cors;

/// The methods of all bindings.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");

/// What answers differ by, for caches.
const DIFFERS_BY: HeaderValue = HeaderValue::from_static("Origin");

const TRUE: HeaderValue = HeaderValue::from_static("true");

/// What is said to pages of known origins.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    origins: Vec<HeaderValue>,
    allowed: HeaderValue,
    exposed: HeaderValue,
    max_age: HeaderValue,
    credentials: bool,
}

impl Pages {
    pub(crate) fn new(cors: &Cors) -> Self {
        let own = [A2A_VERSION, IDEMPOTENCY_KEY, LAST_EVENT_ID, AUTHORIZATION, CONTENT_TYPE];
        let sent = own.into_iter().chain(EXTENSIONS.clone()).chain([IF_NONE_MATCH]);
        let sent = sent.chain(cors.headers.iter().cloned());
        let read = [A2A_VERSION, ETAG, RETRY_AFTER, WWW_AUTHENTICATE];
        let read = read.into_iter().chain(EXTENSIONS.clone());
        Self {
            origins: cors
                .origins
                .iter()
                .filter_map(|one| HeaderValue::from_str(one).ok())
                .collect(),
            allowed: list(sent),
            exposed: list(read),
            max_age: cors.max_age.as_secs().into(),
            credentials: cors.credentials,
        }
    }

    /// The origin of the page that a request comes from, if it is a known one.
    fn origin<'h>(&self, head: &'h Parts) -> Option<&'h HeaderValue> {
        head.headers.get(ORIGIN).filter(|origin| self.origins.contains(origin))
    }

    /// The answer to a browser that asks whether a page may call; `None` to all other requests.
    pub(crate) fn preflight(&self, head: &Parts) -> Option<Answer> {
        let asks = head.method == Method::OPTIONS
            && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        self.origin(head).filter(|_| asks)?;
        let mut response = Response::new(Body::full(""));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.allowed.clone());
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        Some(response)
    }

    /// Lets the page read a response, if it is a known one.
    pub(crate) fn expose<B>(&self, head: &Parts, response: &mut Response<B>) {
        let headers = response.headers_mut();
        headers.append(VARY, DIFFERS_BY);
        let Some(origin) = self.origin(head) else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed.clone());
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
    }
}

fn list(names: impl Iterator<Item = HeaderName>) -> HeaderValue {
    let names: Vec<_> = names.map(|name| name.as_str().to_owned()).collect();
    HeaderValue::from_str(&names.join(", ")).expect("names of headers are letters of headers")
}
