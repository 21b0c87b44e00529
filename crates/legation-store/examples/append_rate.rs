//! How much a store takes: short tasks, which are born, run and finished in one append each, and chunks
//! of tasks that stream. On PostgreSQL the floor is measured in turns with it: the same bytes as rows of
//! one table, committed in batches over one connection. On a machine with other work, compare the
//! processor time of a task, or the ratio, rather than the rate.
//!
//! `cargo run --release -p legation-store --example append_rate [callers] [seconds] [directory or URL]`
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
use legation_store::postgres::PostgresStore;
use legation_store::sqlite::{Options, SqliteStore};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

/// How often store and floor take turns.
const TURNS: u32 = 3;

/// Tasks that stream at once, and chunks of each that are on their way.
const STREAMS: usize = 8;
const WINDOW: usize = 64;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let callers: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let length = Duration::from_secs(seconds);
    let scratch = tempfile::tempdir_in(".")?;
    let place = arguments.next();
    let url = place.clone().filter(|place| place.contains("://"));
    let store: Arc<dyn TaskStore> = match &url {
        Some(url) => PostgresStore::open(url, postgres_options())?,
        None => {
            let directory = place.map_or_else(|| scratch.path().to_owned(), PathBuf::from);
            SqliteStore::open(directory, Options::default())?
        }
    };
    let (mut of_store, mut of_floor) = (0.0, 0.0);
    for _ in 0..if url.is_some() { TURNS } else { 1 } {
        of_store += short_tasks(&store, callers, length).await?;
        if let Some(url) = &url {
            of_floor += floor(url, callers, length).await?;
        }
    }
    if url.is_some() {
        println!("ratio to the floor: {:.2}", of_store / of_floor);
    }
    read(&*store).await?;
    streams(&store, length).await
}

/// As many writers as `WRITERS` says, to find the best number.
fn postgres_options() -> legation_store::postgres::Options {
    let mut options = legation_store::postgres::Options::default();
    if let Some(writers) = std::env::var("WRITERS").ok().and_then(|text| text.parse().ok()) {
        options.writers = writers;
    }
    options
}

/// Tasks a second of callers that append one after the other.
async fn short_tasks(
    store: &Arc<dyn TaskStore>,
    callers: usize,
    length: Duration,
) -> anyhow::Result<f64> {
    let (begun, spent) = (Instant::now(), processor_time());
    let worst = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for _ in 0..callers {
        running.spawn(call(store.clone(), begun + length, worst.clone()));
    }
    let tasks: u64 = running.join_all().await.into_iter().sum::<anyhow::Result<u64>>()?;
    let rate = tasks as f64 / begun.elapsed().as_secs_f64();
    println!("{callers} callers: {rate:.0} tasks/s, slowest {} ms", worst.load(Ordering::Relaxed));
    if let Some((before, after)) = spent.zip(processor_time()) {
        println!("processor time of a task: {:?}", (after - before).div_f64(tasks as f64));
    }
    Ok(rate)
}

/// Appends one task after the other; returns how many.
async fn call(
    store: Arc<dyn TaskStore>,
    until: Instant,
    worst: Arc<AtomicU64>,
) -> anyhow::Result<u64> {
    let mut tasks = 0;
    while Instant::now() < until {
        let (done, durable) = oneshot::channel();
        let asked = Instant::now();
        store.append(short_task(&*store), Box::new(|outcome| drop(done.send(outcome))));
        durable.await.context("the store dropped the callback")??;
        worst.fetch_max(asked.elapsed().as_millis() as u64, Ordering::Relaxed);
        tasks += 1;
    }
    Ok(tasks)
}

/// The sizes are those of an echo of 256 bytes.
const ENTRIES: [usize; 4] = [620, 230, 640, 240];
const SNAPSHOT: usize = 1000;

fn short_task(store: &dyn TaskStore) -> Append {
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
        entries: ENTRIES.map(|bytes| Bytes::from(vec![b'x'; bytes])).into(),
        state: TaskState::Completed,
        status_at: now,
        at_work: false,
        snapshot: Some(Bytes::from(vec![b'y'; SNAPSHOT])),
        keys: Vec::new(),
    }
}

/// Rows a second of as many callers, with the bytes of a short task in each.
async fn floor(url: &str, callers: usize, length: Duration) -> anyhow::Result<f64> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let driving = tokio::spawn(connection);
    client
        .batch_execute(
            "DROP TABLE IF EXISTS append_rate_floor;
             CREATE TABLE append_rate_floor (id BIGINT PRIMARY KEY, body BYTEA NOT NULL)",
        )
        .await?;
    let insert = client
        .prepare("INSERT INTO append_rate_floor SELECT * FROM unnest($1::bigint[], $2::bytea[])")
        .await?;
    let (send, mut queue) = mpsc::channel::<(i64, oneshot::Sender<()>)>(callers);
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for caller in 0..callers as i64 {
        let send = send.clone();
        running.spawn(async move {
            let mut rows = 0;
            while begun.elapsed() < length {
                let (done, durable) = oneshot::channel();
                send.send((caller << 32 | rows, done)).await?;
                durable.await?;
                rows += 1;
            }
            anyhow::Ok(rows)
        });
    }
    drop(send);
    let body = vec![b'x'; ENTRIES.iter().sum::<usize>() + SNAPSHOT];
    let mut taken = Vec::new();
    while queue.recv_many(&mut taken, callers).await > 0 {
        let ids: Vec<i64> = taken.iter().map(|(id, _)| *id).collect();
        let bodies = vec![body.as_slice(); ids.len()];
        client.execute(&insert, &[&ids, &bodies]).await?;
        for (_, done) in taken.drain(..) {
            done.send(()).ok().context("a caller that waits")?;
        }
    }
    let rows: i64 = running.join_all().await.into_iter().sum::<anyhow::Result<i64>>()?;
    let rate = rows as f64 / begun.elapsed().as_secs_f64();
    println!("floor: {rate:.0} rows/s");
    client.batch_execute("DROP TABLE append_rate_floor").await?;
    drop(client);
    driving.await??;
    Ok(rate)
}

/// Chunks a second of tasks that stream.
async fn streams(store: &Arc<dyn TaskStore>, length: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..STREAMS {
        running.spawn(stream(store.clone(), begun + length));
    }
    let chunks: u64 = running.join_all().await.into_iter().sum::<anyhow::Result<u64>>()?;
    let rate = chunks as f64 / begun.elapsed().as_secs_f64();
    println!("{STREAMS} streams: {rate:.0} chunks/s");
    Ok(())
}

/// Appends chunk after chunk, each as an append of its own, while there is room in the window.
async fn stream(store: Arc<dyn TaskStore>, until: Instant) -> anyhow::Result<u64> {
    let first = Append { state: TaskState::Working, ..short_task(&*store) };
    let (key, status_at) = (first.key, first.status_at);
    let (told, mut durable) = mpsc::channel(WINDOW);
    let mut next = first.last() + 1;
    let (mut waiting, mut chunks) = (0, 0);
    let mut append = Some(first);
    while append.is_some() || waiting > 0 {
        if let Some(append) = append.take() {
            let told = told.clone();
            // There is room for every chunk of the window.
            store.append(append, Box::new(move |outcome| drop(told.try_send(outcome))));
            waiting += 1;
        }
        let is_going_on = Instant::now() < until;
        if waiting == WINDOW || !is_going_on {
            durable.recv().await.context("the store dropped the callback")??;
            (waiting, chunks) = (waiting - 1, chunks + 1);
        }
        if is_going_on {
            let entries = vec![Bytes::from(vec![b'z'; 260])];
            let (birth, first) = (None, next);
            let state = TaskState::Working;
            let chunk = short_task(&*store);
            append = Some(Append {
                key,
                birth,
                first,
                entries,
                state,
                status_at,
                snapshot: None,
                ..chunk
            });
            next += 1;
        }
    }
    Ok(chunks)
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
async fn read(store: &dyn TaskStore) -> anyhow::Result<()> {
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
