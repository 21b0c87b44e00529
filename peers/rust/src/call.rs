//! The official Rust SDK as a process that does one kind of work, to be measured beside our client.
//!
//! Usage: `call-a2a-client-lf URL BINDING LOAD AT_ONCE SECONDS` with the bearer token in
//! `LEGATION_BENCH_TOKEN`; see `xtask callers`.

use std::{
    env,
    io::{Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use a2a::{
    Message, Part, Role, SendMessageRequest, SendMessageResponse, StreamResponse, TaskState,
};
use a2a_client::{
    A2AClient, A2AClientFactory, Transport, agent_card::AgentCardResolver, auth::AuthInterceptor,
};
use a2a_grpc::GrpcTransportFactory;
use anyhow::{Context, bail, ensure};
use futures::TryStreamExt;
use tokio::task::JoinSet;

type Client = A2AClient<Box<dyn Transport>>;

const WARM_UP: Duration = Duration::from_millis(500);
const CHUNKS: usize = 1_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [url, binding, load, at_once, seconds] = words.as_slice() else { bail!("five words") };
    let token = env::var("LEGATION_BENCH_TOKEN").context("no LEGATION_BENCH_TOKEN")?;
    let card = AgentCardResolver::new(None).resolve(url).await?;
    let factory = A2AClientFactory::builder()
        .register(Arc::new(GrpcTransportFactory::new()))
        .preferred_bindings(vec![binding.clone()])
        .with_interceptor(Arc::new(AuthInterceptor::bearer(&token)))
        .build();
    let (client, interface) = factory.create_from_card_with_interface(&card).await?;
    ensure!(interface.protocol_binding == *binding, "the card has no {binding}");
    let (client, at_once) = (Arc::new(client), at_once.parse()?);
    let chunks = load == "chunks";
    work(&client, chunks, at_once, WARM_UP).await?;
    let mut out = std::io::stdout();
    writeln!(out, "begin")?;
    let done = work(&client, chunks, at_once, Duration::from_secs_f64(seconds.parse()?)).await?;
    writeln!(out, "{done}")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn work(
    client: &Arc<Client>,
    chunks: bool,
    at_once: usize,
    time: Duration,
) -> anyhow::Result<usize> {
    let end = Instant::now() + time;
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let client = Arc::clone(client);
        callers.spawn(async move {
            let mut done = 0;
            while Instant::now() < end {
                done += if chunks { stream(&client).await? } else { send(&client).await? };
            }
            anyhow::Ok(done)
        });
    }
    let mut all = 0;
    while let Some(done) = callers.join_next().await {
        all += done??;
    }
    Ok(all)
}

fn request(text: String) -> SendMessageRequest {
    SendMessageRequest {
        message: Message::new(Role::User, vec![Part::text(text)]),
        configuration: None,
        metadata: None,
        tenant: None,
    }
}

async fn send(client: &Client) -> anyhow::Result<usize> {
    match client.send_message(&request("x".repeat(256))).await? {
        SendMessageResponse::Task(task) => {
            ensure!(task.status.state == TaskState::Completed, "not completed");
            Ok(1)
        }
        SendMessageResponse::Message(_) => bail!("not a task"),
    }
}

async fn stream(client: &Client) -> anyhow::Result<usize> {
    let mut events = client.send_streaming_message(&request(format!("chunks {CHUNKS}"))).await?;
    let mut chunks = 0;
    while let Some(event) = events.try_next().await? {
        chunks += usize::from(matches!(event, StreamResponse::ArtifactUpdate(_)));
    }
    ensure!(chunks == CHUNKS, "{chunks} chunks");
    Ok(chunks)
}
