//! A server that means harm, against our client: whatever it does, the caller is told what happened,
//! in bounded time and memory; nothing counts as done that was not, and nothing goes where it must not.

mod addresses;
mod answers;
mod cards;
mod connections;
mod events;
mod frames;
mod grpc;
mod heads;
mod http2;
mod peer;
mod renewed;
mod splits;
mod streams;
mod told;
mod variant;

use peer::Act;

const TASK: &str = r#"{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}"#;

/// A good card: an interface of 1.0 for each binding.
fn card(base: &str) -> String {
    let grpc = format!(r#"{{"url":"{base}","protocolBinding":"GRPC","protocolVersion":"1.0"}}"#);
    let card = crate::server::card(base);
    card.replace("\"}]}", &format!("\"}},{grpc}]}}"))
}

/// What a peer says that has this status line, these headers and this body.
fn http(status: &str, headers: &str, body: &[u8]) -> Act {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
    Act::Say([head.as_bytes(), body].concat())
}

/// A good answer with this JSON.
fn json(body: impl AsRef<[u8]>) -> Act {
    http("200 OK", "Content-Type: application/json\r\n", body.as_ref())
}

/// A good answer of JSON-RPC with this result.
fn result(result: &str) -> Act {
    json(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#))
}

fn say(text: impl Into<Vec<u8>>) -> Act {
    Act::Say(text.into())
}

/// The task as it should come.
fn task() -> Act {
    result(TASK)
}
