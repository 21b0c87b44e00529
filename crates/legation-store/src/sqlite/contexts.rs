//! The rows of contexts: made by a task's birth, and taken on in their lives by sweeps.

use std::sync::Arc;

use legation_core::store::TaskKey;
use legation_core::{ContextChange, ContextEvent, ContextState, Cutoffs, Scope};
use legation_model::{ContextId, Timestamp};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::failure::Failure;
use super::scopes::{Scopes, of_number};

/// The statements by which appends change contexts, prepared once for a transaction.
pub(super) struct Contexts<'c> {
    connection: &'c Connection,
    insert: CachedStatement<'c>,
    join: CachedStatement<'c>,
    touch: CachedStatement<'c>,
}

impl<'c> Contexts<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        let insert = connection.prepare_cached(
            "INSERT INTO contexts (id, scope, created_at, last_active_at, tasks)
             VALUES (?1, ?2, ?3, ?4, 1) ON CONFLICT DO NOTHING",
        )?;
        let join = connection.prepare_cached(
            "UPDATE contexts SET last_active_at = max(last_active_at, ?4), tasks = tasks + 1
             WHERE id = ?1 AND scope = ?2 RETURNING key, state",
        )?;
        let touch = connection.prepare_cached(
            "UPDATE contexts SET last_active_at = max(last_active_at, ?2)
             WHERE key = (SELECT context FROM tasks WHERE key = ?1) RETURNING key, state",
        )?;
        Ok(Self { connection, insert, join, touch })
    }

    /// Adds a task to the context with this id of an owner's scope, which is made when it is new and
    /// active again when it was not; gives its key, and what became of it.
    pub(super) fn join(
        &mut self,
        owner: i64,
        id: &ContextId,
        created_at: Timestamp,
        active_at: Timestamp,
    ) -> Result<(i64, Option<ContextChange>), Failure> {
        // The insert first, without RETURNING: nearly every context is new, and this is the least
        // that it can cost.
        let place = params![id.as_str(), owner, created_at.as_millis(), active_at.as_millis()];
        if self.insert.execute(place)? == 1 {
            return Ok((self.connection.last_insert_rowid(), Some(ContextChange::Created)));
        }
        let (key, state) = self.join.query_row(place, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let was_at_rest = self.revive(key, state)?;
        Ok((key, was_at_rest.then_some(ContextChange::Resumed)))
    }

    /// Says that the context of a task was active; gives its key when it was not before.
    pub(super) fn touch(
        &mut self,
        task: TaskKey,
        active_at: Timestamp,
    ) -> Result<Option<i64>, Failure> {
        let place = (task.0, active_at.as_millis());
        let (key, state) = self.touch.query_row(place, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(self.revive(key, state)?.then_some(key))
    }

    /// Has a context active again; says whether it was not.
    fn revive(&self, key: i64, state: i64) -> Result<bool, Failure> {
        if state == i64::from(ContextState::Active.number()) {
            return Ok(false);
        }
        set_state(self.connection, key, ContextState::Active)?;
        Ok(true)
    }
}

fn set_state(connection: &Connection, key: i64, state: ContextState) -> Result<(), Failure> {
    let mut update = connection.prepare_cached("UPDATE contexts SET state = ?2 WHERE key = ?1")?;
    update.execute((key, state.number()))?;
    Ok(())
}

/// The owner of a row as those see it who hear of contexts.
pub(super) fn owner(scope: &Scope) -> Scope {
    Scope { agent: None, ..scope.clone() }
}

/// What to tell of the context with a key.
pub(super) fn event(
    connection: &Connection,
    scopes: &Scopes,
    key: i64,
    change: ContextChange,
) -> Result<ContextEvent, Failure> {
    let mut select = connection.prepare_cached("SELECT scope, id FROM contexts WHERE key = ?1")?;
    let (scope, id) = select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    event_of(connection, scopes, (scope, id), change)
}

fn event_of(
    connection: &Connection,
    scopes: &Scopes,
    (scope, id): (i64, Arc<str>),
    change: ContextChange,
) -> Result<ContextEvent, Failure> {
    let id =
        ContextId::parse(&id).map_err(|bad| Failure::unreadable(format!("a context id: {bad}")))?;
    Ok(ContextEvent { change, scope: owner(&of_number(scopes, connection, scope)?), id })
}

/// Contexts of a deployment after a key, by key, that may be elsewhere in their lives than is said of
/// them. This looks at all of them, so it is a reader's work.
pub(super) fn aged(
    connection: &Connection,
    deployment: &str,
    cutoffs: &Cutoffs,
    after: i64,
    most: usize,
) -> Result<Vec<i64>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT c.key FROM contexts c CROSS JOIN scopes s ON s.key = c.scope
         WHERE c.key > ?1 AND s.deployment = ?2
             AND CASE WHEN c.created_at < ?3 OR c.last_active_at < ?4 THEN 2
                      WHEN c.last_active_at < ?5 THEN 1 ELSE 0 END <> c.state AND c.state <> 2
         ORDER BY c.key LIMIT ?6",
    )?;
    let Cutoffs { idle, quiet, born, .. } = cutoffs;
    let [idle, quiet, born] = [idle, quiet, born].map(|moment| moment.as_millis());
    let place = params![after, deployment, born, quiet, idle, most as i64];
    let keys = select.query_map(place, |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Takes a context on in its life, unless somebody is at work in it; gives what became of it.
pub(super) fn age(
    connection: &Connection,
    scopes: &Scopes,
    cutoffs: &Cutoffs,
    key: i64,
) -> Result<Option<ContextEvent>, Failure> {
    let mut select = connection
        .prepare_cached("SELECT state, created_at, last_active_at FROM contexts WHERE key = ?1")?;
    let found = select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    // Erased meanwhile.
    let Some((number, created_at, active_at)) = found.optional()? else { return Ok(None) };
    let time = |millis| {
        Timestamp::from_millis(millis).ok_or_else(|| Failure::unreadable("a time out of range"))
    };
    let before = ContextState::from_number(number);
    let after = cutoffs.state(time(created_at)?, time(active_at)?);
    if before == Some(after) || before == Some(ContextState::Expired) {
        return Ok(None);
    }
    if after != ContextState::Active && is_at_work(connection, key)? {
        return Ok(None);
    }
    set_state(connection, key, after)?;
    event(connection, scopes, key, after.change()).map(Some)
}

fn is_at_work(connection: &Connection, key: i64) -> Result<bool, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM tasks WHERE context = ?1 AND (state IN (1, 2) OR at_work))",
    )?;
    Ok(select.query_row([key], |row| row.get(0))?)
}

/// Tasks at rest of contexts of a deployment that have expired, up to a number.
pub(super) fn expired_tasks(
    connection: &Connection,
    deployment: &str,
    most: usize,
) -> Result<Vec<TaskKey>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT t.key FROM contexts c INDEXED BY contexts_expired
         CROSS JOIN scopes s ON s.key = c.scope CROSS JOIN tasks t ON t.context = c.key
         WHERE c.state = 2 AND s.deployment = ?1 AND NOT (t.state IN (1, 2) OR t.at_work) LIMIT ?2",
    )?;
    let keys = select.query_map((deployment, most as i64), |row| row.get(0).map(TaskKey))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Whether a task is at rest and its context expired.
pub(super) fn is_expired(connection: &Connection, task: TaskKey) -> Result<bool, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM tasks t JOIN contexts c ON c.key = t.context
         WHERE t.key = ?1 AND c.state = 2 AND NOT (t.state IN (1, 2) OR t.at_work)",
    )?;
    Ok(select.exists([task.0])?)
}

/// Contexts of a deployment that have expired and have no task, up to a number.
pub(super) fn expired_and_empty(
    connection: &Connection,
    deployment: &str,
    most: u64,
) -> Result<Vec<i64>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT c.key FROM contexts c INDEXED BY contexts_expired
         CROSS JOIN scopes s ON s.key = c.scope
         WHERE c.state = 2 AND c.tasks = 0 AND s.deployment = ?1 LIMIT ?2",
    )?;
    let keys = select.query_map((deployment, most as i64), |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Removes a context that has no task; gives what to tell of it.
pub(super) fn prune(
    connection: &Connection,
    scopes: &Scopes,
    key: i64,
) -> Result<Option<ContextEvent>, Failure> {
    let mut delete = connection
        .prepare_cached("DELETE FROM contexts WHERE key = ?1 AND tasks = 0 RETURNING scope, id")?;
    let pruned = delete.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let told = pruned.map(|row| event_of(connection, scopes, row, ContextChange::Pruned));
    told.transpose()
}

/// Contexts of a scope's owner that have no task, up to a number. This looks at all contexts.
pub(super) fn empty_of(
    connection: &Connection,
    scope: i64,
    most: u64,
) -> Result<Vec<i64>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT c.key FROM scopes s
         JOIN scopes o ON o.deployment = s.deployment AND o.tenant = s.tenant
           AND o.owner = s.owner AND o.agent = ''
         JOIN contexts c ON c.scope = o.key AND c.tasks = 0
         WHERE s.key = ?1 LIMIT ?2",
    )?;
    let keys = select.query_map((scope, most as i64), |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// The context of a scope's owner with this id.
pub(super) fn find(
    connection: &Connection,
    scope: i64,
    id: &ContextId,
) -> Result<Option<i64>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT c.key FROM scopes s
         JOIN scopes o ON o.deployment = s.deployment AND o.tenant = s.tenant
           AND o.owner = s.owner AND o.agent = ''
         JOIN contexts c ON c.id = ?2 AND c.scope = o.key
         WHERE s.key = ?1",
    )?;
    Ok(select.query_row((scope, id.as_str()), |row| row.get(0)).optional()?)
}

/// Whether a context has no task.
pub(super) fn is_empty(connection: &Connection, context: i64) -> Result<bool, Failure> {
    let mut select = connection.prepare_cached("SELECT tasks = 0 FROM contexts WHERE key = ?1")?;
    Ok(select.query_row([context], |row| row.get(0))?)
}

/// Takes a task off a context, which stays even without any, until it expires or is erased.
pub(super) fn leave(connection: &Connection, context: i64) -> Result<(), Failure> {
    let mut update =
        connection.prepare_cached("UPDATE contexts SET tasks = tasks - 1 WHERE key = ?1")?;
    update.execute([context])?;
    Ok(())
}
