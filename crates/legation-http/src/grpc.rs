//! The gRPC binding (Spec 10): the operations of both packages, reflection and health.
//!
//! Messages are framed here rather than by a library, because bodies go through the bounds that
//! hold for every binding, and answers are written once, from the stored document into what goes
//! out. What is not of A2A is left to a library (`services`).

mod deadline;
mod message;
mod services;
mod status;
mod writer;

use futures::FutureExt as _;
use futures::future::Either;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Version as Http};
use hyper::body::Incoming;
use legation_model::{A2aError, ErrorKind, Request as Asked};
use legation_wire::grpc::{self as codec, Package};
use legation_wire::json::JsonBounds;
use legation_wire::operation::Operation;
use legation_wire::version::{MissingVersion, Version};
use tokio::time::{Instant, timeout_at};

use crate::answer::{A2A_VERSION, Answer, Refusal};
use crate::call::{Arrival, Peer};
use crate::calls::{Binding, Counting};
use crate::pace::Phases;
use crate::router::Mount;
use crate::server::Shared;
use crate::stream::{self, Framing};
use message::{ACCEPT_ENCODING, Encoding, Outgoing, accepted};
use status::Tongue;

pub(crate) use deadline::exceeded;
pub(crate) use services::{Foreign, Services};
pub(crate) use status::went_well;
pub(crate) use writer::Writer;

/// Whether a request is one of gRPC. Its dialects for HTTP/1.1 and for browsers are others.
pub(crate) fn is_grpc<B>(request: &Request<B>) -> bool {
    let named = |value: &HeaderValue| {
        let name = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        matches!(name.trim_ascii(), b"application/grpc" | b"application/grpc+proto")
    };
    request.version() == Http::HTTP_2
        && request.method() == Method::POST
        && request.headers().get(CONTENT_TYPE).is_some_and(named)
}

/// Answers a request for a path below a mount.
pub(crate) async fn serve(
    shared: &Shared,
    mount: Mount<'_>,
    path: &str,
    peer: &Peer,
    (head, mut body): (Parts, Incoming),
    phases: &Phases,
) -> Answer {
    let names = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    let (service, method) = names.unwrap_or_default();
    let deadline = deadline::read(&head.headers);
    let Some(package) = Package::of_service(service) else {
        let answered = async {
            let request = services::unmounted(Request::from_parts(head, body), path);
            let others = shared.services.call(service, request, deadline?).await;
            others.ok_or_else(|| unknown("service", service))?
        };
        return answered.await.unwrap_or_else(|error: A2aError| refuse(shared, error.into()));
    };
    let mut counting = shared.calls.begin(Binding::Grpc);
    let call = (package, method, deadline);
    let answer =
        respond(shared, mount, call, peer, (&head, &mut body), phases, &mut counting).await;
    counting.answered(&answer);
    answer
}

/// Answers a call of one of our packages.
async fn respond(
    shared: &Shared,
    mount: Mount<'_>,
    (package, method, deadline): (Package, &str, Result<Option<Instant>, A2aError>),
    peer: &Peer,
    (head, body): (&Parts, &mut Incoming),
    phases: &Phases,
    counting: &mut Counting<'_>,
) -> Answer {
    let tongue = Tongue { package, profile: shared.settings.errors };
    let Some(operation) = Operation::of_grpc(package, method) else {
        return tongue.refuse(unknown("method", method).into());
    };
    counting.asks_for(operation);
    let deadline = match deadline {
        Ok(deadline) => deadline,
        Err(error) => return tongue.refuse(error.into()),
    };
    // Futures are awaited where they are made: one that has a name first takes its room twice, and
    // all of it is moved for every request.
    let from = (peer, head);
    let admitted = match within(deadline, admit(shared, mount, tongue, deadline, from)).await {
        Ok(admitted) => admitted,
        Err(refusal) => return tongue.refuse(refusal),
    };
    let answered = within(deadline, async {
        let asked = take(shared, &admitted, operation, head, body, phases).await;
        let asked = asked.map_err(|error| shared.refuse_call(&admitted.arrival.call, error))?;
        perform(shared, &admitted, asked, from).await
    })
    .await;
    let mut answer = answered.unwrap_or_else(|error| tongue.refuse(error.into()));
    admitted.arrival.echo(package.version(), &mut answer);
    answer
}

/// Refuses a request before its package is known.
pub(crate) fn refuse(shared: &Shared, refusal: Refusal) -> Answer {
    Tongue { package: Package::V1_0, profile: shared.settings.errors }.refuse(refusal)
}

/// Refuses what is not there, in gRPC's word for it.
fn unknown(what: &str, name: &str) -> A2aError {
    let name: String = name.chars().take(80).collect();
    A2aError::new(ErrorKind::MethodNotFound, format!("there is no {what} `{name}`"))
}

/// A call of which the head was read.
struct Admitted {
    arrival: Arrival,
    deadline: Option<Instant>,
    /// How its message comes.
    encoding: Encoding,
    /// How the answer goes out.
    writer: Writer,
}

/// Reads the head of a request: who calls, and how.
async fn admit(
    shared: &Shared,
    mount: Mount<'_>,
    tongue: Tongue,
    deadline: Option<Instant>,
    (peer, head): (&Peer, &Parts),
) -> Result<Admitted, Refusal> {
    let caller = shared.authenticate(peer, head, mount).await?;
    let mut arrival = shared.arrival((peer, head), caller, mount)?;
    check_version(arrival.stated, tongue.package, shared.settings.missing_version)
        .map_err(|error| shared.refuse_call(&arrival.call, error))?;
    arrival.behave(tongue.package.version());
    // Without settings nothing leads here.
    let (gzip, numbers) = shared
        .settings
        .grpc
        .as_ref()
        .map_or_else(Default::default, |grpc| (grpc.gzip, grpc.numbers));
    let encoding = Encoding::of_request(&head.headers, gzip)
        .map_err(|error| Refusal::with_header(error, ACCEPT_ENCODING, accepted(gzip)))
        .map_err(|refusal| refusal.after(|error| shared.refuse_call(&arrival.call, error)))?;
    let bound = shared.settings.bounds.grpc_answer;
    let outgoing = Outgoing { encoding: Encoding::of_answer(&head.headers, gzip), bound };
    Ok(Admitted { arrival, deadline, encoding, writer: Writer { tongue, outgoing, numbers } })
}

/// What is stated has to be of the package's version, but for the second number. A call that states
/// nothing is one of 0.3 (Spec 3.6.2), unless the package may tell.
fn check_version(
    stated: Option<Version>,
    package: Package,
    missing: MissingVersion,
) -> Result<(), A2aError> {
    let (service, version) = (package.service(), package.version().name());
    let major = |version: Version| version.name().split_once('.').map(|(major, _)| major);
    let text = match (stated, package, missing) {
        (Some(stated), ..) if major(stated) != major(package.version()) => format!(
            "the request states A2A {}, and the service `{service}` is of A2A {version}",
            stated.name()
        ),
        (None, Package::V1_0, MissingVersion::Strict) => format!(
            "a call without `{A2A_VERSION}` is one of A2A 0.3, and the service `{service}` is of \
             A2A {version}; send the metadata `{A2A_VERSION}: {version}`"
        ),
        (Some(_), ..) | (None, Package::V0_3, _) | (None, _, MissingVersion::Infer) => {
            return Ok(());
        }
    };
    Err(A2aError::new(ErrorKind::VersionNotSupported, text).with("supportedVersions", version))
}

/// Takes the request's message in.
async fn take(
    shared: &Shared,
    admitted: &Admitted,
    operation: Operation,
    head: &Parts,
    body: &mut Incoming,
    phases: &Phases,
) -> Result<Box<Asked>, A2aError> {
    let mut body = shared.take_body(head, body, phases).await?;
    let bounds = &shared.settings.bounds;
    let message = message::unframe(body.bytes.clone(), admitted.encoding, bounds.body)?;
    if message.len() > body.bytes.len() {
        body.unfolds_to(message.len(), bounds)?;
    }
    let package = admitted.writer.tongue.package;
    let json = JsonBounds { text: bounds.body.saturating_mul(2), ..bounds.json };
    let (request, text) = codec::read_measured(package, operation, &message, json)?;
    body.unfolds_to(message.len().max(text), bounds)?;
    Ok(Box::new(request))
}

async fn perform(
    shared: &Shared,
    admitted: &Admitted,
    asked: Box<Asked>,
    from: (&Peer, &Parts),
) -> Result<Answer, A2aError> {
    let Admitted { arrival, deadline, writer, .. } = admitted;
    match shared.call(&arrival.call, asked, from).await? {
        Ok((kind, document)) => writer.answer(kind, &document),
        Err(follow) => {
            let framing = Framing::Grpc(writer.clone(), writer.items());
            stream::respond(shared, *follow, framing, *deadline).await
        }
    }
}

/// Does something until the caller's time is over. What was begun goes on without it.
fn within<T, E: From<A2aError>>(
    deadline: Option<Instant>,
    what: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    match deadline {
        None => Either::Left(what),
        Some(deadline) => {
            let late = |ended: Result<_, _>| ended.unwrap_or_else(|_| Err(exceeded().into()));
            Either::Right(timeout_at(deadline, what).map(late))
        }
    }
}
