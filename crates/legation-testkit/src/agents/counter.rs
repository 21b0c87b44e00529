//! The agent of the crash suite: whatever is lost, doubled or out of order shows in its count.

use std::time::Duration;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, OnRestart, Turn};
use legation_model::{Artifact, ArtifactId, Part};

/// Counts aloud: text `count N every M` gives the numbers 1 to N as chunks, M milliseconds apart.
pub struct Counter {
    /// What becomes of a count that was interrupted.
    pub on_restart: OnRestart,
}

#[async_trait]
impl Agent for Counter {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        let (count, pause) = script(&turn.message().text())
            .ok_or_else(|| AgentError::failed("say `count N every M`"))?;
        // Where an earlier attempt got to: nothing unless the policy is to resume.
        let counted = turn.task().artifacts.first().map_or(0, |artifact| artifact.parts.len());
        turn.working(None).await?;
        for number in counted + 1..=count {
            let parts = vec![Part::text(number.to_string())];
            let id = ArtifactId::parse("count").expect("a valid identifier");
            turn.chunk(Artifact::new(id, parts), number == count).await?;
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        turn.complete().await
    }

    fn on_restart(&self) -> OnRestart {
        self.on_restart
    }
}

fn script(text: &str) -> Option<(usize, Duration)> {
    let (count, pause) = text.strip_prefix("count ")?.split_once(" every ")?;
    Some((count.parse().ok()?, Duration::from_millis(pause.parse().ok()?)))
}
