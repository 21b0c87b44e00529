//! What the clients of a plan share: where the server is, what is known of its tasks, and the
//! history they write.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use legation_testkit::history::{self, Fault, Policy, Record, What};
use tokio::sync::watch;

use super::{Outcome, Setup};

/// The client that does harm.
const NEMESIS: u32 = 0;

pub(super) struct World {
    pub(super) token: String,
    address: watch::Sender<Option<SocketAddr>>,
    /// Set when clients shall begin nothing more.
    closing: AtomicBool,
    numbers: AtomicU64,
    known: Mutex<BTreeMap<String, Known>>,
    history: Mutex<History>,
}

/// What is known of a task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) policy: Policy,
    /// The greatest number that somebody was told.
    pub(super) seq: u64,
    pub(super) ended: bool,
}

struct History {
    records: Vec<Record>,
    file: BufWriter<File>,
}

impl World {
    pub(super) fn new(setup: &Setup) -> anyhow::Result<Arc<Self>> {
        let file = BufWriter::new(File::create(setup.directory.join("history.jsonl"))?);
        Ok(Arc::new(Self {
            token: setup.token.clone(),
            address: watch::Sender::new(None),
            closing: AtomicBool::new(false),
            numbers: AtomicU64::new(1),
            known: Mutex::default(),
            history: Mutex::new(History { records: Vec::new(), file }),
        }))
    }

    /// A number that nobody else has.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes down what a client saw or did.
    pub(super) fn record(&self, client: u32, what: What) {
        let mut history = lock(&self.history);
        // The clock of the system, because a tracer's times are of that too; it must not go back.
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
        let at = history.records.last().map_or(now, |last| last.at.max(now));
        let record = Record { at, client, what };
        // Only a help for people: the records that are checked are those in memory.
        let _ = history::write_line(&mut history.file, &record);
        history.records.push(record);
    }

    /// Writes down that something was done to the server.
    pub(super) fn fault(&self, fault: Fault) {
        self.record(NEMESIS, What::Fault(fault));
    }

    /// Tells the clients that the server is up.
    pub(super) fn up(&self, address: SocketAddr) {
        self.fault(Fault::Start);
        self.address.send_replace(Some(address));
    }

    /// Tells the clients that the server is about to be gone.
    pub(super) fn down(&self, fault: Fault) {
        self.address.send_replace(None);
        self.fault(fault);
    }

    /// Waits until the server is up; tells where. `None` when it will not be.
    pub(super) async fn address(&self) -> Option<SocketAddr> {
        let mut address = self.address.subscribe();
        // The sender lives as long as this.
        let up = address.wait_for(Option::is_some).await.ok()?;
        *up
    }

    /// Tells clients to begin nothing more.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Notes what was told of a task.
    pub(super) fn learn(&self, task: &str, policy: Policy, seq: u64, ended: bool) {
        let mut known = lock(&self.known);
        let none = Known { policy, seq: 0, ended: false };
        let task = known.entry(task.to_owned()).or_insert(none);
        task.seq = task.seq.max(seq);
        task.ended |= ended;
    }

    /// All tasks that somebody was told of.
    pub(super) fn known(&self) -> BTreeMap<String, Known> {
        lock(&self.known).clone()
    }

    /// Looks at the history so far.
    pub(super) fn records(&self) -> Vec<Record> {
        lock(&self.history).records.clone()
    }

    /// Checks the history and tells what is in it.
    pub(super) fn outcome(&self) -> Outcome {
        let mut history = lock(&self.history);
        let _ = history.file.flush();
        let records = &history.records;
        let count = |wanted: fn(&What) -> bool| {
            records.iter().filter(|record| wanted(&record.what)).count() as u64
        };
        let kills = count(|what| matches!(what, What::Fault(Fault::Kill)));
        let stops = count(|what| matches!(what, What::Fault(Fault::Stop)));
        let counts = [
            ("kills", kills),
            ("stops", stops),
            ("sends", count(|what| matches!(what, What::Send(_)))),
            ("tasks", lock(&self.known).len() as u64),
            ("events", count(|what| matches!(what, What::Event { .. }))),
            ("resumed streams", count(|what| matches!(what, What::Open { after: Some(1..), .. }))),
            ("reads", count(|what| matches!(what, What::Read(_)))),
        ];
        Outcome {
            counts: counts.into_iter().filter(|(_, number)| *number > 0).collect(),
            faults: history::check(records).iter().map(ToString::to_string).collect(),
            skipped: None,
        }
    }
}

/// No client panics while it holds a lock, so none is ever poisoned.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
