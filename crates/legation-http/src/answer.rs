//! Responses, of every binding.

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use legation_core::{Document, Follow, Refused};
use legation_model::A2aError;
use legation_wire::answer as wire;
use legation_wire::error::{ErrorProfile, row_of};
use legation_wire::fault;
use legation_wire::jsonrpc::Id;
use legation_wire::version::Version;

use crate::body::Body;
use crate::resource::insufficient;

/// The `A2A-Version` header.
pub(crate) const A2A_VERSION: HeaderName = HeaderName::from_static("a2a-version");

/// The media type of the REST binding.
pub(crate) const A2A_JSON: HeaderValue = HeaderValue::from_static("application/a2a+json");
/// The media type of the JSON-RPC binding and of cards.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The media type of streams.
pub(crate) const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// The media type of metrics.
pub(crate) const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What caches are told of answers that are for one caller.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

pub(crate) type Answer = Response<Body>;

/// What a call is refused with: the error, and the headers that belong to its status.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: A2aError,
    headers: Box<[Header]>,
    status: Option<StatusCode>,
}

type Header = (HeaderName, HeaderValue);

impl Refusal {
    /// The refusal of a path that goes by other methods.
    pub(crate) fn with_allow(error: A2aError, methods: &str) -> Self {
        Self { headers: header(ALLOW, methods).into_iter().collect(), ..error.into() }
    }

    /// The refusal with a header that says how to do it right.
    pub(crate) fn with_header(error: A2aError, name: HeaderName, value: HeaderValue) -> Self {
        Self { headers: Box::new([(name, value)]), ..error.into() }
    }

    /// The same refusal, unless looking at its error leads to another.
    pub(crate) fn after(self, look: impl FnOnce(A2aError) -> A2aError) -> Self {
        let other = look(self.error.clone());
        if other.kind == self.error.kind { self } else { other.into() }
    }

    /// Puts the headers that belong to the refusal beside those of its answer, and its kind where only
    /// we see it.
    pub(crate) fn mark(self, answer: &mut Answer) {
        for (name, value) in self.headers {
            answer.headers_mut().append(name, value);
        }
        answer.extensions_mut().insert(self.error.kind);
    }

    /// The refusal with another status than the error's own.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status: Some(status), ..self }
    }
}

impl From<A2aError> for Refusal {
    fn from(error: A2aError) -> Self {
        let seconds = error.retry_after.map(|delay| delay.as_secs_f64().ceil().max(1.0));
        let retry = seconds.and_then(|seconds| header(RETRY_AFTER, &seconds.to_string()));
        let scope = insufficient(&error).and_then(|scope| header(WWW_AUTHENTICATE, &scope));
        Self { error, headers: retry.into_iter().chain(scope).collect(), status: None }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let Refused { error, challenges } = refused;
        let challenges = challenges.iter().filter_map(|one| header(WWW_AUTHENTICATE, &one.text));
        let Self { error, headers, status } = error.into();
        Self { error, headers: headers.into_iter().chain(challenges).collect(), status }
    }
}

/// A header, unless its value cannot be one.
fn header(name: HeaderName, value: &str) -> Option<Header> {
    HeaderValue::from_str(value).ok().map(|value| (name, value))
}

/// What a reply is: a document, or a stream.
pub(crate) type Replied = Result<(wire::Answer, Document), Box<Follow>>;

/// A response with this content. It is for its caller and for now, and nothing that stands between
/// keeps it; what may be kept says so itself.
pub(crate) fn answer(status: StatusCode, content_type: HeaderValue, body: Body) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

/// A JSON-RPC error response. Its HTTP status is 200 unless the fault is HTTP's own.
pub(crate) fn rpc_error(id: Id<'_>, refusal: Refusal, version: Version) -> Answer {
    let error = fault::write_rpc(&refusal.error, version);
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
    let status = row_of(refusal.error.kind).http_of_rpc();
    refused(refusal, status, JSON, body)
}

/// A REST error response.
pub(crate) fn rest_error(
    refusal: Refusal,
    version: Version,
    profile: ErrorProfile,
    content_type: HeaderValue,
) -> Answer {
    let body = fault::write_rest(&refusal.error, version, profile);
    let status = row_of(refusal.error.kind).http_in(version, profile);
    refused(refusal, status, content_type, body)
}

fn refused(refusal: Refusal, status: u16, content_type: HeaderValue, body: String) -> Answer {
    let status = StatusCode::from_u16(status).expect("the error table has valid statuses only");
    let mut response = answer(refusal.status.unwrap_or(status), content_type, Body::full(body));
    refusal.mark(&mut response);
    response
}
