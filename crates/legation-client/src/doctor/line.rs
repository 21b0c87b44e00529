//! A line to one interface: calls as clients make them, and answers as they come, not yet forgiven.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use legation_model::{ErrorKind, Request as Asked};
use legation_net::{Http, Limits, Request, Response};
use legation_wire::fault;
use legation_wire::grpc::frame;
use legation_wire::operation::{Operation, Verb};
use legation_wire::speech::NoResult;
use legation_wire::version::VERSION;
use serde_json::Value;
use url::Url;

use super::card::readers_of;
use super::checks::{ANSWERS, KNOWN};
use super::heard::{Heard, Opened, Refusal, Trouble};
use super::reach::Arrival;
use super::{Notes, Plan, Reader, excerpt};
use crate::credentials::Access;
use crate::interface::{is_trusted, usable};
use crate::origin::same_place;
use crate::transport::{Endpoint, Outgoing, grpc_status};
use crate::{Binding, Credentials, Error, Options, Version};

const MAX_BYTES: u64 = 64 << 20;

/// A line to one interface.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) endpoint: Endpoint,
    /// What it is called in results.
    pub(super) at: String,
    http: Http,
    /// The same for somebody whom nobody knows.
    anonymous: Http,
    access: Access,
    extensions: Option<HeaderValue>,
    timeout: Duration,
    /// Whether it has turned out that nobody answers in its binding and version.
    pub(super) is_dead: bool,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Known,
    Anonymous,
}

impl Line {
    /// The lines to the interfaces of a card that are known here, trusted, and not left out by a pin.
    pub(super) fn of_card(
        notes: &mut Notes<'_>,
        arrival: &Arrival,
        options: &Options,
        plan: &Plan,
    ) -> Result<Vec<Self>, Error> {
        let mut lines: Vec<Self> = Vec::new();
        for interface in arrival.interfaces() {
            let (binding, version) = (&interface.protocol_binding, &interface.protocol_version);
            let mut at = excerpt(&format!("{binding} {version}"));
            let Some(endpoint) = usable(interface, &arrival.url) else {
                // Other bindings are named by URIs.
                let seen = format!("no client is known that speaks {at}");
                notes.add(if binding.contains("://") {
                    KNOWN.skipped("it is of a binding of its own").at(at)
                } else {
                    KNOWN.warned(seen).at(at)
                });
                continue;
            };
            let is_pinned = options.binding.is_none_or(|pin| pin == endpoint.binding())
                && options.version.is_none_or(|pin| pin == endpoint.version());
            if !is_pinned || lines.iter().any(|line| line.endpoint == endpoint) {
                continue;
            }
            if lines.iter().any(|line| line.at == at) {
                at = format!("{at} {}", endpoint.url);
            }
            if !is_trusted(&endpoint, &arrival.url, options) {
                let origin = crate::origin::origin(&endpoint.url);
                let why =
                    format!("it is at another origin; look at it with --allow-origin {origin}");
                notes.add(ANSWERS.skipped(why).among(readers_of(endpoint.version())).at(at));
                continue;
            }
            match Self::to(endpoint, at, arrival, options, plan, &lines)? {
                Ok(line) => lines.push(line),
                Err((endpoint, at, why)) => {
                    notes.add(ANSWERS.skipped(why).among(readers_of(endpoint.version())).at(at));
                }
            }
        }
        Ok(lines)
    }

    fn to(
        endpoint: Endpoint,
        at: String,
        arrival: &Arrival,
        options: &Options,
        plan: &Plan,
        before: &[Self],
    ) -> Result<Result<Self, (Endpoint, String, String)>, Error> {
        let mut access = match options.credentials.choose(arrival.card(), &endpoint.url) {
            Ok(access) => access,
            Err(needs) => {
                let why = format!("none of the credentials given fits: {needs}");
                return Ok(Err((endpoint, at, why)));
            }
        };
        if access.asks_issuers() {
            access = access.by(options.connections_to_issuers()?);
        }
        let (http, anonymous) = connections(&endpoint.url, arrival, options, before)?;
        let declared = &arrival.card().capabilities.extensions;
        let required = declared.iter().filter(|extension| extension.required);
        let uris: Vec<&str> = required
            .map(|extension| &*extension.uri)
            .chain(options.extensions.iter().map(String::as_str))
            .collect();
        let extensions = HeaderValue::from_str(&uris.join(",")).ok().filter(|it| !it.is_empty());
        let (timeout, is_dead) = (plan.timeout, false);
        Ok(Ok(Self { endpoint, at, http, anonymous, access, extensions, timeout, is_dead }))
    }

    /// Who speaks its version.
    pub(super) const fn readers(&self) -> &'static [Reader] {
        readers_of(self.endpoint.version())
    }

    pub(super) fn is_grpc(&self) -> bool {
        self.endpoint.binding() == Binding::Grpc
    }

    pub(super) const fn is_usable(&self) -> bool {
        !self.is_dead
    }

    /// Whether anything goes along that makes the caller known.
    pub(super) fn is_known(&self) -> bool {
        !self.access.is_empty()
    }

    /// Asks for something that is answered as a whole.
    pub(super) async fn ask(&self, asked: &mut Asked, caller: Caller) -> Result<Heard, Trouble> {
        let request = self.request(asked, self.verbs(asked)?[0], false)?;
        let response = self.send(request, caller).await?;
        self.hear(Some(asked), response).await
    }

    /// Asks for the same with the request changed on its way.
    pub(super) async fn ask_changed(
        &self,
        asked: &mut Asked,
        change: impl FnOnce(&mut Request),
    ) -> Result<Heard, Trouble> {
        let mut request = self.request(asked, self.verbs(asked)?[0], false)?;
        change(&mut request);
        let response = self.send(request, Caller::Known).await?;
        self.hear(Some(asked), response).await
    }

    /// Opens a stream by the first verb that the agent knows.
    pub(super) async fn open(&self, asked: &mut Asked) -> Result<Opened, Trouble> {
        let verbs = self.verbs(asked)?;
        let mut opened = self.open_by(asked, verbs[0]).await?;
        for verb in &verbs[1..] {
            let Opened::Whole(heard, _) = &opened else { break };
            let is_other_verb =
                matches!(heard.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
            if !is_other_verb || heard.kind() == Some(ErrorKind::TaskNotFound) {
                break;
            }
            opened = self.open_by(asked, *verb).await?;
        }
        Ok(opened)
    }

    async fn open_by(&self, asked: &mut Asked, verb: Verb) -> Result<Opened, Trouble> {
        let request = self.request(asked, verb, true)?;
        let response = self.send(request, Caller::Known).await?;
        let media_type = response.media_type();
        let is_stream = match self.endpoint.binding() {
            // A refusal has its status among the headers.
            Binding::Grpc => {
                media_type.starts_with("application/grpc")
                    && grpc_status(response.headers()).is_none()
            }
            Binding::JsonRpc | Binding::HttpJson => media_type == "text/event-stream",
        };
        if response.status().is_success() && is_stream {
            return Ok(Opened::Stream(response));
        }
        Ok(Opened::Whole(self.hear(None, response).await?, media_type))
    }

    fn verbs(&self, asked: &Asked) -> Result<&'static [Verb], Trouble> {
        let verbs = self.endpoint.speech.verbs(Operation::of_request(asked));
        if verbs.is_empty() { Err(Trouble::Unsayable) } else { Ok(verbs) }
    }

    fn request(&self, asked: &mut Asked, verb: Verb, streams: bool) -> Result<Request, Trouble> {
        asked.tenant_mut().clone_from(&self.endpoint.tenant);
        let said = self.endpoint.say(self.endpoint.speech, asked, verb);
        let Outgoing { method, url, body } = said.map_err(|_| Trouble::Unsayable)?;
        let speech = self.endpoint.speech;
        let mut request = Request::new(method, url);
        request.limits = Limits {
            first_byte: self.timeout,
            idle: self.timeout,
            max_bytes: MAX_BYTES,
            total: Some(self.timeout),
        };
        let headers = &mut request.headers;
        headers.insert(header::ACCEPT, HeaderValue::from_static(speech.accept(streams)));
        headers.insert(VERSION, HeaderValue::from_static(speech.version().name()));
        if let Some(extensions) = &self.extensions {
            headers.insert(speech.extensions_header(), extensions.clone());
        }
        if self.is_grpc() {
            request.http2 = true;
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        if let Some((media_type, body)) = body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            request.body = body;
        }
        Ok(request)
    }

    async fn send(&self, mut request: Request, caller: Caller) -> Result<Response, Trouble> {
        let response = self.send_as(&request, caller).await?;
        let json = HeaderValue::from_static("application/json");
        let said = request.headers.get(header::CONTENT_TYPE);
        let refused = response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && !self.is_grpc();
        if !refused || said.is_none_or(|said| *said == json) {
            return Ok(response);
        }
        // Servers of 1.0.0 know the older media type only.
        request.headers.insert(header::CONTENT_TYPE, json);
        self.send_as(&request, caller).await
    }

    async fn send_as(&self, request: &Request, caller: Caller) -> Result<Response, Trouble> {
        let failed = |error: legation_net::Error| Trouble::Failed(error.to_string());
        if caller == Caller::Anonymous {
            return self.anonymous.send(request.clone()).await.map_err(failed);
        }
        let token = |fault: crate::credentials::Fault| Trouble::Failed(fault.to_string());
        let mut signed = request.clone();
        self.access.sign(&mut signed).await.map_err(token)?;
        let sent = signed.headers.get(header::AUTHORIZATION).cloned();
        let response = self.http.send(signed).await.map_err(failed)?;
        let is_unknown = response.status() == StatusCode::UNAUTHORIZED;
        let sent = sent.as_ref();
        if !is_unknown || !self.access.learn(sent, response.headers()).await.map_err(token)? {
            return Ok(response);
        }
        let mut signed = request.clone();
        self.access.sign(&mut signed).await.map_err(token)?;
        self.http.send(signed).await.map_err(failed)
    }

    /// Hears an answer to its end; to a call whose answer is no document, without looking for one.
    async fn hear(&self, asked: Option<&Asked>, mut response: Response) -> Result<Heard, Trouble> {
        let (status, headers) = (response.status(), response.headers().clone());
        let media_type = response.media_type();
        let body = response.take().await;
        let body = body.map_err(|error| Trouble::Failed(error.to_string()))?;
        let trailers = response.trailers().cloned().unwrap_or_default();
        let result = if self.is_grpc() {
            self.result_of_grpc(asked, &[&trailers, &headers], status, &media_type, &body)
        } else {
            self.result(asked, status, &media_type, &body)
        };
        Ok(Heard { status, headers, result })
    }

    fn result(
        &self,
        asked: Option<&Asked>,
        status: StatusCode,
        media_type: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let text = String::from_utf8_lossy(body);
        let json: Option<Value> = serde_json::from_str(&text).ok();
        let is_rpc = self.endpoint.binding() == Binding::JsonRpc;
        let number = match (is_rpc, &json) {
            (true, Some(json)) => json["error"]["code"].as_i64(),
            (true, None) => None,
            (false, _) => Some(i64::from(status.as_u16())),
        };
        let nothing =
            || Refusal::Nonsense(format!("status {} with `{media_type}`", status.as_u16()));
        if !status.is_success() {
            let is_known = json.as_ref().is_some_and(Value::is_object)
                || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let error = fault::read_rest(self.endpoint.version(), status.as_u16(), &text);
            let error = error.filter(|_| is_known && !status.is_redirection());
            return Err(error.map_or_else(nothing, |error| Refusal::Error(error, number)));
        }
        if json.is_none() && !body.trim_ascii().is_empty() {
            return Err(nothing());
        }
        let speech = self.endpoint.speech;
        // The answer of a task has an envelope like any other.
        let read = match asked {
            Some(asked) => speech.read(asked, body).map(std::borrow::Cow::into_owned),
            None if is_rpc => speech.read_extension(body).map(<[u8]>::to_vec),
            None if fault::is_error(&text) => {
                let error = fault::read_rest(self.endpoint.version(), 500, &text);
                Err(error.map_or_else(|| NoResult::Nonsense("no error".into()), NoResult::Error))
            }
            None => Ok(body.to_vec()),
        };
        read.map_err(|fault| match fault {
            NoResult::Error(error) => Refusal::Error(error, number),
            NoResult::Nonsense(reason) => Refusal::Nonsense(reason),
        })
    }

    fn result_of_grpc(
        &self,
        asked: Option<&Asked>,
        told: &[&HeaderMap],
        status: StatusCode,
        media_type: &str,
        body: &Bytes,
    ) -> Result<Vec<u8>, Refusal> {
        let ended = told.iter().find_map(|headers| grpc_status(headers));
        let Some(ended) = ended else {
            let reason = format!("status {} with `{media_type}`", status.as_u16());
            return Err(Refusal::Nonsense(reason));
        };
        if ended.code != 0 {
            let error = fault::read_grpc(self.endpoint.version(), &ended);
            return Err(Refusal::Error(error, Some(ended.code.into())));
        }
        let Some(asked) = asked else { return Ok(Vec::new()) };
        let message = match frame::only(body) {
            Ok(Some(message)) => message,
            Ok(None) => return Err(Refusal::Nonsense("it does not hold one message".into())),
            Err(fault) => return Err(Refusal::Nonsense(fault.to_string())),
        };
        let read = self.endpoint.speech.read(asked, &message);
        read.map(std::borrow::Cow::into_owned).map_err(|fault| match fault {
            NoResult::Error(error) => Refusal::Error(error, None),
            NoResult::Nonsense(reason) => Refusal::Nonsense(reason),
        })
    }

    /// Whether the version is one that a card may not have said.
    pub(super) const fn is_guess(&self) -> bool {
        matches!(self.endpoint.version(), Version::V0_2 | Version::V0_1)
    }
}

/// The connections to an address, for who is known by a certificate and for who is not. They are shared
/// with the lines before where they lead to the same place.
fn connections(
    url: &Url,
    arrival: &Arrival,
    options: &Options,
    before: &[Line],
) -> Result<(Http, Http), Error> {
    if let Some(line) = before.iter().find(|line| same_place(&line.endpoint.url, url)) {
        return Ok((line.http.clone(), line.anonymous.clone()));
    }
    let http = arrival.connections(url, options)?;
    if options.credentials.identity(url).is_none() {
        return Ok((http.clone(), http));
    }
    let nobody = Options { credentials: Credentials::none(), ..options.clone() };
    Ok((http, nobody.connections(url)?))
}
