//! The rows of contexts: made by a task's birth, kept as long as they have tasks.

use legation_core::store::TaskKey;
use legation_model::{ContextId, Timestamp};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::failure::Failure;

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
            "UPDATE contexts SET last_active_at = ?4, tasks = tasks + 1
             WHERE id = ?1 AND scope = ?2 RETURNING key",
        )?;
        let touch = connection.prepare_cached(
            "UPDATE contexts SET last_active_at = ?2
             WHERE key = (SELECT context FROM tasks WHERE key = ?1)",
        )?;
        Ok(Self { connection, insert, join, touch })
    }

    /// Adds a task to the context with this id of an owner's scope, which is made when it is new.
    pub(super) fn join(
        &mut self,
        owner: i64,
        id: &ContextId,
        created_at: Timestamp,
        active_at: Timestamp,
    ) -> Result<i64, Failure> {
        // The insert first, without RETURNING: nearly every context is new, and this is the least
        // that it can cost.
        let place = params![id.as_str(), owner, created_at.as_millis(), active_at.as_millis()];
        if self.insert.execute(place)? == 1 {
            return Ok(self.connection.last_insert_rowid());
        }
        Ok(self.join.query_row(place, |row| row.get(0))?)
    }

    /// Says that the context of a task was active.
    pub(super) fn touch(&mut self, task: TaskKey, active_at: Timestamp) -> Result<(), Failure> {
        self.touch.execute((task.0, active_at.as_millis()))?;
        Ok(())
    }
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

/// Takes a task off a context, which stays even without any: see [`remove_idle`].
pub(super) fn leave(connection: &Connection, context: i64) -> Result<(), Failure> {
    let mut update =
        connection.prepare_cached("UPDATE contexts SET tasks = tasks - 1 WHERE key = ?1")?;
    update.execute([context])?;
    Ok(())
}

/// Removes contexts of a deployment that have no task and were last active before a moment, up to
/// a number; returns how many.
pub(super) fn remove_idle(
    connection: &Connection,
    deployment: &str,
    before: Timestamp,
    most: u64,
) -> Result<u64, Failure> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM contexts WHERE key IN (
             SELECT c.key FROM contexts c INDEXED BY contexts_without_tasks
             JOIN scopes s ON s.key = c.scope
             WHERE c.tasks = 0 AND c.last_active_at < ?1 AND s.deployment = ?2 LIMIT ?3)",
    )?;
    Ok(delete.execute((before.as_millis(), deployment, most as i64))? as u64)
}
