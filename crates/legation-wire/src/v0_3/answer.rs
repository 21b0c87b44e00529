//! Reads answers of older agents, as clients do and as the tests of the writer do.

use legation_model::{
    Artifact, ArtifactId, ContextId, Message, Metadata, Part, Role, StreamResponse, Task,
    TaskArtifactUpdateEvent, TaskId, TaskState, TaskStatus, TaskStatusUpdateEvent, Timestamp,
    rules,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny};
use serde_json::value::RawValue;

use super::Form;
use super::message::{AnyPart, Said};
use super::names::{self, List, given};
use super::narrow::context_of;
use crate::answer::Answer;

/// Reads an answer in a form, as what it is.
///
/// What tells one answer from another is looked for in all of them, so that agents which leave the
/// kind out, wrap what others do not, or spell REST as JSON-RPC are understood as well.
///
/// # Errors
/// When the document is no such answer.
pub fn read_answer(
    form: Form,
    answer: Answer,
    document: &[u8],
) -> serde_json::Result<StreamResponse> {
    match form {
        Form::Proto => read_as::<true>(answer, document),
        Form::Json | Form::JsonAnd0_1 | Form::Json0_1 => read_as::<false>(answer, document),
    }
}

/// Reads an item of a stream. One event of a REST agent of 0.1 may tell of an artifact and of the
/// status behind it at once, which are two items.
///
/// # Errors
/// As [`read_answer`].
pub fn read_items(form: Form, document: &[u8]) -> serde_json::Result<Vec<StreamResponse>> {
    let clues: Clues = serde_json::from_slice(document)?;
    let artifact = read_answer(form, Answer::Item, document)?;
    let is_both = clues.status.is_some() && matches!(artifact, StreamResponse::ArtifactUpdate(_));
    if !is_both {
        return Ok(vec![artifact]);
    }
    let status: StatusEvent = serde_json::from_slice(document)?;
    // The artifact first: a status may end the task.
    Ok(vec![artifact, status.into_response()?])
}

fn read_as<const PROTO: bool>(
    answer: Answer,
    document: &[u8],
) -> serde_json::Result<StreamResponse> {
    let clues: Clues = serde_json::from_slice(document)?;
    if clues.is_wrapped() {
        return serde_json::from_slice::<Wrapped<PROTO>>(document)?.into_response();
    }
    match clues.kind(answer) {
        Kind::Task => serde_json::from_slice::<AnyTask<PROTO>>(document)?.into_response(),
        Kind::Message => {
            serde_json::from_slice(document).map(|said: Said| StreamResponse::Message(said.message))
        }
        Kind::StatusUpdate => serde_json::from_slice::<StatusEvent>(document)?.into_response(),
        Kind::ArtifactUpdate => {
            serde_json::from_slice::<ArtifactEvent<PROTO>>(document)?.into_response()
        }
    }
}

/// What tells one answer from another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Clues {
    kind: Option<Box<RawValue>>,
    role: Option<IgnoredAny>,
    status: Option<IgnoredAny>,
    artifact: Option<IgnoredAny>,
    task: Option<IgnoredAny>,
    #[serde(alias = "msg")]
    message: Option<IgnoredAny>,
    #[serde(alias = "status_update")]
    status_update: Option<IgnoredAny>,
    #[serde(alias = "artifact_update")]
    artifact_update: Option<IgnoredAny>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Task,
    Message,
    StatusUpdate,
    ArtifactUpdate,
}

impl Clues {
    /// Whether the answer stands under a member that says what it is.
    const fn is_wrapped(&self) -> bool {
        self.task.is_some()
            || self.message.is_some()
            || self.status_update.is_some()
            || self.artifact_update.is_some()
    }

    /// What the answer says it is; where it says nothing of sense it is to be seen.
    fn kind(&self, answer: Answer) -> Kind {
        let said = self.kind.as_ref().and_then(|kind| serde_json::from_str(kind.get()).ok());
        said.unwrap_or(match (&self.role, &self.artifact, &self.status) {
            (Some(_), ..) => Kind::Message,
            (None, Some(_), _) => Kind::ArtifactUpdate,
            (None, None, Some(_)) if answer == Answer::Item => Kind::StatusUpdate,
            (None, None, _) => Kind::Task,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped<const PROTO: bool> {
    task: Option<AnyTask<PROTO>>,
    #[serde(alias = "msg")]
    message: Option<Said>,
    #[serde(alias = "status_update")]
    status_update: Option<StatusEvent>,
    #[serde(alias = "artifact_update")]
    artifact_update: Option<ArtifactEvent<PROTO>>,
}

impl<const PROTO: bool> Wrapped<PROTO> {
    fn into_response(self) -> serde_json::Result<StreamResponse> {
        match (self.task, self.message, self.status_update, self.artifact_update) {
            (Some(task), None, None, None) => task.into_response(),
            (None, Some(said), None, None) => Ok(StreamResponse::Message(said.message)),
            (None, None, Some(event), None) => event.into_response(),
            (None, None, None, Some(event)) => event.into_response(),
            _ => Err(Error::custom(
                "needs exactly one of `task`, `message`, `statusUpdate`, `artifactUpdate`",
            )),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyTask<const PROTO: bool> {
    id: TaskId,
    #[serde(default, alias = "context_id", deserialize_with = "given")]
    context_id: Option<ContextId>,
    #[serde(default, deserialize_with = "given")]
    session_id: Option<ContextId>,
    status: AnyStatus,
    artifacts: Option<List<AnyArtifact<PROTO>>>,
    history: Option<List<Said>>,
    metadata: Option<Metadata>,
}

impl<const PROTO: bool> AnyTask<PROTO> {
    fn into_response(self) -> serde_json::Result<StreamResponse> {
        let artifacts = List::or_empty(self.artifacts).into_iter();
        let artifacts = artifacts.map(AnyArtifact::into_artifact).collect::<Result<_, _>>()?;
        let history = List::or_empty(self.history).into_iter().map(|said| said.message).collect();
        Ok(StreamResponse::Task(Task {
            id: self.id,
            context_id: self.context_id.or(self.session_id),
            status: self.status.into(),
            artifacts,
            history,
            metadata: self.metadata,
        }))
    }
}

#[derive(Deserialize)]
struct AnyStatus {
    #[serde(deserialize_with = "names::any_state")]
    state: TaskState,
    // The name in the protobuf schema is another than that in its JSON.
    #[serde(alias = "update")]
    message: Option<StatusMessage>,
    timestamp: Option<AnyTime>,
}

impl From<AnyStatus> for TaskStatus {
    fn from(status: AnyStatus) -> Self {
        let AnyStatus { state, message, timestamp } = status;
        let message = message.map(|StatusMessage(message)| message);
        Self { state, message, timestamp: timestamp.and_then(|AnyTime(moment)| moment) }
    }
}

/// What a status says, which some agents say as a mere text.
struct StatusMessage(Message);

impl<'de> Deserialize<'de> for StatusMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let read = if json.get().starts_with('"') {
            serde_json::from_str(json.get())
                .map(|text: String| Message::new(Role::Agent, vec![Part::text(text)]))
        } else {
            serde_json::from_str(json.get()).map(|said: Said| said.message)
        };
        read.map(Self).map_err(D::Error::custom)
    }
}

/// A time. Agents that write it without a zone do not say which moment they mean.
struct AnyTime(Option<Timestamp>);

impl<'de> Deserialize<'de> for AnyTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(json.get()).ok()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyArtifact<const PROTO: bool> {
    #[serde(default, alias = "artifact_id", deserialize_with = "given")]
    artifact_id: Option<ArtifactId>,
    #[serde(default, deserialize_with = "rules::int")]
    index: Option<i32>,
    #[serde(default, deserialize_with = "rules::text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "rules::text")]
    description: Option<String>,
    parts: List<AnyPart<PROTO>>,
    metadata: Option<Metadata>,
    extensions: Option<List<String>>,
    append: Option<bool>,
    #[serde(alias = "last_chunk")]
    last_chunk: Option<bool>,
}

impl<const PROTO: bool> AnyArtifact<PROTO> {
    /// The artifact, which in 0.1 has a place rather than a name; the first place is not said.
    fn into_artifact(self) -> serde_json::Result<Artifact> {
        let List(parts) = self.parts;
        let by_place = || ArtifactId::parse(&format!("artifact-{}", self.index.unwrap_or(0)));
        let artifact_id = self.artifact_id.map_or_else(by_place, Ok).map_err(Error::custom)?;
        Ok(Artifact {
            artifact_id,
            name: self.name,
            description: self.description,
            parts: AnyPart::all(parts),
            metadata: self.metadata,
            extensions: List::or_empty(self.extensions),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusEvent {
    #[serde(default, alias = "task_id", deserialize_with = "given")]
    task_id: Option<TaskId>,
    #[serde(default, deserialize_with = "given")]
    id: Option<TaskId>,
    #[serde(default, alias = "context_id", deserialize_with = "given")]
    context_id: Option<ContextId>,
    status: AnyStatus,
    metadata: Option<Metadata>,
}

impl StatusEvent {
    fn into_response(self) -> serde_json::Result<StreamResponse> {
        let (task_id, context_id) = subject(self.task_id, self.id, self.context_id)?;
        let (status, metadata) = (self.status.into(), self.metadata);
        let update = TaskStatusUpdateEvent { task_id, context_id, status, metadata };
        Ok(StreamResponse::StatusUpdate(update))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactEvent<const PROTO: bool> {
    #[serde(default, alias = "task_id", deserialize_with = "given")]
    task_id: Option<TaskId>,
    #[serde(default, deserialize_with = "given")]
    id: Option<TaskId>,
    #[serde(default, alias = "context_id", deserialize_with = "given")]
    context_id: Option<ContextId>,
    artifact: AnyArtifact<PROTO>,
    append: Option<bool>,
    #[serde(alias = "last_chunk")]
    last_chunk: Option<bool>,
    metadata: Option<Metadata>,
}

impl<const PROTO: bool> ArtifactEvent<PROTO> {
    fn into_response(self) -> serde_json::Result<StreamResponse> {
        let (task_id, context_id) = subject(self.task_id, self.id, self.context_id)?;
        let append = self.append.or(self.artifact.append).unwrap_or_default();
        let last_chunk = self.last_chunk.or(self.artifact.last_chunk).unwrap_or_default();
        let artifact = self.artifact.into_artifact()?;
        let metadata = self.metadata;
        Ok(StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
            task_id,
            context_id,
            artifact,
            append,
            last_chunk,
            metadata,
        }))
    }
}

/// The task and the context of an event. 0.1 calls the task `id` and says no context.
fn subject(
    task_id: Option<TaskId>,
    id: Option<TaskId>,
    context_id: Option<ContextId>,
) -> serde_json::Result<(TaskId, ContextId)> {
    let task_id = task_id.or(id).ok_or_else(|| serde_json::Error::missing_field("taskId"))?;
    let context_id = context_id.unwrap_or_else(|| context_of(&task_id));
    Ok((task_id, context_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_0_1_are_told_by_what_they_hold() {
        let task = r#"{"id":"t","sessionId":"s","status":{"state":"completed"},"artifacts":[{"parts":[{"type":"text","text":"x"}],"name":"response"},{"index":2,"parts":[]}]}"#;
        let cases = [
            (Answer::SentTask, task),
            (Answer::Item, r#"{"id":"t","status":{"state":"working"}}"#),
            (
                Answer::Item,
                r#"{"id":"t","status":{"state":"completed","message":{"role":"agent","messageId":"m","parts":[]}},"final":true}"#,
            ),
            (
                Answer::Item,
                r#"{"id":"t","artifact":{"parts":[{"type":"text","text":"x"}],"append":true,"lastChunk":true}}"#,
            ),
            (
                Answer::Item,
                r#"{"kind":"task","id":"t","contextId":"c","status":{"state":"unknown"}}"#,
            ),
            (
                Answer::Item,
                r#"{"id":"t","status":{"state":"bored","timestamp":"2026-01-02T03:04:05"}}"#,
            ),
            (Answer::Item, r#"{"status":{"state":"working"}}"#),
            (Answer::Item, r#"{"kind":"joke"}"#),
            (Answer::SentTask, r#"{"task":{"id":"t","status":{"state":"working"}}}"#),
            (Answer::Item, r#"{"kind":"joke","id":"t","status":{"state":"working"}}"#),
        ];
        let got =
            cases.map(|(answer, text)| match read_answer(Form::Json0_1, answer, text.as_bytes()) {
                Ok(response) => serde_json::to_string(&response).expect("the model is JSON"),
                Err(error) => error.to_string(),
            });
        insta::assert_snapshot!(got.join("\n"), @r#"
        {"task":{"id":"t","contextId":"s","status":{"state":"TASK_STATE_COMPLETED"},"artifacts":[{"artifactId":"artifact-0","name":"response","parts":[{"text":"x"}]},{"artifactId":"artifact-2","parts":[]}]}}
        {"statusUpdate":{"taskId":"t","contextId":"t","status":{"state":"TASK_STATE_WORKING"}}}
        {"statusUpdate":{"taskId":"t","contextId":"t","status":{"state":"TASK_STATE_COMPLETED","message":{"messageId":"m","role":"ROLE_AGENT","parts":[]}}}}
        {"artifactUpdate":{"taskId":"t","contextId":"t","artifact":{"artifactId":"artifact-0","parts":[{"text":"x"}]},"append":true,"lastChunk":true}}
        {"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_UNSPECIFIED"}}}
        {"statusUpdate":{"taskId":"t","contextId":"t","status":{"state":"TASK_STATE_UNSPECIFIED"}}}
        missing field `taskId`
        missing field `id` at line 1 column 15
        {"task":{"id":"t","status":{"state":"TASK_STATE_WORKING"}}}
        {"statusUpdate":{"taskId":"t","contextId":"t","status":{"state":"TASK_STATE_WORKING"}}}
        "#);
        let text = br#"{"id":"t","status":{"state":"working","message":"Thinking..."}}"#;
        let said = read_answer(Form::Json0_1, Answer::Item, text).expect("a status");
        let StreamResponse::StatusUpdate(update) = said else { panic!("{said:?}") };
        assert_eq!(update.status.message.expect("a text").text(), "Thinking...");
    }
}
