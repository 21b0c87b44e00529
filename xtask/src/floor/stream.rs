//! The events of a stream: three for an echo, or as many chunks as the text asks for.

use std::{borrow::Cow, convert::Infallible, iter};

use bytes::Bytes;
use futures::{Stream, stream};

use super::{
    model::{Artifact, ArtifactUpdate, Event, Part, Request, State, Status, StatusUpdate, Task},
    reply::{in_task, new_ids},
};
use crate::contract::{chunk_text, chunks_wanted};

/// Ready events go out together up to this size, so that they share a write.
const FRAME: usize = 16 * 1024;

/// A task as its stream's events name it.
struct Named {
    rpc_id: String,
    task_id: String,
    context_id: String,
}

/// Answers a SendStreamingMessage.
pub(super) fn answer(
    request: Request<'_>,
) -> anyhow::Result<impl Stream<Item = Result<Bytes, Infallible>> + use<>> {
    let (task_id, context_id) = new_ids();
    let message = in_task(request.params.message, &task_id, &context_id)?;
    let text = message.parts.first().and_then(|part| part.text.as_deref()).unwrap_or_default();
    let wanted = chunks_wanted(text);
    // The stream outlives the request's bytes.
    let text = text.to_owned();
    let first = Event::Task(Task {
        id: &task_id,
        context_id: &context_id,
        status: Status::of(State::Working),
        artifacts: &[],
        history: std::slice::from_ref(&message),
    });
    let mut opening = Vec::with_capacity(FRAME);
    write_event(&mut opening, request.id.get(), 0, &first)?;

    let named = Named {
        rpc_id: request.id.get().to_owned(),
        task_id: task_id.clone(),
        context_id: context_id.clone(),
    };
    let mut next = 1;
    let frames = iter::from_fn(move || {
        let mut frame = std::mem::take(&mut opening);
        while frame.len() < FRAME && next <= wanted.unwrap_or(1) + 1 {
            named.write(&mut frame, next, wanted, &text);
            next += 1;
        }
        (!frame.is_empty()).then(|| Ok(Bytes::from(frame)))
    });
    Ok(stream::iter(frames))
}

impl Named {
    /// Writes event `number`: an artifact update for each chunk, then the end.
    fn write(&self, frame: &mut Vec<u8>, number: u64, wanted: Option<u64>, text: &str) {
        let last = wanted.unwrap_or(1);
        let event = if number > last {
            Event::StatusUpdate(StatusUpdate {
                task_id: &self.task_id,
                context_id: &self.context_id,
                status: Status::of(State::Completed),
            })
        } else {
            let text = match wanted {
                Some(_) => Cow::Owned(chunk_text(number - 1)),
                None => Cow::Borrowed(text),
            };
            Event::ArtifactUpdate(ArtifactUpdate {
                task_id: &self.task_id,
                context_id: &self.context_id,
                artifact: Artifact {
                    artifact_id: "echo",
                    parts: Cow::Owned(vec![Part { text: Some(text), ..Part::default() }]),
                },
                append: number > 1,
                last_chunk: number == last,
            })
        };
        write_event(frame, &self.rpc_id, number, &event).expect("a vector takes any event");
    }
}

/// Writes one server-sent event with its number as the id.
pub(super) fn write_event(
    frame: &mut Vec<u8>,
    rpc_id: &str,
    number: u64,
    event: &Event<'_>,
) -> serde_json::Result<()> {
    frame.extend_from_slice(b"id: ");
    serde_json::to_writer(&mut *frame, &number)?;
    frame.extend_from_slice(b"\ndata: {\"jsonrpc\":\"2.0\",\"id\":");
    frame.extend_from_slice(rpc_id.as_bytes());
    frame.extend_from_slice(b",\"result\":");
    serde_json::to_writer(&mut *frame, event)?;
    frame.extend_from_slice(b"}\n\n");
    Ok(())
}
