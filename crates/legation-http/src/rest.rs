//! The REST binding (Spec 11).

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use legation_core::{Caller, Reply};
use legation_model::{A2aError, ErrorKind, Request};
use legation_wire::operation::{self, Found, Route, Verb};
use legation_wire::v1::{self, Frame};
use legation_wire::version::Version;

use crate::answer::{Answer, Refusal, answer, rest_error};
use crate::body::Body;
use crate::call::{Arrival, authenticate};
use crate::media::Media;
use crate::pace::Phases;
use crate::router::Mount;
use crate::server::Shared;
use crate::stream::{self, Framing};

/// Answers one request for a path below a mount.
pub(crate) async fn serve(
    shared: &Shared,
    mount: Mount,
    path: &str,
    head: &Parts,
    body: Incoming,
    phases: &Phases,
) -> Answer {
    let media = Media::of_response(&head.headers);
    let fail = |refusal| rest_error(refusal, shared.settings.errors, media.value());
    let (route, caller) = match admit(shared, path, head) {
        Ok(admitted) => admitted,
        Err(refusal) => return fail(refusal),
    };
    let mut arrival = match shared.arrival(head, caller, mount) {
        Ok(arrival) => arrival,
        Err(error) => return fail(error.into()),
    };
    let answered = match take(shared, &mut arrival, &route, head, body, phases).await {
        Ok(request) => perform(shared, media, &arrival, request).await,
        Err(error) => Err(error),
    };
    let mut response = answered.unwrap_or_else(|error| fail(error.into()));
    arrival.echo(&mut response);
    response
}

/// Says what the path is, and then who calls.
fn admit<'p>(shared: &Shared, path: &'p str, head: &Parts) -> Result<(Route<'p>, Caller), Refusal> {
    let route = match operation::find(head.method.as_str(), path)? {
        Found::Route(route) => route,
        Found::OtherVerbs(verbs) => return Err(wrong_verb(&verbs)),
        Found::Nothing => return Err(no_such_path().into()),
    };
    Ok((route, authenticate(&*shared.authenticator, &head.headers)?))
}

/// Takes a request in: what the body is, then what it says.
async fn take(
    shared: &Shared,
    arrival: &mut Arrival,
    route: &Route<'_>,
    head: &Parts,
    body: Incoming,
    phases: &Phases,
) -> Result<Request, A2aError> {
    let request = if head.method == Method::POST {
        check_content_type(head, &body)?;
        let body = shared.take_body(head, body, phases).await?;
        let text = shared.settings.bounds.json.admit(&body.bytes)?;
        read_request(arrival.version, route, None, Some(text))?
    } else {
        read_request(arrival.version, route, head.uri.query(), None)?
    };
    arrival.take_extension_data(&request)?;
    Ok(request)
}

pub(crate) fn no_such_path() -> A2aError {
    A2aError::new(ErrorKind::MethodNotFound, "there is nothing at this path")
}

fn wrong_verb(verbs: &[Verb]) -> Refusal {
    let names: Vec<_> = verbs.iter().map(|verb| verb.name()).collect();
    wrong_method(&names.join(", "))
}

/// The refusal of a method at a path that goes by these.
pub(crate) fn wrong_method(methods: &str) -> Refusal {
    let text = format!("this path goes by {methods} only");
    Refusal::with_allow(A2aError::new(ErrorKind::MethodNotAllowed, text), methods)
}

/// A body has to say what it is; without a body there is nothing to say.
fn check_content_type(head: &Parts, body: &Incoming) -> Result<(), A2aError> {
    let empty = http_body::Body::is_end_stream(body);
    if empty || Media::of(head.headers.get(CONTENT_TYPE)).is_some() {
        return Ok(());
    }
    let text = "requests are `Content-Type: application/a2a+json` or `application/json`";
    Err(A2aError::new(ErrorKind::ContentTypeNotSupported, text))
}

fn read_request(
    version: Version,
    route: &Route<'_>,
    query: Option<&str>,
    body: Option<&str>,
) -> Result<Request, A2aError> {
    match version {
        Version::V1_0 => v1::read_rest(route, query, body),
    }
}

async fn perform(
    shared: &Shared,
    media: Media,
    arrival: &Arrival,
    request: Request,
) -> Result<Answer, A2aError> {
    let (frame, document) = match shared.service.call(&arrival.call, request).await? {
        Reply::Stream(follow) => {
            let framing = Framing::Rest(shared.settings.errors);
            return stream::respond(shared, follow, framing, arrival.wants_cursor()).await;
        }
        Reply::SentTask(task) => (Frame::SENT_TASK, task),
        Reply::SentMessage(message) => (Frame::SENT_MESSAGE, message),
        Reply::Task(document) | Reply::Tasks(document) => (Frame::BARE, document),
    };
    let body = Body::framed(&[frame.before], document.bytes(), &[frame.after]);
    Ok(answer(StatusCode::OK, media.value(), body))
}
