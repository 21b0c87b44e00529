//! What was acknowledged is there at the end, in the acknowledged state or a later one.

use super::index::{Index, Task, rank};
use super::{About, Failure, Reason, Report};

pub(super) fn check(index: &Index<'_>, report: &mut Report<'_>) {
    let acked = index.tasks.iter().filter(|(_, task)| task.acked.is_some());
    if !index.complete {
        if acked.count() > 0 {
            report(None, "the tasks were not read back".into());
        }
        return;
    }
    for (id, task) in acked {
        if let Some(text) = lost(task) {
            report(Some(id), text);
        }
        if !index.listed.is_empty() && !task.listed {
            report(Some(id), "is in no listing".into());
        }
    }
    for (about, failure, _) in &index.failures {
        if let (About::Task(id), Failure::Refused { reason: Reason::NotFound, message }) =
            (about, failure)
        {
            report(Some(id), format!("was acknowledged and then not found: {message}"));
        }
    }
}

fn lost(task: &Task<'_>) -> Option<String> {
    let acked = task.acked?;
    let Some(last) = task.last else { return Some("is not there at the end".into()) };
    let same = acked == last.state || !acked.is_terminal();
    if rank(last.state) < rank(acked) || !same {
        let (acked, last) = (acked.name(), last.state.name());
        return Some(format!("was acknowledged as {acked} and is {last} at the end"));
    }
    let (seen, last) = (task.log.keys().next_back().copied().unwrap_or(0), task.last_seq);
    (last < seen).then(|| format!("event {seen} was seen, the log ends at {last}"))
}
