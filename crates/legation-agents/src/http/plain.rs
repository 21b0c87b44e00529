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
use super::wire::{self, Event};
use super::{BadSettings, Secret};

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
        let said = wire::said(turn, &earlier(turn).await?);
        let response = self.endpoint.post(said.into(), accept).await?;
        match Answered::of(response) {
            Answered::Stream(frames) => Answer::of(turn).follow(frames).await,
            // What a proxy shows people, such as a page to log in.
            Answered::Whole(response) if response.media_type() == "text/html" => {
                Err(unreadable("it is a web page"))
            }
            Answered::Whole(response) if response.media_type().starts_with("text/") => {
                Answer::of(turn).text(response).await
            }
            Answered::Whole(response) => whole(turn, response).await,
        }
    }
}

#[async_trait]
impl Agent for Http {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        turn.working(None).await?;
        let timeout = self.endpoint.timeout();
        let done = tokio::time::timeout(timeout, self.work(turn)).await;
        let done = done.unwrap_or(Err(Fault::Slow(timeout)));
        done.map_err(|fault| fault.into_error(WHO, &self.endpoint.place()))
    }

    fn on_restart(&self) -> OnRestart {
        self.on_restart
    }
}

/// An answer in one piece.
async fn whole(turn: &mut Turn, response: Response) -> Result<(), Fault> {
    let bytes = response.bytes().await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not UTF-8"))?;
    let mut event = Event::parse_whole(text).map_err(unreadable)?;
    let mut answer = event.answer();
    if let (Some(part), Some(usage)) = (answer.last_mut(), event.usage.take()) {
        wire::note_usage(part, usage);
    }
    if let Some(artifact) = event.artifact.take() {
        turn.artifact(artifact).await?;
    }
    if ends(turn, &event).await? {
        return Ok(());
    }
    if answer.is_empty() {
        return Ok(turn.complete().await?);
    }
    Ok(turn.answer(answer).await?)
}

/// Ends the run in the way that an event says; false when it says none.
async fn ends(turn: &mut Turn, event: &Event) -> Result<bool, Fault> {
    if let Some(reason) = &event.error {
        return Err(Fault::Told(reason.clone()));
    }
    if let Some(reason) = &event.reject {
        turn.reject(reason.as_str()).await?;
    } else if let Some(question) = &event.ask {
        turn.ask(question.as_str()).await?;
    } else if let Some(wanted) = &event.authorize {
        turn.settle(TaskState::AuthRequired, wanted.as_str()).await?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// An answer that comes in pieces: they are chunks of one artifact.
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
        self.close().await?;
        Ok(self.turn.complete().await?)
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
                let event = Event::parse(&text)
                    .map_err(|reason| unreadable(format!("event {number}: {reason}")))?;
                if self.event(event).await? {
                    return Ok(());
                }
            }
        }
        self.complete().await
    }

    /// Gives what one event says; true when it ended the run.
    async fn event(&mut self, mut event: Event) -> Result<bool, Fault> {
        if let Some(note) = &event.working {
            self.turn.working(Some(note)).await?;
        }
        self.give(event.answer()).await?;
        if let Some(artifact) = event.artifact.take() {
            if event.append {
                self.turn.chunk(artifact, false).await?;
            } else {
                self.turn.artifact(artifact).await?;
            }
        }
        if let Some(usage) = event.usage.take() {
            self.took(usage);
        }
        ends(self.turn, &event).await
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
