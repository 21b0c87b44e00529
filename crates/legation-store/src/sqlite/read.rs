//! Reads rows back: tasks with their snapshots and logs.

use std::sync::Arc;

use bytes::Bytes;
use legation_core::Scope;
use legation_core::store::{Seq, Stored, TaskKey};
use legation_model::{TaskId, TaskState, Timestamp};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row, params};

use super::failure::Failure;
use super::scopes::{Scopes, of_number};
use crate::batch::Head;
use crate::log::{last_of_row, row_ids, split};

/// A task joined with its rows from the newest snapshot on. One statement, so that the two agree.
macro_rules! select_task {
    ($joined:literal, $condition:literal) => {
        concat!(
            "SELECT t.scope, t.epoch, t.state, t.status_at, t.snapshot, e.id, t.at_work, t.key, t.id,
                    e.snapshot, CASE WHEN e.snapshot IS NULL THEN e.entries END
             FROM tasks t ",
            $joined,
            " JOIN task_events e
               ON e.id BETWEEN (t.key << 24) + coalesce(t.snapshot, 0) AND (t.key + 1 << 24) - 1
             WHERE ",
            $condition,
            " ORDER BY e.id"
        )
    };
}

/// The task with a public name, within a scope. Where several agents have one of that name, it is
/// the oldest.
pub(super) fn load(
    connection: &Connection,
    scopes: &Scopes,
    scope: &Scope,
    id: &TaskId,
) -> Result<Option<Stored>, Failure> {
    if id.looks_made() {
        // Hardly anybody else has one of that name, so no scope has to be looked for first.
        return stored(connection, scopes, select_task!("", "t.id = ?1"), [id.as_str()], |row| {
            scope.sees(row)
        });
    }
    let Scope { deployment, tenant, owner, agent } = scope;
    // The owner, when given, leads the search, so that nobody pays for what others call their tasks.
    let sql = if owner.is_some() {
        select_task!(
            "",
            "t.id = ?1 AND t.scope IN (
               SELECT key FROM scopes WHERE deployment = ?2 AND tenant = ?3 AND owner = ?4
                 AND (?5 IS NULL OR agent = ?5))"
        )
    } else {
        select_task!(
            "JOIN scopes s ON s.key = t.scope",
            "t.id = ?1 AND s.deployment = ?2 AND s.tenant = ?3 AND ?4 IS NULL
               AND (?5 IS NULL OR s.agent = ?5)"
        )
    };
    let place = params![id.as_str(), deployment, tenant, owner, agent];
    stored(connection, scopes, sql, place, |_| true)
}

/// The task with a key, whosever it is.
pub(super) fn load_by_key(
    connection: &Connection,
    scopes: &Scopes,
    key: i64,
) -> Result<Stored, Failure> {
    let task = stored(connection, scopes, select_task!("", "t.key = ?1"), [key], |_| true)?;
    task.ok_or_else(|| Failure::unreadable("a task without a log"))
}

fn stored(
    connection: &Connection,
    scopes: &Scopes,
    sql: &str,
    place: impl Params,
    is_visible: impl Fn(&Scope) -> bool,
) -> Result<Option<Stored>, Failure> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(place)?;
    let mut task = None::<Stored>;
    while let Some(row) = rows.next()? {
        let Head { scope, epoch, last, state, status_at, at_work, .. } = head(row)?;
        let key = TaskKey(row.get(7)?);
        if task.as_ref().is_some_and(|task| task.key != key) {
            break;
        }
        let task = match &mut task {
            Some(task) => task,
            none => none.insert(Stored {
                key,
                scope: match of_number(scopes, connection, scope)? {
                    scope if is_visible(&scope) => scope,
                    _ => continue,
                },
                id: task_id(row, 8)?,
                epoch,
                seq: 0,
                state,
                status_at,
                at_work,
                elsewhere: None,
                snapshot: None,
                tail: Vec::new(),
            }),
        };
        task.seq = last;
        match blob(row, 9)? {
            Some(snapshot) => task.snapshot = Some((last, snapshot)),
            None => {
                let body = blob(row, 10)?.unwrap_or_default();
                task.tail.extend(split(last, &body).1);
            }
        }
    }
    Ok(task)
}

/// Entries of a task of the scope after a number, about `bytes` of them.
pub(super) fn entries(
    connection: &Connection,
    scope: &Scope,
    key: TaskKey,
    after: Seq,
    bytes: usize,
) -> Result<Vec<(Seq, Bytes)>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT e.id, e.entries
         FROM tasks t JOIN scopes s ON s.key = t.scope JOIN task_events e
         WHERE t.key = ?1 AND s.deployment = ?2 AND s.tenant = ?3
           AND (?4 IS NULL OR s.owner = ?4) AND (?5 IS NULL OR s.agent = ?5)
           AND e.id > ?6 AND e.id <= ?7
         ORDER BY e.id",
    )?;
    let ids = row_ids(key);
    let behind = ids.start().saturating_add_unsigned(after);
    let Scope { deployment, tenant, owner, agent } = scope;
    let mut rows =
        select.query(params![key.0, deployment, tenant, owner, agent, behind, ids.end()])?;
    let mut found = Vec::new();
    let mut room = bytes;
    while let Some(row) = rows.next()? {
        let body = blob(row, 1)?.unwrap_or_default();
        let (first, entries) = split(last_of_row(row.get(0)?), &body);
        for (seq, entry) in (first..).zip(entries).filter(|(seq, _)| *seq > after) {
            if !found.is_empty() && entry.len() > room {
                return Ok(found);
            }
            room = room.saturating_sub(entry.len());
            found.push((seq, entry));
        }
    }
    Ok(found)
}

/// The public name of a task that is stored.
pub(super) fn id(connection: &Connection, key: TaskKey) -> Result<TaskId, Failure> {
    let mut select = connection.prepare_cached("SELECT id FROM tasks WHERE key = ?1")?;
    let mut rows = select.query([key.0])?;
    let row = rows.next()?.ok_or_else(|| Failure::unreadable("a log without a task"))?;
    task_id(row, 0)
}

/// Tasks of a deployment that are submitted or working or whose run waits, after a key, by key.
pub(super) fn unfinished(
    connection: &Connection,
    scopes: &Scopes,
    deployment: &str,
    after: TaskKey,
    limit: usize,
) -> Result<Vec<Stored>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT t.key FROM tasks t INDEXED BY tasks_unfinished JOIN scopes s ON s.key = t.scope
         WHERE (t.state IN (1, 2) OR t.at_work) AND t.key > ?1 AND s.deployment = ?2
         ORDER BY t.key LIMIT ?3",
    )?;
    let place = params![after.0, deployment, i64::try_from(limit).unwrap_or(i64::MAX)];
    let keys: Vec<i64> = select.query_map(place, |row| row.get(0))?.collect::<Result<_, _>>()?;
    keys.into_iter().map(|key| load_by_key(connection, scopes, key)).collect()
}

/// Reads the columns that every look at a task begins with.
pub(super) fn head(row: &Row<'_>) -> Result<Head, Failure> {
    let state = TaskState::from_number(row.get(2)?);
    let status_at = Timestamp::from_millis(row.get(3)?);
    let snapshot: Option<i64> = row.get(4)?;
    Ok(Head {
        scope: row.get(0)?,
        epoch: row.get(1)?,
        state: state.ok_or_else(|| Failure::unreadable("a state that does not exist"))?,
        status_at: status_at.ok_or_else(|| Failure::unreadable("a time out of range"))?,
        snapshot: snapshot.map(|seq| seq as Seq),
        last: row.get::<_, Option<i64>>(5)?.map_or(0, last_of_row),
        at_work: row.get(6)?,
    })
}

pub(super) fn task_id(row: &Row<'_>, column: usize) -> Result<TaskId, Failure> {
    let text: Arc<str> = row.get(column)?;
    TaskId::parse(&text).map_err(|bad| Failure::unreadable(format!("a task id: {bad}")))
}

pub(super) fn blob(row: &Row<'_>, column: usize) -> Result<Option<Bytes>, Failure> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => Ok(Some(Bytes::copy_from_slice(bytes))),
        ValueRef::Null => Ok(None),
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => {
            Err(Failure::unreadable("a body that is no blob"))
        }
    }
}
