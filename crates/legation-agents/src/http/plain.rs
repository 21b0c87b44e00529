//! Any HTTP endpoint as an agent.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, OnRestart, Turn};
use legation_model::{Artifact, ArtifactId, Json, Part, TaskState};
use legation_net::Response;
use url::Url;

use super::earlier::earlier;
use super::endpoint::Endpoint;
use super::fault::Fault;
use super::frames::{Answered, Frames};
use super::wire;
use super::{BadSettings, Secret};
use crate::said::Said;

const WHO: &str = "the program behind this agent";
const ONE_ANSWER: &str = "application/json, text/plain";
const ANY_ANSWER: &str = "text/event-stream, application/x-ndjson, application/json, text/plain";

/// An endpoint, and how it is called.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where messages are posted to.
    pub url: Url,
    /// Headers of every call, such as a credential.
    pub headers: BTreeMap<String, Secret>,
    /// How long one message may take in all.
    pub timeout: Duration,
    /// Whether the endpoint is asked for a stream.
    pub stream: bool,
    /// Whether addresses of this machine and of private networks may be called.
    pub allow_private: bool,
    /// What becomes of a message that was being worked on when this server died.
    pub on_restart: OnRestart,
}

impl Settings {
    /// The settings of an endpoint at this address: five minutes, streams welcome, public addresses
    /// only; a message is given once.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(300),
            stream: true,
            allow_private: false,
            on_restart: OnRestart::Fail,
        }
    }
}

/// An agent whose work is done by an HTTP endpoint: it takes a message as JSON and answers with
/// JSON, with text, or with a stream of either.
#[derive(Clone, Debug)]
pub struct Http {
    endpoint: Endpoint,
    stream: bool,
    on_restart: OnRestart,
}

impl Http {
    /// Makes the agent. Nothing is called yet.
    ///
    /// # Errors
    /// When the settings cannot be those of any endpoint.
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        let Settings { url, headers, timeout, stream, allow_private, on_restart } = settings;
        let endpoint = Endpoint::new(url, &headers, timeout, allow_private)?;
        Ok(Self { endpoint, stream, on_restart })
    }

    async fn work(&self, turn: &mut Turn) -> Result<(), Fault> {
        let accept = if self.stream { ANY_ANSWER } else { ONE_ANSWER };
        let told = wire::tell(turn, &earlier(turn).await?);
        let response = self.endpoint.post(told.into(), accept).await?;
        match Answered::of(response) {
            Answered::Stream(frames) => Answer::of(turn).follow(frames).await,
            // What a proxy shows people, such as a page to log in.
            Answered::Whole(response) if response.media_type() == "text/html" => {
                Err(unreadable("it is a web page"))
            }
            Answered::Whole(response) if response.media_type().starts_with("text/") => {
                Answer::of(turn).text(response).await
            }
            Answered::Whole(response) => Answer::of(turn).whole(response).await,
        }
    }
}

#[async_trait]
impl Agent for Http {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        turn.working(None).await?;
        self.endpoint.within_its_time(WHO, self.work(turn)).await
    }

    fn on_restart(&self) -> OnRestart {
        self.on_restart
    }
}

/// An answer as it is given. What comes in pieces are chunks of one artifact.
pub(super) struct Answer<'t> {
    turn: &'t mut Turn,
    id: ArtifactId,
    usage: Option<Json>,
    /// Something of it was given.
    begun: bool,
}

impl<'t> Answer<'t> {
    pub(super) fn of(turn: &'t mut Turn) -> Self {
        let id = ArtifactId::parse("answer").expect("a valid identifier");
        Self { turn, id, usage: None, begun: false }
    }

    /// Gives the next parts.
    pub(super) async fn give(&mut self, parts: Vec<Part>) -> Result<(), Fault> {
        if parts.is_empty() {
            return Ok(());
        }
        self.begun = true;
        Ok(self.turn.chunk(Artifact::new(self.id.clone(), parts), false).await?)
    }

    /// Notes what the answer took.
    pub(super) fn took(&mut self, usage: Json) {
        self.usage = Some(usage);
    }

    /// Completes the task with what was given.
    pub(super) async fn complete(mut self) -> Result<(), Fault> {
        self.end(Vec::new()).await
    }

    /// Completes the task with these parts, or with what was given when there are none.
    async fn end(&mut self, mut parts: Vec<Part>) -> Result<(), Fault> {
        let Some(last) = parts.last_mut() else {
            self.close().await?;
            return Ok(self.turn.complete().await?);
        };
        if let Some(usage) = self.usage.take() {
            wire::note_usage(last, usage);
        }
        Ok(self.turn.answer(parts).await?)
    }

    /// Marks the end of the artifact.
    async fn close(&mut self) -> Result<(), Fault> {
        if !std::mem::take(&mut self.begun) {
            return Ok(());
        }
        let mut last = Part::text("");
        if let Some(usage) = self.usage.take() {
            wire::note_usage(&mut last, usage);
        }
        Ok(self.turn.chunk(Artifact::new(self.id.clone(), vec![last]), true).await?)
    }

    /// Gives an answer that comes in one piece.
    async fn whole(mut self, response: Response) -> Result<(), Fault> {
        let bytes = response.bytes().await?;
        let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not UTF-8"))?;
        for said in wire::read_whole(text).map_err(unreadable)? {
            if self.said(said).await? {
                return Ok(());
            }
        }
        self.complete().await
    }

    /// Gives what the events of a stream say, in their order.
    async fn follow(mut self, mut frames: Frames) -> Result<(), Fault> {
        let mut number = 0;
        while let Some(texts) = frames.next().await? {
            for text in texts {
                number += 1;
                // How streams of models end.
                if text == "[DONE]" {
                    return self.complete().await;
                }
                let said = wire::read(&text)
                    .map_err(|reason| unreadable(format!("event {number}: {reason}")))?;
                if self.said(said).await? {
                    return Ok(());
                }
            }
        }
        self.complete().await
    }

    /// Does what one event says; true when it is the last.
    async fn said(&mut self, said: Said) -> Result<bool, Fault> {
        match said {
            Said::Status(note) => self.turn.working(note.as_deref()).await?,
            Said::Chunk { artifact: None, text, .. } => self.give(vec![Part::text(text)]).await?,
            Said::Chunk { artifact: Some(id), text, last } => {
                self.turn.chunk(Artifact::new(id, vec![Part::text(text)]), last).await?;
            }
            Said::Artifact(artifact) => self.turn.artifact(artifact).await?,
            Said::Usage(usage) => self.took(usage),
            Said::Log(text) => tracing::info!(task = %self.turn.task().id, text),
            Said::Complete(parts) => {
                self.end(parts).await?;
                return Ok(true);
            }
            Said::Question(parts) => {
                self.turn.ask(parts).await?;
                return Ok(true);
            }
            Said::Auth(parts) => {
                self.turn.settle(TaskState::AuthRequired, parts).await?;
                return Ok(true);
            }
            Said::Reject(parts) => {
                self.turn.reject(parts).await?;
                return Ok(true);
            }
            Said::Failure(reason) => return Err(Fault::Told(reason)),
        }
        Ok(false)
    }

    /// Gives text as it arrives.
    async fn text(mut self, mut response: Response) -> Result<(), Fault> {
        let mut rest = Vec::new();
        while let Some(piece) = response.chunk().await? {
            rest.extend_from_slice(&piece);
            let whole = whole_characters(&rest).ok_or_else(|| unreadable("it is not UTF-8"))?;
            let next = rest.split_off(whole);
            let text = String::from_utf8(std::mem::replace(&mut rest, next));
            let text = text.expect("whole characters, as just counted");
            if !text.is_empty() {
                self.give(vec![Part::text(text)]).await?;
            }
        }
        if !rest.is_empty() {
            return Err(unreadable("it ends within a character"));
        }
        self.complete().await
    }
}

/// How many bytes at the beginning are whole characters; `None` when the rest can become none.
fn whole_characters(bytes: &[u8]) -> Option<usize> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.len()),
        Err(error) if error.error_len().is_none() => Some(error.valid_up_to()),
        Err(_) => None,
    }
}

fn unreadable(reason: impl Into<String>) -> Fault {
    Fault::Unreadable(reason.into())
}
