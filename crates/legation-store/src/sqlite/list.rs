//! Listings: pages in the order of status times, and totals without counting rows.

use legation_core::Scope;
use legation_core::store::{Page, Query};
use legation_model::TaskState;
use rusqlite::{CachedStatement, Connection};

use super::contexts;
use super::failure::Failure;
use super::read::load_by_key;
use super::scopes::{Scopes, within};

/// Bytes of tasks after which a page takes no more of them.
const PAGE_BYTES: usize = 8 << 20;

/// Tasks of one scope and state, and perhaps of one context: what an index holds in the order of a
/// listing.
struct Run {
    scope: i64,
    state: i32,
    context: Option<i64>,
    /// How many tasks it has in all, where that is known already.
    counted: Option<i64>,
}

/// Reads a page of a scope's tasks by merging the first rows of each run.
pub(super) fn list(
    connection: &Connection,
    scopes: &Scopes,
    scope: &Scope,
    query: &Query,
) -> Result<Page, Failure> {
    let runs = runs(connection, scope, query)?;
    let mut places = Vec::new();
    let mut total = 0_i64;
    for run in &runs {
        run.first_places(connection, query, &mut places)?;
        total += run.total(connection, query)?;
    }
    places.sort_unstable_by(|one, other| other.cmp(one));
    let mut more = places.len() > query.limit;
    places.truncate(query.limit);
    let (mut tasks, mut bytes) = (Vec::with_capacity(places.len()), 0);
    for (_, key) in places {
        // A page of few large tasks rather than one that takes all memory.
        if bytes > PAGE_BYTES {
            more = true;
            break;
        }
        let task = load_by_key(connection, scopes, key)?;
        bytes += task.bytes();
        tasks.push(task);
    }
    Ok(Page { tasks, total: total.unsigned_abs(), more })
}

fn runs(connection: &Connection, scope: &Scope, query: &Query) -> Result<Vec<Run>, Failure> {
    let mut select = connection.prepare_cached(match query.context_id {
        None => {
            "SELECT state, tasks FROM task_counts
             WHERE scope = ?1 AND tasks > 0 AND (?2 IS NULL OR state = ?2) AND ?3 IS NULL"
        }
        Some(_) => {
            "SELECT state, count(*) FROM tasks INDEXED BY tasks_by_context
             WHERE context = ?3 AND scope = ?1 AND (?2 IS NULL OR state = ?2) GROUP BY state"
        }
    })?;
    let state = query.state.map(TaskState::number);
    let mut runs = Vec::new();
    for scope in within(connection, scope)? {
        let find = |id| contexts::find(connection, scope, id);
        let context = query.context_id.as_ref().map(find).transpose()?;
        // Without the context, the scope has no task of it.
        if context == Some(None) {
            continue;
        }
        let context = context.flatten();
        let mut rows = select.query((scope, state, context))?;
        while let Some(row) = rows.next()? {
            let counted = query.since.is_none().then(|| row.get(1)).transpose()?;
            runs.push(Run { scope, state: row.get(0)?, context, counted });
        }
    }
    Ok(runs)
}

impl Run {
    /// Adds the places of the first tasks: one more than the page takes, to know whether it ends.
    fn first_places(
        &self,
        connection: &Connection,
        query: &Query,
        places: &mut Vec<(i64, i64)>,
    ) -> Result<(), Failure> {
        let (time, key) = query
            .after
            .map_or((i64::MAX, i64::MAX), |place| (place.status_at.as_millis(), place.key.0));
        let limit = i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX);
        let mut select = self.select(
            connection,
            "status_at, key",
            "AND (status_at, key) < (?5, ?6) ORDER BY status_at DESC, key DESC LIMIT ?7",
        )?;
        let Self { scope, state, context, .. } = self;
        let mut rows = select.query((context, scope, state, since(query), time, key, limit))?;
        while let Some(row) = rows.next()? {
            places.push((row.get(0)?, row.get(1)?));
        }
        Ok(())
    }

    fn total(&self, connection: &Connection, query: &Query) -> Result<i64, Failure> {
        if let Some(counted) = self.counted {
            return Ok(counted);
        }
        let mut select = self.select(connection, "count(*)", "")?;
        let Self { scope, state, context, .. } = self;
        Ok(select.query_row((context, scope, state, since(query)), |row| row.get(0))?)
    }

    /// A statement about tasks of this whose status is of a time or later; it begins with the
    /// parameters context, scope, state and time.
    fn select<'c>(
        &self,
        connection: &'c Connection,
        what: &str,
        rest: &str,
    ) -> rusqlite::Result<CachedStatement<'c>> {
        let (index, context) = match self.context {
            None => ("tasks_by_state", "?1 IS NULL"),
            Some(_) => ("tasks_by_context", "context = ?1"),
        };
        connection.prepare_cached(&format!(
            "SELECT {what} FROM tasks INDEXED BY {index}
             WHERE {context} AND scope = ?2 AND state = ?3 AND status_at >= ?4 {rest}"
        ))
    }
}

fn since(query: &Query) -> i64 {
    query.since.map_or(i64::MIN, |moment| moment.as_millis())
}
