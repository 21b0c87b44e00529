//! Listings: pages in the order of status times, and totals without counting rows.

use std::collections::HashMap;

use legation_core::Scope;
use legation_core::store::{Page, Query, Stored};

use super::failure::Failure;
use super::read::load_by_keys;
use super::scopes::{Scopes, within};
use super::session::{Parameters, Session};

/// Bytes of tasks after which a page takes no more of them.
const PAGE_BYTES: i64 = 8 << 20;

/// Tasks of scopes and states, pairwise, and perhaps of contexts: what an index holds in the order of
/// a listing.
#[derive(Default)]
struct Runs {
    scopes: Vec<i64>,
    states: Vec<i32>,
    /// Where contexts are asked for.
    contexts: Vec<i64>,
    /// How many tasks they have, whatever their time.
    total: i64,
}

/// Reads a page of a scope's tasks by merging the first rows of each run, as of one moment.
pub(super) async fn list(
    session: &Session,
    scopes: &Scopes,
    scope: &Scope,
    query: &Query,
) -> Result<Page, Failure> {
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let numbers = within(session, scopes, scope).await?;
    let runs = match query.context_id {
        None => Runs::of_scopes(session, &numbers, query).await?,
        Some(_) => Runs::of_context(session, &numbers, query).await?,
    };
    let total = runs.total(session, query).await?;
    let (keys, more) = runs.first_keys(session, query).await?;
    let mut tasks: HashMap<i64, Stored> = load_by_keys(session, scopes, &keys)
        .await?
        .into_iter()
        .map(|task| (task.key.0, task))
        .collect();
    session.run("COMMIT").await?;
    let tasks: Vec<_> = keys.iter().filter_map(|key| tasks.remove(key)).collect();
    if tasks.len() < keys.len() {
        return Err(Failure::unreadable("a task without a log"));
    }
    Ok(Page { tasks, total: total.unsigned_abs(), more })
}

impl Runs {
    async fn of_scopes(session: &Session, scopes: &[i64], query: &Query) -> Result<Self, Failure> {
        let state = query.state.map(|state| state.number());
        let select = "
            SELECT scope, state, sum(tasks)::bigint FROM task_counts
            WHERE scope = ANY ($1) AND ($2::int IS NULL OR state = $2)
            GROUP BY scope, state HAVING sum(tasks) > 0";
        let mut runs = Self::default();
        for row in session.query(select, &[&scopes, &state]).await? {
            runs.scopes.push(row.try_get(0)?);
            runs.states.push(row.try_get(1)?);
            runs.total += row.try_get::<_, i64>(2)?;
        }
        Ok(runs)
    }

    async fn of_context(session: &Session, scopes: &[i64], query: &Query) -> Result<Self, Failure> {
        let state = query.state.map(|state| state.number());
        let select = "
            SELECT t.scope, t.state, t.context, count(*)
            FROM (
                SELECT DISTINCT c.key FROM (SELECT * FROM scopes WHERE key = ANY ($1) OFFSET 0) s
                CROSS JOIN LATERAL (SELECT o.key FROM scopes o
                    WHERE o.deployment = s.deployment AND o.tenant = s.tenant
                        AND o.owner = s.owner AND o.agent = '' OFFSET 0) o
                CROSS JOIN LATERAL (SELECT c.key FROM contexts c
                    WHERE c.id = $2 AND c.scope = o.key OFFSET 0) c) c
            CROSS JOIN LATERAL (SELECT * FROM tasks t
                WHERE t.context = c.key AND t.scope = ANY ($1)
                    AND ($3::int IS NULL OR t.state = $3) OFFSET 0) t
            GROUP BY t.scope, t.state, t.context";
        let id = query.context_id.as_ref().map(|id| id.as_str());
        let mut runs = Self::default();
        for row in session.query(select, &[&scopes, &id, &state]).await? {
            runs.scopes.push(row.try_get(0)?);
            runs.states.push(row.try_get(1)?);
            runs.contexts.push(row.try_get(2)?);
            runs.total += row.try_get::<_, i64>(3)?;
        }
        Ok(runs)
    }

    async fn total(&self, session: &Session, query: &Query) -> Result<i64, Failure> {
        let Some(since) = query.since.map(|since| since.as_millis()) else { return Ok(self.total) };
        let Self { scopes, states, contexts, .. } = self;
        let row = if query.context_id.is_some() {
            let select = "
                SELECT coalesce(sum(t.tasks), 0)::bigint
                FROM unnest($1::bigint[], $2::int[], $3::bigint[]) AS r (scope, state, context)
                CROSS JOIN LATERAL (SELECT count(*) AS tasks FROM tasks t
                    WHERE t.context = r.context AND t.scope = r.scope AND t.state = r.state
                        AND t.status_at >= $4) t";
            session.first(select, &[scopes, states, contexts, &since]).await?
        } else {
            let select = "
                SELECT coalesce(sum(t.tasks), 0)::bigint
                FROM unnest($1::bigint[], $2::int[]) AS r (scope, state)
                CROSS JOIN LATERAL (SELECT count(*) AS tasks FROM tasks t
                    WHERE t.scope = r.scope AND t.state = r.state AND t.status_at >= $3) t";
            session.first(select, &[scopes, states, &since]).await?
        };
        row.map_or(Ok(0), |row| Ok(row.try_get(0)?))
    }

    /// The keys of the tasks of a page, in order, and whether there are more behind it.
    async fn first_keys(
        &self,
        session: &Session,
        query: &Query,
    ) -> Result<(Vec<i64>, bool), Failure> {
        let (time, key) = query
            .after
            .map_or((i64::MAX, i64::MAX), |place| (place.status_at.as_millis(), place.key.0));
        // One more than the page takes, to know whether it ends.
        let limit = i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX);
        let since = query.since.map_or(i64::MIN, |since| since.as_millis());
        let Self { scopes, states, contexts, .. } = self;
        let rows = if query.context_id.is_some() {
            let places: Parameters<'_> = &[scopes, states, contexts, &since, &time, &key, &limit];
            session.query(FIRST_OF_CONTEXTS, places).await?
        } else {
            session.query(FIRST, &[scopes, states, &since, &time, &key, &limit]).await?
        };
        let (mut keys, mut bytes) = (Vec::new(), 0);
        for row in &rows {
            // A page of few large tasks rather than one that takes all memory.
            if keys.len() == query.limit || bytes > PAGE_BYTES {
                return Ok((keys, true));
            }
            keys.push(row.try_get(0)?);
            bytes += row.try_get::<_, i64>(1)?;
        }
        Ok((keys, false))
    }
}

/// The bytes that a look at a task brings, without looking at them.
macro_rules! first {
    ($runs:literal, $condition:literal, $since:literal, $place:literal, $limit:literal) => {
        concat!(
            "SELECT p.key, (SELECT coalesce(sum(octet_length(coalesce(e.snapshot, e.entries))), 0)
                 FROM task_events e WHERE e.task = p.key AND e.last >= coalesce(p.snapshot, 0))
             FROM (
                 SELECT t.status_at, t.key, t.snapshot FROM ",
            $runs,
            " CROSS JOIN LATERAL (SELECT t.status_at, t.key, t.snapshot FROM tasks t
                     WHERE ",
            $condition,
            " AND t.scope = r.scope AND t.state = r.state AND t.status_at >= ",
            $since,
            " AND (t.status_at, t.key) < ",
            $place,
            " ORDER BY t.status_at DESC, t.key DESC LIMIT ",
            $limit,
            ") t ORDER BY t.status_at DESC, t.key DESC LIMIT ",
            $limit,
            ") p ORDER BY p.status_at DESC, p.key DESC"
        )
    };
}

const FIRST: &str = first!(
    "unnest($1::bigint[], $2::int[]) AS r (scope, state)",
    "TRUE",
    "$3",
    "($4::bigint, $5::bigint)",
    "$6::bigint"
);

const FIRST_OF_CONTEXTS: &str = first!(
    "unnest($1::bigint[], $2::int[], $3::bigint[]) AS r (scope, state, context)",
    "t.context = r.context",
    "$4",
    "($5::bigint, $6::bigint)",
    "$7::bigint"
);
