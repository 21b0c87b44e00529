//! What is said back becomes what the task holds, whatever has carried it.

use legation_core::{AgentError, AnswerIn, Turn};
use legation_model::{Artifact, ArtifactId, Part, TaskState};

use crate::said::Said;

/// A streamed answer up to this is said once more at the end, for callers that read messages only.
const REPEATED: usize = 64 << 10;

/// What a run has given so far.
pub(crate) struct Answer {
    id: ArtifactId,
    text: String,
    /// Whether `text` is all that was streamed as the answer.
    whole: bool,
    /// Every artifact of this attempt.
    given: Vec<ArtifactId>,
}

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goes {
    On,
    Done,
}

impl Answer {
    pub(crate) fn new() -> Self {
        let id = ArtifactId::parse("answer").expect("a valid identifier");
        Self { id, text: String::new(), whole: true, given: Vec::new() }
    }

    /// Forgets what the attempt gave, and tells what that was.
    pub(crate) fn restart(&mut self) -> Vec<ArtifactId> {
        std::mem::replace(self, Self::new()).given
    }

    /// The answer that would complete the task by what is said.
    #[cfg(unix)]
    pub(crate) fn offered(&self, said: &Said) -> Vec<Part> {
        let Said::Complete(parts) = said else { return Vec::new() };
        if parts.is_empty() && self.whole && !self.text.is_empty() {
            return vec![Part::text(self.text.as_str())];
        }
        parts.clone()
    }

    /// Does what is said.
    ///
    /// # Errors
    /// As the turn says; and what is said to have failed.
    pub(crate) async fn take(&mut self, turn: &mut Turn, said: Said) -> Result<Goes, AgentError> {
        match said {
            Said::Status(note) => turn.working(note.as_deref()).await?,
            Said::Chunk { artifact: None, text, last: _ } => self.stream(turn, text).await?,
            Said::Chunk { artifact: Some(id), text, last } => {
                self.give(turn, Artifact::new(id, vec![Part::text(text)]), Some(last)).await?;
            }
            Said::Artifact(artifact) => self.give(turn, artifact, None).await?,
            Said::Usage(usage) => {
                tracing::info!(task = %turn.task().id, usage = usage.as_str(), "program: usage");
                turn.usage(usage);
            }
            Said::Log(text) => {
                let text = printable(&text);
                tracing::info!(task = %turn.task().id, "program: {text}");
            }
            Said::Question(parts) => return turn.ask(parts).await.map(|()| Goes::Done),
            Said::Auth(parts, at) => {
                match at {
                    Some(at) => turn.authorize(at, parts).await?,
                    None => turn.settle(TaskState::AuthRequired, parts).await?,
                }
                return Ok(Goes::Done);
            }
            Said::Complete(parts) => return self.complete(turn, parts).await.map(|()| Goes::Done),
            Said::Reject(parts) => return turn.reject(parts).await.map(|()| Goes::Done),
            Said::Failure(reason) => return Err(AgentError::Failed(reason)),
        }
        Ok(Goes::On)
    }

    /// Adds text to the answer.
    pub(crate) async fn stream(&mut self, turn: &mut Turn, text: String) -> Result<(), AgentError> {
        if text.is_empty() {
            return Ok(());
        }
        let streams = turn.answer_in() != AnswerIn::Status;
        self.whole &= !streams || self.text.len() + text.len() <= REPEATED;
        if self.whole {
            self.text.push_str(&text);
        }
        if streams {
            let chunk = Artifact::new(self.id.clone(), vec![Part::text(text)]);
            self.give(turn, chunk, Some(false)).await?;
        }
        Ok(())
    }

    async fn give(
        &mut self,
        turn: &mut Turn,
        artifact: Artifact,
        chunk: Option<bool>,
    ) -> Result<(), AgentError> {
        if !self.given.contains(&artifact.artifact_id) {
            self.given.push(artifact.artifact_id.clone());
        }
        match chunk {
            Some(last) => turn.chunk(artifact, last).await,
            None => turn.artifact(artifact).await,
        }
    }

    /// Completes the task with an answer, or with what was given before.
    pub(crate) async fn complete(
        &mut self,
        turn: &mut Turn,
        parts: Vec<Part>,
    ) -> Result<(), AgentError> {
        if !parts.is_empty() {
            return turn.answer(parts).await;
        }
        let text = std::mem::take(&mut self.text);
        if text.is_empty() {
            return turn.complete().await;
        }
        match turn.answer_in() {
            AnswerIn::Status => turn.answer(text).await,
            AnswerIn::Both if self.whole && turn.schema().is_none() => {
                turn.settle(TaskState::Completed, text).await
            }
            AnswerIn::Both | AnswerIn::Artifact => turn.complete().await,
        }
    }
}

/// The text with nothing in it that moves a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}
