//! How a call is made: one exchange over HTTP, and which failures are worth another.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use legation_model::ErrorKind;
use legation_net::{Request, Response};
use legation_wire::operation::{Operation, Verb};
use legation_wire::version::{VERSION, Version};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::credentials::Needs;
use crate::feed::Feed;
use crate::patience::Tries;
use crate::transport::{NoResult, Outgoing};
use crate::{Binding, Client, Error, fault};

/// How long the body of an answer may take, so that nobody is kept by a drip.
const BODY: Duration = Duration::from_secs(300);
const LAST_EVENT_ID: &str = "last-event-id";
const EXTENSIONS: &str = "a2a-extensions";

impl Client {
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        operation: Operation,
        params: &impl Serialize,
        answer: Duration,
    ) -> Result<T, Error> {
        let mut tries = Tries::new(self.inner.options.patience);
        loop {
            match self.try_ask(operation, params, answer).await {
                Ok(result) => return Ok(result),
                Err(error) => self.pause(operation, &mut tries, error).await?,
            }
        }
    }

    pub(crate) async fn open_patiently(
        &self,
        operation: Operation,
        params: &impl Serialize,
        after: Option<u64>,
    ) -> Result<Feed, Error> {
        let mut tries = Tries::new(self.inner.options.patience);
        loop {
            match self.open(operation, params, after).await {
                Ok(feed) => return Ok(feed),
                Err(error) => self.pause(operation, &mut tries, error).await?,
            }
        }
    }

    /// Waits before a further try, or gives the error back when there must be none.
    async fn pause(
        &self,
        operation: Operation,
        tries: &mut Tries,
        error: Error,
    ) -> Result<(), Error> {
        let harmless = is_question(operation) || matches!(error, Error::Unreachable { .. });
        let wait = if harmless && error.may_pass() { self.retry(tries, &error) } else { None };
        let Some(wait) = wait else { return Err(error) };
        tokio::time::sleep(wait).await;
        Ok(())
    }

    pub(crate) async fn try_ask<T: DeserializeOwned>(
        &self,
        operation: Operation,
        params: &impl Serialize,
        answer: Duration,
    ) -> Result<T, Error> {
        let (name, limits) = (operation.row().method, self.limits(answer));
        let outgoing = self.say(operation, operation.row().verbs[0], params)?;
        let response = self.exchange(name, self.request(false, outgoing, limits)).await?;
        self.take(name, response).await
    }

    /// Takes the result out of a whole answer.
    async fn take<T: DeserializeOwned>(
        &self,
        name: &'static str,
        response: Response,
    ) -> Result<T, Error> {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await;
        let body = body.map_err(|reason| Error::of_net(name, self.url(), reason))?;
        let result = self.inner.endpoint.result(status, &headers, &body);
        result.map_err(|fault| self.no_result(name, fault))
    }

    /// Calls a JSON-RPC method of an extension, once.
    pub(crate) async fn ask_extension<T: DeserializeOwned>(
        &self,
        uri: &str,
        method: &'static str,
        params: &impl Serialize,
    ) -> Result<T, Error> {
        let address = |reason: String| Error::Address { address: self.url().to_string(), reason };
        let uri = HeaderValue::from_str(uri).map_err(|fault| address(fault.to_string()))?;
        let outgoing = self.inner.endpoint.say_method(method, params).map_err(address)?;
        let limits = self.limits(self.inner.options.limits.answer);
        let mut request = self.request(false, outgoing, limits);
        request.headers.insert(EXTENSIONS, uri);
        self.take(method, self.exchange(method, request).await?).await
    }

    /// The bounds of a whole answer that may be so long in coming.
    fn limits(&self, answer: Duration) -> legation_net::Limits {
        let limits = self.inner.options.limits;
        legation_net::Limits {
            first_byte: answer,
            idle: limits.answer,
            max_bytes: limits.answer_bytes,
            total: Some(answer.saturating_add(BODY)),
        }
    }

    /// Opens a stream, by the first of the operation's verbs that the agent knows: the protocol is
    /// of two minds about the verb of `SubscribeToTask`.
    pub(crate) async fn open(
        &self,
        operation: Operation,
        params: &impl Serialize,
        after: Option<u64>,
    ) -> Result<Feed, Error> {
        let verbs = operation.row().verbs;
        let (last, others) = verbs.split_last().expect("every operation has a verb");
        for verb in others {
            let opened = self.open_by(operation, *verb, params, after).await;
            let unknown = [ErrorKind::MethodNotFound, ErrorKind::MethodNotAllowed];
            let kind = opened.as_ref().err().and_then(Error::kind);
            if self.binding() == Binding::JsonRpc
                || kind.is_none_or(|kind| !unknown.contains(&kind))
            {
                return opened;
            }
        }
        self.open_by(operation, *last, params, after).await
    }

    async fn open_by(
        &self,
        operation: Operation,
        verb: Verb,
        params: &impl Serialize,
        after: Option<u64>,
    ) -> Result<Feed, Error> {
        let (name, limits) = (operation.row().method, self.inner.options.limits);
        let whole = legation_net::Limits {
            first_byte: limits.silence,
            idle: limits.silence,
            // A stream may go on for days; its events have the cap.
            max_bytes: u64::MAX,
            total: None,
        };
        let outgoing = self.say(operation, verb, params)?;
        let mut request = self.request(true, outgoing, whole);
        if let Some(after) = after {
            request.headers.insert(LAST_EVENT_ID, HeaderValue::from(after));
        }
        let response = self.exchange(name, request).await?;
        if response.status().is_success() && response.media_type() == "text/event-stream" {
            return Ok(Feed::new(name, self.inner.endpoint.clone(), response, limits.event_bytes));
        }
        Err(self.no_stream(operation, response).await)
    }

    /// Why an answer is no stream: faults known before the first event are answered whole.
    async fn no_stream(&self, operation: Operation, response: Response) -> Error {
        let name = operation.row().method;
        let (status, headers) = (response.status(), response.headers().clone());
        let media_type = response.media_type();
        // The cap on streams is none, so the body is read only as far as an error may go.
        let body = response.bytes_up_to(1 << 20).await;
        let body = match body {
            Ok(body) => body,
            Err(reason) => return Error::of_net(name, self.url(), reason),
        };
        let result = self.inner.endpoint.result::<serde::de::IgnoredAny>(status, &headers, &body);
        match result {
            Err(fault) => self.no_result(name, fault),
            Ok(_) => {
                let reason = format!("not a stream but `{media_type}`");
                Error::bad(name, self.url(), reason)
            }
        }
    }

    fn say(
        &self,
        operation: Operation,
        verb: Verb,
        params: &impl Serialize,
    ) -> Result<Outgoing, Error> {
        let said = self.inner.endpoint.say(operation, verb, params);
        said.map_err(|reason| Error::Address { address: self.url().to_string(), reason })
    }

    fn no_result(&self, operation: &'static str, fault: NoResult) -> Error {
        match fault {
            NoResult::Error(error) => Error::Agent { operation, error },
            NoResult::Nonsense(reason) => Error::bad(operation, self.url(), reason),
        }
    }

    async fn exchange(&self, name: &'static str, mut request: Request) -> Result<Response, Error> {
        let response = self.exchange_as_known(name, &request).await?;
        let json = HeaderValue::from_static("application/json");
        let said = request.headers.get(header::CONTENT_TYPE);
        let refused = response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE;
        if !refused || said.is_none_or(|said| *said == json) {
            return Ok(response);
        }
        // Servers of 1.0.0 know the older media type only. It was refused, so nothing was done.
        request.headers.insert(header::CONTENT_TYPE, json);
        self.exchange_as_known(name, &request).await
    }

    /// An exchange with the credentials that the agent asks for. A refusal may tell how the next try
    /// fares better; there is one, because who refuses has done nothing.
    async fn exchange_as_known(
        &self,
        name: &'static str,
        request: &Request,
    ) -> Result<Response, Error> {
        let (http, access) = (&self.inner.http, &self.inner.access);
        let failed = |reason| Error::of_net(name, self.url(), reason);
        let sign = async || {
            let mut signed = request.clone();
            access.sign(&mut signed).await.map(|()| signed)
        };
        let signed = sign().await.map_err(Error::Token)?;
        let mut response = http.send(signed.clone()).await.map_err(failed)?;
        if response.status() == StatusCode::UNAUTHORIZED
            && access.learn(&signed, response.headers()).await.map_err(Error::Token)?
        {
            let signed = sign().await.map_err(Error::Token)?;
            response = http.send(signed).await.map_err(failed)?;
        }
        if !matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Ok(response);
        }
        let needs = self.needs();
        Err(denied(name, self.url(), needs, response).await)
    }

    fn request(&self, streams: bool, outgoing: Outgoing, limits: legation_net::Limits) -> Request {
        let Outgoing { method, url, body } = outgoing;
        let mut request = Request::new(method, url);
        request.limits = limits;
        let accept = self.inner.endpoint.accept(streams);
        request.headers.insert(header::ACCEPT, accept);
        request.headers.insert(VERSION, HeaderValue::from_static(Version::V1_0.name()));
        if let Some((media_type, body)) = body {
            request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            request.body = body;
        }
        request
    }
}

/// What a refusal (401, 403) says, and what would be needed.
pub(crate) async fn denied(
    operation: &'static str,
    url: &Url,
    needs: Needs,
    response: Response,
) -> Error {
    let (status, headers) = (response.status(), response.headers().clone());
    match response.bytes_up_to(1 << 20).await {
        Err(reason) => Error::of_net(operation, url, reason),
        Ok(body) => match fault::of_answer(status, &headers, &body) {
            Some(error) => {
                let needs = Box::new(needs.refused(&headers));
                Error::Denied { operation, error, needs }
            }
            None => Error::bad(operation, url, format!("HTTP status {status}")),
        },
    }
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
