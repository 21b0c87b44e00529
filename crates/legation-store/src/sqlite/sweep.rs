//! Retention: removes tasks that ended long ago, a bounded number at a time.

use legation_core::store::{Swept, TaskKey};
use legation_model::{TaskState, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use super::commit::{Counts, add_counts};
use super::contexts;
use super::failure::Failure;
use super::log::row_ids;

/// Contexts, and idempotency keys, that one step of a removal takes at most.
pub(super) const MOST_ROWS: u64 = 1024;

/// Pages given back to the file system in one step at most, so that a step stays short.
const PAGES_A_STEP: i64 = 512;

/// Finds up to `limit` tasks of a deployment that ended before a moment.
///
/// This looks into every scope, so it is a reader's work and not the writer's. What it finds stays
/// true until it is removed, because an ended task never changes.
pub(super) fn ended(
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

/// Removes tasks, then contexts without tasks and idempotency keys of before a moment, up to
/// [`MOST_ROWS`] of each.
pub(super) fn remove(
    connection: &Connection,
    tasks: &[TaskKey],
    deployment: &str,
    before: Timestamp,
) -> Result<Swept, Failure> {
    let mut swept = Swept::default();
    let mut counts = Counts::new();
    for key in tasks {
        // Another sweep may have removed it meanwhile.
        let Some((scope, state, context)) = remove_task(connection, *key)? else { continue };
        *counts.entry((scope, state)).or_default() -= 1;
        swept.tasks += 1;
        contexts::leave(connection, context)?;
    }
    add_counts(connection, &counts)?;
    swept.contexts = contexts::remove_idle(connection, deployment, before, MOST_ROWS)?;
    swept.keys = forget_keys(connection, deployment, before)?;
    Ok(swept)
}

/// Makes the file smaller when much of it is unused. Less is kept for new rows.
pub(super) fn give_back_room(connection: &Connection) -> Result<(), Failure> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("freelist_count")? > pragma("page_count")? / 4 + PAGES_A_STEP {
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES_A_STEP})"))?;
    }
    Ok(())
}

/// Removes a task with its log; returns its scope, state and context.
pub(super) fn remove_task(
    connection: &Connection,
    key: TaskKey,
) -> Result<Option<(i64, i32, i64)>, Failure> {
    let ids = row_ids(key);
    connection
        .prepare_cached("DELETE FROM task_events WHERE id BETWEEN ?1 AND ?2")?
        .execute((ids.start(), ids.end()))?;
    let mut delete = connection
        .prepare_cached("DELETE FROM tasks WHERE key = ?1 RETURNING scope, state, context")?;
    let removed = delete.query_row([key.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    Ok(removed.optional()?)
}

fn forget_keys(
    connection: &Connection,
    deployment: &str,
    before: Timestamp,
) -> Result<u64, Failure> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM idempotency WHERE (scope, key) IN (
             SELECT i.scope, i.key FROM idempotency i INDEXED BY idempotency_by_age
             JOIN scopes s ON s.key = i.scope
             WHERE i.created_at < ?1 AND s.deployment = ?2 LIMIT ?3)",
    )?;
    Ok(delete.execute((before.as_millis(), deployment, MOST_ROWS as i64))? as u64)
}
