//! The agent that the compatibility kit of 0.3 drives.

use std::time::Duration;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, Turn};

/// Works a while on whatever it is told, then asks for more.
///
/// The kit judges by the states that it sees on the way, so the work takes a time that it can
/// look into.
pub struct Tck03;

/// Messages whose ids begin so start a task that the kit leaves and comes back to.
const LEFT_ALONE: &str = "test-resubscribe-message-id";

/// Long enough to be seen at work.
const WORK: Duration = Duration::from_secs(1);

/// More than twice the kit's limit for a stream, as it wants it to be.
const LONG_WORK: Duration = Duration::from_secs(6);

#[async_trait]
impl Agent for Tck03 {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        let left_alone = turn.message().message_id.as_str().starts_with(LEFT_ALONE);
        turn.working(None).await?;
        tokio::time::sleep(if left_alone { LONG_WORK } else { WORK }).await;
        turn.ask("Hello world!").await
    }
}
