//! The JSON-RPC binding (Spec 9).

use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use hyper::body::Incoming;
use legation_model::{A2aError, ErrorKind, Json, Request};
use legation_wire::codec::{self, Codec, Spoken, Written};
use legation_wire::error::row_of;
use legation_wire::fault;
use legation_wire::jsonrpc::{self, BadEnvelope, Envelope, Id, NO_ID};
use legation_wire::version::Version;

use crate::answer::{Answer, EVENTS, JSON, Refusal, answer, rpc_error};
use crate::body::Body;
use crate::call::{Arrival, Peer, read_version};
use crate::calls::{Binding, Counting};
use crate::media::Media;
use crate::pace::Phases;
use crate::router::Mount;
use crate::server::Shared;
use crate::stream::{self, Framing};

/// Answers one request.
pub(crate) async fn serve(
    shared: &Shared,
    mount: Mount<'_>,
    from: (&Peer, &Parts),
    body: &mut Incoming,
    phases: &Phases,
) -> Answer {
    let mut counting = shared.calls.begin(Binding::JsonRpc);
    let response = respond(shared, mount, from, body, phases, &mut counting).await;
    counting.answered(&response);
    response
}

async fn respond(
    shared: &Shared,
    mount: Mount<'_>,
    (peer, head): (&Peer, &Parts),
    body: &mut Incoming,
    phases: &Phases,
    counting: &mut Counting<'_>,
) -> Answer {
    let stated = read_version(head).ok().flatten().unwrap_or(Codec::NEWEST.version());
    let caller = match shared.authenticate(peer, head, mount).await {
        Ok(caller) => caller,
        Err(refused) => return rpc_error(NO_ID, refused.into(), stated),
    };
    let mut arrival = shared.arrival((peer, head), caller, mount);
    let (version, mut response) =
        match take(shared, &mut arrival, head, body, phases, counting).await {
            Ok(asked) => {
                let (id, version) = (asked.id.clone(), asked.codec.version());
                let answered = perform(shared, asked, (peer, head)).await;
                (version, answered.unwrap_or_else(|error| refuse(head, &id, error.into(), version)))
            }
            Err(Refused { id, version, refusal }) => {
                let version = version.unwrap_or(stated);
                let refusal = match &arrival {
                    Ok(arrival) => refusal.after(|error| shared.refuse_call(&arrival.call, error)),
                    // It was counted when its head was read.
                    Err(_) => refusal,
                };
                (version, refuse(head, &id, refusal, version))
            }
        };
    if let Ok(arrival) = &arrival {
        arrival.echo(version, &mut response);
    }
    response
}

/// Says what a request is refused for. Before 1.0 callers that ask for a stream look at nothing
/// else and lose an error that comes otherwise, so they get it as the only event.
fn refuse(head: &Parts, id: Id<'_>, refusal: Refusal, version: Version) -> Answer {
    let ordinary = row_of(refusal.error.kind).http_of_rpc() != StatusCode::OK;
    if version == Version::V1_0 || ordinary || !wants_events(&head.headers) {
        return rpc_error(id, refusal, version);
    }
    let error = fault::write_rpc(&refusal.error, version);
    let event = format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}\n\n");
    let mut response = answer(StatusCode::OK, EVENTS, Body::full(event));
    refusal.mark(&mut response);
    response
}

/// Whether a caller names events among what it accepts, and not plain JSON. The Python SDK names
/// anything as well.
fn wants_events(headers: &HeaderMap) -> bool {
    let names = |name: &str| {
        let mut lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        lines.any(|line| line.contains(name))
    };
    names("text/event-stream") && !names("json")
}

/// A request that is ready for the service. It holds nothing of the body: a call may take minutes.
struct Asked<'a> {
    id: Box<str>,
    codec: Codec,
    arrival: &'a Arrival,
    what: What,
}

/// What is asked.
enum What {
    /// An operation of the protocol.
    Request(Box<Request>),
    /// Perhaps a method of an extension that the call asks for; else this error.
    Extension { method: String, params: Option<Json>, otherwise: A2aError },
}

/// Why a request was not taken in, under which id, and in which version, when that was known.
struct Refused {
    id: Box<str>,
    version: Option<Version>,
    refusal: Refusal,
}

impl Refused {
    fn early(refusal: impl Into<Refusal>) -> Self {
        Self { id: NO_ID.into(), version: None, refusal: refusal.into() }
    }
}

/// Takes a request in: what the body is, then what it says.
async fn take<'a>(
    shared: &Shared,
    arrival: &'a mut Result<Arrival, A2aError>,
    head: &Parts,
    body: &mut Incoming,
    phases: &Phases,
    counting: &mut Counting<'_>,
) -> Result<Asked<'a>, Refused> {
    check_content_type(head).map_err(Refused::early)?;
    let body = shared.take_body(head, body, phases).await.map_err(Refused::early)?;
    let text = shared.settings.bounds.json.admit(&body.bytes).map_err(Refused::early)?;
    let envelope = jsonrpc::read(text)
        .map_err(|BadEnvelope { id, error }| Refused { id: id.into(), ..Refused::early(error) })?;
    let id = envelope.id;
    let refused = |version: Option<Version>| {
        move |error: A2aError| Refused { id: id.into(), version, refusal: error.into() }
    };
    // The head's faults are told under the request's id, so they wait for it.
    let arrival = arrival.as_mut().map_err(|error| refused(None)(error.clone()))?;
    let missing = shared.settings.missing_version;
    let Spoken { target: operation, codec } =
        match codec::of_method(arrival.stated, missing, &envelope.method) {
            Ok(spoken) => spoken,
            Err(error) => {
                let what = extension(arrival, &envelope, error).map_err(refused(None))?;
                counting.asks_for_extension();
                let codec = Codec::of_extension(arrival.stated);
                return Ok(Asked { id: id.into(), codec, arrival, what });
            }
        };
    counting.asks_for(operation);
    let refused = refused(Some(codec.version()));
    let (request, codec) = codec.read_params(operation, envelope.params).map_err(&refused)?;
    arrival.behave(codec.version());
    Ok(Asked { id: id.into(), codec, arrival, what: What::Request(request.into()) })
}

/// A method that the protocol does not have, for the extensions that the call asks for.
fn extension(
    arrival: &Arrival,
    envelope: &Envelope<'_>,
    otherwise: A2aError,
) -> Result<What, A2aError> {
    if arrival.call.extensions.is_empty() || otherwise.kind != ErrorKind::MethodNotFound {
        return Err(otherwise);
    }
    let params = envelope.params.map(Json::parse).transpose();
    let params = params.map_err(|error| A2aError::invalid("params", error.to_string()))?;
    Ok(What::Extension { method: envelope.method.clone().into_owned(), params, otherwise })
}

/// A wrong content type is HTTP's fault as well as the protocol's, so it is told in both.
fn check_content_type(head: &Parts) -> Result<(), Refusal> {
    if Media::of(head.headers.get(CONTENT_TYPE)) == Some(Media::Json) {
        return Ok(());
    }
    let text = "JSON-RPC requests are `Content-Type: application/json`";
    let error = A2aError::new(ErrorKind::ContentTypeNotSupported, text);
    Err(Refusal::from(error).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

async fn perform(
    shared: &Shared,
    asked: Asked<'_>,
    from: (&Peer, &Parts),
) -> Result<Answer, A2aError> {
    let Asked { id, codec, arrival, what } = asked;
    let (service, call) = (&shared.service, &arrival.call);
    let request = match what {
        What::Request(request) => request,
        What::Extension { method, params, otherwise } => {
            let result = service.call_extension(call, &method, params.as_ref()).await;
            let result = result.unwrap_or(Err(otherwise))?;
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}}}"#, result.as_str());
            return Ok(answer(StatusCode::OK, JSON, Body::full(body)));
        }
    };
    let (kind, document) = match shared.call(call, request, from).await? {
        Ok(document) => document,
        Err(follow) => {
            return stream::respond(shared, *follow, Framing::rpc(&id, codec), None).await;
        }
    };
    let Written { frame, document } = codec.write(kind, document.bytes())?;
    let before = [r#"{"jsonrpc":"2.0","id":"#, &id, r#","result":"#, frame.before];
    Ok(answer(StatusCode::OK, JSON, Body::framed(&before, &document, &[frame.after, "}"])))
}
