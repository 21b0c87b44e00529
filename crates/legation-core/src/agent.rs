//! What an agent is to the service.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use legation_model::Message;

use crate::{Profile, Turn};

/// Something that works on messages. Implement this to serve your own agent.
///
/// ```
/// use legation_core::{Agent, AgentError, Turn};
///
/// struct Echo;
///
/// #[async_trait::async_trait]
/// impl Agent for Echo {
///     async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
///         let text = turn.message().text();
///         turn.answer(text).await
///     }
/// }
/// ```
#[async_trait]
pub trait Agent: Send + Sync + 'static {
    /// Works on one message. The turn tells what was said and takes what the agent produces.
    ///
    /// Returning without having settled the task completes it. The future is dropped when the task
    /// is cancelled or its time is up, so hold nothing across an `await` that a drop would break;
    /// [`Agent::stop_grace`] asks for time to clean up instead.
    ///
    /// # Errors
    /// Fails the task with the error's text as the reason.
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError>;

    /// Answers at once, without a task. Asked before [`Agent::execute`], for messages that begin
    /// a conversation; most agents answer nothing here.
    async fn reply(&self, _message: &Message) -> Option<Message> {
        None
    }

    /// The id of the skill that a message is for, as far as the agent can tell. Callers who may not
    /// use that skill are refused, whatever skill the message names itself.
    fn skill(&self, _message: &Message) -> Option<String> {
        None
    }

    /// What becomes of a run that was lost with its process.
    fn on_restart(&self) -> OnRestart {
        OnRestart::Fail
    }

    /// The names, in lower case, of the headers that the agent gets to see of a request; see
    /// [`Turn::entrusted`]. None, unless somebody who answers for the agent says so.
    fn entrusted(&self) -> &[String] {
        &[]
    }

    /// How long a run may go on after cancellation before its future is dropped.
    fn stop_grace(&self) -> Duration {
        Duration::ZERO
    }

    /// Ends what the agent keeps beside its runs, such as processes. Called when the service stops,
    /// after its runs; it is given up when it takes longer than the server has.
    async fn close(&self) {}
}

/// What becomes of a run that was lost with its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRestart {
    /// The work begins again; what the lost attempt produced is void.
    Retry,
    /// The agent gets the task as it stood and goes on from there.
    Resume,
    /// The task fails with a plain reason.
    Fail,
}

/// Why an agent did not get its work done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// The work failed; the text is shown to the caller.
    #[error("{0}")]
    Failed(String),
    /// The answer is not what the caller's schema asks for; the text says where. Nothing was sent
    /// of it and the task goes on: give another answer, or return this to fail the task.
    #[error("the answer does not satisfy the schema that was asked for: {0}")]
    Unfit(String),
    /// The task was cancelled, has ended or cannot be written any more: stop.
    #[error("the task was stopped")]
    Stopped,
}

impl AgentError {
    /// A failure with a reason that the caller may read.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }
}

/// An agent with its profile, as the service serves it.
#[derive(Clone)]
pub struct Exposed {
    /// How it presents itself.
    pub profile: Arc<Profile>,
    /// The agent.
    pub agent: Arc<dyn Agent>,
}
