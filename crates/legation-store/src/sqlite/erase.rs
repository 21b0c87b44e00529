//! Erasure: removes all that a scope has of a context, or of all, a bounded number of rows at a time.

use legation_core::Scope;
use legation_core::store::{Swept, TaskKey};
use legation_model::{ContextId, TaskId};
use rusqlite::{Connection, OptionalExtension as _};

use super::failure::Failure;
use super::read::task_id;
use super::scopes::within;
use super::sweep::{MOST_ROWS, Removing};
use super::{contexts, results};

/// Rows that a step removes.
#[derive(Default)]
pub(super) struct Found {
    /// Idempotency keys, each with the number of its scope.
    keys: Vec<(i64, String)>,
    results: Vec<i64>,
    tasks: Vec<TaskKey>,
    /// Contexts without tasks.
    contexts: Vec<i64>,
}

/// What is left to erase.
pub(super) enum Left {
    Nothing,
    /// A task that is not to be removed.
    AtWork(TaskId),
    /// Something to remove.
    Found(Found),
}

/// Finds what a step can remove, of a context or of all. Keys come first, because without the tasks
/// nothing says which context they belong to.
pub(super) fn find(
    connection: &Connection,
    scope: &Scope,
    context: Option<&ContextId>,
    most_tasks: usize,
) -> Result<Left, Failure> {
    let mut found = Found::default();
    for number in within(connection, scope)? {
        let row = match context {
            Some(context) => contexts::find(connection, number, context)?,
            None => None,
        };
        // Without its row, a context has no tasks.
        let tasks = context.is_none() || row.is_some();
        if tasks && let Some(id) = at_work(connection, number, row)? {
            return Ok(Left::AtWork(id));
        }
        if let Some(row) = row
            && contexts::is_empty(connection, row)?
        {
            found.contexts.push(row);
        }
        found.find_keys(connection, number, context, row)?;
        found.results.extend(results::find(connection, number, context, MOST_ROWS)?);
        if tasks && found.keys.is_empty() {
            found.find_tasks(connection, number, row, most_tasks)?;
        }
        if context.is_none() && found.is_nothing() {
            found.contexts = contexts::empty_of(connection, number, MOST_ROWS)?;
        }
    }
    Ok(if found.is_nothing() { Left::Nothing } else { Left::Found(found) })
}

fn at_work(
    connection: &Connection,
    scope: i64,
    context: Option<i64>,
) -> Result<Option<TaskId>, Failure> {
    let sql = match context {
        Some(_) => {
            "SELECT id FROM tasks WHERE context = ?1 AND scope = ?2
               AND (state IN (1, 2) OR at_work) LIMIT 1"
        }
        None => {
            "SELECT id FROM tasks WHERE ?1 IS NULL AND scope = ?2
               AND (state IN (1, 2) OR at_work) LIMIT 1"
        }
    };
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query((context, scope))?;
    rows.next()?.map(|row| task_id(row, 0)).transpose()
}

impl Found {
    fn is_nothing(&self) -> bool {
        let Self { keys, results, tasks, contexts } = self;
        keys.is_empty() && results.is_empty() && tasks.is_empty() && contexts.is_empty()
    }

    /// The keys of a scope that stand for a task of the context, or for a direct answer within it.
    fn find_keys(
        &mut self,
        connection: &Connection,
        scope: i64,
        id: Option<&ContextId>,
        context: Option<i64>,
    ) -> Result<(), Failure> {
        let mut select = connection.prepare_cached(
            "SELECT key FROM idempotency WHERE scope = ?1
               AND (?3 IS NULL OR task IN (SELECT id FROM tasks WHERE context = ?2 AND scope = ?1)
                    OR task IN (SELECT id FROM results WHERE context = ?3 AND scope = ?1)
                    OR json_extract(CAST(answer AS TEXT), '$.contextId') = ?3) LIMIT ?4",
        )?;
        let place = (scope, context, id.map(ContextId::as_str), MOST_ROWS as i64);
        for key in select.query_map(place, |row| row.get(0))? {
            self.keys.push((scope, key?));
        }
        Ok(())
    }

    fn find_tasks(
        &mut self,
        connection: &Connection,
        scope: i64,
        context: Option<i64>,
        most: usize,
    ) -> Result<(), Failure> {
        let room = i64::try_from(most - self.tasks.len()).unwrap_or(i64::MAX);
        let sql = match context {
            Some(_) => "SELECT key FROM tasks WHERE context = ?1 AND scope = ?2 LIMIT ?3",
            None => "SELECT key FROM tasks WHERE ?1 IS NULL AND scope = ?2 LIMIT ?3",
        };
        let mut select = connection.prepare_cached(sql)?;
        for key in select.query_map((context, scope, room), |row| row.get(0))? {
            self.tasks.push(TaskKey(key?));
        }
        Ok(())
    }
}

/// Removes what was found, except for tasks that went to work meanwhile.
pub(super) fn remove(removing: &mut Removing<'_>, found: &Found) -> Result<Swept, Failure> {
    let mut swept = Swept::default();
    let connection = removing.connection;
    let mut forget = connection.prepare_cached(
        "DELETE FROM idempotency WHERE scope = ?1 AND key = ?2
         RETURNING coalesce(length(answer), 0)",
    )?;
    for (scope, key) in &found.keys {
        let forgotten = forget.query_row((scope, key), |row| row.get(0)).optional()?;
        if let Some(bytes) = forgotten {
            removing.take_off(*scope, bytes)?;
            swept.keys += 1;
        }
    }
    let mut contexts = found.contexts.clone();
    let mut rests = connection.prepare_cached(
        "SELECT 1 FROM tasks WHERE key = ?1 AND NOT (state IN (1, 2) OR at_work)",
    )?;
    for key in &found.tasks {
        if !rests.exists([key.0])? {
            continue;
        }
        let Some(context) = removing.task(*key)? else { continue };
        swept.tasks += 1;
        contexts.push(context);
    }
    swept.contexts = removing.prune(&contexts)?;
    // Last, because keys are found by them.
    if found.keys.is_empty() {
        swept.results = results::remove(connection, &found.results)?;
    }
    Ok(swept)
}
