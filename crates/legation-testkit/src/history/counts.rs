//! The counts are whole: whatever was lost, doubled or swapped shows in one.

use legation_model::TaskState;

use super::index::{Index, Task};
use super::{ATTEMPTS, Kind, Policy, Report, Script};

pub(super) fn check(index: &Index<'_>, report: &mut Report<'_>) {
    for (id, task) in &index.tasks {
        let Some(script) = task.script else { continue };
        if let Err(text) = check_task(task, script) {
            report(Some(id), text);
        }
    }
}

fn check_task(task: &Task<'_>, script: Script) -> Result<(), String> {
    let attempts = attempts(task);
    let Script { count, policy } = script;
    if policy == Policy::Fail && attempts.len() > 1 {
        return Err("was begun again against its policy".into());
    }
    let resumed: Vec<&str> = attempts.concat();
    let counts: Vec<&[&str]> = match policy {
        Policy::Resume => vec![&resumed],
        Policy::Retry | Policy::Fail => attempts.iter().map(Vec::as_slice).collect(),
    };
    for texts in &counts {
        check_prefix(texts)?;
    }
    let Some(last) = task.last else { return Ok(()) };
    let whole = counts.last().copied().unwrap_or_default();
    if last.texts != whole {
        let (read, told) = (last.texts.len(), whole.len());
        return Err(format!("reads as a count to {read}, its log counts to {told}"));
    }
    check_end(last.state, last.text.as_deref(), whole.len() == count, policy, attempts.len())
}

/// The numbers that each attempt counted.
fn attempts<'a>(task: &Task<'a>) -> Vec<Vec<&'a str>> {
    let mut attempts: Vec<Vec<&str>> = vec![Vec::new()];
    for event in task.log.values() {
        match &event.kind {
            Kind::Status { attempt: Some(_), .. } => attempts.push(Vec::new()),
            Kind::Chunk { text, .. } => attempts.last_mut().expect("begins with one").push(text),
            Kind::Task { .. } | Kind::Status { .. } => {}
        }
    }
    attempts
}

fn check_prefix(texts: &[&str]) -> Result<(), String> {
    let wrong =
        texts.iter().zip(1..).find(|(text, number): &(_, usize)| **text != number.to_string());
    wrong.map_or(Ok(()), |(text, number)| Err(format!("says {text} in place of {number}")))
}

fn check_end(
    state: TaskState,
    text: Option<&str>,
    whole: bool,
    policy: Policy,
    attempts: usize,
) -> Result<(), String> {
    match state {
        TaskState::Completed if whole => Ok(()),
        TaskState::Completed => Err("is completed without a whole count".into()),
        TaskState::Failed if text.is_none_or(str::is_empty) => {
            Err("failed without a reason".into())
        }
        TaskState::Failed if policy == Policy::Fail || attempts == ATTEMPTS as usize => Ok(()),
        TaskState::Failed => Err(format!("failed after {attempts} attempts: {text:?}")),
        TaskState::Unspecified
        | TaskState::Submitted
        | TaskState::Working
        | TaskState::Canceled
        | TaskState::InputRequired
        | TaskState::Rejected
        | TaskState::AuthRequired => Err(format!("is {} at the end", state.name())),
    }
}
