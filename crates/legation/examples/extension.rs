//! An extension of one's own: it counts the words of what the agent says.
//! `cargo run --release --example extension`, then call it as it says.
#![expect(clippy::print_stdout, reason = "what the example tells its user")]

use legation::model::{A2aError, AgentExtension, Json, Message, StreamResponse};
use legation::{Agent, AgentError, Call, Extension, Profile, Server, Service, Turn, async_trait};

/// Names the extension and its version: another meaning would need another URI.
const WORDS: &str = "urn:example:words:1";

struct Words;

#[async_trait]
impl Extension for Words {
    fn declaration(&self) -> AgentExtension {
        AgentExtension {
            uri: WORDS.into(),
            description: Some("Counts words".into()),
            ..AgentExtension::default()
        }
    }

    /// Puts the number of words into the metadata of what says something, under the URI.
    fn on_response(&self, _: &Call, response: &StreamResponse, _: Option<u64>) -> Option<Json> {
        let said = match response {
            StreamResponse::Task(task) => task.status.message.as_ref(),
            StreamResponse::Message(message) => Some(message),
            StreamResponse::StatusUpdate(update) => update.status.message.as_ref(),
            StreamResponse::ArtifactUpdate(_) => None,
        };
        Json::from_value(&words(said?)).ok()
    }

    /// A JSON-RPC method beside the protocol's own.
    async fn method(
        &self,
        _: &Service,
        _: &Call,
        method: &str,
        params: Option<&Json>,
    ) -> Option<Result<Json, A2aError>> {
        if method != "words/count" {
            return None;
        }
        let message = params.and_then(|params| params.read::<Message>().ok());
        let message = message.ok_or_else(|| A2aError::invalid("params", "must be a message"));
        Some(message.and_then(|message| {
            let count = Json::from_value(&words(&message));
            count.map_err(|error| A2aError::invalid("params", error.to_string()))
        }))
    }
}

fn words(message: &Message) -> usize {
    message.text().split_whitespace().count()
}

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
    println!(
        r#"curl http://127.0.0.1:8080/message:send -H 'Content-Type: application/json' \
  -H 'A2A-Version: 1.0' -H 'A2A-Extensions: {WORDS}' \
  -d '{{"message":{{"messageId":"1","role":"ROLE_USER","parts":[{{"text":"one two three"}}]}}}}'"#
    );
    let profile = Profile::new("echo", "Echo", "Says what you say");
    let server = Server::builder().agent(profile, Echo).extension(Words).without_auth();
    server.serve("127.0.0.1:8080").await?;
    Ok(())
}
