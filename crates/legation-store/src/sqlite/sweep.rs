//! Sweeps: take contexts on in their lives and remove what is over, a bounded number of rows at a time.

use legation_core::store::{Swept, TaskKey};
use legation_core::{ContextEvent, ContextState, Cutoffs};
use legation_model::{TaskState, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use super::commit::{Counts, add_counts};
use super::failure::Failure;
use super::scopes::{Scopes, of_number};
use super::usage::Tally;
use super::{contexts, results};
use crate::log::row_ids;

/// Contexts, and idempotency keys, that one step of a removal takes at most.
pub(super) const MOST_ROWS: u64 = 1024;

/// Pages given back to the file system in one step at most, so that a step stays short.
const PAGES_A_STEP: i64 = 512;

/// Finds up to `limit` tasks of a deployment that ended before a moment.
///
/// This looks into every scope, so it is a reader's work and not the writer's. What it finds stays
/// true until it is removed, because an ended task never changes.
pub(super) fn find_ended(
    connection: &Connection,
    deployment: &str,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<TaskKey>, Failure> {
    let mut runs = connection.prepare_cached(
        "SELECT c.scope, c.state FROM scopes s JOIN task_counts c ON c.scope = s.key
         WHERE s.deployment = ?1 AND c.tasks > 0",
    )?;
    let mut select = connection.prepare_cached(
        "SELECT key FROM tasks INDEXED BY tasks_by_state
         WHERE scope = ?1 AND state = ?2 AND status_at < ?3 ORDER BY status_at LIMIT ?4",
    )?;
    let mut ended = Vec::new();
    let mut rows = runs.query([deployment])?;
    while let Some(row) = rows.next()? {
        let (scope, state): (i64, i64) = (row.get(0)?, row.get(1)?);
        if !TaskState::from_number(state).is_some_and(TaskState::is_terminal) {
            continue;
        }
        let room = i64::try_from(limit - ended.len()).unwrap_or(i64::MAX);
        let keys = select.query_map((scope, state, before.as_millis(), room), |row| row.get(0))?;
        for key in keys {
            ended.push(TaskKey(key?));
        }
    }
    Ok(ended)
}

/// A transaction that removes, with what it takes off the counters.
pub(super) struct Removing<'c> {
    pub(super) connection: &'c Connection,
    scopes: &'c Scopes,
    counts: Counts,
    tally: Tally,
    told: Vec<ContextEvent>,
}

impl<'c> Removing<'c> {
    pub(super) fn new(connection: &'c Connection, scopes: &'c Scopes, is_counting: bool) -> Self {
        let (counts, tally) = (Counts::new(), Tally::new(is_counting));
        Self { connection, scopes, counts, tally, told: Vec::new() }
    }

    /// Removes a task with its log; gives its context, if there was a task.
    pub(super) fn task(&mut self, key: TaskKey) -> Result<Option<i64>, Failure> {
        let ids = row_ids(key);
        let mut bytes = 0;
        if self.tally.is_counting() {
            let mut select = self.connection.prepare_cached(
                "SELECT coalesce(sum(length(entries)), 0) FROM task_events
                 WHERE id BETWEEN ?1 AND ?2",
            )?;
            bytes = select.query_row((ids.start(), ids.end()), |row| row.get(0))?;
        }
        self.connection
            .prepare_cached("DELETE FROM task_events WHERE id BETWEEN ?1 AND ?2")?
            .execute((ids.start(), ids.end()))?;
        let mut delete = self
            .connection
            .prepare_cached("DELETE FROM tasks WHERE key = ?1 RETURNING scope, state, context")?;
        let removed = delete.query_row([key.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        // Another removal may have been faster.
        let Some((scope, state, context)) = removed.optional()? else { return Ok(None) };
        *self.counts.entry((scope, state)).or_default() -= 1;
        self.take_off(scope, bytes)?;
        contexts::leave(self.connection, context)?;
        Ok(Some(context))
    }

    /// Takes bytes off what a scope has stored.
    pub(super) fn take_off(&mut self, scope: i64, bytes: i64) -> Result<(), Failure> {
        if self.tally.is_counting() && bytes > 0 {
            let scope = of_number(self.scopes, self.connection, scope)?;
            self.tally.bytes(&scope, -bytes);
        }
        Ok(())
    }

    /// Removes contexts that have no task; gives how many.
    pub(super) fn prune(&mut self, contexts: &[i64]) -> Result<u64, Failure> {
        let mut pruned = 0;
        for context in contexts {
            let told = contexts::prune(self.connection, self.scopes, *context)?;
            pruned += u64::from(told.is_some());
            self.told.extend(told);
        }
        Ok(pruned)
    }

    /// Removes a task that is over; leaves its result where that is worth keeping. Gives its context, if
    /// there was a task.
    fn over(
        &mut self,
        key: TaskKey,
        cutoffs: &Cutoffs,
        swept: &mut Swept,
    ) -> Result<Option<i64>, Failure> {
        let kept = match cutoffs.results {
            Some(since) => results::of_task(self.connection, key, since)?,
            None => None,
        };
        let context = self.task(key)?;
        swept.tasks += u64::from(context.is_some());
        if let Some(kept) = kept {
            results::keep(self.connection, &kept)?;
            swept.kept += 1;
        }
        Ok(context)
    }

    /// Writes the counters; gives what to tell of contexts.
    pub(super) fn finish(self) -> Result<Vec<ContextEvent>, Failure> {
        add_counts(self.connection, &self.counts)?;
        self.tally.write(self.connection)?;
        Ok(self.told)
    }
}

/// Takes contexts on in their lives.
pub(super) fn age(
    removing: &mut Removing<'_>,
    contexts: &[i64],
    cutoffs: &Cutoffs,
) -> Result<Swept, Failure> {
    let mut swept = Swept::default();
    for key in contexts {
        let told = contexts::age(removing.connection, removing.scopes, cutoffs, *key)?;
        let became = |state: ContextState| {
            u64::from(told.as_ref().is_some_and(|told| told.change == state.change()))
        };
        swept.idle += became(ContextState::Idle);
        swept.expired += became(ContextState::Expired);
        removing.told.extend(told);
    }
    Ok(swept)
}

/// Removes tasks that ended long ago.
pub(super) fn ended(
    removing: &mut Removing<'_>,
    tasks: &[TaskKey],
    cutoffs: &Cutoffs,
) -> Result<Swept, Failure> {
    let mut swept = Swept::default();
    for key in tasks {
        removing.over(*key, cutoffs, &mut swept)?;
    }
    Ok(swept)
}

/// Removes tasks of contexts that are expired still, and contexts that have none left.
pub(super) fn expired(
    removing: &mut Removing<'_>,
    tasks: &[TaskKey],
    contexts: &[i64],
    cutoffs: &Cutoffs,
) -> Result<Swept, Failure> {
    let (mut swept, mut contexts) = (Swept::default(), contexts.to_owned());
    for key in tasks {
        if contexts::is_expired(removing.connection, *key)? {
            contexts.extend(removing.over(*key, cutoffs, &mut swept)?);
        }
    }
    swept.contexts = removing.prune(&contexts)?;
    Ok(swept)
}

/// Removes old idempotency keys and results, up to [`MOST_ROWS`] of each.
pub(super) fn old(
    removing: &mut Removing<'_>,
    deployment: &str,
    cutoffs: &Cutoffs,
) -> Result<Swept, Failure> {
    let keys = forget_keys(removing, deployment, cutoffs.quiet)?;
    let results = results::forget(removing.connection, deployment, cutoffs.results, MOST_ROWS)?;
    Ok(Swept { keys, results, ..Swept::default() })
}

/// Makes the file smaller when much of it is unused. Less is kept for new rows.
pub(super) fn give_back_room(connection: &Connection) -> Result<(), Failure> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("freelist_count")? > pragma("page_count")? / 4 + PAGES_A_STEP {
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES_A_STEP})"))?;
    }
    Ok(())
}

fn forget_keys(
    removing: &mut Removing<'_>,
    deployment: &str,
    before: Timestamp,
) -> Result<u64, Failure> {
    let mut delete = removing.connection.prepare_cached(
        "DELETE FROM idempotency WHERE (scope, key) IN (
             SELECT i.scope, i.key FROM idempotency i INDEXED BY idempotency_by_age
             JOIN scopes s ON s.key = i.scope
             WHERE i.created_at < ?1 AND s.deployment = ?2 LIMIT ?3)
         RETURNING scope, coalesce(length(answer), 0)",
    )?;
    let mut forgotten = 0;
    let mut rows = delete.query((before.as_millis(), deployment, MOST_ROWS as i64))?;
    while let Some(row) = rows.next()? {
        removing.take_off(row.get(0)?, row.get(1)?)?;
        forgotten += 1;
    }
    Ok(forgotten)
}
