//! Agents as the configuration describes them, made into agents that work.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use legation::model::Message;
use legation::{Agent, AgentError, Exposed, OnRestart, Turn, async_trait};
use legation_agents::analyst::DataAnalyst;

use crate::config::{ResolvedAgent, Runtime};

/// Makes an agent.
///
/// # Errors
/// When what does its work cannot be had.
pub(crate) fn build(resolved: &ResolvedAgent) -> anyhow::Result<Exposed> {
    let ResolvedAgent { profile, runtime, on_restart } = resolved;
    let built: Arc<dyn Agent> = match runtime {
        Runtime::Analyst(_) => Arc::new(DataAnalyst),
        Runtime::Exec(_) => bail!("agent `{}`: the runtime `exec` is not built in", profile.slug),
        Runtime::Http(_) => bail!("agent `{}`: the runtime `http` is not built in", profile.slug),
        Runtime::OpenAi(_) => {
            bail!("agent `{}`: the runtime `openai` is not built in", profile.slug)
        }
    };
    let agent = match *on_restart {
        Some(on_restart) => Arc::new(WithPolicy { agent: built, on_restart }),
        None => built,
    };
    Ok(Exposed { profile: profile.clone(), agent })
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

    fn on_restart(&self) -> OnRestart {
        self.on_restart
    }

    fn stop_grace(&self) -> Duration {
        self.agent.stop_grace()
    }
}
