//! Nothing hangs, nothing is refused and no stream ends without a cause.

use super::index::{Cause, Index};
use super::{About, Failure, Reason, Report};

pub(super) fn check(index: &Index<'_>, report: &mut Report<'_>) {
    for (about, failure, cause) in &index.failures {
        if explained(about, failure, *cause) {
            continue;
        }
        let text = match failure {
            Failure::Hung => "hung".to_owned(),
            Failure::Lost => "broke off while nobody had killed the server".to_owned(),
            Failure::Refused { message, reason } => {
                format!("was refused without a cause ({reason:?}): {message}")
            }
        };
        match about {
            About::Send(send) => report(None, format!("send {send} {text}")),
            About::Task(task) => report(Some(task), format!("a call {text}")),
        }
    }
    for (send, task, _) in
        index.answers.iter().filter(|(_, task, cause)| !cause.strained && !task.state.is_settled())
    {
        let state = task.state.name();
        report(Some(&task.task), format!("send {} was answered with {state}", send.send));
    }
    for (number, stream) in &index.streams {
        let ended = stream.events.last().and_then(|event| event.state());
        let cut = !ended.is_some_and(|state| state.is_terminal());
        // One that resumes after the last event has nothing to tell.
        let nothing = stream.after.is_some() && stream.events.len() == 1;
        let cause = stream.end;
        if cause.is_some_and(|cause| !cause.strained) && cut && !nothing {
            let task = stream.events.first().map(|event| event.task.as_str());
            report(task, format!("stream {number} ended before the task did"));
        }
    }
}

fn explained(about: &About, failure: &Failure, cause: Cause) -> bool {
    match failure {
        // Whoever lost a connection tries again.
        Failure::Lost => cause.cut,
        Failure::Hung => false,
        // Reported where it belongs: as a loss.
        Failure::Refused { reason: Reason::NotFound, .. } => matches!(about, About::Task(_)),
        Failure::Refused { reason: Reason::Ended, .. } => matches!(about, About::Task(_)),
        Failure::Refused { reason: Reason::Unavailable | Reason::Full, .. } => cause.strained,
        Failure::Refused { reason: Reason::Other, .. } => false,
    }
}
