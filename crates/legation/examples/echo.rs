//! An agent of one's own, served from one's own `main`:
//! `cargo run --release --example echo`, then call it as it says.
#![expect(clippy::print_stdout, reason = "what the example tells its user")]

use legation::{Agent, AgentError, Profile, Server, Turn, async_trait};

struct Echo;

#[async_trait]
impl Agent for Echo {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        let text = turn.message().text();
        turn.answer(text).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("legation send http://127.0.0.1:8080 hello");
    let profile = Profile::new("echo", "Echo", "Says what you say");
    Server::builder().agent(profile, Echo).serve("127.0.0.1:8080").await?;
    Ok(())
}
