//! One task for one message, however often it was sent, and one answer.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Index;
use super::{About, Report};

pub(super) fn check(index: &Index<'_>, report: &mut Report<'_>) {
    check_tasks(index, report);
    check_answers(index, report);
}

fn check_tasks(index: &Index<'_>, report: &mut Report<'_>) {
    let mut tasks: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let told = index.answers.iter().map(|(send, task, _)| (&*send.message, &*task.task));
    let streamed = index.streams.values().filter_map(|stream| {
        let About::Send(send) = stream.about else { return None };
        Some((&*index.sends.get(send)?.message, &*stream.events.first()?.task))
    });
    let listed = index.listed.iter().map(|(task, message)| (*message, *task));
    for (message, task) in told.chain(streamed).chain(listed) {
        tasks.entry(message).or_default().insert(task);
    }
    for (message, tasks) in tasks.into_iter().filter(|(_, tasks)| tasks.len() > 1) {
        report(tasks.first().copied(), format!("message {message} has led to tasks {tasks:?}"));
    }
}

/// Only answers that show the end must be equal; before it, each shows its moment.
fn check_answers(index: &Index<'_>, report: &mut Report<'_>) {
    let mut answers: BTreeMap<&str, u64> = BTreeMap::new();
    for (send, task, _) in index.answers.iter().filter(|(_, task, _)| task.state.is_terminal()) {
        let Some(key) = &send.key else { continue };
        let first = *answers.entry(key).or_insert(task.hash);
        if first != task.hash {
            report(Some(&task.task), format!("two answers under the key {key} differ"));
        }
    }
}
