//! What 0.1 has no word for, said in the words that it has.

use legation_model::{ContextId, Message, Task, TaskId, TaskState, TaskStatus};

/// 0.1 knows neither refusal nor waiting for a credential.
pub(crate) const fn state(state: TaskState) -> TaskState {
    match state {
        TaskState::Rejected => TaskState::Failed,
        TaskState::AuthRequired => TaskState::InputRequired,
        TaskState::Unspecified
        | TaskState::Submitted
        | TaskState::Working
        | TaskState::Completed
        | TaskState::Failed
        | TaskState::Canceled
        | TaskState::InputRequired => state,
    }
}

/// 0.1 has no direct answers: one is the status of a task that is done. There is no such task, so
/// it goes by the message's id.
pub(crate) fn task_of(message: Message) -> Task {
    let (state, timestamp) = (TaskState::Completed, None);
    let own = || TaskId::parse(message.message_id.as_str()).expect(ONE_RULE);
    Task {
        id: message.task_id.clone().unwrap_or_else(own),
        context_id: message.context_id.clone(),
        status: TaskStatus { state, message: Some(message), timestamp },
        artifacts: Vec::new(),
        history: Vec::new(),
        metadata: None,
    }
}

/// The context of a task that says none: one of its own.
pub(crate) fn context_of(task: &TaskId) -> ContextId {
    ContextId::parse(task.as_str()).expect(ONE_RULE)
}

const ONE_RULE: &str = "all identifiers obey the same rules";
