//! The JSON-RPC binding (Spec 9).

use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use hyper::body::Incoming;
use legation_core::Reply;
use legation_model::{A2aError, ErrorKind, Request};
use legation_wire::jsonrpc::{self, BadEnvelope, Envelope, NO_ID};
use legation_wire::operation::Operation;
use legation_wire::v1::{self, Frame};
use legation_wire::version::Version;

use crate::answer::{Answer, JSON, Refusal, answer, rpc_error};
use crate::body::Body;
use crate::call::{Arrival, authenticate};
use crate::media::Media;
use crate::pace::Phases;
use crate::router::Mount;
use crate::server::Shared;
use crate::stream::{self, Framing};

/// Answers one request.
pub(crate) async fn serve(
    shared: &Shared,
    mount: Mount,
    head: &Parts,
    body: Incoming,
    phases: &Phases,
) -> Answer {
    let caller = match authenticate(&*shared.authenticator, &head.headers) {
        Ok(caller) => caller,
        Err(refused) => return rpc_error(NO_ID, refused.into()),
    };
    let mut arrival = shared.arrival(head, caller, mount);
    let mut response = match take(shared, &mut arrival, head, body, phases).await {
        Ok(asked) => {
            let id = asked.id.clone();
            perform(shared, asked).await.unwrap_or_else(|error| rpc_error(&id, error.into()))
        }
        Err((id, refusal)) => rpc_error(&id, refusal),
    };
    if let Ok(arrival) = &arrival {
        arrival.echo(&mut response);
    }
    response
}

/// A request that is ready for the service. It holds nothing of the body: a call may take minutes.
struct Asked<'a> {
    id: Box<str>,
    arrival: &'a Arrival,
    request: Request,
}

/// Takes a request in: what the body is, then what it says.
async fn take<'a>(
    shared: &Shared,
    arrival: &'a mut Result<Arrival, A2aError>,
    head: &Parts,
    body: Incoming,
    phases: &Phases,
) -> Result<Asked<'a>, (Box<str>, Refusal)> {
    let without_id = |error: A2aError| (NO_ID.into(), error.into());
    check_content_type(head).map_err(|refusal| (NO_ID.into(), refusal))?;
    let body = shared.take_body(head, body, phases).await.map_err(without_id)?;
    let text = shared.settings.bounds.json.admit(&body.bytes).map_err(without_id)?;
    let envelope =
        jsonrpc::read(text).map_err(|BadEnvelope { id, error }| (id.into(), error.into()))?;
    let under_id = |error: A2aError| (envelope.id.into(), error.into());
    // The head's faults are told under the request's id, so they wait for it.
    let arrival = arrival.as_mut().map_err(|error| under_id(error.clone()))?;
    let request = read_request(arrival.version, &envelope).map_err(under_id)?;
    arrival.take_extension_data(&request).map_err(under_id)?;
    Ok(Asked { id: envelope.id.into(), arrival, request })
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

fn read_request(version: Version, envelope: &Envelope<'_>) -> Result<Request, A2aError> {
    let Some(operation) = Operation::of_method(&envelope.method) else {
        let method: String = envelope.method.chars().take(80).collect();
        let text = format!("there is no method `{method}` in A2A {}", version.name());
        return Err(A2aError::new(ErrorKind::MethodNotFound, text));
    };
    match version {
        Version::V1_0 => v1::read_params(operation, envelope.params),
    }
}

async fn perform(shared: &Shared, asked: Asked<'_>) -> Result<Answer, A2aError> {
    let Asked { id, arrival, request } = asked;
    let (frame, document) = match shared.service.call(&arrival.call, request).await? {
        Reply::Stream(follow) => {
            let framing = Framing::rpc(&id);
            return stream::respond(shared, follow, framing, arrival.wants_cursor()).await;
        }
        Reply::SentTask(task) => (Frame::SENT_TASK, task),
        Reply::SentMessage(message) => (Frame::SENT_MESSAGE, message),
        Reply::Task(document) | Reply::Tasks(document) => (Frame::BARE, document),
    };
    let before = [r#"{"jsonrpc":"2.0","id":"#, &id, r#","result":"#, frame.before];
    let body = Body::framed(&before, document.bytes(), &[frame.after, "}"]);
    Ok(answer(StatusCode::OK, JSON, body))
}
