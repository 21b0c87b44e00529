//! Any HTTP endpoint as an agent.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, OnRestart, Turn};
use legation_net::{Egress, Response};
use url::Url;

use super::endpoint::Endpoint;
use super::fault::Fault;
use super::frames::{Answered, Frames};
use super::wire;
use super::{BadSettings, Secret};
use crate::History;
use crate::answer::{Answer, Goes};

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
    /// The headers of a caller's request that the endpoint is told the values of, in lower case.
    pub credentials: Vec<String>,
    /// What it is told of what was said before.
    pub history: History,
    /// How long one message may take in all.
    pub timeout: Duration,
    /// Whether the endpoint is asked for a stream.
    pub stream: bool,
    /// Whether addresses of this machine and of private networks may be called.
    pub allow_private: bool,
    /// By what way calls leave.
    pub egress: Egress,
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
            credentials: Vec::new(),
            history: History::default(),
            timeout: Duration::from_secs(300),
            stream: true,
            allow_private: false,
            egress: Egress::default(),
            on_restart: OnRestart::Fail,
        }
    }
}

/// An agent whose work is done by an HTTP endpoint: it takes a message as JSON and answers with
/// JSON, with text, or with a stream of either.
#[derive(Clone, Debug)]
pub struct Http {
    endpoint: Endpoint,
    credentials: Vec<String>,
    history: History,
    stream: bool,
    on_restart: OnRestart,
}

impl Http {
    /// Makes the agent. Nothing is called yet.
    ///
    /// # Errors
    /// When the settings cannot be those of any endpoint.
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        let Settings { url, headers, credentials, history, .. } = settings;
        let Settings { timeout, stream, allow_private, egress, on_restart, .. } = settings;
        let egress = egress.to_any_if(allow_private);
        let endpoint = Endpoint::new(url, &headers, timeout, egress)?;
        Ok(Self { endpoint, credentials, history, stream, on_restart })
    }

    async fn work(&self, turn: &mut Turn) -> Result<(), Fault> {
        let accept = if self.stream { ANY_ANSWER } else { ONE_ANSWER };
        let told = wire::tell(turn, &self.history.all(turn).await?);
        let response = self.endpoint.post(told.into(), accept, turn.entrusted()).await?;
        match Answered::of(response) {
            Answered::Stream(frames) => follow(turn, frames).await,
            // What a proxy shows people, such as a page to log in.
            Answered::Whole(response) if response.media_type() == "text/html" => {
                Err(unreadable("it is a web page"))
            }
            Answered::Whole(response) if response.media_type().starts_with("text/") => {
                text(turn, response).await
            }
            Answered::Whole(response) => whole(turn, response).await,
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

    fn entrusted(&self) -> &[String] {
        &self.credentials
    }
}

/// Gives an answer that comes in one piece.
async fn whole(turn: &mut Turn, response: Response) -> Result<(), Fault> {
    let bytes = response.bytes().await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not UTF-8"))?;
    let mut answer = Answer::new();
    for said in wire::read_whole(text).map_err(unreadable)? {
        if answer.take(turn, said).await? == Goes::Done {
            return Ok(());
        }
    }
    Ok(answer.complete(turn, Vec::new()).await?)
}

/// Gives what the events of a stream say, in their order.
async fn follow(turn: &mut Turn, mut frames: Frames) -> Result<(), Fault> {
    let (mut answer, mut number) = (Answer::new(), 0);
    while let Some(texts) = frames.next().await? {
        for text in texts {
            number += 1;
            // How streams of models end.
            if text == "[DONE]" {
                return Ok(answer.complete(turn, Vec::new()).await?);
            }
            let said = wire::read(&text)
                .map_err(|reason| unreadable(format!("event {number}: {reason}")))?;
            if answer.take(turn, said).await? == Goes::Done {
                return Ok(());
            }
        }
    }
    Ok(answer.complete(turn, Vec::new()).await?)
}

/// Gives text as it arrives.
async fn text(turn: &mut Turn, mut response: Response) -> Result<(), Fault> {
    let (mut answer, mut rest) = (Answer::new(), Vec::new());
    while let Some(piece) = response.chunk().await? {
        rest.extend_from_slice(&piece);
        let whole = whole_characters(&rest).ok_or_else(|| unreadable("it is not UTF-8"))?;
        let next = rest.split_off(whole);
        let text = String::from_utf8(std::mem::replace(&mut rest, next));
        answer.stream(turn, text.expect("whole characters, as just counted")).await?;
    }
    if !rest.is_empty() {
        return Err(unreadable("it ends within a character"));
    }
    Ok(answer.complete(turn, Vec::new()).await?)
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
