//! Every bound of the service, with its default.

use std::time::Duration;

use crate::quota::Quotas;
use crate::rates::Rate;

/// The bounds within which the service works. Nothing grows without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parts in one message or artifact update.
    pub parts: usize,
    /// Tasks that one message refers to.
    pub references: usize,
    /// Bytes of JSON in a schema that answers shall satisfy.
    pub schema_bytes: usize,
    /// Messages in a task's history.
    pub history: usize,
    /// Artifacts of a task.
    pub artifacts: usize,
    /// Events in a task's log.
    pub events: u64,
    /// Bytes of JSON in a task's log.
    pub task_bytes: usize,
    /// Runs at work at once; a message that would begin one more is refused for a while.
    pub runs: usize,
    /// Runs of one caller at work at once; `None` for as many as there may be in all.
    pub runs_per_caller: Option<usize>,
    /// Runs of one tenant at work at once; `None` for as many as there may be in all.
    pub runs_per_tenant: Option<usize>,
    /// How often callers may call; every rule counts.
    pub rates: Vec<Rate>,
    /// How much tenants and callers may store.
    pub quotas: Quotas,
    /// Runs that wait for an agent which works on a bounded number at once; a message that would
    /// have to wait behind so many is refused for a while.
    pub queued: usize,
    /// Tasks that wait for an [`Authorization`](crate::Authorization) at once.
    pub authorizations: usize,
    /// For how long an authorization is waited for.
    pub authorization_wait: Duration,
    /// Bytes of events on their way to the store, over all tasks, before new work is refused.
    pub backlog_bytes: usize,
    /// How long one run may take.
    pub run_time: Duration,
    /// How long a blocking send waits before it answers with the task as it is.
    pub blocking_wait: Duration,
    /// Events of one run on their way to the store before the agent has to wait.
    pub window_events: usize,
    /// Bytes of events of one run on their way to the store before the agent has to wait.
    pub window_bytes: usize,
    /// Bytes of recent events a live task keeps for its readers.
    pub ring_bytes: usize,
    /// Streams open at once.
    pub streams: usize,
    /// How often the credentials of an open stream are looked at again, where they may be taken back.
    pub recheck: Duration,
    /// How often a run that was lost is begun again before its task fails.
    pub attempts: u32,
    /// How long a run may go on after its task was cancelled or the server began to stop.
    pub stop_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            parts: 1_000,
            references: 100,
            schema_bytes: 64 << 10,
            history: 1_000,
            artifacts: 1_000,
            events: 1_000_000,
            task_bytes: 256 << 20,
            runs: 10_000,
            runs_per_caller: None,
            runs_per_tenant: None,
            rates: Rate::usual(),
            quotas: Quotas::default(),
            queued: 1_000,
            authorizations: 1_000,
            authorization_wait: Duration::from_secs(900),
            backlog_bytes: 256 << 20,
            run_time: Duration::from_secs(3_600),
            blocking_wait: Duration::from_secs(600),
            window_events: 256,
            window_bytes: 1 << 20,
            ring_bytes: 256 << 10,
            streams: 20_000,
            recheck: Duration::from_secs(30),
            attempts: 3,
            stop_grace: Duration::from_secs(5),
        }
    }
}
