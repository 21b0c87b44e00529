//! The echo work of a unary send: a request in, a completed task out.

use std::{
    borrow::Cow,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::Context;
use bytes::Bytes;

use super::model::{Artifact, Message, Request, State, Status, Task};

/// A JSON-RPC reply with the task in it, and where the task is: written once, the
/// task's bytes are also the row and the map's value.
pub(super) struct Reply {
    bytes: Bytes,
    task: Range<usize>,
    pub(super) task_id: String,
}

impl Reply {
    /// The whole reply.
    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The task in it.
    pub(super) fn task(&self) -> Bytes {
        self.bytes.slice(self.task.clone())
    }
}

/// Answers a SendMessage with the completed echo of its message.
pub(super) fn echo(request: Request<'_>, size: usize) -> anyhow::Result<Reply> {
    let (task_id, context_id) = new_ids();
    let message = in_task(request.params.message, &task_id, &context_id)?;
    let artifacts =
        [Artifact { artifact_id: "echo", parts: Cow::Borrowed(message.parts.as_slice()) }];
    let history = std::slice::from_ref(&message);
    let task = Task {
        id: &task_id,
        context_id: &context_id,
        status: Status::of(State::Completed),
        artifacts: &artifacts,
        history,
    };

    // The text goes out twice; the rest of a reply is under 600 bytes.
    let mut out = Vec::with_capacity(2 * size + 600);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(request.id.get().as_bytes());
    out.extend_from_slice(br#","result":{"task":"#);
    let start = out.len();
    serde_json::to_writer(&mut out, &task)?;
    let end = out.len();
    out.extend_from_slice(b"}}");
    Ok(Reply { bytes: out.into(), task: start..end, task_id })
}

/// Returns the request's message as it stands in the task's history.
pub(super) fn in_task<'a>(
    message: Option<Message<'a>>,
    task_id: &'a str,
    context_id: &'a str,
) -> anyhow::Result<Message<'a>> {
    let mut message = message.context("params.message: missing")?;
    message.task_id = Some(Cow::Borrowed(task_id));
    message.context_id = Some(Cow::Borrowed(context_id));
    Ok(message)
}

/// Returns a task id and a context id that no other call returns. They have the size
/// of those that the product makes; randomness is not the work measured.
pub(super) fn new_ids() -> (String, String) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    (
        format!("01936f00-0000-7000-8000-{number:012x}"),
        format!("01936f00-0000-7000-9000-{number:012x}"),
    )
}
