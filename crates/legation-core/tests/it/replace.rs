//! Agents that take the place of others.

use std::sync::Arc;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, BuildError, Exposed, Profile, Turn};
use legation_model::{ErrorKind, Request};

use crate::bench::{Bench, counted, further, items, kind, short};

struct Other;

#[async_trait]
impl Agent for Other {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        turn.answer("another answer").await
    }
}

fn other(slug: &str) -> Vec<Exposed> {
    vec![Exposed { profile: Arc::new(Profile::new(slug, "Other", "")), agent: Arc::new(Other) }]
}

#[tokio::test]
async fn a_run_goes_on_with_the_agent_that_began_it() {
    let bench = Bench::new();
    let slug = bench.service.agents()[0].profile.slug.clone();
    let running = bench.stream("wait answer").await;
    let asked = bench.say("ask").await;
    bench.service.replace_agents(other(&slug)).expect("a good slug");
    bench.gate.notify_one();
    let seen = short(&items(running).await);
    assert!(seen.iter().any(|item| item.ends_with("+the answer")), "{seen:?}");
    assert!(seen.last().is_some_and(|item| item.ends_with("COMPLETED")), "{seen:?}");
    assert_eq!(counted(&bench.say("answer").await), ["another answer"]);
    let answered = bench.send(further(&asked, "answer")).await;
    assert_eq!(counted(&answered), ["another answer"]);
}

#[tokio::test]
async fn a_task_whose_agent_is_gone_stays_and_goes_on_no_more() {
    let bench = Bench::new();
    let asked = bench.say("ask").await;
    bench.service.replace_agents(other("other")).expect("a good slug");
    let request = Request::SendMessage(further(&asked, "answer"));
    assert_eq!(kind(bench.call(request).await), ErrorKind::UnsupportedOperation);
    assert_eq!(bench.get(&asked.id).await, asked);
}

#[tokio::test]
async fn agents_that_cannot_be_served_replace_nobody() {
    let bench = Bench::new();
    let before = bench.service.agents()[0].profile.slug.clone();
    assert_eq!(bench.service.replace_agents(Vec::new()), Err(BuildError::NoAgent));
    assert!(bench.service.replace_agents(other("No Slug")).is_err());
    assert_eq!(bench.service.agents()[0].profile.slug, before);
}
