//! An agent that streams and survives `kill -9`: it goes on counting where it was.
//! `cargo run --release --example counter`, then in another terminal
//! `legation stream http://127.0.0.1:8080 100`; kill the server and start it again meanwhile.
#![expect(clippy::print_stdout, reason = "what the example tells its user")]

use std::time::Duration;

use legation::model::{Artifact, ArtifactId, Part};
use legation::{Agent, AgentError, OnRestart, Profile, Server, Turn, async_trait};

struct Counter;

#[async_trait]
impl Agent for Counter {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        let count = turn.message().text().trim().parse::<usize>();
        let Ok(count) = count else { return turn.ask("How far shall I count?").await };
        // What an attempt before this one has counted is in the task.
        let counted = turn.task().artifacts.first().map_or(0, |count| count.parts.len());
        turn.working(None).await?;
        for number in counted + 1..=count {
            let id =
                ArtifactId::parse("count").map_err(|bad| AgentError::failed(bad.to_string()))?;
            let parts = vec![Part::text(format!("{number} "))];
            turn.chunk(Artifact::new(id, parts), number == count).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        turn.complete().await
    }

    fn on_restart(&self) -> OnRestart {
        OnRestart::Resume
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("legation stream http://127.0.0.1:8080 100");
    let profile = Profile::new("counter", "Counter", "Counts aloud, whatever happens");
    Server::builder().agent(profile, Counter).serve("127.0.0.1:8080").await?;
    Ok(())
}
