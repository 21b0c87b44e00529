//! Results: what is left of tasks that were removed.

use std::sync::Arc;

use bytes::Bytes;
use legation_core::Scope;
use legation_core::store::{Seq, Stored, TaskKey};
use legation_model::{ContextId, TaskId, TaskState, Timestamp};
use rusqlite::{Connection, params};

use super::failure::Failure;
use super::read::{blob, task_id};
use super::scopes::{Scopes, of_number, within};
use crate::log::{row_ids, split};

/// What is to be kept of a task.
pub(super) struct Kept {
    scope: i64,
    id: Arc<str>,
    context: Arc<str>,
    state: i64,
    status_at: i64,
    format: i64,
    last: i64,
    at: Option<i64>,
    snapshot: Option<Bytes>,
    entries: Option<Bytes>,
}

/// What is to be kept of a task that is about to be removed, if it ended and not before a moment.
pub(super) fn of_task(
    connection: &Connection,
    task: TaskKey,
    since: Timestamp,
) -> Result<Option<Kept>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT t.scope, t.id, c.id, t.state, t.status_at,
             (SELECT max(format) FROM task_events WHERE id BETWEEN ?2 AND ?3),
             (SELECT max(id) FROM task_events WHERE id BETWEEN ?2 AND ?3) - ?2,
             t.snapshot,
             (SELECT snapshot FROM task_events WHERE id = ?2 + t.snapshot),
             (SELECT CAST(group_concat(CAST(entries AS TEXT), char(10) ORDER BY id) AS BLOB)
              FROM task_events WHERE id > ?2 + coalesce(t.snapshot, 0) AND id <= ?3)
         FROM tasks t JOIN contexts c ON c.key = t.context
         WHERE t.key = ?1 AND t.status_at >= ?4
             AND t.state IN (SELECT value FROM json_each(?5))
             AND EXISTS (SELECT 1 FROM task_events WHERE id BETWEEN ?2 AND ?3)",
    )?;
    let rows = row_ids(task);
    let place = params![task.0, rows.start(), rows.end(), since.as_millis(), terminal()];
    let mut found = select.query(place)?;
    let Some(row) = found.next()? else { return Ok(None) };
    Ok(Some(Kept {
        scope: row.get(0)?,
        id: row.get(1)?,
        context: row.get(2)?,
        state: row.get(3)?,
        status_at: row.get(4)?,
        format: row.get(5)?,
        last: row.get(6)?,
        at: row.get(7)?,
        snapshot: blob(row, 8)?,
        entries: blob(row, 9)?,
    }))
}

/// Keeps what a task has left. A task of the same name that was before it is not to be had any more.
///
/// This comes after the removal, whose room it takes: a store that is full has no other.
pub(super) fn keep(connection: &Connection, kept: &Kept) -> Result<(), Failure> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO results
             (scope, id, context, state, status_at, format, last, at, snapshot, entries)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id, scope) DO UPDATE SET context = excluded.context, state = excluded.state,
             status_at = excluded.status_at, format = excluded.format, last = excluded.last,
             at = excluded.at, snapshot = excluded.snapshot, entries = excluded.entries",
    )?;
    insert.execute(params![
        kept.scope,
        kept.id,
        kept.context,
        kept.state,
        kept.status_at,
        kept.format,
        kept.last,
        kept.at,
        kept.snapshot.as_deref(),
        kept.entries.as_deref(),
    ])?;
    Ok(())
}

/// The numbers of states that end a task, as a list in JSON.
fn terminal() -> String {
    let numbers = TaskState::ALL.iter().filter(|state| state.is_terminal());
    let numbers: Vec<_> = numbers.map(|state| state.number().to_string()).collect();
    format!("[{}]", numbers.join(","))
}

/// The result with a public name, within a scope.
pub(super) fn load(
    connection: &Connection,
    scopes: &Scopes,
    scope: &Scope,
    id: &TaskId,
) -> Result<Option<Stored>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT key, scope, id, state, status_at, last, at, snapshot, entries FROM results
         WHERE id = ?1 ORDER BY key",
    )?;
    let within = within(connection, scope)?;
    let mut rows = select.query([id.as_str()])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(1)?;
        if !within.contains(&number) {
            continue;
        }
        let (state, status_at) = (TaskState::from_number(row.get(3)?), row.get(4)?);
        let (last, at): (i64, Option<i64>) = (row.get(5)?, row.get(6)?);
        let seq = last.unsigned_abs();
        let snapshot = at.map(i64::unsigned_abs).zip(blob(row, 7)?);
        let tail = blob(row, 8)?.map(|body| split(seq, &body).1.collect());
        return Ok(Some(Stored {
            key: TaskKey(row.get(0)?),
            scope: of_number(scopes, connection, number)?,
            id: task_id(row, 2)?,
            epoch: 0,
            seq: seq as Seq,
            state: state.ok_or_else(|| Failure::unreadable("a state that does not exist"))?,
            status_at: Timestamp::from_millis(status_at)
                .ok_or_else(|| Failure::unreadable("a time out of range"))?,
            at_work: false,
            elsewhere: None,
            snapshot,
            tail: tail.unwrap_or_default(),
        }));
    }
    Ok(None)
}

/// Removes results of a deployment of tasks that ended before a moment, all of them where none is
/// kept, up to a number; gives how many.
pub(super) fn forget(
    connection: &Connection,
    deployment: &str,
    before: Option<Timestamp>,
    most: u64,
) -> Result<u64, Failure> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM results WHERE key IN (
             SELECT r.key FROM results r INDEXED BY results_by_age JOIN scopes s ON s.key = r.scope
             WHERE r.status_at < ?1 AND s.deployment = ?2 LIMIT ?3)",
    )?;
    let before = before.map_or(i64::MAX, Timestamp::as_millis);
    Ok(delete.execute((before, deployment, most as i64))? as u64)
}

/// Results of a scope, of a context or of all, up to a number.
pub(super) fn find(
    connection: &Connection,
    scope: i64,
    context: Option<&ContextId>,
    most: u64,
) -> Result<Vec<i64>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT key FROM results WHERE scope = ?1 AND (?2 IS NULL OR context = ?2) LIMIT ?3",
    )?;
    let place = (scope, context.map(ContextId::as_str), most as i64);
    let keys = select.query_map(place, |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Removes results; gives how many there were.
pub(super) fn remove(connection: &Connection, keys: &[i64]) -> Result<u64, Failure> {
    let mut delete = connection.prepare_cached("DELETE FROM results WHERE key = ?1")?;
    let mut removed = 0;
    for key in keys {
        removed += delete.execute([key])? as u64;
    }
    Ok(removed)
}
