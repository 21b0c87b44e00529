//! What a result shows, in the terms of a history. It reads JSON rather than the server's own
//! types, so that a fault of those cannot hide itself.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use legation_model::TaskState;
use legation_testkit::agents::COUNTED;
use legation_testkit::history::{Event, Failure, Kind, Reason, Seen};
use serde_json::Value;

/// The member of a restart's metadata that tells the attempt.
const ATTEMPT: &str = "urn:legation:a2a:attempt";

/// The task in a result.
pub(crate) fn seen(task: &Value) -> Result<Seen, Failure> {
    read_task(task).ok_or_else(|| strange("a task", task))
}

/// The event in a result.
pub(crate) fn event(seq: Option<u64>, result: &Value) -> Result<Event, Failure> {
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
            let part = &update["artifact"]["parts"][0];
            let counted = &part["metadata"][COUNTED];
            let text = part["text"].as_str()?.to_owned();
            let run = counted["run"].as_str().map(str::to_owned);
            (&update["taskId"], Kind::Chunk { text, run, at: counted["at"].as_u64() })
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

/// A digest of what a value says: some bindings leave out what others write as nothing.
fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    digest(value, &mut hasher);
    hasher.finish()
}

fn digest(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.iter().filter(|(_, value)| !is_nothing(value)).collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in members {
                name.hash(hasher);
                digest(value, hasher);
            }
        }
        Value::Array(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| digest(item, hasher));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            value.to_string().hash(hasher);
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn strange(what: &str, value: &Value) -> Failure {
    Failure::Refused { reason: Reason::Other, message: format!("not {what}: {value}") }
}
