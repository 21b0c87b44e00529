//! What was said before a message: in its task, and in the tasks that it refers to. Most turns of a
//! conversation are tasks of their own, so without the latter nobody would remember anything.

use legation_core::{AgentError, Turn};
use legation_model::{Content, Message, Part, Role, Task};

/// How many tasks are looked at, the last ones named first.
const TASKS: usize = 20;
/// Bytes of text and data that are taken from them.
const BYTES: usize = 256 << 10;

/// What was said before, oldest first.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn earlier(turn: &Turn) -> Result<Vec<Message>, AgentError> {
    let mut said = Vec::new();
    let mut room = BYTES;
    for id in turn.message().reference_task_ids.iter().rev().take(TASKS) {
        // One that is gone, or is not the caller's, is nothing to go by.
        let Some(task) = turn.other_task(id).await? else { continue };
        let talk = talk(task);
        let Some(left) = room.checked_sub(talk.iter().map(bytes).sum()) else { break };
        room = left;
        said.push(talk);
    }
    let own = turn.task().history.into_iter();
    let own = own.filter(|said| said.message_id != turn.message().message_id);
    Ok(said.into_iter().rev().flatten().chain(own).collect())
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

fn bytes(message: &Message) -> usize {
    message.parts.iter().filter_map(size).sum()
}

/// How long a part is; none for a file.
fn size(part: &Part) -> Option<usize> {
    match &part.content {
        Content::Text(text) => Some(text.len()),
        Content::Data(data) => Some(data.as_str().len()),
        Content::Raw(_) | Content::Url(_) => None,
    }
}
