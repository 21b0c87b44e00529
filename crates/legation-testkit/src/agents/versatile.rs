//! The agent of the tests of versions and bindings: what gets lost on a way shows in what it says.

use async_trait::async_trait;
use legation_core::{Agent, AgentError, OnRestart, Turn};
use legation_model::{
    Artifact, ArtifactId, Base64, Content, Json, Message, Metadata, Part, Role, TaskState,
};

/// Says everything that can be said, or does the one thing it is told.
///
/// Text `hello` is answered directly; `ask`, `authorize` and `reject` settle a task as they say; `wait`
/// works until it is stopped; anything else gives artifacts and an answer.
pub struct Versatile;

#[async_trait]
impl Agent for Versatile {
    async fn reply(&self, message: &Message) -> Option<Message> {
        (message.text() == "hello").then(|| Message::new(Role::Agent, everything()))
    }

    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        match &*turn.message().text() {
            "ask" => turn.ask("which?").await,
            "authorize" => turn.settle(TaskState::AuthRequired, "who are you?").await,
            "reject" => turn.reject("no").await,
            "wait" => {
                turn.working(Some("waiting")).await?;
                turn.stopped().await;
                Err(AgentError::Stopped)
            }
            _ => {
                turn.working(Some("at it")).await?;
                let mut artifact = Artifact::new(id("report"), everything());
                artifact.name = Some("Report".into());
                artifact.description = Some("All there is".into());
                artifact.metadata = Metadata::single("pages", &3).ok();
                artifact.extensions = vec!["urn:x".into()];
                turn.artifact(artifact).await?;
                for piece in ["a", "b"] {
                    let chunk = Artifact::new(id("artifact-7"), vec![Part::text(piece)]);
                    turn.chunk(chunk, piece == "b").await?;
                }
                turn.answer(everything()).await
            }
        }
    }

    fn on_restart(&self) -> OnRestart {
        OnRestart::Fail
    }
}

fn id(id: &str) -> ArtifactId {
    ArtifactId::parse(id).expect("a valid identifier")
}

/// Parts of every kind, with all that a part may have.
pub fn everything() -> Vec<Part> {
    let json = |text| Json::parse(text).expect("JSON");
    let mut text = Part::text("said \u{1f600}").with_media_type("text/markdown");
    text.metadata = Metadata::single("k", &[1]).ok();
    vec![
        text,
        Part::from(Content::Raw(Base64::encode(b"\0\xff")))
            .with_filename("b")
            .with_media_type("a/b"),
        Part::from(Content::Url("https://example.com/x".into())).with_media_type("image/png"),
        Part::data(json(r#"{"n":[1,null]}"#)),
        Part::data(json("[1.50,true]")).with_filename("d.json"),
        Part::data(json("null")),
    ]
}
