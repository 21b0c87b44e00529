//! The REST binding (Spec 11).

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use legation_model::{A2aError, ErrorKind, Request};
use legation_wire::answer::Answer as Kind;
use legation_wire::codec::{self, Codec, Place, Spoken, Written};
use legation_wire::operation::{Route, Verb};
use legation_wire::version::Version;

use crate::answer::{Answer, Refusal, answer, rest_error};
use crate::body::Body;
use crate::call::{Arrival, Peer, read_version};
use crate::calls::{Binding, Counting};
use crate::media::Media;
use crate::pace::Phases;
use crate::router::Mount;
use crate::server::Shared;
use crate::stream::{self, Framing};

/// Answers one request for a path below a mount.
pub(crate) async fn serve(
    shared: &Shared,
    mount: Mount<'_>,
    path: &str,
    from: (&Peer, &Parts),
    body: &mut Incoming,
    phases: &Phases,
) -> Answer {
    let mut counting = shared.calls.begin(Binding::Rest);
    let response = respond(shared, (mount, path), from, body, phases, &mut counting).await;
    counting.answered(&response);
    response
}

async fn respond(
    shared: &Shared,
    (mount, path): (Mount<'_>, &str),
    (peer, head): (&Peer, &Parts),
    body: &mut Incoming,
    phases: &Phases,
    counting: &mut Counting<'_>,
) -> Answer {
    let media = Media::of_response(&head.headers, shared.settings.errors);
    let fail = |refusal, version| {
        rest_error(refusal, version, shared.settings.errors, media.in_version(version).value())
    };
    let (Spoken { target: route, codec }, mut arrival) =
        match admit(shared, mount, path, (peer, head), counting).await {
            Ok(admitted) => admitted,
            Err((version, refusal)) => return fail(refusal, version),
        };
    let version = codec.version();
    arrival.behave(version);
    let answered = match take(shared, &route, codec, head, body, phases).await {
        Ok((request, codec)) => {
            perform(shared, media.in_version(version), &arrival, (codec, request), (peer, head))
                .await
        }
        Err(error) => Err(shared.refuse_call(&arrival.call, error)),
    };
    let mut response = answered.unwrap_or_else(|error| fail(error.into(), version));
    arrival.echo(version, &mut response);
    response
}

/// Says what the path is, and then who calls.
async fn admit<'p>(
    shared: &Shared,
    mount: Mount<'_>,
    path: &'p str,
    (peer, head): (&Peer, &Parts),
    counting: &mut Counting<'_>,
) -> Result<(Spoken<Route<'p>>, Arrival), (Version, Refusal)> {
    let newest = Codec::NEWEST.version();
    let stated = read_version(head);
    let known = stated.as_ref().ok().copied().flatten();
    if let Err(error) = stated {
        return Err((newest, error.into()));
    }
    let place = codec::of_path(known, shared.settings.missing_version, head.method.as_str(), path);
    let spoken = match place.map_err(|(version, error)| (version, error.into()))? {
        Place::Route(spoken) => spoken,
        Place::OtherVerbs(version, verbs) => return Err((version, wrong_verb(&verbs))),
        Place::Nothing => return Err((known.unwrap_or(newest), no_such_path().into())),
    };
    counting.asks_for(spoken.target.operation);
    let version = spoken.codec.version();
    let caller = shared
        .authenticate(peer, head, mount)
        .await
        .map_err(|refused| (version, refused.into()))?;
    let arrival = shared.arrival((peer, head), caller, mount);
    let arrival = arrival.map_err(|error| (version, error.into()))?;
    Ok((spoken, arrival))
}

/// Takes a request in: what the body is, then what it says.
async fn take(
    shared: &Shared,
    route: &Route<'_>,
    codec: Codec,
    head: &Parts,
    body: &mut Incoming,
    phases: &Phases,
) -> Result<(Box<Request>, Codec), A2aError> {
    let boxed = |(request, codec): (Request, Codec)| (request.into(), codec);
    if head.method != Method::POST {
        return codec.read_rest(route, head.uri.query(), None).map(boxed);
    }
    check_content_type(head, body)?;
    let body = shared.take_body(head, body, phases).await?;
    let text = shared.settings.bounds.json.admit(&body.bytes)?;
    codec.read_rest(route, None, Some(text)).map(boxed)
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

async fn perform(
    shared: &Shared,
    media: Media,
    arrival: &Arrival,
    (codec, request): (Codec, Box<Request>),
    (peer, head): (&Peer, &Parts),
) -> Result<Answer, A2aError> {
    let (kind, document) = match shared.call(&arrival.call, request, (peer, head)).await? {
        Ok(document) => document,
        Err(follow) => {
            let framing = Framing::Rest(shared.settings.errors, codec);
            return stream::respond(shared, *follow, framing, None).await;
        }
    };
    let Written { frame, document } = codec.write(kind, document.bytes())?;
    if kind == Kind::Card {
        return Ok(shared.card_for_one(document, media.value(), head));
    }
    let body = Body::framed(&[frame.before], &document, &[frame.after]);
    Ok(answer(StatusCode::OK, media.value(), body))
}
