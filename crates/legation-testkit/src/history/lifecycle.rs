//! A task begins once, passes through legal states and says nothing after its end.

use legation_model::TaskState;

use super::index::{Index, Task};
use super::{Event, Kind, Report};

pub(super) fn check(index: &Index<'_>, report: &mut Report<'_>) {
    for (id, task) in &index.tasks {
        if let Err(text) = walk(task) {
            report(Some(id), text);
        }
    }
}

fn walk(task: &Task<'_>) -> Result<(), String> {
    let (mut state, mut attempt) = (None, 1);
    for (seq, event) in &task.log {
        let illegal = |what: &str| Err(format!("event {seq} {what}: {:?}", event.kind));
        if state.is_some_and(TaskState::is_terminal) {
            return illegal("follows the end");
        }
        match &event.kind {
            Kind::Task { .. } if *seq != 1 => return illegal("begins the task again"),
            Kind::Status { state: TaskState::Submitted, .. } => return illegal("goes back"),
            Kind::Status { state: TaskState::Unspecified, .. } => return illegal("has no state"),
            Kind::Status { attempt: Some(next), .. } if *next != attempt + 1 => {
                return illegal(&format!("follows attempt {attempt}"));
            }
            Kind::Status { attempt: Some(next), .. } => attempt = *next,
            Kind::Status { .. } | Kind::Chunk { .. } if *seq == 1 => {
                return illegal("does not begin the task");
            }
            Kind::Task { .. } | Kind::Status { .. } | Kind::Chunk { .. } => {}
        }
        state = Event::state(event).or(state);
    }
    Ok(())
}
