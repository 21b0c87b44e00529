//! The log of a task: its events, and the only place where an event changes a task.

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    Artifact, ArtifactId, Message, Metadata, Task, TaskArtifactUpdateEvent, TaskState,
    TaskStatusUpdateEvent,
};

/// One entry of a task's log: what every reader is told, and what else it does to the task.
///
/// Its JSON is what stores keep. Without an effect that is exactly the 1.0 stream response, so a
/// stored event goes to a reader without being read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Members")]
pub struct Event {
    /// What the entry does beyond what it tells.
    pub effect: Option<Effect>,
    /// What every reader is told.
    pub update: Update,
}

/// What readers of a task are told, in the shape of a 1.0 stream response.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Update {
    /// The task as it was created: always the first entry, never a later one.
    Task(Task),
    /// A new status.
    StatusUpdate(TaskStatusUpdateEvent),
    /// An artifact or a chunk of one.
    ArtifactUpdate(TaskArtifactUpdateEvent),
}

/// What an entry does to a task beyond what its update tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// A further message of the caller joined the history.
    Received(Message),
    /// The run was lost and begins again.
    #[serde(rename_all = "camelCase")]
    Restarted {
        /// Which attempt begins, the first being 1.
        attempt: u32,
        /// The artifacts of the lost attempt, which are void.
        voided: Vec<ArtifactId>,
    },
    /// What the update's metadata says is to be found with the task as well.
    Noted,
}

/// An event that cannot follow the task's earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEvent {
    /// The task has ended; nothing may change it.
    #[error("the task has already ended as {}", .0.name())]
    Ended(TaskState),
    /// A second creation of the same task.
    #[error("the task was already created")]
    Created,
    /// The event is about another task.
    #[error("the event is about another task")]
    OtherTask,
}

/// An event as its JSON members. Not `flatten`, which would turn raw JSON inside into trees.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    effect: Option<Effect>,
    task: Option<Task>,
    status_update: Option<TaskStatusUpdateEvent>,
    artifact_update: Option<TaskArtifactUpdateEvent>,
}

impl TryFrom<Members> for Event {
    type Error = &'static str;

    fn try_from(members: Members) -> Result<Self, Self::Error> {
        let update = match (members.task, members.status_update, members.artifact_update) {
            (Some(task), None, None) => Update::Task(task),
            (None, Some(update), None) => Update::StatusUpdate(update),
            (None, None, Some(update)) => Update::ArtifactUpdate(update),
            _ => return Err("needs exactly one of `task`, `statusUpdate`, `artifactUpdate`"),
        };
        Ok(Self { effect: members.effect, update })
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("Event", 2)?;
        if let Some(effect) = &self.effect {
            event.serialize_field("effect", effect)?;
        }
        match &self.update {
            Update::Task(task) => event.serialize_field("task", task)?,
            Update::StatusUpdate(update) => event.serialize_field("statusUpdate", update)?,
            Update::ArtifactUpdate(update) => event.serialize_field("artifactUpdate", update)?,
        }
        event.end()
    }
}

impl Update {
    /// The metadata of what is told.
    fn metadata(&self) -> Option<&Metadata> {
        match self {
            Self::Task(task) => task.metadata.as_ref(),
            Self::StatusUpdate(update) => update.metadata.as_ref(),
            Self::ArtifactUpdate(update) => update.metadata.as_ref(),
        }
    }
}

impl Event {
    /// Whether the event ends its task for good.
    pub fn ends(&self) -> bool {
        match &self.update {
            Update::StatusUpdate(update) => update.status.state.is_terminal(),
            Update::Task(_) | Update::ArtifactUpdate(_) => false,
        }
    }
}

impl From<Update> for Event {
    fn from(update: Update) -> Self {
        Self { effect: None, update }
    }
}

impl Task {
    /// Applies an event: the one fold of the log.
    ///
    /// # Errors
    /// When the event cannot follow what the task has been through; the task is unchanged then.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        if self.status.state.is_terminal() {
            return Err(IllegalEvent::Ended(self.status.state));
        }
        let about = match &event.update {
            Update::Task(_) => return Err(IllegalEvent::Created),
            Update::StatusUpdate(update) => &update.task_id,
            Update::ArtifactUpdate(update) => &update.task_id,
        };
        if *about != self.id {
            return Err(IllegalEvent::OtherTask);
        }
        if let Some(effect) = &event.effect {
            self.apply_effect(effect, &event.update);
        }
        match &event.update {
            Update::Task(_) => {}
            Update::StatusUpdate(update) => self.apply_status(update),
            Update::ArtifactUpdate(update) => self.apply_artifact(update),
        }
        Ok(())
    }

    fn apply_effect(&mut self, effect: &Effect, update: &Update) {
        match effect {
            Effect::Received(message) => self.history.push(message.clone()),
            Effect::Restarted { voided, .. } => {
                self.artifacts.retain(|artifact| !voided.contains(&artifact.artifact_id));
            }
            Effect::Noted => {
                if let Some(noted) = update.metadata() {
                    self.metadata = Some(noted.over(self.metadata.as_ref()));
                }
            }
        }
    }

    /// A status message joins the history at once: callers look for questions and answers there.
    fn apply_status(&mut self, update: &TaskStatusUpdateEvent) {
        self.history.extend(update.status.message.clone());
        self.status = update.status.clone();
    }

    fn apply_artifact(&mut self, update: &TaskArtifactUpdateEvent) {
        let chunk = &update.artifact;
        // From the end, because chunks go to the newest artifact nearly always.
        let known = self.artifacts.iter().rposition(|known| known.artifact_id == chunk.artifact_id);
        match known {
            None => self.artifacts.push(chunk.clone()),
            Some(at) if update.append => self.artifacts[at].append(chunk),
            Some(at) => self.artifacts[at] = chunk.clone(),
        }
    }
}

impl Artifact {
    fn append(&mut self, chunk: &Self) {
        self.parts.extend_from_slice(&chunk.parts);
        if chunk.name.is_some() {
            self.name.clone_from(&chunk.name);
        }
        if chunk.description.is_some() {
            self.description.clone_from(&chunk.description);
        }
        if chunk.metadata.is_some() {
            self.metadata.clone_from(&chunk.metadata);
        }
        for extension in &chunk.extensions {
            if !self.extensions.contains(extension) {
                self.extensions.push(extension.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ContextId, Part, Role, TaskId, TaskStatus};

    fn task() -> Task {
        Task {
            id: TaskId::parse("t").expect("a valid id"),
            context_id: ContextId::parse("c").ok(),
            status: TaskStatus { state: TaskState::Submitted, message: None, timestamp: None },
            artifacts: Vec::new(),
            history: vec![Message::new(Role::User, vec![Part::text("go")])],
            metadata: None,
        }
    }

    fn status(state: TaskState, text: Option<&str>) -> Event {
        let message = text.map(|text| Message::new(Role::Agent, vec![Part::text(text)]));
        let status = TaskStatus { state, message, timestamp: None };
        let (task_id, context_id) = (task().id, task().context_id.expect("set above"));
        let update = TaskStatusUpdateEvent { task_id, context_id, status, metadata: None };
        Update::StatusUpdate(update).into()
    }

    fn chunk(id: &str, text: &str, append: bool) -> Event {
        let artifact_id = ArtifactId::parse(id).expect("a valid id");
        Update::ArtifactUpdate(TaskArtifactUpdateEvent {
            task_id: task().id,
            context_id: task().context_id.expect("set above"),
            artifact: Artifact::new(artifact_id, vec![Part::text(text)]),
            append,
            last_chunk: false,
            metadata: None,
        })
        .into()
    }

    fn fold(events: &[Event]) -> Task {
        let mut folded = task();
        for event in events {
            folded.apply(event).expect("a legal event");
        }
        folded
    }

    fn outputs(task: &Task) -> Vec<String> {
        let text = |artifact: &Artifact| {
            let texts: Vec<_> = artifact.parts.iter().filter_map(Part::as_text).collect();
            format!("{}={}", artifact.artifact_id, texts.join("+"))
        };
        task.artifacts.iter().map(text).collect()
    }

    #[test]
    fn chunks_append_and_whole_artifacts_replace() {
        let folded = fold(&[
            chunk("a", "1", false),
            chunk("b", "x", true),
            chunk("a", "2", true),
            chunk("b", "y", false),
        ]);
        assert_eq!(outputs(&folded), ["a=1+2", "b=y"]);
    }

    #[test]
    fn status_messages_enter_the_history_at_once() {
        let folded = fold(&[status(TaskState::InputRequired, Some("which?"))]);
        assert_eq!(folded.history.len(), 2);
        assert_eq!(folded.history[1].text(), "which?");
    }

    #[test]
    fn a_restart_voids_the_artifacts_it_names() {
        let mut restarted = status(TaskState::Working, None);
        let voided = vec![ArtifactId::parse("a").expect("a valid id")];
        restarted.effect = Some(Effect::Restarted { attempt: 2, voided });
        let events =
            [chunk("a", "1", false), chunk("b", "x", false), restarted, chunk("a", "n", true)];
        assert_eq!(outputs(&fold(&events)), ["b=x", "a=n"]);
    }

    #[test]
    fn what_is_noted_joins_what_was_noted_before() {
        let noted = |key: &str, value: i32| {
            let mut event = status(TaskState::Working, None);
            let Update::StatusUpdate(update) = &mut event.update else { unreachable!() };
            update.metadata = Metadata::single(key, &value).ok();
            Event { effect: Some(Effect::Noted), ..event }
        };
        let told = Event { effect: None, ..noted("c", 4) };
        let folded = fold(&[noted("a", 1), noted("b", 2), noted("a", 3), told]);
        assert_eq!(folded.metadata.expect("noted").as_str(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn nothing_follows_the_end() {
        let mut ended = fold(&[status(TaskState::Completed, None)]);
        let before = ended.clone();
        for event in [status(TaskState::Working, None), chunk("a", "1", false)] {
            assert_eq!(ended.apply(&event), Err(IllegalEvent::Ended(TaskState::Completed)));
        }
        assert_eq!(ended, before);
    }

    #[test]
    fn an_event_without_effect_is_stored_as_its_stream_response() {
        let json = serde_json::to_string(&chunk("a", "1", true)).expect("an event is JSON");
        assert!(json.starts_with(r#"{"artifactUpdate":{"taskId":"t""#), "{json}");
        let back: Event = serde_json::from_str(&json).expect("what was written");
        assert_eq!(back, chunk("a", "1", true));
    }
}
