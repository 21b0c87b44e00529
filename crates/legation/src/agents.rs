//! Agents as the configuration describes them, made into agents that work.

use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderName;
use anyhow::Context as _;
use legation::model::Message;
use legation::{Agent, AgentError, Exposed, OnRestart, Profile, Turn, async_trait};
use legation_agents::analyst::FetchingAnalyst;
use legation_agents::http::{self, openai};
use legation_net::{Egress, Http};

use crate::config::{self, ResolvedAgent, Runtime};

/// Makes an agent.
///
/// # Errors
/// When what does its work cannot be had.
pub(crate) fn build(resolved: &ResolvedAgent, egress: &Egress) -> anyhow::Result<Exposed> {
    let ResolvedAgent { profile, runtime, on_restart } = resolved;
    let built: Arc<dyn Agent> = match runtime {
        Runtime::Analyst(_) => Arc::new(FetchingAnalyst::by(Http::by(egress.clone())?)),
        Runtime::Exec(given) => program(given, *on_restart).with_context(|| of(profile))?,
        Runtime::Http(given) => {
            endpoint(given, *on_restart, egress).with_context(|| of(profile))?
        }
        Runtime::OpenAi(given) => model(given, egress).with_context(|| of(profile))?,
    };
    let agent = match *on_restart {
        Some(on_restart) => Arc::new(WithPolicy { agent: built, on_restart }),
        None => built,
    };
    Ok(Exposed { profile: profile.clone(), agent })
}

fn of(profile: &Profile) -> String {
    format!("cannot make the agent `{}`", profile.slug)
}

#[cfg(unix)]
fn program(given: &config::Exec, on_restart: Option<OnRestart>) -> anyhow::Result<Arc<dyn Agent>> {
    use legation_agents::exec::{Exec, Mode, Settings};

    let defaults = Settings::new(given.command.clone());
    let mut env_allow = defaults.env_allow.clone();
    env_allow.extend(given.env.allow.iter().cloned());
    let env_set = given.env.set.iter();
    let settings = Settings {
        mode: match given.mode {
            config::Mode::PerTask => Mode::PerTask { processes: given.processes },
            config::Mode::Pool => Mode::Pool { workers: given.workers },
        },
        env_allow,
        env_set: env_set.map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect(),
        credentials: names(&given.credentials),
        cwd: given.cwd.as_ref().map(Into::into),
        memory_bytes: cfg!(target_os = "linux").then_some(given.memory),
        run_time: given.run_time,
        idle_time: given.idle_time,
        output_bytes: given.output,
        line_bytes: given.line,
        history: given.history.0,
        schema_attempts: given.schema_attempts,
        stop_grace: given.stop_grace,
        on_restart: on_restart.unwrap_or(defaults.on_restart),
        ..defaults
    };
    Ok(Arc::new(Exec::new(settings)?))
}

#[cfg(not(unix))]
fn program(_: &config::Exec, _: Option<OnRestart>) -> anyhow::Result<Arc<dyn Agent>> {
    anyhow::bail!("programs are agents on Unix systems only")
}

fn endpoint(
    given: &config::Http,
    on_restart: Option<OnRestart>,
    egress: &Egress,
) -> anyhow::Result<Arc<dyn Agent>> {
    let defaults = http::Settings::new(given.url.parse()?);
    let headers = given.headers.iter();
    Ok(Arc::new(http::Http::new(http::Settings {
        headers: headers.map(|(name, value)| (name.clone(), value.reveal().into())).collect(),
        credentials: names(&given.credentials),
        history: given.history.0,
        timeout: given.timeout,
        stream: given.stream,
        allow_private: given.allow_private,
        egress: egress.clone(),
        on_restart: on_restart.unwrap_or(defaults.on_restart),
        ..defaults
    })?))
}

fn model(given: &config::OpenAi, egress: &Egress) -> anyhow::Result<Arc<dyn Agent>> {
    Ok(Arc::new(http::OpenAi::new(openai::Settings {
        api_key: given.api_key.as_ref().map(|key| key.reveal().into()),
        system: given.system.clone(),
        history: given.history.0,
        timeout: given.timeout,
        stream: given.stream,
        allow_private: given.allow_private,
        egress: egress.clone(),
        ..openai::Settings::new(given.url.parse()?, given.model.clone())
    })?))
}

/// An agent whose owner says what becomes of its lost runs.
struct WithPolicy {
    agent: Arc<dyn Agent>,
    on_restart: OnRestart,
}

#[async_trait]
impl Agent for WithPolicy {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        self.agent.execute(turn).await
    }

    async fn reply(&self, message: &Message) -> Option<Message> {
        self.agent.reply(message).await
    }

    fn skill(&self, message: &Message) -> Option<String> {
        self.agent.skill(message)
    }

    fn on_restart(&self) -> OnRestart {
        self.on_restart
    }

    fn entrusted(&self) -> &[String] {
        self.agent.entrusted()
    }

    fn stop_grace(&self) -> Duration {
        self.agent.stop_grace()
    }

    async fn close(&self) {
        self.agent.close().await;
    }
}

/// The names of headers, in lower case.
fn names(headers: &[HeaderName]) -> Vec<String> {
    headers.iter().map(|name| name.as_str().to_owned()).collect()
}
