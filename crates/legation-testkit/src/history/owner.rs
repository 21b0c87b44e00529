//! One run at a time writes a task, and one that was lost never again.

use std::collections::BTreeSet;

use super::index::{Index, Task};
use super::{Kind, Report};

pub(super) fn check(index: &Index<'_>, report: &mut Report<'_>) {
    for (id, task) in &index.tasks {
        if let Err(text) = walk(task) {
            report(Some(id), text);
        }
    }
}

/// Attempts follow one another in the log, so each has a run of its own: that is its epoch.
fn walk(task: &Task<'_>) -> Result<(), String> {
    let (mut at_work, mut lost) = (None::<&str>, BTreeSet::new());
    for (seq, event) in &task.log {
        match &event.kind {
            Kind::Status { attempt: Some(_), .. } => lost.extend(at_work.take()),
            Kind::Chunk { run: Some(run), .. } if lost.contains(run.as_str()) => {
                return Err(format!("event {seq} is of run {run}, which was lost"));
            }
            Kind::Chunk { run: Some(run), .. } => match at_work {
                Some(other) if other != run => {
                    return Err(format!("event {seq} is of run {run}, run {other} is at work"));
                }
                Some(_) | None => at_work = Some(run),
            },
            Kind::Task { .. } | Kind::Status { .. } | Kind::Chunk { .. } => {}
        }
    }
    Ok(())
}
