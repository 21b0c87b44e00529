//! How long after an event is durable a reader on another replica has it: two services in this process,
//! on a PostgreSQL server made for this, which keeps what it promises, and where there is one a NATS server.
//! 500 events a second, of one task and of fifty.

#![allow(clippy::print_stdout, reason = "the figures are what this is for")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use legation_core::{Call, Caller, Follow, OnRestart, Profile, Reply, Service};
use legation_model::{
    Message, Part, Request, Role, SendMessageConfiguration, SendMessageRequest,
    SubscribeToTaskRequest, Task, TaskId,
};
use legation_store::postgres::{Nats, Options, PostgresStore};
use legation_testkit::agents::Counter;
use legation_testkit::nats;
use legation_testkit::postgres::Cluster;
use tokio::task::JoinSet;

const EVENTS: usize = 2_000;
const PER_SECOND: usize = 500;

fn main() -> anyhow::Result<()> {
    let cluster = Cluster::private().context("there is no PostgreSQL here")?;
    let server = nats::Nats::private();
    let nats =
        server.iter().map(|nats| Some(Nats { servers: vec![nats.url()], ..Nats::default() }));
    let bells: Vec<_> = [None].into_iter().chain(nats).collect();
    tokio::runtime::Runtime::new()?.block_on(async {
        for (tasks, nats) in [1, 50].into_iter().flat_map(|n| bells.iter().map(move |b| (n, b))) {
            let (a, b) = (replica(&cluster, nats)?, replica(&cluster, nats)?);
            let mut attending = JoinSet::new();
            for service in [a.clone(), b.clone()] {
                attending.spawn(async move { service.attend().await });
            }
            let mut delays = measure(&a, &b, tasks).await?;
            delays.sort_unstable();
            let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
            let (p50, p99, worst) = (at(0.5), at(0.99), at(1.0));
            let by = if nats.is_some() { "NATS" } else { "NOTIFY" };
            println!(
                "{by}, {tasks} tasks, {} events: p50 {p50:?}, p99 {p99:?}, worst {worst:?}",
                delays.len()
            );
        }
        Ok(())
    })
}

fn replica(cluster: &Cluster, nats: &Option<Nats>) -> anyhow::Result<Arc<Service>> {
    let options = Options { nats: nats.clone(), ..Options::default() };
    let store = PostgresStore::open(&cluster.url(), options)?;
    let profile = Profile::new("counter", "Counter", "Counts");
    let agent = Counter { on_restart: OnRestart::Fail };
    Ok(Service::builder(store.clone()).agent(profile, agent).bell(store.bell()).build()?)
}

/// How much later a reader of `b` has each event of `a` than one of `a`, which has it at its commit.
async fn measure(
    a: &Arc<Service>,
    b: &Arc<Service>,
    tasks: usize,
) -> anyhow::Result<Vec<Duration>> {
    let mut readings = JoinSet::new();
    for _ in 0..tasks {
        let pause = 1_000 * tasks / PER_SECOND;
        let task = begin(a, &format!("count {} every {pause}", EVENTS / tasks)).await?;
        let (at_a, at_b) = (follow(a, &task.id).await?, follow(b, &task.id).await?);
        readings.spawn(async { tokio::join!(arrivals(at_a), arrivals(at_b)) });
    }
    let mut delays = Vec::new();
    for (at_a, at_b) in readings.join_all().await {
        delays.extend(
            at_b.iter().filter_map(|(seq, at)| Some(at.saturating_duration_since(*at_a.get(seq)?))),
        );
    }
    Ok(delays)
}

async fn arrivals(mut follow: Follow) -> HashMap<u64, Instant> {
    let mut arrivals = HashMap::new();
    while let Some(Ok(item)) = follow.next().await {
        arrivals.extend(item.seq.map(|seq| (seq, Instant::now())));
    }
    arrivals
}

fn call() -> Call {
    Call::by(Caller::new("t", "ann"))
}

async fn begin(service: &Service, text: &str) -> anyhow::Result<Task> {
    let message = Message::new(Role::User, vec![Part::text(text)]);
    let configuration = SendMessageConfiguration {
        return_immediately: true,
        ..SendMessageConfiguration::default()
    };
    let request = SendMessageRequest { tenant: None, message, configuration, metadata: None };
    let reply = service.call(&call(), Request::SendMessage(request)).await?;
    let Reply::SentTask(task) = reply else { bail!("not a task: {reply:?}") };
    Ok(task.read()?)
}

async fn follow(service: &Service, id: &TaskId) -> anyhow::Result<Follow> {
    let request = SubscribeToTaskRequest { tenant: None, id: id.clone(), metadata: None };
    let reply = service.call(&call(), Request::SubscribeToTask(request)).await?;
    let Reply::Stream(follow) = reply else { bail!("not a stream: {reply:?}") };
    Ok(follow)
}
