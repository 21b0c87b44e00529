//! Reads rows back: tasks with their snapshots and logs.

use bytes::Bytes;
use legation_core::Scope;
use legation_core::store::{Replica, Seq, Stored, TaskKey};
use legation_model::{TaskId, TaskState, Timestamp};
use tokio_postgres::Row;

use super::failure::Failure;
use super::scopes::{Scopes, of_number, within};
use super::session::Session;
use crate::batch::Head;
use crate::log::split;

/// Tasks with their rows from the newest snapshot on, and the replica that is at work on each. One statement,
/// so that all of it agrees.
macro_rules! select_tasks {
    ($tasks:literal, $order:literal) => {
        concat!(
            "SELECT t.scope, t.epoch, t.state, t.status_at, t.snapshot, e.last, t.at_work, t.key, t.id,
                 e.snapshot, CASE WHEN e.snapshot IS NULL THEN e.entries END, r.id
             FROM ",
            $tasks,
            " t CROSS JOIN LATERAL (SELECT e.last, e.snapshot, e.entries FROM task_events e
                 WHERE e.task = t.key AND e.last >= coalesce(t.snapshot, 0) OFFSET 0) e
                 LEFT JOIN replicas r ON r.id = t.replica AND r.lease_until > now()
             ORDER BY ",
            $order
        )
    };
}

/// The task with a public name, within a scope. Where several agents have one of that name, it is
/// the oldest.
pub(super) async fn load(
    session: &Session,
    scopes: &Scopes,
    scope: &Scope,
    id: &TaskId,
) -> Result<Option<Stored>, Failure> {
    if id.looks_made() {
        // Hardly anybody else has one of that name, so no scope has to be looked for first.
        let rows = session
            .query(
                select_tasks!(
                    "(SELECT * FROM tasks WHERE id = $1 OFFSET 0)",
                    "t.created_at, t.key, e.last"
                ),
                &[&id.as_str()],
            )
            .await?;
        let tasks = tasks(session, scopes, rows).await?;
        return Ok(tasks.into_iter().find(|task| scope.sees(&task.scope)));
    }
    let numbers = within(session, scopes, scope).await?;
    let sql = select_tasks!(
        "unnest($2::bigint[]) AS n (scope)
         CROSS JOIN LATERAL (SELECT * FROM tasks WHERE id = $1 AND scope = n.scope OFFSET 0)",
        "t.created_at, t.key, e.last"
    );
    let rows = session.query(sql, &[&id.as_str(), &numbers]).await?;
    Ok(tasks(session, scopes, rows).await?.into_iter().next())
}

/// The tasks with these keys, whosever they are, by key.
pub(super) async fn load_by_keys(
    session: &Session,
    scopes: &Scopes,
    keys: &[i64],
) -> Result<Vec<Stored>, Failure> {
    let rows = session
        .query(
            select_tasks!("(SELECT * FROM tasks WHERE key = ANY ($1) OFFSET 0)", "t.key, e.last"),
            &[&keys],
        )
        .await?;
    tasks(session, scopes, rows).await
}

async fn tasks(session: &Session, scopes: &Scopes, rows: Vec<Row>) -> Result<Vec<Stored>, Failure> {
    let mut tasks: Vec<Stored> = Vec::new();
    for row in rows {
        let Head { scope, epoch, last, state, status_at, at_work, .. } = head(&row)?;
        let key = TaskKey(row.try_get(7)?);
        if tasks.last().is_none_or(|task| task.key != key) {
            tasks.push(Stored {
                key,
                scope: of_number(session, scopes, scope).await?,
                id: task_id(row.try_get(8)?)?,
                epoch,
                seq: 0,
                state,
                status_at,
                at_work,
                elsewhere: row.try_get::<_, Option<i64>>(11)?.map(Replica),
                snapshot: None,
                tail: Vec::new(),
            });
        }
        let Some(task) = tasks.last_mut() else { continue };
        task.seq = last;
        match blob(&row, 9)? {
            Some(snapshot) => task.snapshot = Some((last, snapshot)),
            None => {
                let body = blob(&row, 10)?.unwrap_or_default();
                task.tail.extend(split(last, &body).1);
            }
        }
    }
    Ok(tasks)
}

/// Rows of a log that are asked for at once.
const ROWS: i64 = 256;

/// Entries of a task of the scope after a number, about `bytes` of them.
pub(super) async fn entries(
    session: &Session,
    scopes: &Scopes,
    scope: &Scope,
    key: TaskKey,
    after: Seq,
    bytes: usize,
) -> Result<Vec<(Seq, Bytes)>, Failure> {
    let owner = session.first("SELECT scope FROM tasks WHERE key = $1", &[&key.0]).await?;
    let Some(owner) = owner else { return Ok(Vec::new()) };
    if !scope.sees(&of_number(session, scopes, owner.try_get(0)?).await?) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let (mut room, mut behind) = (bytes, after);
    loop {
        let most = i64::try_from(room).unwrap_or(i64::MAX);
        let from = i32::try_from(behind).unwrap_or(i32::MAX);
        let rows = session.query(ENTRIES, &[&key.0, &from, &most, &ROWS]).await?;
        let is_end = (rows.len() as i64) < ROWS;
        for row in rows {
            behind = row.try_get::<_, i32>(0)?.unsigned_abs().into();
            let body = blob(&row, 1)?.unwrap_or_default();
            let (first, entries) = split(behind, &body);
            for (seq, entry) in (first..).zip(entries).filter(|(seq, _)| *seq > after) {
                if !found.is_empty() && entry.len() > room {
                    return Ok(found);
                }
                room = room.saturating_sub(entry.len());
                found.push((seq, entry));
            }
        }
        if is_end {
            return Ok(found);
        }
    }
}

/// Rows until their bytes are enough, and one at least.
const ENTRIES: &str = "
    SELECT last, entries FROM (
        SELECT last, entries,
            sum(octet_length(entries)) OVER (ORDER BY last) - octet_length(entries) AS before
        FROM (SELECT last, entries FROM task_events WHERE task = $1 AND last > $2
              ORDER BY last LIMIT $4) e) e
    WHERE before <= $3 ORDER BY last";

/// Reads the columns that every look at a task begins with.
pub(super) fn head(row: &Row) -> Result<Head, Failure> {
    let state = TaskState::from_number(row.try_get::<_, i32>(2)?.into());
    let status_at = Timestamp::from_millis(row.try_get(3)?);
    let seq = |seq: Option<i32>| seq.map(|seq| Seq::from(seq.unsigned_abs()));
    Ok(Head {
        scope: row.try_get(0)?,
        epoch: u32::try_from(row.try_get::<_, i64>(1)?)
            .map_err(|_| Failure::unreadable("an epoch out of range"))?,
        state: state.ok_or_else(|| Failure::unreadable("a state that does not exist"))?,
        status_at: status_at.ok_or_else(|| Failure::unreadable("a time out of range"))?,
        snapshot: seq(row.try_get(4)?),
        last: seq(row.try_get(5)?).unwrap_or(0),
        at_work: row.try_get(6)?,
    })
}

pub(super) fn task_id(text: &str) -> Result<TaskId, Failure> {
    TaskId::parse(text).map_err(|bad| Failure::unreadable(format!("a task id: {bad}")))
}

pub(super) fn blob(row: &Row, column: usize) -> Result<Option<Bytes>, Failure> {
    Ok(row.try_get::<_, Option<&[u8]>>(column)?.map(Bytes::copy_from_slice))
}
