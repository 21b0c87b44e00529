//! What a caller is told, in words that tables can hold.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use legation_client::{Error, Events};
use legation_model::{StreamResponse, Task, TaskState};

use super::variant::SECRET;

/// How long somebody listens to a stream that has no end.
const ATTENTION: Duration = Duration::from_secs(2);
/// How many of its events are heard.
const HEARD: usize = 3_000;

/// The name of the error, its meaning, and all that it says of itself.
pub(super) fn of_error(error: &Error) -> String {
    let shown = format!("{error:?}");
    let name = shown.split([' ', '(']).next().expect("the first piece");
    let kind = error.kind().map(|kind| format!(" {kind:?}")).unwrap_or_default();
    let mut told = format!("{name}{kind}: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let _ = write!(told, " <- {cause}");
        source = cause.source();
    }
    // What nobody reads at first sight must not give a secret away either.
    if shown.contains(SECRET) { format!("{told} {SECRET}") } else { told }
}

pub(super) fn of_task(task: &Task) -> String {
    let state = task.status.state.name();
    format!("task {} {}", task.id.as_str(), state.strip_prefix("TASK_STATE_").unwrap_or(state))
}

/// The items of a stream, with their numbers, as far as anybody listens; then whether the task has
/// settled.
pub(super) async fn of_events(mut events: Events) -> String {
    let (mut told, begun) = (Vec::new(), Instant::now());
    loop {
        let left = ATTENTION.saturating_sub(begun.elapsed());
        let Ok(next) = tokio::time::timeout(left, events.next()).await else {
            told.push("listening".to_owned());
            break;
        };
        match next {
            Some(Ok((number, item))) => {
                let number = number.map(|number| format!("{number}:")).unwrap_or_default();
                told.push(number + &of_item(&item));
            }
            Some(Err(error)) => told.push(of_error(&error)),
            None => {
                let end = if events.is_settled() { "settled" } else { "open" };
                told.push(end.to_owned());
                break;
            }
        }
        if told.len() == HEARD {
            return format!("{} of {HEARD}, still listening", told[0]);
        }
    }
    told.join(" ")
}

fn of_item(item: &StreamResponse) -> String {
    let state = |state: TaskState| {
        state.name().strip_prefix("TASK_STATE_").unwrap_or_default().to_lowercase()
    };
    match item {
        StreamResponse::Task(task) => format!("task-{}", state(task.status.state)),
        StreamResponse::Message(_) => "message".into(),
        StreamResponse::StatusUpdate(update) => state(update.status.state),
        StreamResponse::ArtifactUpdate(_) => "chunk".into(),
    }
}
