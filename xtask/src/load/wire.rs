//! What a call looks like in each binding, and the JSON of 1.0 in what comes back. Results are taken as
//! they are written, so that a fault of the product's types cannot hide itself; what is no JSON goes
//! through the tables of its codec.

use hyper::HeaderMap;
use legation_model::{ErrorKind, Request};
use legation_testkit::history::{Failure, Reason};
use legation_wire::card::Interface;
use legation_wire::fault::{self, GrpcStatus};
use legation_wire::grpc::{Package, read_answer};
use legation_wire::json::JsonBounds;
use legation_wire::operation::{Operation, Verb};
use legation_wire::speech::{Said, Speech};
use legation_wire::version::Version;
use serde_json::{Value, json};

use super::Binding;

/// Says an operation.
pub(super) fn say(binding: Binding, method: &str, params: Value) -> Result<Said, Failure> {
    if binding == Binding::JsonRpc {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (path, query) = (String::new(), String::new());
        let (media_type, body) = ("application/json", call.to_string().into_bytes());
        return Ok(Said { verb: Verb::Post, path, query, media_type, body });
    }
    let request = request(method, params).map_err(other)?;
    let speech = Speech::of(Interface { binding, version: Version::V1_0 });
    let speech = speech.expect("1.0 has every binding");
    let verb = speech.verbs(Operation::of_request(&request))[0];
    speech.say(&request, verb).map_err(|error| other(error.message))
}

fn request(method: &str, params: Value) -> serde_json::Result<Request> {
    Ok(match method {
        "SendMessage" => Request::SendMessage(serde_json::from_value(params)?),
        "SendStreamingMessage" => Request::SendStreamingMessage(serde_json::from_value(params)?),
        "GetTask" => Request::GetTask(serde_json::from_value(params)?),
        "ListTasks" => Request::ListTasks(serde_json::from_value(params)?),
        "SubscribeToTask" => Request::SubscribeToTask(serde_json::from_value(params)?),
        _ => unreachable!("no client calls `{method}`"),
    })
}

/// Reads what a call is answered with, or an event of a stream.
pub(super) fn read(binding: Binding, method: &str, bytes: &[u8]) -> Result<Value, Failure> {
    match binding {
        Binding::JsonRpc => envelope(bytes),
        Binding::HttpJson => document(bytes),
        Binding::Grpc => {
            let read = read_answer(Package::V1_0, operation(method), bytes, JsonBounds::default());
            json(read.map_err(|error| other(error.message))?.as_bytes())
        }
    }
}

fn operation(method: &str) -> Operation {
    match method {
        "SendMessage" => Operation::SendMessage,
        "GetTask" => Operation::GetTask,
        "ListTasks" => Operation::ListTasks,
        _ => Operation::SendStreamingMessage,
    }
}

/// Takes the envelope of JSON-RPC off.
fn envelope(bytes: &[u8]) -> Result<Value, Failure> {
    let mut envelope = json(bytes)?;
    let error = envelope["error"].take();
    if error.is_null() {
        return Ok(envelope["result"].take());
    }
    Err(refused(fault::read_rpc(Version::V1_0, &error.to_string()).kind, error.to_string()))
}

/// A document of REST, unless it is an error.
fn document(bytes: &[u8]) -> Result<Value, Failure> {
    let document = json(bytes)?;
    if document["error"].is_null() {
        return Ok(document);
    }
    let text = document.to_string();
    let error = fault::read_rest(Version::V1_0, 500, &text);
    Err(refused(error.map_or(ErrorKind::Internal, |error| error.kind), text))
}

/// How a call of gRPC ended.
pub(super) fn status(trailers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok());
    let details = trailers.get("grpc-status-details-bin").map(hyper::header::HeaderValue::as_bytes);
    let code = text("grpc-status").ok_or_else(|| other("a call without `grpc-status`"))?;
    let status = GrpcStatus::read(code, text("grpc-message"), details);
    let status = status.ok_or_else(|| other(format!("the status `{code}`")))?;
    if status.code == 0 {
        return Ok(());
    }
    let error = fault::read_grpc(Version::V1_0, &status);
    Err(refused(error.kind, format!("{}: {}", status.code, error.message)))
}

fn json(bytes: &[u8]) -> Result<Value, Failure> {
    let read = serde_json::from_slice(bytes);
    read.map_err(|error| other(format!("{error}: {}", String::from_utf8_lossy(bytes))))
}

fn refused(kind: ErrorKind, message: String) -> Failure {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a history tells only these apart")]
    let reason = match kind {
        ErrorKind::TaskNotFound => Reason::NotFound,
        ErrorKind::Unavailable => Reason::Unavailable,
        ErrorKind::StorageFull => Reason::Full,
        ErrorKind::UnsupportedOperation => Reason::Ended,
        _ => Reason::Other,
    };
    Failure::Refused { reason, message }
}

pub(super) fn other(message: impl ToString) -> Failure {
    Failure::Refused { reason: Reason::Other, message: message.to_string() }
}
