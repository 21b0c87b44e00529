//! What a result shows, in the terms of a history. It reads JSON rather than the server's own
//! types, so that a fault of those cannot hide itself.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use legation_model::TaskState;
use legation_testkit::history::{Event, Failure, Kind, Reason, Seen};
use serde_json::Value;

/// The member of a restart's metadata that tells the attempt.
const ATTEMPT: &str = "urn:legation:a2a:attempt";

/// The task in a result.
pub(super) fn seen(task: &Value) -> Result<Seen, Failure> {
    read_task(task).ok_or_else(|| strange("a task", task))
}

/// The event in a result.
pub(super) fn event(seq: Option<u64>, result: &Value) -> Result<Event, Failure> {
    read_event(seq, result).ok_or_else(|| strange("an event", result))
}

fn read_task(task: &Value) -> Option<Seen> {
    let artifacts = task["artifacts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let parts = artifacts.iter().filter_map(|artifact| artifact["parts"].as_array()).flatten();
    Some(Seen {
        task: task["id"].as_str()?.to_owned(),
        state: state(&task["status"])?,
        texts: parts.filter_map(|part| Some(part["text"].as_str()?.to_owned())).collect(),
        text: text(&task["status"]),
        hash: hash(task),
    })
}

fn read_event(seq: Option<u64>, result: &Value) -> Option<Event> {
    let (name, update) = result.as_object()?.iter().next()?;
    let (task, kind) = match name.as_str() {
        "task" => (&update["id"], Kind::Task { state: state(&update["status"])? }),
        "statusUpdate" => {
            let attempt = update["metadata"][ATTEMPT].as_u64();
            let attempt = attempt.and_then(|attempt| u32::try_from(attempt).ok());
            let (state, text) = (state(&update["status"])?, text(&update["status"]));
            (&update["taskId"], Kind::Status { state, attempt, text })
        }
        "artifactUpdate" => {
            let text = update["artifact"]["parts"][0]["text"].as_str()?.to_owned();
            (&update["taskId"], Kind::Chunk { text, run: None, at: None })
        }
        _ => return None,
    };
    Some(Event { task: task.as_str()?.to_owned(), seq, hash: hash(result), kind })
}

fn state(status: &Value) -> Option<TaskState> {
    serde_json::from_value(status["state"].clone()).ok()
}

fn text(status: &Value) -> Option<String> {
    status["message"]["parts"][0]["text"].as_str().map(str::to_owned)
}

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}

fn strange(what: &str, value: &Value) -> Failure {
    Failure::Refused { reason: Reason::Other, message: format!("not {what}: {value}") }
}
