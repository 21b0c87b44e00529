//! What it costs that replicas tell each other what is new: the bells of 2, 8 and 32 stores in this process,
//! on a PostgreSQL server made for this, by `NOTIFY` and where there is one by a NATS server. Events are
//! rung at one replica or at all of them in turns, and every other replica hears them.
//!
//! Beside the delays it prints the processor time that the servers and this process take in a second, beyond
//! what they take while nothing is rung. Linux alone tells that.
//!
//! `cargo run --release -p legation-store --example bell_fanout [seconds]`
#![allow(clippy::print_stdout, reason = "the figures are what this is for")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use legation_core::Bell;
use legation_core::bell::News;
use legation_core::store::TaskKey;
use legation_store::postgres::{Nats, Options, PostgresStore};
use legation_testkit::nats;
use legation_testkit::postgres::Cluster;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

const REPLICAS: [usize; 3] = [2, 8, 32];

/// Events a second of all replicas together, and the tasks that they are of.
const LOADS: [(u64, u64); 2] = [(500, 50), (5_000, 500)];

/// Keys are as long as those of a store that was opened some times.
const FIRST_KEY: i64 = 100 << 40;

/// How long a replica waits for news that do not come.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<()> {
    let seconds: u64 = std::env::args().nth(1).map_or(Ok(2), |text| text.parse())?;
    let length = Duration::from_secs(seconds);
    let cluster = Cluster::private().context("there is no PostgreSQL here")?;
    let server = nats::Nats::private();
    println!("processor time is in milliseconds a second; idle is what it is without events");
    tokio::runtime::Runtime::new()?.block_on(async {
        for nats in [None].into_iter().chain(server.as_ref().map(Some)) {
            for replicas in REPLICAS {
                measure(&cluster, nats, replicas, length).await?;
            }
        }
        Ok(())
    })
}

/// Rings between so many replicas, in every way.
async fn measure(
    cluster: &Cluster,
    nats: Option<&nats::Nats>,
    replicas: usize,
    length: Duration,
) -> anyhow::Result<()> {
    let by = if nats.is_some() { "NATS" } else { "NOTIFY" };
    let carrier = nats.map(|nats| Nats { servers: vec![nats.url()], ..Nats::default() });
    // Nothing is written or read here, and the server has connections for so many.
    let options = Options { writers: 1, readers: 1, nats: carrier, ..Options::default() };
    let open = || PostgresStore::open(&cluster.url(), options.clone());
    let stores: Vec<_> = (0..replicas).map(|_| open()).collect::<Result<_, _>>()?;
    let bells: Vec<_> = stores.iter().map(|store| store.bell()).collect();
    for bell in &bells {
        // So it begins to hear.
        while timeout(PATIENCE, bell.heard()).await? != News::Missed {}
    }
    let servers = Servers::of(cluster, nats)?;
    let (begun, before) = (Instant::now(), servers.spent());
    sleep(length / 2).await;
    let idle = servers.spent().since(before, begun.elapsed());
    println!("{by}, {replicas} replicas, idle: {}", idle.text());
    for (per_second, tasks) in LOADS {
        for ringers in [1, replicas] {
            let total = per_second * length.as_secs();
            let events = Events { per_second, tasks, ringers, rung: rings(total) };
            let (begun, before) = (Instant::now(), servers.spent());
            let mut delays = ring(&bells, Arc::new(events)).await?;
            let spent = servers.spent().since(before, begun.elapsed()).beyond(idle);
            delays.sort_unstable();
            let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
            println!(
                "{by}, {replicas} replicas, {per_second} events/s of {tasks} tasks at {ringers}: \
                 p50 {:.1?}, p99 {:.1?}; {}; load {}",
                at(0.5),
                at(0.99),
                spent.text(),
                fs::read_to_string("/proc/loadavg")?.split(' ').next().unwrap_or_default(),
            );
        }
    }
    Ok(())
}

/// Events in the order in which they are rung: of one task after the other, each of which is one replica's.
struct Events {
    per_second: u64,
    tasks: u64,
    ringers: usize,
    /// When each was rung, in microseconds.
    rung: Vec<AtomicU64>,
}

fn rings(total: u64) -> Vec<AtomicU64> {
    (0..total).map(|_| AtomicU64::new(0)).collect()
}

impl Events {
    /// The replica at which an event is rung.
    fn ringer(&self, event: u64) -> usize {
        (event % self.tasks) as usize % self.ringers
    }
}

/// Rings events; gives how long after that each replica knew of each.
async fn ring(bells: &[Arc<dyn Bell>], events: Arc<Events>) -> anyhow::Result<Vec<Duration>> {
    let begun = Instant::now();
    let mut listening = JoinSet::new();
    for (replica, bell) in bells.iter().enumerate() {
        listening.spawn(listen(bell.clone(), replica, events.clone(), begun));
    }
    let mut ticks = interval(Duration::from_millis(1));
    for event in 0..events.rung.len() as u64 {
        while begun.elapsed() < Duration::from_secs(event) / events.per_second as u32 {
            ticks.tick().await;
        }
        let now = begun.elapsed().as_micros() as u64;
        events.rung[event as usize].store(now, Ordering::Relaxed);
        let key = TaskKey(FIRST_KEY + (event % events.tasks) as i64);
        bells[events.ringer(event)].ring(News::Grown(key, event));
    }
    let heard: Vec<_> = listening.join_all().await.into_iter().collect::<anyhow::Result<_>>()?;
    Ok(heard.concat())
}

/// Hears all that others ring. What is told of a task tells of its earlier events as well.
async fn listen(
    bell: Arc<dyn Bell>,
    replica: usize,
    events: Arc<Events>,
    begun: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let all = 0..events.rung.len() as u64;
    let expected = all.filter(|event| events.ringer(*event) != replica).count();
    let mut next: Vec<u64> = (0..events.tasks).collect();
    let mut delays = Vec::with_capacity(expected);
    while delays.len() < expected {
        let news = timeout(PATIENCE, bell.heard()).await.context("an event was not heard of")?;
        let News::Grown(key, reached) = news else { continue };
        let now = begun.elapsed();
        let next = &mut next[(key.0 - FIRST_KEY) as usize];
        while *next <= reached {
            let rung = events.rung[*next as usize].load(Ordering::Relaxed);
            delays.push(now.saturating_sub(Duration::from_micros(rung)));
            *next += events.tasks;
        }
    }
    Ok(delays)
}

/// The processes that carry news.
struct Servers {
    database: Vec<u32>,
    nats: Option<u32>,
}

/// Processor time, of the servers and of all replicas, which are in this process.
#[derive(Clone, Copy)]
struct Spent {
    database: f64,
    nats: f64,
    replicas: f64,
}

impl Servers {
    /// Those that serve the connections that are open now.
    fn of(cluster: &Cluster, nats: Option<&nats::Nats>) -> anyhow::Result<Self> {
        let others = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
        let database = cluster.ask("postgres", others)?;
        let database = database.lines().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { database, nats: nats.and_then(nats::Nats::process) })
    }

    fn spent(&self) -> Spent {
        Spent {
            database: self.database.iter().copied().map(milliseconds).sum(),
            nats: self.nats.map_or(0.0, milliseconds),
            replicas: milliseconds(std::process::id()),
        }
    }
}

impl Spent {
    /// What was spent in each second since.
    fn since(self, before: Self, time: Duration) -> Self {
        let rate = |after: f64, before: f64| (after - before) / time.as_secs_f64();
        Self {
            database: rate(self.database, before.database),
            nats: rate(self.nats, before.nats),
            replicas: rate(self.replicas, before.replicas),
        }
    }

    fn beyond(self, idle: Self) -> Self {
        self.since(idle, Duration::from_secs(1))
    }

    fn text(self) -> String {
        let Self { database, nats, replicas } = self;
        format!("database {database:.1}, NATS {nats:.1}, replicas {replicas:.1}")
    }
}

/// What the threads of a process have used; nothing of one that has ended.
fn milliseconds(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let spent = threads.filter_map(|thread| {
        // Nanoseconds on a processor come first.
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    spent.sum::<f64>() / 1e6
}
