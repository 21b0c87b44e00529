//! What was said before a message: in its task, in tasks that it refers to, and in those of its
//! context. Most turns of a conversation are tasks of their own.

use legation_core::{AgentError, Turn};
use legation_model::{Content, Message, Part, Role, Task};

/// How many of the tasks that a message refers to are looked at, the last ones named first.
const REFERENCES: usize = 20;

/// What an agent is told of what was said before. The message's own task is told whole; of others
/// only so much, the newest of it, and without files: those are for the message they came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Where it is looked for.
    pub of: HistoryOf,
    /// The most messages of other tasks.
    pub messages: usize,
    /// The most bytes of text and data of other tasks.
    pub bytes: usize,
}

/// Where earlier messages are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryOf {
    /// In the message's task, and in those that it refers to.
    Task,
    /// In the earlier tasks of the agent in the same context as well.
    Context,
}

impl Default for History {
    fn default() -> Self {
        Self { of: HistoryOf::Task, messages: 100, bytes: 256 << 10 }
    }
}

impl History {
    /// All that was said before, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn all(self, turn: &Turn) -> Result<Vec<Message>, AgentError> {
        let mut said = self.of_others(turn).await?;
        said.extend(of_own(turn, &turn.task()));
        Ok(said)
    }

    /// What was said in other tasks, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn of_others(self, turn: &Turn) -> Result<Vec<Message>, AgentError> {
        let context = match self.of {
            HistoryOf::Task => None,
            HistoryOf::Context => turn.message().context_id.clone(),
        };
        let mut referred = Said::within(self);
        for id in turn.message().reference_task_ids.iter().rev().take(REFERENCES) {
            // One that is gone, or is not the caller's, is nothing to go by.
            let Some(task) = turn.other_task(id).await? else { continue };
            let comes_with_context = context.is_some() && task.context_id == context;
            if !comes_with_context && !referred.take(task) {
                break;
            }
        }
        let mut in_context = Said { newest_first: Vec::new(), ..referred };
        if self.of == HistoryOf::Context && self.messages > 0 {
            turn.earlier_tasks(self.messages, |task| in_context.take(task)).await?;
        }
        let newest_first = in_context.newest_first.into_iter().chain(referred.newest_first);
        Ok(newest_first.rev().collect())
    }
}

/// What was said before in the turn's own task, oldest first.
pub(crate) fn of_own(turn: &Turn, task: &Task) -> Vec<Message> {
    let earlier = |said: &&Message| said.message_id != turn.message().message_id;
    task.history.iter().filter(earlier).cloned().collect()
}

/// What was gathered, and how much more may be.
struct Said {
    newest_first: Vec<Message>,
    messages: usize,
    bytes: usize,
}

impl Said {
    fn within(history: History) -> Self {
        Self { newest_first: Vec::new(), messages: history.messages, bytes: history.bytes }
    }

    /// Takes what fits of a task's messages, the newest first; false when something did not.
    fn take(&mut self, task: Task) -> bool {
        for message in talk(task).into_iter().rev() {
            let messages = self.messages.checked_sub(1);
            let bytes = self.bytes.checked_sub(message.parts.iter().filter_map(size).sum());
            let (Some(messages), Some(bytes)) = (messages, bytes) else {
                // A message that is too long is where it ends: what was said has no holes.
                self.messages = 0;
                return false;
            };
            (self.messages, self.bytes) = (messages, bytes);
            self.newest_first.push(message);
        }
        self.messages > 0
    }
}

/// What was said in a task, without files: those are for the message they came with.
fn talk(task: Task) -> Vec<Message> {
    let mut said = task.history;
    // An answer that was streamed is in artifacts alone.
    if said.last().is_none_or(|last| last.role != Role::Agent) {
        let parts: Vec<_> =
            task.artifacts.into_iter().flat_map(|made| run_on(made.parts)).collect();
        said.push(Message::new(Role::Agent, parts));
    }
    for message in &mut said {
        message.parts.retain(|part| size(part).is_some());
    }
    said.retain(|message| !message.parts.is_empty());
    said
}

/// The parts with neighbouring texts as one, because that is how a text is streamed.
fn run_on(parts: Vec<Part>) -> Vec<Part> {
    let mut whole: Vec<Part> = Vec::new();
    for part in parts {
        match (whole.last_mut().map(|last| &mut last.content), &part.content) {
            (Some(Content::Text(before)), Content::Text(text)) => before.push_str(text),
            _ => whole.push(part),
        }
    }
    whole
}

/// How long a part is; none for a file.
fn size(part: &Part) -> Option<usize> {
    match &part.content {
        Content::Text(text) => Some(text.len()),
        Content::Data(data) => Some(data.as_str().len()),
        Content::Raw(_) | Content::Url(_) => None,
    }
}
