//! The agent of the crash suite: whatever is lost, doubled or out of order shows in its count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use legation_core::{Agent, AgentError, OnRestart, Turn};
use legation_model::{Artifact, ArtifactId, Metadata, Part};
use serde_json::json;

/// The member of a part's metadata that tells the run and the moment.
pub const COUNTED: &str = "counted";

/// Counts aloud: text `count N every M` gives the numbers 1 to N as chunks, M milliseconds apart. Each
/// tells in its metadata which run counted it and when, under [`COUNTED`].
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
        let run = name_run();
        for number in counted + 1..=count {
            let metadata = Metadata::single(COUNTED, &json!({"run": run, "at": now()})).ok();
            let parts = vec![Part { metadata, ..Part::text(number.to_string()) }];
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

/// A name that no other run has, of this process or another one.
fn name_run() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{}-{:x}-{}", std::process::id(), now(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Microseconds by the clock of the system.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros() as u64)
}

fn script(text: &str) -> Option<(usize, Duration)> {
    let (count, pause) = text.strip_prefix("count ")?.split_once(" every ")?;
    Some((count.parse().ok()?, Duration::from_millis(pause.parse().ok()?)))
}
