//! How a call is made: one exchange over HTTP, and which failures are worth another.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use legation_model::{
    A2aError, ErrorKind, IDEMPOTENCY_EXTENSION, MessageId, Request as Asked, TaskId,
};
use legation_net::{Request, Response};
use legation_wire::fault::{self, GrpcStatus};
use legation_wire::grpc::frame;
use legation_wire::header::{IDEMPOTENCY_KEY, LAST_EVENT_ID};
use legation_wire::operation::{Operation, Verb};
use legation_wire::speech::{NoResult, Speech};
use legation_wire::version::VERSION;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::client::Way;
use crate::credentials::Needs;
use crate::feed::Feed;
use crate::origin::origin;
use crate::patience::Tries;
use crate::retry_after::retry_after;
use crate::transport::{Endpoint, Outgoing, grpc_status};
use crate::{Binding, Client, Error, Version};

/// How long a stream of gRPC may say nothing.
const QUIET: Duration = Duration::from_secs(24 * 3_600);
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// A call: what all its tries have in common.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) asked: Asked,
    /// By which the agent knows a repetition.
    key: Option<HeaderValue>,
}

impl Call {
    fn operation(&self) -> Operation {
        Operation::of_request(&self.asked)
    }

    fn mark(&self, request: &mut Request) {
        if let Some(key) = &self.key {
            request.headers.insert(IDEMPOTENCY_KEY, key.clone());
        }
    }

    /// The same message for an agent that does not stream.
    pub(crate) fn without_stream(mut self) -> Self {
        if let Asked::SendStreamingMessage(message) = self.asked {
            self.asked = Asked::SendMessage(message);
        }
        self
    }

    /// The task that a message goes on with, when the answer does not wait for what comes of it.
    pub(crate) fn goes_on(&self) -> Option<&TaskId> {
        let Asked::SendMessage(request) = &self.asked else { return None };
        let task = request.message.task_id.as_ref();
        task.filter(|_| request.configuration.return_immediately)
    }

    /// Whether making it twice is the same as making it once.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.key.is_some() || is_question(self.operation())
    }
}

impl Client {
    /// A call as the extensions of this side have it. A message gets a key where it may be said again
    /// and the agent knows repetitions by it.
    pub(crate) fn call(&self, mut asked: Asked) -> Call {
        for hook in &self.inner.options.hooks {
            hook.on_request(&mut asked);
        }
        let says = matches!(asked, Asked::SendMessage(_) | Asked::SendStreamingMessage(_));
        let may_repeat = says && self.inner.options.patience.attempts > 0;
        let key = (may_repeat && self.declares(IDEMPOTENCY_EXTENSION)).then(new_key);
        Call { asked, key }
    }

    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        asked: Asked,
        answer: Duration,
    ) -> Result<T, Error> {
        self.make(&mut self.call(asked), answer).await
    }

    /// Makes a call, again where that does no harm.
    pub(crate) async fn make<T: DeserializeOwned>(
        &self,
        call: &mut Call,
        answer: Duration,
    ) -> Result<T, Error> {
        let (mut tries, mut moves) = (Tries::new(self.inner.options.patience), 0);
        let asking = async {
            loop {
                let endpoint = self.endpoint();
                match self.try_ask(endpoint, call, answer).await {
                    Ok(result) => return Ok(result),
                    Err(error) if self.moves_on(endpoint, &error, &mut moves) => {}
                    Err(error) => self.pause(call, &mut tries, error).await?,
                }
            }
        };
        self.in_time(asking).await
    }

    pub(crate) async fn open_patiently(
        &self,
        call: &mut Call,
        after: Option<u64>,
    ) -> Result<Feed, Error> {
        let (mut tries, mut moves) = (Tries::new(self.inner.options.patience), 0);
        let opening = async {
            loop {
                let endpoint = self.endpoint();
                match self.open(endpoint, call, after).await {
                    Ok(feed) => return Ok(feed),
                    Err(error) if self.moves_on(endpoint, &error, &mut moves) => {}
                    Err(error) => self.pause(call, &mut tries, error).await?,
                }
            }
        };
        self.in_time(opening).await
    }

    /// The outcome of a call, if it comes before the caller's deadline.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(total) = self.inner.options.limits.total else { return call.await };
        let late = |_| Error::Late { url: origin(self.url()), total };
        tokio::time::timeout(total, call).await.map_err(late)?
    }

    /// Waits before a further try, or gives the error back when there must be none.
    async fn pause(&self, call: &Call, tries: &mut Tries, error: Error) -> Result<(), Error> {
        let harmless = call.is_repeatable() || matches!(error, Error::Unreachable { .. });
        let wait = if harmless && error.may_pass() { self.retry(tries, &error) } else { None };
        let Some(wait) = wait else { return Err(error) };
        tokio::time::sleep(wait).await;
        Ok(())
    }

    pub(crate) async fn try_ask<T: DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
        call: &mut Call,
        answer: Duration,
    ) -> Result<T, Error> {
        call.asked.tenant_mut().clone_from(&endpoint.tenant);
        let speech = endpoint.speech;
        let first = self.ask_once(endpoint, speech, call, answer).await;
        match (&first, speech.respelled()) {
            (Err(error), Some(other)) if is_misread(&call.asked, error) => {
                self.ask_once(endpoint, other, call, answer).await.or(first)
            }
            _ => first,
        }
    }

    async fn ask_once<T: DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
        speech: Speech,
        call: &Call,
        answer: Duration,
    ) -> Result<T, Error> {
        let operation = call.operation();
        let name = operation.row().method;
        let outgoing = said(endpoint, speech, &call.asked, speech.verbs(operation)[0])?;
        let mut request = self.request(endpoint, false, outgoing, self.limits(answer));
        call.mark(&mut request);
        let response = self.exchange(endpoint, name, request).await?;
        let body = self.whole(endpoint, name, response).await?;
        let read = speech.read_as(&call.asked, &body);
        read.map_err(|fault| no_result(name, endpoint, fault))
    }

    /// The body of an answer that is a success; with gRPC the one message in it.
    async fn whole(
        &self,
        endpoint: &Endpoint,
        name: &'static str,
        mut response: Response,
    ) -> Result<Bytes, Error> {
        let status = response.status();
        if !status.is_success() {
            response = response.within(self.inner.options.limits.of_refusal());
        }
        let body = response.take().await;
        let body = body.map_err(|reason| Error::of_net(name, &endpoint.url, reason))?;
        let headers = response.headers();
        if !status.is_success() {
            return Err(no_success(endpoint, name, status, headers, &body));
        }
        if endpoint.binding() != Binding::Grpc {
            return Ok(body);
        }
        let bad = |reason: String| Error::bad(name, &endpoint.url, reason);
        let trailers = response.trailers().unwrap_or(headers);
        match grpc_status(trailers).or_else(|| grpc_status(headers)) {
            None => {
                return Err(bad(format!("no answer of gRPC but `{}`", response.media_type())));
            }
            Some(status) if status.code != 0 => {
                return Err(self.refused(endpoint, name, &status, headers));
            }
            Some(_) => {}
        }
        let message = frame::only(&body).map_err(|fault| bad(fault.to_string()))?;
        message.ok_or_else(|| bad("it does not hold one message".into()))
    }

    /// Calls a JSON-RPC method of an extension, once.
    pub(crate) async fn ask_extension<T: DeserializeOwned>(
        &self,
        uri: &str,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<T, Error> {
        let endpoint = self.endpoint();
        let address = |reason: String| Error::Address { address: endpoint.url.to_string(), reason };
        let uri = HeaderValue::from_str(uri).map_err(|fault| address(fault.to_string()))?;
        let outgoing = endpoint.say_method(method, params).map_err(address)?;
        let limits = self.limits(self.inner.options.limits.answer);
        let mut request = self.request(endpoint, false, outgoing, limits);
        request.headers.append(endpoint.speech.extensions_header(), uri);
        let response = self.exchange(endpoint, method, request).await?;
        let body = self.whole(endpoint, method, response).await?;
        let read = endpoint.speech.read_extension(&body);
        let result = read.map_err(|fault| no_result(method, endpoint, fault))?;
        let read = serde_json::from_slice(result);
        read.map_err(|fault| Error::bad(method, &endpoint.url, fault.to_string()))
    }

    /// The bounds of a whole answer that may be so long in coming.
    fn limits(&self, answer: Duration) -> legation_net::Limits {
        let limits = self.inner.options.limits;
        limits.of_answer(answer, limits.answer_bytes)
    }

    /// Opens a stream, by the first of the operation's verbs that the agent knows: the protocol is
    /// of two minds about the verb of `SubscribeToTask`.
    pub(crate) async fn open(
        &self,
        endpoint: &Endpoint,
        call: &mut Call,
        after: Option<u64>,
    ) -> Result<Feed, Error> {
        call.asked.tenant_mut().clone_from(&endpoint.tenant);
        let (call, speech) = (&*call, endpoint.speech);
        let mut opened = None;
        for verb in speech.verbs(call.operation()) {
            let got = self.open_by(endpoint, speech, call, *verb, after).await;
            let unknown = [ErrorKind::MethodNotFound, ErrorKind::MethodNotAllowed];
            let kind = got.as_ref().err().and_then(Error::kind);
            let is_unknown = kind.is_some_and(|kind| unknown.contains(&kind));
            opened = Some(got);
            if !is_unknown {
                break;
            }
        }
        let opened = match opened {
            Some(opened) => opened,
            // Nothing to go by: the refusal says so.
            None => {
                return Err(said(endpoint, speech, &call.asked, Verb::Post)
                    .err()
                    .unwrap_or(Error::Empty));
            }
        };
        match (&opened, speech.respelled()) {
            (Err(error), Some(other)) if is_misread(&call.asked, error) => {
                self.open_by(endpoint, other, call, Verb::Post, after).await.or(opened)
            }
            _ => opened,
        }
    }

    async fn open_by(
        &self,
        endpoint: &Endpoint,
        speech: Speech,
        call: &Call,
        verb: Verb,
        after: Option<u64>,
    ) -> Result<Feed, Error> {
        let name = call.operation().row().method;
        let limits = self.inner.options.limits;
        // gRPC has no signs of life but those of its connection, which are looked for below.
        let is_grpc = endpoint.binding() == Binding::Grpc;
        let silence = if is_grpc { QUIET } else { limits.silence };
        let whole = legation_net::Limits {
            first_byte: limits.silence,
            idle: silence,
            // A stream may go on for days; its events have the cap.
            max_bytes: u64::MAX,
            total: None,
        };
        let outgoing = said(endpoint, speech, &call.asked, verb)?;
        let mut request = self.request(endpoint, true, outgoing, whole);
        call.mark(&mut request);
        if let Some(after) = after {
            request.headers.insert(LAST_EVENT_ID, HeaderValue::from(after));
        }
        let response = self.exchange(endpoint, name, request).await?;
        let media_type = response.media_type();
        let (is_stream, is_grpc) = match endpoint.binding() {
            // A refusal has its status among the headers.
            Binding::Grpc => {
                let is_grpc = media_type.starts_with("application/grpc");
                (is_grpc && grpc_status(response.headers()).is_none(), is_grpc)
            }
            Binding::JsonRpc | Binding::HttpJson => (media_type == "text/event-stream", false),
        };
        if response.status().is_success() && is_stream {
            let endpoint = Endpoint { speech, ..endpoint.clone() };
            return Ok(Feed::new(name, endpoint, response, limits.event_bytes, after));
        }
        Err(self.no_stream(endpoint, &call.asked, response, is_grpc).await)
    }

    /// Why an answer is no stream: faults known before the first event are answered whole.
    async fn no_stream(
        &self,
        endpoint: &Endpoint,
        asked: &Asked,
        response: Response,
        is_grpc: bool,
    ) -> Error {
        let name = Operation::of_request(asked).row().method;
        let (status, headers) = (response.status(), response.headers().clone());
        if let (true, Some(status)) = (is_grpc, grpc_status(&headers)) {
            return self.refused(endpoint, name, &status, &headers);
        }
        let media_type = response.media_type();
        // What is no stream has to come to its end.
        let response = response.within(self.inner.options.limits.of_refusal());
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(reason) => return Error::of_net(name, &endpoint.url, reason),
        };
        if !status.is_success() {
            return no_success(endpoint, name, status, &headers, &body);
        }
        match endpoint.speech.read(asked, &body) {
            Err(fault @ NoResult::Error(_)) => no_result(name, endpoint, fault),
            Ok(_) | Err(NoResult::Nonsense(_)) => {
                Error::bad(name, &endpoint.url, format!("not a stream but `{media_type}`"))
            }
        }
    }

    async fn exchange(
        &self,
        endpoint: &Endpoint,
        name: &'static str,
        mut request: Request,
    ) -> Result<Response, Error> {
        let response = self.exchange_as_known(endpoint, name, &request).await?;
        let json = HeaderValue::from_static("application/json");
        let said = request.headers.get(header::CONTENT_TYPE);
        let refused = response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE
            && endpoint.binding() != Binding::Grpc;
        if !refused || said.is_none_or(|said| *said == json) {
            return Ok(response);
        }
        // Servers of 1.0.0 know the older media type only. It was refused, so nothing was done.
        request.headers.insert(header::CONTENT_TYPE, json);
        self.exchange_as_known(endpoint, name, &request).await
    }

    /// An exchange with the credentials that the agent asks for. A refusal may tell how the next try
    /// fares better; there is one, because who refuses has done nothing.
    async fn exchange_as_known(
        &self,
        endpoint: &Endpoint,
        name: &'static str,
        request: &Request,
    ) -> Result<Response, Error> {
        let Way { http, access, .. } = self.way(endpoint);
        let failed = |reason| Error::of_net(name, &endpoint.url, reason);
        let sign = async || {
            let mut signed = request.clone();
            access.sign(&mut signed).await.map(|()| signed)
        };
        let signed = sign().await.map_err(Error::Token)?;
        let sent = signed.headers.get(header::AUTHORIZATION).cloned();
        let mut response = http.send(signed).await.map_err(failed)?;
        if is_unknown_caller(endpoint, &response)
            && access.learn(sent.as_ref(), response.headers()).await.map_err(Error::Token)?
        {
            let signed = sign().await.map_err(Error::Token)?;
            response = http.send(signed).await.map_err(failed)?;
        }
        if !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Ok(response);
        }
        let needs = self.needs(&endpoint.url);
        let response = response.within(self.inner.options.limits.of_refusal());
        Err(denied(name, &endpoint.url, endpoint.version(), needs, response).await)
    }

    /// What an agent of gRPC refuses a call with; to a caller that it does not let in, with what would be
    /// needed.
    fn refused(
        &self,
        endpoint: &Endpoint,
        operation: &'static str,
        status: &GrpcStatus,
        headers: &HeaderMap,
    ) -> Error {
        let error = fault::read_grpc(endpoint.version(), status);
        if !matches!(error.kind, ErrorKind::Unauthenticated | ErrorKind::PermissionDenied) {
            return Error::Agent { operation, error };
        }
        let needs = Box::new(self.needs(&endpoint.url).refused(headers));
        Error::Denied { operation, error, needs }
    }

    fn request(
        &self,
        endpoint: &Endpoint,
        streams: bool,
        outgoing: Outgoing,
        limits: legation_net::Limits,
    ) -> Request {
        let Outgoing { method, url, body } = outgoing;
        let mut request = Request::new(method, url);
        request.limits = limits;
        // Enough for all that follow, and for what the net adds.
        request.headers.reserve(12);
        let accept = endpoint.speech.accept(streams);
        request.headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        let version = HeaderValue::from_static(endpoint.version().name());
        request.headers.insert(VERSION, version);
        if let Some(extensions) = self.extensions() {
            request.headers.insert(endpoint.speech.extensions_header(), extensions);
        }
        if endpoint.binding() == Binding::Grpc {
            request.http2 = true;
            request.headers.insert(header::TE, HeaderValue::from_static("trailers"));
            if !streams {
                request.headers.insert(GRPC_TIMEOUT, timeout(limits.first_byte));
            }
        }
        if let Some((media_type, body)) = body {
            request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            request.body = body;
        }
        self.inner.options.trace.mark(&mut request.headers);
        request
    }
}

/// A key that nobody else has.
fn new_key() -> HeaderValue {
    HeaderValue::from_str(MessageId::generate().as_str()).expect("letters and digits")
}

/// Whether an answer says that the caller is not known: HTTP's 401, and gRPC's UNAUTHENTICATED, which
/// stands among the headers of a refusal.
fn is_unknown_caller(endpoint: &Endpoint, response: &Response) -> bool {
    let kind = |status| fault::read_grpc(endpoint.version(), &status).kind;
    response.status() == StatusCode::UNAUTHORIZED
        || grpc_status(response.headers()).map(kind) == Some(ErrorKind::Unauthenticated)
}

/// The error that an answer which is no success says.
pub(crate) fn told(
    version: Version,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<A2aError> {
    let mut error = fault::read_rest(version, status.as_u16(), &String::from_utf8_lossy(body))?;
    error.retry_after = retry_after(headers).or(error.retry_after);
    Some(error)
}

/// What a refusal (401, 403) says, and what would be needed.
pub(crate) async fn denied(
    operation: &'static str,
    url: &Url,
    version: Version,
    needs: Needs,
    response: Response,
) -> Error {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(reason) => return Error::of_net(operation, url, reason),
    };
    match told(version, status, &headers, &body) {
        Some(error) => Error::Denied { operation, error, needs: Box::new(needs.refused(&headers)) },
        None => Error::bad(operation, url, format!("HTTP status {status}")),
    }
}

fn said(endpoint: &Endpoint, speech: Speech, asked: &Asked, verb: Verb) -> Result<Outgoing, Error> {
    let unsaid = |A2aError { kind, message: reason, .. }| {
        let url = endpoint.url.to_string();
        if kind == ErrorKind::InvalidParams {
            return Error::Address { address: url, reason };
        }
        Error::Unsayable { url, reason }
    };
    endpoint.say(speech, asked, verb).map_err(unsaid)
}

fn no_result(operation: &'static str, endpoint: &Endpoint, fault: NoResult) -> Error {
    match fault {
        NoResult::Error(error) => Error::Agent { operation, error },
        NoResult::Nonsense(reason) => Error::bad(operation, &endpoint.url, reason),
    }
}

fn no_success(
    endpoint: &Endpoint,
    operation: &'static str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Error {
    if !status.is_redirection()
        && let Some(error) = told(endpoint.version(), status, headers, body)
    {
        return Error::Agent { operation, error };
    }
    let target = headers.get(header::LOCATION).and_then(|target| target.to_str().ok());
    let reason = match target {
        Some(target) => format!("it redirects to {target}, and redirects are not followed"),
        None => format!("HTTP status {status}"),
    };
    Error::bad(operation, &endpoint.url, reason)
}

/// How long the agent may take, as gRPC says it: up to eight digits and a unit.
fn timeout(time: Duration) -> HeaderValue {
    let text = match u32::try_from(time.as_millis()) {
        Ok(millis) if millis < 100_000_000 => format!("{millis}m"),
        _ => format!("{}S", time.as_secs().min(99_999_999)),
    };
    HeaderValue::from_str(&text).expect("digits and a letter")
}

/// Whether an agent may have taken the spelling of a message for a fault in it.
fn is_misread(asked: &Asked, error: &Error) -> bool {
    let refusals = [ErrorKind::InvalidParams, ErrorKind::InvalidRequest, ErrorKind::Parse];
    let sends = matches!(asked, Asked::SendMessage(_) | Asked::SendStreamingMessage(_));
    // What was refused like this was not begun.
    sends && error.kind().is_some_and(|kind| refusals.contains(&kind))
}

/// Whether asking twice is the same as asking once.
const fn is_question(operation: Operation) -> bool {
    match operation {
        Operation::GetTask
        | Operation::ListTasks
        | Operation::SubscribeToTask
        | Operation::GetTaskPushNotificationConfig
        | Operation::ListTaskPushNotificationConfigs
        | Operation::GetExtendedAgentCard => true,
        Operation::SendMessage
        | Operation::SendStreamingMessage
        | Operation::CancelTask
        | Operation::CreateTaskPushNotificationConfig
        | Operation::DeleteTaskPushNotificationConfig => false,
    }
}
