//! The agent that the official compatibility kits drive by prefixes of message ids and texts.

use std::time::Duration;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, Turn};
use legation_model::{Artifact, ArtifactId, Base64, Content, Json, Message, Part, Role, TaskState};

/// Does what the prefix of a message's id, or else of its first text, asks for.
pub struct Tck;

/// What the agent does for a prefix.
#[derive(Clone, Copy)]
enum Script {
    Complete,
    /// Working, then an artifact, then completed.
    Work(fn() -> Vec<Part>),
    /// An artifact, then completed.
    Produce(fn() -> Vec<Part>),
    Chunks,
    Reply,
    Settle(TaskState, &'static str),
    Linger,
    UntilCanceled,
    Ask,
}

/// The scripts by prefix; the longest prefix wins.
const SCRIPTS: &[(&str, Script)] = &[
    ("tck-complete-task", Script::Complete),
    ("tck-artifact-text", Script::Produce(text)),
    ("tck-artifact-file", Script::Produce(file)),
    ("tck-artifact-file-url", Script::Produce(file_url)),
    ("tck-artifact-data", Script::Produce(data)),
    ("tck-message-response", Script::Reply),
    ("tck-input-required", Script::Ask),
    ("tck-multi-turn", Script::Ask),
    ("tck-reject-task", Script::Settle(TaskState::Rejected, "Rejected by TCK")),
    ("tck-task-failure", Script::Settle(TaskState::Failed, "Failed by TCK")),
    ("tck-auth-required", Script::Settle(TaskState::AuthRequired, "Authorize TCK")),
    ("tck-stream-001", Script::Work(text)),
    ("tck-stream-002", Script::Complete),
    ("tck-stream-003", Script::Work(text)),
    ("tck-stream-ordering-001", Script::Work(text)),
    ("tck-stream-basic", Script::Work(text)),
    ("tck-stream-artifact-text", Script::Work(text)),
    ("tck-stream-artifact-file", Script::Work(file)),
    ("tck-stream-artifact-chunked", Script::Chunks),
    ("tck-stream-chunked", Script::Chunks),
    ("tck-long-running", Script::Linger),
    ("tck-cancel", Script::UntilCanceled),
];

/// How long `tck-long-running` works.
const LINGER: Duration = Duration::from_secs(5);

fn script(message: &Message) -> Script {
    let text = message.parts.first().and_then(Part::as_text).unwrap_or_default();
    let by = |of: &str| {
        let fits = SCRIPTS.iter().filter(|(prefix, _)| of.starts_with(prefix));
        fits.max_by_key(|(prefix, _)| prefix.len()).map(|(_, script)| *script)
    };
    by(message.message_id.as_str()).or_else(|| by(text)).unwrap_or(Script::Complete)
}

#[async_trait]
impl Agent for Tck {
    async fn reply(&self, message: &Message) -> Option<Message> {
        let reply = matches!(script(message), Script::Reply);
        reply.then(|| Message::new(Role::Agent, vec![Part::text("Direct message response")]))
    }

    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        match script(turn.message()) {
            Script::Complete | Script::Reply => {}
            Script::Produce(parts) => produce(turn, parts()).await?,
            Script::Work(parts) => {
                turn.working(None).await?;
                produce(turn, parts()).await?;
            }
            Script::Chunks => chunks(turn).await?,
            Script::Settle(state, text) => return turn.settle(state, text).await,
            Script::Ask => return turn.ask("Input required by TCK").await,
            Script::Linger => {
                turn.working(None).await?;
                tokio::time::sleep(LINGER).await;
            }
            Script::UntilCanceled => {
                turn.working(None).await?;
                turn.stopped().await;
                return Err(AgentError::Stopped);
            }
        }
        turn.settle(TaskState::Completed, "Hello from TCK").await
    }
}

async fn produce(turn: &mut Turn, parts: Vec<Part>) -> Result<(), AgentError> {
    turn.artifact(Artifact::new(artifact_id(), parts)).await
}

async fn chunks(turn: &mut Turn) -> Result<(), AgentError> {
    turn.working(None).await?;
    for (text, last) in [("chunk-1 ", false), ("chunk-2", true)] {
        turn.chunk(Artifact::new(artifact_id(), vec![Part::text(text)]), last).await?;
    }
    Ok(())
}

fn artifact_id() -> ArtifactId {
    ArtifactId::parse("tck-artifact").expect("a valid identifier")
}

fn text() -> Vec<Part> {
    vec![Part::text("Generated text content")]
}

fn file() -> Vec<Part> {
    let content = Content::Raw(Base64::encode(b"Generated file content"));
    vec![Part::from(content).with_filename("output.txt").with_media_type("text/plain")]
}

fn file_url() -> Vec<Part> {
    let content = Content::Url("https://example.com/output.txt".into());
    vec![Part::from(content).with_filename("output.txt").with_media_type("text/plain")]
}

fn data() -> Vec<Part> {
    vec![Part::data(Json::parse(r#"{"key":"value","count":42}"#).expect("JSON"))]
}
