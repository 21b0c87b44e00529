//! A model that speaks the chat completions of OpenAI, as a plain agent: what was said in the task
//! goes in, what the model says comes out. It calls no tools.

mod answer;
mod talk;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, Entrusted, OnRestart, Turn};
use legation_model::Json;
use legation_net::Egress;
use serde_json::{Value, json};
use url::Url;

use super::endpoint::Endpoint;
use super::fault::Fault;
use super::frames::Answered;
use super::{BadSettings, Secret};
use crate::History;
use crate::answer::Answer;
use answer::{Chunk, Completion};

const WHO: &str = "the model";
const ONE_ANSWER: &str = "application/json";
const STREAM: &str = "text/event-stream, application/json";
/// How often a model is asked for an answer that satisfies a schema.
const TRIES: u32 = 2;

/// A model, and how it is asked.
#[derive(Clone)]
pub struct Settings {
    /// The base address, such as `https://api.openai.com/v1`.
    pub url: Url,
    /// The name of the model.
    pub model: String,
    /// The key, sent as a bearer token.
    pub api_key: Option<Secret>,
    /// What the model is told before everything else. See [`Settings::system_of_role`].
    pub system: Option<String>,
    /// How much the model varies its answers.
    pub temperature: Option<f64>,
    /// The most tokens of an answer.
    pub max_tokens: Option<u32>,
    /// Further headers of every call.
    pub headers: BTreeMap<String, Secret>,
    /// What the model is told of what was said before.
    pub history: History,
    /// How long one message may take in all.
    pub timeout: Duration,
    /// Whether the answer is given as the model writes it.
    pub stream: bool,
    /// Whether addresses of this machine and of private networks may be called, for a model that
    /// runs there.
    pub allow_private: bool,
    /// By what way calls leave.
    pub egress: Egress,
}

impl Settings {
    /// The settings of a model at this base address: five minutes, streamed, public addresses only.
    pub fn new(url: Url, model: impl Into<String>) -> Self {
        Self {
            url,
            model: model.into(),
            api_key: None,
            system: None,
            temperature: None,
            max_tokens: None,
            headers: BTreeMap::new(),
            history: History::default(),
            timeout: Duration::from_secs(300),
            stream: true,
            allow_private: false,
            egress: Egress::default(),
        }
    }

    /// What a model is told of itself: who it is, where it comes from and what it is to reach.
    pub fn system_of_role(role: &str, goal: &str, backstory: &str) -> String {
        let sentences = [("You are ", role), ("", backstory), ("Your goal: ", goal)];
        let said = sentences.into_iter().filter(|(_, text)| !text.trim().is_empty());
        let said =
            said.map(|(before, text)| format!("{before}{}.", text.trim().trim_end_matches('.')));
        said.collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Debug for Settings {
    /// Leaves the prompt out, which is long and the operator's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url.as_str())
            .field("model", &self.model)
            .field("api_key", &self.api_key)
            .field("temperature", &self.temperature)
            .field("max_tokens", &self.max_tokens)
            .field("headers", &self.headers)
            .field("timeout", &self.timeout)
            .field("stream", &self.stream)
            .field("allow_private", &self.allow_private)
            .finish_non_exhaustive()
    }
}

/// An agent whose answers a model writes.
#[derive(Clone, Debug)]
pub struct OpenAi {
    endpoint: Endpoint,
    settings: Settings,
}

impl OpenAi {
    /// Makes the agent. Nothing is called yet.
    ///
    /// # Errors
    /// When the settings cannot be those of any model.
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        let mut url = settings.url.clone();
        let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let Settings { headers, timeout, allow_private, egress, .. } = &settings;
        let egress = egress.clone().to_any_if(*allow_private);
        let mut endpoint = Endpoint::new(url, headers, *timeout, egress)?;
        if let Some(key) = &settings.api_key {
            endpoint = endpoint.with_bearer(key)?;
        }
        Ok(Self { endpoint, settings })
    }

    async fn work(&self, turn: &mut Turn) -> Result<(), Fault> {
        let system = self.settings.system.as_deref();
        let earlier = self.settings.history.all(turn).await?;
        let messages = talk::messages(system, &earlier, turn.message()).map_err(Fault::Told)?;
        match turn.schema().map(Json::read::<Value>) {
            // The door has let the schema in, so it can be read.
            Some(Ok(schema)) => self.structured(turn, messages, &schema).await,
            Some(Err(_)) | None if self.settings.stream => self.streamed(turn, messages).await,
            Some(Err(_)) | None => self.whole(turn, messages).await,
        }
    }

    async fn whole(&self, turn: &mut Turn, messages: Vec<Value>) -> Result<(), Fault> {
        let response = self.ask(&self.question(messages), ONE_ANSWER).await?;
        give(turn, Completion::read(&response.bytes().await?)?).await
    }

    /// Asks for JSON of a shape. What does not satisfy the schema goes back to the model with the
    /// reason, once. It is not streamed: half of a JSON text is of no use to anybody.
    async fn structured(
        &self,
        turn: &mut Turn,
        mut messages: Vec<Value>,
        schema: &Value,
    ) -> Result<(), Fault> {
        for attempt in 1.. {
            let mut question = self.question(messages.clone());
            question["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema},
            });
            let response = self.ask(&question, ONE_ANSWER).await?;
            let completion = Completion::read(&response.bytes().await?)?;
            let said = completion.text.clone();
            match give(turn, completion).await {
                Err(Fault::Agent(AgentError::Unfit(reason))) if attempt < TRIES => {
                    let retort = format!(
                        "That does not satisfy the schema: {reason}. Answer again, with nothing but JSON that does."
                    );
                    messages.push(json!({"role": "assistant", "content": said}));
                    messages.push(json!({"role": "user", "content": retort}));
                }
                done => return done,
            }
        }
        unreachable!("the last try returns")
    }

    /// Gives the answer as the model writes it.
    async fn streamed(&self, turn: &mut Turn, messages: Vec<Value>) -> Result<(), Fault> {
        let mut question = self.question(messages);
        question["stream"] = json!(true);
        question["stream_options"] = json!({"include_usage": true});
        let mut frames = match Answered::of(self.ask(&question, STREAM).await?) {
            Answered::Stream(frames) => frames,
            // A server that cannot stream answers at once.
            Answered::Whole(response) => {
                return give(turn, Completion::read(&response.bytes().await?)?).await;
            }
        };
        let mut heard = Chunk::default();
        let mut shown = Answer::new();
        let mut ended = false;
        while let Some(texts) = frames.next().await? {
            for text in texts {
                ended |= text == "[DONE]";
                if !ended {
                    heard.take(&text)?;
                }
            }
            // What arrived together is told together.
            if let Some(text) = heard.text() {
                shown.stream(turn, text).await?;
            }
            if ended {
                break;
            }
        }
        let end = heard.end(ended)?;
        if let Some(usage) = end.usage {
            turn.usage(usage);
        }
        if let Some(reason) = end.refusal {
            return Ok(turn.reject(reason).await?);
        }
        Ok(shown.complete(turn, Vec::new()).await?)
    }

    async fn ask(
        &self,
        question: &Value,
        accept: &'static str,
    ) -> Result<legation_net::Response, Fault> {
        let body = serde_json::to_vec(question).expect("a tree of JSON values is JSON");
        self.endpoint.post(body.into(), accept, &Entrusted::default()).await.map_err(answer::told)
    }

    fn question(&self, messages: Vec<Value>) -> Value {
        let mut question = json!({"model": self.settings.model, "messages": messages});
        if let Some(temperature) = self.settings.temperature {
            question["temperature"] = json!(temperature);
        }
        if let Some(most) = self.settings.max_tokens {
            question["max_tokens"] = json!(most);
        }
        question
    }
}

#[async_trait]
impl Agent for OpenAi {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        turn.working(None).await?;
        self.endpoint.within_its_time(WHO, self.work(turn)).await
    }

    /// A model can be asked again: nothing but its price is lost.
    fn on_restart(&self) -> OnRestart {
        OnRestart::Retry
    }
}

/// Gives an answer that came whole, or says that the model declined.
async fn give(turn: &mut Turn, completion: Completion) -> Result<(), Fault> {
    if let Some(reason) = completion.refusal {
        return Ok(turn.reject(reason).await?);
    }
    if let Some(usage) = completion.usage {
        turn.usage(usage);
    }
    Ok(turn.answer(completion.text).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_becomes_a_prompt() {
        let said = Settings::system_of_role("Data Analyst", "Find insights.", "");
        assert_eq!(said, "You are Data Analyst.\nYour goal: Find insights.");
    }

    #[test]
    fn keys_are_not_shown() {
        let url = Url::parse("https://example.com/v1").expect("a URL");
        let key = Some("sk-hidden".into());
        let settings = Settings { api_key: key, ..Settings::new(url, "m") };
        let shown = format!("{settings:?} {:?}", OpenAi::new(settings.clone()).expect("good"));
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
