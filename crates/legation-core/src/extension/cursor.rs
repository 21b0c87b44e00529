//! The extension by which a stream is resumed where ids of events are not seen.

use legation_model::{A2aError, AgentExtension, Json, Request, StreamResponse};
use serde::{Deserialize, Serialize};

use super::Extension;
use crate::call::Call;
use crate::store::Seq;

/// The extension by which callers that do not see the ids of stream events resume a stream.
///
/// When it is active, every update's metadata holds `{"seq": n}` under this URI, and the metadata
/// of a `SubscribeToTask` may hold `{"after": n}` there.
pub const CURSOR_EXTENSION: &str = "urn:legation:a2a:extension:cursor:1";

pub(crate) struct Cursor;

#[derive(Deserialize)]
struct After {
    after: Seq,
}

#[derive(Serialize)]
struct Number {
    seq: Seq,
}

impl Extension for Cursor {
    fn declaration(&self) -> AgentExtension {
        AgentExtension {
            uri: CURSOR_EXTENSION.to_owned(),
            description: Some("Numbers each update, so that a stream can be resumed".into()),
            ..AgentExtension::default()
        }
    }

    fn on_request(&self, call: &mut Call, request: &mut Request) -> Result<(), A2aError> {
        let Request::SubscribeToTask(request) = request else { return Ok(()) };
        let data = request.metadata.as_ref().and_then(|metadata| metadata.get(CURSOR_EXTENSION));
        let Some(data) = data else { return Ok(()) };
        let cursor: After = data.read().map_err(|_| {
            A2aError::invalid(format!("metadata.{CURSOR_EXTENSION}"), r#"expected {"after": n}"#)
        })?;
        // The header is the transport's own word and has precedence.
        call.last_event.get_or_insert(cursor.after);
        Ok(())
    }

    fn on_response(&self, _: &Call, _: &StreamResponse, seq: Option<Seq>) -> Option<Json> {
        seq.map(|seq| Json::from_value(&Number { seq }).expect("a number is JSON"))
    }
}
