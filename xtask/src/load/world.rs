//! What the clients of a plan share: where the server is, what is known of its tasks, and the
//! history they write.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use legation_testkit::history::{self, Fault, Policy, Record, What};
use tokio::sync::watch;

use super::Binding;
use super::outcome::Outcome;
use super::random::Random;

/// The client that does harm.
const NEMESIS: u32 = 0;

pub(crate) struct World {
    pub(crate) token: String,
    bindings: &'static [Binding],
    /// The servers that take calls, by their place.
    servers: watch::Sender<BTreeMap<usize, SocketAddr>>,
    /// Calls so far, each of which goes somewhere else.
    turns: AtomicU64,
    refusals: Mutex<Refusals>,
    /// Set when clients shall begin nothing more.
    closing: AtomicBool,
    numbers: AtomicU64,
    known: Mutex<BTreeMap<String, Known>>,
    history: Mutex<History>,
}

/// What is known of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) policy: Policy,
    /// The greatest number that somebody was told.
    pub(crate) seq: u64,
    pub(crate) ended: bool,
}

/// How long calls took that were refused because something was away.
#[derive(Clone, Debug)]
pub(crate) struct Refusals {
    /// When the servers were severed last.
    severed: Instant,
    pub(crate) of_copies: Vec<Duration>,
    pub(crate) of_others: Vec<Duration>,
}

struct History {
    records: Vec<Record>,
    file: BufWriter<File>,
}

impl World {
    /// A world that keeps its history in a directory too, and calls over some bindings.
    pub(crate) fn new(
        directory: &Path,
        token: &str,
        bindings: &'static [Binding],
    ) -> anyhow::Result<Arc<Self>> {
        let file = BufWriter::new(File::create(directory.join("history.jsonl"))?);
        Ok(Arc::new(Self {
            token: token.to_owned(),
            bindings,
            servers: watch::Sender::default(),
            turns: AtomicU64::new(0),
            refusals: Mutex::new(Refusals {
                severed: Instant::now(),
                of_copies: Vec::new(),
                of_others: Vec::new(),
            }),
            closing: AtomicBool::new(false),
            numbers: AtomicU64::new(1),
            known: Mutex::default(),
            history: Mutex::new(History { records: Vec::new(), file }),
        }))
    }

    /// A number that nobody else has.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes down what a client saw or did.
    pub(crate) fn record(&self, client: u32, what: What) {
        let mut history = lock(&self.history);
        // Records must not go back where the clock does.
        let at = history.records.last().map_or(0, |last| last.at).max(now());
        let record = Record { at, client, what };
        // Only a help for people: the records that are checked are those in memory.
        let _ = history::write_line(&mut history.file, &record);
        history.records.push(record);
    }

    /// Writes down that something was done to the server.
    pub(crate) fn fault(&self, fault: Fault) {
        if fault == Fault::Sever {
            lock(&self.refusals).severed = Instant::now();
        }
        self.record(NEMESIS, What::Fault(fault));
    }

    /// Tells the clients that the server is up.
    pub(crate) fn up(&self, address: SocketAddr) {
        self.up_at(0, address);
    }

    /// Tells the clients that the server is about to be gone.
    pub(crate) fn down(&self, fault: Fault) {
        self.down_at(0, fault);
    }

    /// Tells the clients that the server of a place is up.
    pub(crate) fn up_at(&self, place: usize, address: SocketAddr) {
        self.fault(Fault::Start);
        self.join(place, address);
    }

    /// Tells the clients that they may call the server of a place.
    pub(crate) fn join(&self, place: usize, address: SocketAddr) {
        self.servers.send_modify(|servers| {
            servers.insert(place, address);
        });
    }

    /// Tells the clients that the server of a place is about to be gone.
    pub(crate) fn down_at(&self, place: usize, fault: Fault) {
        self.leave(place);
        self.fault(fault);
    }

    /// Tells the clients to call others than the server of a place.
    pub(crate) fn leave(&self, place: usize) {
        self.servers.send_modify(|servers| {
            servers.remove(&place);
        });
    }

    /// Waits until a server is up, one of this place if it has to be; tells where to call, and how.
    /// `None` when there will be none.
    pub(crate) async fn way(&self, place: Option<usize>) -> Option<(SocketAddr, Binding)> {
        let mut random = Random::new(self.turns.fetch_add(1, Ordering::Relaxed));
        let mut servers = self.servers.subscribe();
        let is_up = |servers: &BTreeMap<usize, SocketAddr>| match place {
            Some(place) => servers.contains_key(&place),
            None => !servers.is_empty(),
        };
        // The sender lives as long as this.
        let up = servers.wait_for(is_up).await.ok()?;
        let all: Vec<_> = up.values().copied().collect();
        let address = place.map_or_else(|| *random.choose(&all), |place| up[&place]);
        Some((address, *random.choose(self.bindings)))
    }

    /// Notes that a call was refused because something was away.
    pub(crate) fn refused(&self, begun: Instant, is_copy: bool) {
        let mut refusals = lock(&self.refusals);
        let took = begun.max(refusals.severed).elapsed();
        if is_copy { refusals.of_copies.push(took) } else { refusals.of_others.push(took) }
    }

    /// How long refusals took, since their call or since the servers were severed.
    pub(crate) fn refusals(&self) -> Refusals {
        lock(&self.refusals).clone()
    }

    /// Tells clients to begin nothing more.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Notes what was told of a task.
    pub(crate) fn learn(&self, task: &str, policy: Policy, seq: u64, ended: bool) {
        let mut known = lock(&self.known);
        let none = Known { policy, seq: 0, ended: false };
        let task = known.entry(task.to_owned()).or_insert(none);
        task.seq = task.seq.max(seq);
        task.ended |= ended;
    }

    /// All tasks that somebody was told of.
    pub(crate) fn known(&self) -> BTreeMap<String, Known> {
        lock(&self.known).clone()
    }

    /// Looks at the history so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        lock(&self.history).records.clone()
    }

    /// Checks the history and tells what is in it.
    pub(crate) fn outcome(&self) -> Outcome {
        let mut history = lock(&self.history);
        let _ = history.file.flush();
        let records = &history.records;
        let count = |wanted: fn(&What) -> bool| {
            records.iter().filter(|record| wanted(&record.what)).count() as u64
        };
        let kills = count(|what| matches!(what, What::Fault(Fault::Kill)));
        let stops = count(|what| matches!(what, What::Fault(Fault::Stop)));
        let refusals = lock(&self.refusals);
        let counts = [
            ("kills", kills),
            ("stops", stops),
            ("sends", count(|what| matches!(what, What::Send(_)))),
            ("tasks", lock(&self.known).len() as u64),
            ("events", count(|what| matches!(what, What::Event { .. }))),
            ("resumed streams", count(|what| matches!(what, What::Open { after: Some(1..), .. }))),
            ("refusals", refusals.of_copies.len() as u64 + refusals.of_others.len() as u64),
            ("reads", count(|what| matches!(what, What::Read(_)))),
        ];
        Outcome {
            counts: counts.into_iter().filter(|(_, number)| *number > 0).collect(),
            faults: history::check(records).iter().map(ToString::to_string).collect(),
            skipped: None,
        }
    }
}

/// Microseconds by the clock of the records: that of the system, because a tracer's times are of that too.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64
}

/// When something began, by the clock of the records.
pub(crate) fn by_records(begun: Instant) -> u64 {
    now() - begun.elapsed().as_micros() as u64
}

/// No client panics while it holds a lock, so none is ever poisoned.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
