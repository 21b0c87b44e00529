//! What an agent sees beside its own task: what the call with the message may see.

use std::sync::Arc;

use legation_core::{Call, Caller, OnRestart, Profile, Reply, Service};
use legation_model::{Request, Task, TaskId};

use crate::bench::{Bench, Scripted, message};

const AGENTS: [&str; 2] = ["first", "second"];

fn service(bench: &Bench) -> Arc<Service> {
    let agent = || Scripted {
        on_restart: OnRestart::Fail,
        gate: bench.gate.clone(),
        replies: bench.replies.clone(),
    };
    AGENTS
        .iter()
        .fold(Service::builder(bench.store.clone()), |builder, slug| {
            builder.agent(Profile::new(slug, slug, "Does what it is told"), agent())
        })
        .build()
        .expect("agents with slugs of their own")
}

async fn say(service: &Service, call: &Call, text: &str) -> Task {
    match service.call(call, Request::SendMessage(message(text))).await {
        Ok(Reply::SentTask(task)) => task.read().expect("a task"),
        other => panic!("not a task: {other:?}"),
    }
}

/// An agent used to see the tasks that its caller had with every other agent, also for credentials
/// that are good for it alone.
#[tokio::test]
async fn an_agent_sees_the_tasks_that_the_call_may_see() {
    let bench = Bench::new();
    let service = service(&bench);
    let call = |subject: &str, mount: Option<&str>, only: Option<&str>| Call {
        agent: mount.map(Into::into),
        ..Call::by(Caller {
            agents: only.map(|only| [only.into()].into()),
            ..Caller::new("t", subject)
        })
    };
    let of = |subject: &'static str, agent: &'static str| {
        let (service, call) = (service.clone(), call(subject, Some(agent), None));
        async move { say(&service, &call, "answer").await.id }
    };
    let (one, two) = (of("ann", "first").await, of("ann", "second").await);
    let bobs = of("bob", "first").await;
    let random = TaskId::parse("0190f3a0-0000-7000-8000-000000000000").expect("an id");
    let (crew, mount) = (call("ann", None, None), call("ann", Some("first"), None));
    let bound = call("ann", None, Some("first"));
    let cases = [
        (&crew, &one, true),
        (&crew, &two, true),
        (&crew, &bobs, false),
        (&crew, &random, false),
        (&mount, &one, true),
        (&mount, &two, false),
        (&bound, &one, true),
        (&bound, &two, false),
        (&bound, &bobs, false),
    ];
    for (number, (call, id, sees)) in cases.into_iter().enumerate() {
        let task = say(&service, call, &format!("see:{id}")).await;
        let said = task.status.message.map(|message| message.text()).unwrap_or_default();
        assert_eq!(said, if sees { "seen" } else { "nothing" }, "case {number}");
    }
}
