//! Following a task until it settles, the listener leaves or Ctrl-C is pressed.

use std::pin::pin;

use legation_client::{Error, Events};
use legation_model::{StreamResponse, TaskId, TaskState};

use super::exit::{Exit, Failure};
use super::out::note;
use super::target::Target;

/// How far a task is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until it ends or waits for the caller.
    Settled,
    /// As long as the agent keeps the stream open, also while the task waits.
    Closed,
}

/// Why following ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Ended {
    /// The task is in this state now.
    Task(TaskId, TaskState),
    /// The answer was a direct message.
    Message,
    /// Ctrl-C.
    Interrupted(Option<TaskId>),
}

/// Follows a task, showing each item.
pub(crate) async fn follow(
    events: &mut Events,
    until: Until,
    mut show: impl FnMut(&StreamResponse) -> Result<(), Failure>,
    target: &Target,
) -> Result<Ended, Failure> {
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        let next = tokio::select! {
            next = events.next() => next,
            _ = &mut interrupt => return Ok(Ended::Interrupted(events.task().cloned())),
        };
        if let Some(event) = next {
            let (_, item) = event.map_err(|error| target.failure(&error))?;
            show(&item)?;
            if until == Until::Closed || !events.is_settled() {
                continue;
            }
        }
        return Ok(match (events.task(), events.state()) {
            (Some(task), Some(state)) => Ended::Task(task.clone(), state),
            _ => Ended::Message,
        });
    }
}

/// Waits for a call, unless Ctrl-C is pressed first.
pub(crate) async fn unless_interrupted<T>(
    call: impl Future<Output = Result<T, Error>>,
    target: &Target,
) -> Result<Option<T>, Failure> {
    tokio::select! {
        answer = call => answer.map(Some).map_err(|error| target.failure(&error)),
        _ = tokio::signal::ctrl_c() => Ok(None),
    }
}

impl Ended {
    /// Says how to go on, and what the shell is told.
    pub(crate) fn conclude(&self, target: &Target) -> Exit {
        match self {
            Self::Message => Exit::Done,
            Self::Task(task, state) => {
                tell_how_to_go_on(task, *state, target);
                Exit::from(*state)
            }
            Self::Interrupted(task) => {
                tell_how_to_return(task.as_ref(), target);
                Exit::Interrupted
            }
        }
    }
}

fn tell_how_to_go_on(task: &TaskId, state: TaskState, target: &Target) {
    let task = task.as_str();
    if state == TaskState::InputRequired {
        let answer = target.command(&["send"], &["your answer", "--task", task]);
        note(&format!("The agent waits for more input. Answer with:\n  {answer}"));
    }
    if state == TaskState::AuthRequired {
        let watch = target.command(&["task", "watch"], &[task]);
        let answer = target.command(&["send"], &["done", "--task", task]);
        note(&format!(
            "The agent waits for an authorization. Once it is given, follow the task with:\n  \
             {watch}\nor, if the agent wants to be told:\n  {answer}"
        ));
    }
}

fn tell_how_to_return(task: Option<&TaskId>, target: &Target) {
    let Some(task) = task.map(TaskId::as_str) else {
        let list = target.command(&["task", "list"], &[]);
        note(&format!("\nThe message may have been received. See the tasks with:\n  {list}"));
        return;
    };
    let watch = target.command(&["task", "watch"], &[task]);
    let cancel = target.command(&["task", "cancel"], &[task]);
    note(&format!("\nThe task goes on. Watch it or cancel it with:\n  {watch}\n  {cancel}"));
}
