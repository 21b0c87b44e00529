//! How many short tasks a second the store takes: born, run and finished in one append each.
//! On a machine with other work, compare the processor time of a task rather than the rate.
//!
//! `cargo run --release -p legation-store --example append_rate [callers] [seconds] [directory]`
#![expect(clippy::print_stdout, reason = "a program that prints its result")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use legation_core::store::{Append, Birth, Query};
use legation_core::{Scope, TaskStore};
use legation_model::{ContextId, TaskId, TaskState, Timestamp};
use legation_store::sqlite::{Options, SqliteStore};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let callers: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let scratch = tempfile::tempdir_in(".")?;
    let directory = arguments.next().map_or_else(|| scratch.path().to_owned(), PathBuf::from);
    let store = SqliteStore::open(directory, Options::default())?;

    let begun = Instant::now();
    let worst = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for _ in 0..callers {
        running.spawn(call(store.clone(), begun + Duration::from_secs(seconds), worst.clone()));
    }
    let tasks: u64 = running.join_all().await.into_iter().sum::<anyhow::Result<u64>>()?;
    let rate = tasks as f64 / begun.elapsed().as_secs_f64();
    println!("{callers} callers: {rate:.0} tasks/s, slowest {} ms", worst.load(Ordering::Relaxed));
    if let Some(spent) = processor_time() {
        println!("processor time of a task: {:?}", spent.div_f64(tasks as f64));
    }
    read(&store).await
}

/// Appends one task after the other; returns how many.
async fn call(
    store: Arc<SqliteStore>,
    until: Instant,
    worst: Arc<AtomicU64>,
) -> anyhow::Result<u64> {
    let mut tasks = 0;
    while Instant::now() < until {
        let (done, durable) = oneshot::channel();
        let asked = Instant::now();
        store.append(short_task(&store), Box::new(|outcome| drop(done.send(outcome))));
        durable.await.context("the store dropped the callback")??;
        worst.fetch_max(asked.elapsed().as_millis() as u64, Ordering::Relaxed);
        tasks += 1;
    }
    Ok(tasks)
}

/// The sizes are those of an echo of 256 bytes.
fn short_task(store: &SqliteStore) -> Append {
    let now = Timestamp::now();
    let birth = Birth {
        scope: scope(),
        id: TaskId::generate(),
        context_id: ContextId::generate(),
        created_at: now,
    };
    Append {
        key: store.next_key(),
        epoch: 1,
        birth: Some(Box::new(birth)),
        first: 1,
        entries: [620, 230, 640, 240].map(|bytes| Bytes::from(vec![b'x'; bytes])).into(),
        state: TaskState::Completed,
        status_at: now,
        at_work: false,
        snapshot: Some(Bytes::from(vec![b'y'; 1000])),
        keys: Vec::new(),
    }
}

fn scope() -> Scope {
    let name = |text: &str| Some(text.into());
    Scope { deployment: "d".into(), tenant: "t".into(), owner: name("o"), agent: name("a") }
}

/// What all threads of this process have used so far, where Linux tells it.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name comes second, in parentheses; user and system time are the 14th and 15th
    // field, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(')')?;
    let spent = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Some(Duration::from_millis(spent.sum::<Result<u64, _>>().ok()? * 10))
}

/// How fast one caller reads, with as many tasks stored as were just written.
async fn read(store: &SqliteStore) -> anyhow::Result<()> {
    const TIMES: u32 = 2_000;
    let query = Query { limit: 50, ..Query::default() };
    let page = store.list(&scope(), &query).await?;
    let begun = Instant::now();
    for _ in 0..TIMES {
        store.list(&scope(), &query).await?;
    }
    println!("page of 50 among {}: {:?}", page.total, begun.elapsed() / TIMES);
    let begun = Instant::now();
    for turn in 0..TIMES {
        let task = &page.tasks[turn as usize % page.tasks.len()];
        store.load(&scope(), &task.id).await?;
    }
    println!("one task: {:?}", begun.elapsed() / TIMES);
    Ok(())
}
