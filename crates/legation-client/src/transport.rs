//! Says an operation in a binding, and takes the binding's frame off what comes back.

mod jsonrpc;
mod rest;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use legation_model::{A2aError, StreamResponse};
use legation_wire::operation::{Operation, Verb};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::fault;

/// How operations are said over HTTP. gRPC would be one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Every operation is a POST of a JSON-RPC request to one address.
    JsonRpc,
    /// Every operation has its own verb and path.
    Rest,
}

impl Binding {
    /// Every binding.
    pub const ALL: [Self; 2] = [Self::JsonRpc, Self::Rest];

    /// The name in agent cards.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JsonRpc => "JSONRPC",
            Self::Rest => "HTTP+JSON",
        }
    }

    /// The binding with this name in agent cards.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|binding| binding.name() == name)
    }
}

/// The interface that is called.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) binding: Binding,
    pub(crate) url: Url,
    pub(crate) tenant: Option<String>,
}

/// An operation as it goes out.
#[derive(Debug, PartialEq)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// With its media type.
    pub(crate) body: Option<(&'static str, Bytes)>,
}

/// Why an answer is no result.
#[derive(Debug)]
pub(crate) enum NoResult {
    /// The agent says it is an error.
    Error(A2aError),
    /// It is nothing the protocol knows.
    Nonsense(String),
}

impl Endpoint {
    /// Says an operation, by the verb at this place in the operation's row.
    ///
    /// # Errors
    /// When an identifier cannot stand in a path.
    pub(crate) fn say(
        &self,
        operation: Operation,
        verb: Verb,
        params: &impl Serialize,
    ) -> Result<Outgoing, String> {
        match self.binding {
            Binding::JsonRpc => jsonrpc::say(&self.url, operation.row().method, params),
            Binding::Rest => {
                rest::say(&self.url, self.tenant.as_deref(), operation.row().path, verb, params)
            }
        }
    }

    /// Says a method of an extension, which JSON-RPC alone has.
    pub(crate) fn say_method(
        &self,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<Outgoing, String> {
        match self.binding {
            Binding::JsonRpc => jsonrpc::say(&self.url, method, params),
            Binding::Rest => Err(format!("the method `{method}` goes by JSON-RPC only")),
        }
    }

    /// What media types an answer may have.
    pub(crate) fn accept(&self, streams: bool) -> HeaderValue {
        HeaderValue::from_static(match (self.binding, streams) {
            (_, true) => "text/event-stream, application/json",
            (Binding::JsonRpc, false) => "application/json",
            (Binding::Rest, false) => "application/a2a+json, application/json",
        })
    }

    /// Takes the result out of a whole answer.
    pub(crate) fn result<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<T, NoResult> {
        if !status.is_success() {
            return Err(no_success(status, headers, body));
        }
        match self.binding {
            Binding::JsonRpc => jsonrpc::result(body),
            Binding::Rest => serde_json::from_slice(body).map_err(NoResult::nonsense),
        }
    }

    /// Takes the item out of the data of one event.
    pub(crate) fn item(&self, data: &str) -> Result<StreamResponse, NoResult> {
        match self.binding {
            Binding::JsonRpc => jsonrpc::result::<crate::reply::Streamed>(data.as_bytes()),
            Binding::Rest => rest::item(data),
        }
        .map(|streamed| streamed.0)
    }
}

impl NoResult {
    fn nonsense(fault: impl std::fmt::Display) -> Self {
        Self::Nonsense(fault.to_string())
    }
}

fn no_success(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> NoResult {
    if let Some(error) = fault::of_answer(status, headers, body) {
        return NoResult::Error(error);
    }
    let target = headers.get(header::LOCATION).and_then(|target| target.to_str().ok());
    NoResult::Nonsense(match target {
        Some(target) => format!("it redirects to {target}, and redirects are not followed"),
        None => format!("HTTP status {status}"),
    })
}
