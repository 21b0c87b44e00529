//! What a transaction adds to the counters: rows of its own, so that nobody waits for a counter.

use std::collections::{HashMap, HashSet};

use legation_core::store::Day;
use legation_model::Timestamp;

use super::failure::Failure;
use super::scopes::Numbers;
use super::session::Session;

/// What a transaction adds, and takes away.
#[derive(Default)]
pub(super) struct Deltas {
    /// Tasks of a scope in a state.
    counts: HashMap<(i64, i32), i64>,
    usage: HashMap<Who, (i64, i64)>,
}

/// A scope that is used, whether it is a tenant, and a day.
type Who = (i64, bool, i64);

impl Deltas {
    /// Counts tasks of a scope in a state.
    pub(super) fn count(&mut self, scope: i64, state: i32, tasks: i64) {
        *self.counts.entry((scope, state)).or_default() += tasks;
    }

    /// A task was born.
    pub(super) fn born(&mut self, of: Numbers, at: Timestamp) {
        self.used(of, Day::of(at), 1, 0);
    }

    /// There are so many bytes more, or less.
    pub(super) fn bytes(&mut self, of: Numbers, bytes: i64) {
        // On a day before all others, where no task counts.
        self.used(of, Day(0), 0, bytes);
    }

    fn used(&mut self, of: Numbers, Day(day): Day, tasks: i64, bytes: i64) {
        for (scope, is_tenant) in [(of.owner, false), (of.tenant, true)] {
            let used = self.usage.entry((scope, is_tenant, day)).or_default();
            *used = (used.0 + tasks, used.1 + bytes);
        }
    }

    /// The counters that it changes, for who folds them.
    pub(super) fn touched(&self) -> Touched {
        let mut touched = Touched::default();
        touched.counts.extend(self.counts.keys());
        touched.usage.extend(self.usage.keys().map(|(who, is, _)| (*who, *is)));
        touched
    }

    /// Adds rows to the counters of tasks.
    pub(super) async fn write_counts(&self, session: &Session) -> Result<u64, Failure> {
        let changes: Vec<_> = self.counts.iter().filter(|(_, tasks)| **tasks != 0).collect();
        if changes.is_empty() {
            return Ok(0);
        }
        let scopes: Vec<i64> = changes.iter().map(|((scope, _), _)| *scope).collect();
        let states: Vec<i32> = changes.iter().map(|((_, state), _)| *state).collect();
        let tasks: Vec<i64> = changes.iter().map(|(_, tasks)| **tasks).collect();
        session.execute(INSERT_COUNTS, &[&scopes, &states, &tasks]).await
    }

    /// Adds rows to what is used.
    pub(super) async fn write_usage(&self, session: &Session) -> Result<u64, Failure> {
        let changes: Vec<_> = self.usage.iter().filter(|(_, used)| **used != (0, 0)).collect();
        if changes.is_empty() {
            return Ok(0);
        }
        let scopes: Vec<i64> = changes.iter().map(|((scope, ..), _)| *scope).collect();
        let are_tenants: Vec<bool> = changes.iter().map(|((_, is, _), _)| *is).collect();
        let days: Vec<i64> = changes.iter().map(|((.., day), _)| *day).collect();
        let tasks: Vec<i64> = changes.iter().map(|(_, (tasks, _))| *tasks).collect();
        let bytes: Vec<i64> = changes.iter().map(|(_, (_, bytes))| *bytes).collect();
        session.execute(INSERT_USAGE, &[&scopes, &are_tenants, &days, &tasks, &bytes]).await
    }
}

/// Counters that have rows to fold.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) counts: HashSet<(i64, i32)>,
    pub(super) usage: HashSet<(i64, bool)>,
}

impl Touched {
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.usage.is_empty()
    }

    pub(super) fn add(&mut self, more: Self) {
        self.counts.extend(more.counts);
        self.usage.extend(more.usage);
    }
}

pub(super) const INSERT_COUNTS: &str = "
    INSERT INTO task_counts (scope, state, tasks)
    SELECT * FROM unnest($1::bigint[], $2::int[], $3::bigint[])";

pub(super) const INSERT_USAGE: &str = "
    INSERT INTO usage (scope, is_tenant, day, tasks, bytes)
    SELECT * FROM unnest($1::bigint[], $2::bool[], $3::bigint[], $4::bigint[], $5::bigint[])";
