//! What an agent said, and whether each kind of client finds it where it looks.

use legation_model::{
    Content, Message, Part, Role, StreamResponse, Task, TaskId, TaskState, TaskStatus,
};

use super::checks::{ANSWER, CONTEXT, CREWAI_ANSWER, SEND};
use super::line::Line;
use super::{Checked, Notes, shortened};

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) task: Option<TaskId>,
    pub(super) state: Option<TaskState>,
    /// Whether there was a direct message.
    pub(super) is_message: bool,
    has_context: bool,
    artifacts: usize,
    /// The text of the last status.
    status: String,
    /// Whether the agent has a word in the history.
    is_in_history: bool,
    /// How many times the task came as a whole.
    pub(super) tasks: usize,
}

impl Answer {
    pub(super) fn of(item: &StreamResponse) -> Self {
        let mut answer = Self::default();
        answer.hear(item);
        answer
    }

    /// Takes the next item.
    pub(super) fn hear(&mut self, item: &StreamResponse) {
        match item {
            StreamResponse::Message(_) => self.is_message = true,
            StreamResponse::Task(task) => self.hear_task(task),
            StreamResponse::StatusUpdate(update) => {
                self.task.get_or_insert_with(|| update.task_id.clone());
                self.has_context = true;
                self.hear_status(&update.status);
            }
            StreamResponse::ArtifactUpdate(update) => {
                self.has_context = true;
                self.artifacts += usize::from(says(&update.artifact.parts));
            }
        }
    }

    fn hear_task(&mut self, task: &Task) {
        self.task.get_or_insert_with(|| task.id.clone());
        self.tasks += 1;
        self.has_context |= task.context_id.is_some();
        self.artifacts += task.artifacts.iter().filter(|artifact| says(&artifact.parts)).count();
        let is_agents = |message: &Message| message.role == Role::Agent && says(&message.parts);
        self.is_in_history |= task.history.iter().any(is_agents);
        self.hear_status(&task.status);
    }

    fn hear_status(&mut self, status: &TaskStatus) {
        self.state = Some(status.state);
        self.status = status.message.as_ref().map(Message::text).unwrap_or_default();
    }

    /// Whether the agent has come to an end or waits.
    pub(super) fn is_settled(&self) -> bool {
        self.is_message || self.state.is_some_and(TaskState::is_settled)
    }

    /// How it ended, in words.
    pub(super) fn outcome(&self) -> Checked {
        let words = match self.state {
            _ if self.is_message => return SEND.passed("a message"),
            None => return SEND.failed("neither a task nor a message"),
            Some(state) => words(state),
        };
        let text = shortened(&self.status, 60);
        let said = if text.is_empty() { String::new() } else { format!(": {text}") };
        match self.state {
            Some(TaskState::Failed | TaskState::Rejected) => {
                let remedy = "if that is the text's fault, say another one with --text";
                SEND.warned(format!("a task, which is {words}{said}")).fix(remedy)
            }
            Some(TaskState::Unspecified) => {
                let remedy = "say one of the states of the protocol (Spec 4.1.3)";
                SEND.warned("a task in a state that nobody knows").fix(remedy)
            }
            _ => SEND.passed(format!("a task, which is {words}{said}")),
        }
    }

    /// Judges where the text is.
    pub(super) fn judge(&self, notes: &mut Notes<'_>, line: &Line) {
        let mut note = |checked: Checked| notes.add(checked.among(line.readers()).at(&*line.at));
        if self.is_message {
            note(CONTEXT.passed("there is no task"));
            note(ANSWER.passed("the message is the answer"));
            return note(CREWAI_ANSWER.passed("the message is the answer"));
        }
        note(if self.has_context {
            CONTEXT.passed("there is one")
        } else {
            CONTEXT.failed("there is none")
        });
        let Some(state) = self.state.filter(|state| state.is_settled()) else { return };
        let has_status = !self.status.trim().is_empty();
        note(match (state, self.artifacts > 0, has_status || self.is_in_history) {
            (TaskState::Completed, true, _) => ANSWER.passed("it is in artifacts"),
            (TaskState::Completed, false, true) => {
                ANSWER.warned("it is in the status or the history, and in no artifact")
            }
            (TaskState::Completed, false, false) => ANSWER.warned("there is none"),
            (_, _, _) if has_status => ANSWER.passed("the status says what is the matter"),
            (_, _, _) => {
                ANSWER.warned(format!("the task is {} and does not say why", words(state)))
            }
        });
        note(if has_status || self.is_in_history {
            CREWAI_ANSWER.passed("it is where CrewAI looks")
        } else {
            CREWAI_ANSWER.failed("there is no text in the status or in the history")
        });
    }
}

fn says(parts: &[Part]) -> bool {
    parts.iter().any(|part| match &part.content {
        Content::Text(text) => !text.trim().is_empty(),
        Content::Raw(_) | Content::Url(_) | Content::Data(_) => true,
    })
}

/// A state in words.
pub(super) fn words(state: TaskState) -> String {
    state.name()["TASK_STATE_".len()..].to_ascii_lowercase().replace('_', " ")
}
