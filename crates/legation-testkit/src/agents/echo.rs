//! The agent that benchmarks measure: it does next to nothing, by four scripts.

use std::time::Duration;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, Turn};
use legation_model::{Artifact, ArtifactId, Part};

/// Gives the message's parts back as an artifact.
///
/// Text `chunks N` gives N chunks of 64 bytes instead, and `chunks N every M` does so M milliseconds
/// apart; `wait` works until it is stopped.
pub struct Echo;

#[async_trait]
impl Agent for Echo {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        let script = turn.message().parts[0].as_text().unwrap_or_default();
        if let Some((count, pause)) = script.strip_prefix("chunks ").and_then(read) {
            return chunks(turn, count, pause).await;
        }
        let wait = script == "wait";
        turn.working(None).await?;
        if wait {
            turn.stopped().await;
            return Err(AgentError::Stopped);
        }
        let parts = turn.message().parts.clone();
        turn.artifact(Artifact::new(echo_id(), parts)).await?;
        turn.complete().await
    }
}

/// How many chunks, and how far apart.
fn read(script: &str) -> Option<(usize, Duration)> {
    let (count, pause) = script.split_once(" every ").unwrap_or((script, "0"));
    Some((count.parse().ok()?, Duration::from_millis(pause.parse().ok()?)))
}

async fn chunks(turn: &mut Turn, count: usize, pause: Duration) -> Result<(), AgentError> {
    turn.working(None).await?;
    for at in 0..count {
        // 64 bytes, each chunk its own, so that a lost one shows.
        let chunk = Artifact::new(echo_id(), vec![Part::text(format!("{at:064}"))]);
        turn.chunk(chunk, at + 1 == count).await?;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    turn.complete().await
}

fn echo_id() -> ArtifactId {
    ArtifactId::parse("echo").expect("a valid identifier")
}
