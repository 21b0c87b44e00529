//! What it takes PostgreSQL to remove tasks that ended: how many a second a sweep removes, what it writes
//! into the write-ahead log, and what cleaning up behind it takes. The tasks are those of `append_rate`,
//! each in a context of its own. Beside it stands what dropping their log as a table takes, which is what a
//! partition would be.
//!
//! `cargo run --release -p legation-store --example sweep_rate [tasks]`
#![allow(clippy::print_stdout, reason = "the figures are what this is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use legation_core::store::{Append, Birth};
use legation_core::{Retention, Scope, TaskStore};
use legation_model::{ContextId, TaskId, TaskState, Timestamp};
use legation_store::postgres::{Options, PostgresStore};
use legation_testkit::postgres::Cluster;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const CALLERS: usize = 64;

/// The sizes are those of an echo of 256 bytes.
const ENTRIES: [usize; 4] = [620, 230, 640, 240];
const SNAPSHOT: usize = 1000;

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn main() -> anyhow::Result<()> {
    let tasks: usize = std::env::args().nth(1).map_or(Ok(10_000), |text| text.parse())?;
    tokio::runtime::Runtime::new()?.block_on(async {
        for (results, kept) in [("no results", Duration::ZERO), ("results", 90 * DAY)] {
            let cluster = Cluster::private().context("there is no PostgreSQL here")?;
            let store: Arc<dyn TaskStore> =
                PostgresStore::open(&cluster.url(), Options::default())?;
            let watch = Watch::begin(&cluster)?;
            fill(&store, tasks).await?;
            watch.tell("written", tasks)?;
            println!("{}", sizes(&cluster)?);

            cluster.ask("postgres", COPY)?;
            let watch = Watch::begin(&cluster)?;
            cluster.ask("postgres", "DROP TABLE legation.copy")?;
            watch.tell("the log dropped as a table", tasks)?;

            let retention = Retention { results: kept, ..Retention::default() };
            let later = Timestamp::now().as_millis() + 31 * DAY.as_millis() as i64;
            let later = Timestamp::from_millis(later).context("a time in range")?;
            let watch = Watch::begin(&cluster)?;
            let swept = store.sweep("d", &retention.cutoffs(later)).await?;
            watch.tell(&format!("swept, {results} kept"), tasks)?;
            println!("{swept:?}\n{}", sizes(&cluster)?);

            let watch = Watch::begin(&cluster)?;
            cluster.ask("postgres", "VACUUM")?;
            watch.tell("vacuumed", tasks)?;
            println!("{}", sizes(&cluster)?);
        }
        Ok(())
    })
}

/// The log as a table of its own, with its index.
const COPY: &str = "
    CREATE TABLE legation.copy (LIKE legation.task_events INCLUDING ALL);
    INSERT INTO legation.copy SELECT * FROM legation.task_events";

/// How long something takes, and how much of the write-ahead log.
struct Watch<'c> {
    cluster: &'c Cluster,
    begun: Instant,
    place: String,
}

impl<'c> Watch<'c> {
    fn begin(cluster: &'c Cluster) -> anyhow::Result<Self> {
        // So that what follows has the images of pages that it would have at any time.
        cluster.ask("postgres", "CHECKPOINT")?;
        let place = cluster.ask("postgres", "SELECT pg_current_wal_lsn()")?;
        Ok(Self { cluster, begun: Instant::now(), place })
    }

    fn tell(self, what: &str, tasks: usize) -> anyhow::Result<()> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let written = format!("SELECT pg_current_wal_lsn() - '{}'::pg_lsn", self.place);
        let written: u64 = self.cluster.ask("postgres", &written)?.parse()?;
        let rate = tasks as f64 / seconds;
        let each = written as f64 / tasks as f64;
        println!("{tasks} tasks {what}: {seconds:.2} s, {rate:.0}/s, WAL {each:.0} bytes each");
        Ok(())
    }
}

/// What the tables and their indexes take.
fn sizes(cluster: &Cluster) -> anyhow::Result<String> {
    let sizes = "
        SELECT string_agg(format('%s %s KB', relname, pg_total_relation_size(oid) / 1024), ', '
            ORDER BY relname)
        FROM pg_class WHERE relnamespace = 'legation'::regnamespace
            AND relname IN ('tasks', 'task_events', 'contexts', 'results')";
    Ok(cluster.ask("postgres", sizes)?)
}

/// Appends tasks that are born, run and finished in one append each.
async fn fill(store: &Arc<dyn TaskStore>, tasks: usize) -> anyhow::Result<()> {
    let mut running = JoinSet::new();
    for caller in 0..CALLERS {
        let store = store.clone();
        running.spawn(async move {
            for _ in (caller..tasks).step_by(CALLERS) {
                let (done, durable) = oneshot::channel();
                store.append(short_task(&*store), Box::new(|outcome| drop(done.send(outcome))));
                durable.await.context("the store dropped the callback")??;
            }
            anyhow::Ok(())
        });
    }
    running.join_all().await.into_iter().collect()
}

fn short_task(store: &dyn TaskStore) -> Append {
    let now = Timestamp::now();
    let name = |text: &str| Some(text.into());
    let scope =
        Scope { deployment: "d".into(), tenant: "t".into(), owner: name("o"), agent: name("a") };
    let birth =
        Birth { scope, id: TaskId::generate(), context_id: ContextId::generate(), created_at: now };
    Append {
        key: store.next_key(),
        epoch: 1,
        birth: Some(Box::new(birth)),
        first: 1,
        entries: ENTRIES.map(|bytes| Bytes::from(noise(bytes))).into(),
        state: TaskState::Completed,
        status_at: now,
        at_work: false,
        snapshot: Some(Bytes::from(noise(SNAPSHOT))),
        keys: Vec::new(),
    }
}

/// Letters that repeat little: the database compresses rows of this size.
fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = Vec::with_capacity(bytes + 64);
    while noise.len() < bytes {
        noise.extend_from_slice(TaskId::generate().as_str().as_bytes());
    }
    noise.truncate(bytes);
    noise
}
