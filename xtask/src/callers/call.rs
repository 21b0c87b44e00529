//! Our client as a process that does one kind of work.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use legation_client::{Binding, Client, Credential, Options, Patience};
use legation_model::{
    Message, Part, Role, SendMessageRequest, SendMessageResponse, StreamResponse, TaskState,
};
use tokio::task::JoinSet;

use crate::contract::TOKEN_VARIABLE;

/// Work before anything is measured.
const WARM_UP: Duration = Duration::from_millis(500);
/// Chunks in a stream.
const CHUNKS: usize = 1_000;

/// What to do.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CallArgs {
    url: String,
    binding: String,
    load: String,
    at_once: usize,
    seconds: f64,
}

/// Does it.
///
/// # Errors
/// When a call fails, or an answer is not what it should be.
pub(crate) fn run(args: &CallArgs) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(calls(args))
}

async fn calls(args: &CallArgs) -> anyhow::Result<()> {
    let token = std::env::var(TOKEN_VARIABLE).context("no token")?;
    let options = Options {
        credentials: Credential::bearer(&token).context("no token for a header")?.into(),
        // As the others: who is not to try again needs no key for it.
        patience: Patience { attempts: 0, ..Patience::default() },
        binding: Some(Binding::from_name(&args.binding).context("no such binding")?),
        ..Options::default()
    };
    let client = Client::discover(&args.url, options).await?;
    let chunks = args.load == "chunks";
    work(&client, chunks, args.at_once, WARM_UP).await?;
    let mut out = std::io::stdout();
    writeln!(out, "begin")?;
    let done = work(&client, chunks, args.at_once, Duration::from_secs_f64(args.seconds)).await?;
    writeln!(out, "{done}")?;
    // The memory is read while this is there.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn work(
    client: &Client,
    chunks: bool,
    at_once: usize,
    time: Duration,
) -> anyhow::Result<usize> {
    let end = Instant::now() + time;
    let mut callers = JoinSet::new();
    for _ in 0..at_once {
        let client = client.clone();
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
    let message = Message::new(Role::User, vec![Part::text(text)]);
    SendMessageRequest { tenant: None, message, configuration: Default::default(), metadata: None }
}

async fn send(client: &Client) -> anyhow::Result<usize> {
    let answer = client.send(request("x".repeat(256))).await?;
    let SendMessageResponse::Task(task) = answer else { anyhow::bail!("not a task") };
    ensure!(task.status.state == TaskState::Completed, "not completed");
    Ok(1)
}

async fn stream(client: &Client) -> anyhow::Result<usize> {
    let mut events = client.stream(request(format!("chunks {CHUNKS}"))).await?;
    let mut chunks = 0;
    while let Some(event) = events.next().await {
        chunks += usize::from(matches!(event?.1, StreamResponse::ArtifactUpdate(_)));
    }
    ensure!(chunks == CHUNKS, "{chunks} chunks");
    Ok(chunks)
}
