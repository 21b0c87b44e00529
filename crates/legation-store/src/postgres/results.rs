//! Results: what is left of tasks that were removed.

use legation_core::Scope;
use legation_core::store::{Seq, Stored, TaskKey};
use legation_model::{TaskId, TaskState, Timestamp};

use super::failure::Failure;
use super::read::{blob, task_id};
use super::scopes::{Scopes, of_number, within};
use super::session::Session;
use super::text::written;
use crate::log::split;

/// Keeps the results of tasks that are about to be removed, of those that ended and not before a
/// moment; gives how many. The tasks are locked.
pub(super) async fn keep(
    session: &Session,
    tasks: &[i64],
    since: Timestamp,
) -> Result<u64, Failure> {
    let states: Vec<i32> = TaskState::ALL
        .iter()
        .filter(|state| state.is_terminal())
        .map(|state| state.number())
        .collect();
    session.execute(KEEP, &[&tasks, &states, &since.as_millis()]).await
}

/// A task of the same name that was before it is not to be had any more.
const KEEP: &str = "
    INSERT INTO results (scope, id, context, state, status_at, format, last, at, snapshot, entries)
    SELECT t.scope, t.id, c.id, t.state, t.status_at, l.format, l.last, t.snapshot,
        (SELECT e.snapshot FROM task_events e WHERE e.task = t.key AND e.last = t.snapshot),
        (SELECT string_agg(e.entries, '\\x0a'::bytea ORDER BY e.last) FROM task_events e
            WHERE e.task = t.key AND e.last > coalesce(t.snapshot, 0))
    FROM tasks t
    CROSS JOIN LATERAL (SELECT id FROM contexts WHERE key = t.context OFFSET 0) c
    CROSS JOIN LATERAL (SELECT e.format, e.last FROM task_events e
        WHERE e.task = t.key ORDER BY e.last DESC LIMIT 1) l
    WHERE t.key = ANY ($1) AND t.state = ANY ($2) AND t.status_at >= $3
    ON CONFLICT (id, scope) DO UPDATE SET context = excluded.context, state = excluded.state,
        status_at = excluded.status_at, format = excluded.format, last = excluded.last,
        at = excluded.at, snapshot = excluded.snapshot, entries = excluded.entries";

/// The result with a public name, within a scope.
pub(super) async fn load(
    session: &Session,
    scopes: &Scopes,
    scope: &Scope,
    id: &TaskId,
) -> Result<Option<Stored>, Failure> {
    let numbers = within(session, scopes, scope).await?;
    let Some(row) = session.first(LOAD, &[&id.as_str(), &numbers]).await? else { return Ok(None) };
    let state = TaskState::from_number(row.try_get::<_, i32>(3)?.into());
    let seq = Seq::from(row.try_get::<_, i32>(5)?.unsigned_abs());
    let at: Option<i32> = row.try_get(6)?;
    let tail = blob(&row, 8)?.map(|body| split(seq, &body).1.collect());
    Ok(Some(Stored {
        key: TaskKey(row.try_get(0)?),
        scope: of_number(session, scopes, row.try_get(1)?).await?,
        id: task_id(row.try_get(2)?)?,
        epoch: 0,
        seq,
        state: state.ok_or_else(|| Failure::unreadable("a state that does not exist"))?,
        status_at: Timestamp::from_millis(row.try_get(4)?)
            .ok_or_else(|| Failure::unreadable("a time out of range"))?,
        at_work: false,
        elsewhere: None,
        snapshot: at.map(|at| Seq::from(at.unsigned_abs())).zip(blob(&row, 7)?),
        tail: tail.unwrap_or_default(),
    }))
}

const LOAD: &str = "
    SELECT key, scope, id, state, status_at, last, at, snapshot, entries FROM results
    WHERE id = $1 AND scope = ANY ($2) ORDER BY key LIMIT 1";

/// Removes results of a deployment of tasks that ended before a moment, all of them where none is
/// kept, up to a number; gives how many.
pub(super) async fn forget(
    session: &Session,
    deployment: &str,
    before: Option<Timestamp>,
    most: u64,
) -> Result<u64, Failure> {
    let before = before.map_or(i64::MAX, Timestamp::as_millis);
    session.execute(FORGET, &[&before, &written(deployment), &(most as i64)]).await
}

const FORGET: &str = "
    DELETE FROM results WHERE key = ANY (ARRAY(
        SELECT r.key FROM results r
        WHERE r.status_at < $1
            AND (SELECT s.deployment FROM scopes s WHERE s.key = r.scope) = $2
        LIMIT $3 FOR UPDATE OF r SKIP LOCKED))";
