//! The interface that is called, and an operation as it goes out to it.

use bytes::Bytes;
use http::{HeaderMap, Method};
use legation_model::{A2aError, Request};
use legation_wire::fault::GrpcStatus;
use legation_wire::operation::Verb;
use legation_wire::speech::{Said, Speech, envelope};
use url::Url;

use crate::{Binding, Version};

/// The interface that is called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Endpoint {
    pub(crate) speech: Speech,
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

impl Endpoint {
    pub(crate) const fn binding(&self) -> Binding {
        self.speech.binding()
    }

    pub(crate) const fn version(&self) -> Version {
        self.speech.version()
    }

    /// Says an operation, by this HTTP method.
    ///
    /// # Errors
    /// When the version or the binding has no words for it.
    pub(crate) fn say(
        &self,
        speech: Speech,
        request: &Request,
        verb: Verb,
    ) -> Result<Outgoing, A2aError> {
        let Said { verb, path, query, media_type, body } = speech.say(request, verb)?;
        let mut url = self.url.clone();
        if !path.is_empty() {
            url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        }
        if !query.is_empty() {
            url.set_query(Some(&query));
        }
        let method = match verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Delete => Method::DELETE,
        };
        let body = (!body.is_empty()).then(|| (media_type, body.into()));
        Ok(Outgoing { method, url, body })
    }

    /// Says a method of an extension, which JSON-RPC alone has.
    pub(crate) fn say_method(
        &self,
        method: &'static str,
        params: &impl serde::Serialize,
    ) -> Result<Outgoing, String> {
        if self.binding() != Binding::JsonRpc {
            return Err(format!("the method `{method}` goes by JSON-RPC only"));
        }
        let params = serde_json::to_vec(params).map_err(|fault| fault.to_string())?;
        let body = Some(("application/json", envelope(method, &params).into()));
        Ok(Outgoing { method: Method::POST, url: self.url.clone(), body })
    }
}

/// How a gRPC call ended, as its trailers say it; `None` when they do not.
pub(crate) fn grpc_status(trailers: &HeaderMap) -> Option<GrpcStatus> {
    let text = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok());
    let details = trailers.get("grpc-status-details-bin").map(http::HeaderValue::as_bytes);
    GrpcStatus::read(text("grpc-status")?, text("grpc-message"), details)
}
