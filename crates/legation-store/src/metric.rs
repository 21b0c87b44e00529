//! What stores and their bells count.

use std::time::Instant;

use legation_core::bell::News;
use legation_core::metric::Metric;
use legation_core::store::StoreError;
use metrics::{Counter, Histogram};

const COMMITS: Metric = Metric::durations(
    "legation_store_commit_duration_seconds",
    &[],
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5],
    "How long transactions took that write, with their sync; each holds what had queued up",
);
const WRITES: Metric = Metric::counter(
    "legation_store_writes_total",
    &[],
    "Appends and direct answers in these transactions, those of them that were refused included",
);
const BYTES: Metric =
    Metric::counter("legation_store_written_bytes_total", &[], "Roughly what these held");
const REFUSED: Metric = Metric::counter(
    "legation_store_writes_refused_total",
    &["reason"],
    "Writes that did not become durable, by why",
);
const STALE: Metric = Metric::counter(
    "legation_stale_writes_refused_total",
    &[],
    "Appends of runs that another run had taken the task from",
);
pub(crate) const RENEWALS_FAILED: Metric = Metric::counter(
    "legation_lease_renewals_failed_total",
    &[],
    "Tries to renew the lease of this replica that failed",
);
pub(crate) const LEASES_LOST: Metric = Metric::counter(
    "legation_leases_lost_total",
    &[],
    "Times the lease of this replica ran out, so that others took its tasks over",
);
pub(crate) const TAKEN_OVER: Metric = Metric::counter(
    "legation_tasks_taken_over_total",
    &[],
    "Unfinished tasks that this replica took over from one that is gone",
);
pub(crate) const LETTERS_SENT: Metric =
    Metric::counter("legation_letters_sent_total", &[], "Letters to other replicas");
pub(crate) const LETTERS_READ: Metric =
    Metric::counter("legation_letters_read_total", &[], "Letters from other replicas");
pub(crate) const RUNG: Metric = Metric::counter(
    "legation_bell_rung_total",
    &["news"],
    "News for other replicas, before those of a task are gathered",
);
pub(crate) const HEARD: Metric = Metric::counter(
    "legation_bell_heard_total",
    &["news"],
    "News from other replicas; `missed` when some may not have been heard",
);

/// What stores measure.
pub const STORE: &[&Metric] = &[
    &COMMITS,
    &WRITES,
    &BYTES,
    &REFUSED,
    &STALE,
    &RENEWALS_FAILED,
    &LEASES_LOST,
    &TAKEN_OVER,
    &LETTERS_SENT,
    &LETTERS_READ,
    &RUNG,
    &HEARD,
];

/// What the writers of a store count.
pub(crate) struct Writes {
    commits: Histogram,
    writes: Counter,
    bytes: Counter,
    stale: Counter,
    refused: [Counter; REASONS.len()],
}

const REASONS: [&str; 6] = ["full", "unavailable", "fenced", "removed", "taken", "damaged"];

fn reason(error: &StoreError) -> usize {
    match error {
        StoreError::Full => 0,
        StoreError::Unavailable(_) => 1,
        StoreError::Fenced => 2,
        StoreError::Removed => 3,
        StoreError::Taken(_) => 4,
        StoreError::Damaged(_) => 5,
    }
}

impl Default for Writes {
    fn default() -> Self {
        Self {
            commits: COMMITS.timed(&[]),
            writes: WRITES.count(&[]),
            bytes: BYTES.count(&[]),
            stale: STALE.count(&[]),
            refused: REASONS.map(|reason| REFUSED.count(&[("reason", reason)])),
        }
    }
}

impl Writes {
    /// Counts a transaction that is durable now.
    pub(crate) fn committed(&self, began: Instant, writes: usize, bytes: usize) {
        self.commits.record(began.elapsed());
        self.writes.increment(writes as u64);
        self.bytes.increment(bytes as u64);
    }

    /// Counts appends of a transaction that came too late.
    pub(crate) fn stale(&self, appends: usize) {
        if appends > 0 {
            self.stale.increment(appends as u64);
        }
    }

    /// Counts a write that is not durable.
    pub(crate) fn refused(&self, error: &StoreError) {
        self.refused[reason(error)].increment(1);
    }
}

/// News, counted by what they are.
pub(crate) struct Counted([Counter; NEWS.len()]);

const NEWS: [&str; 5] = ["grown", "letter", "gone", "missed", "queued"];

impl Counted {
    pub(crate) fn by(metric: &Metric) -> Self {
        Self(NEWS.map(|news| metric.count(&[("news", news)])))
    }

    pub(crate) fn count(&self, news: News) {
        let of = match news {
            News::Grown(..) => 0,
            News::Letter(_) => 1,
            News::Gone => 2,
            News::Missed => 3,
            News::Queued(_) => 4,
        };
        self.0[of].increment(1);
    }
}
