//! A bounded piece of a removal: one transaction, beside the writers and by the same order of locks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use legation_core::store::Swept;
use legation_core::{ContextChange, ContextEvent, Cutoffs};
use legation_model::Timestamp;
use tokio_postgres::Row;

use super::contexts::event;
use super::deltas::{Deltas, Touched};
use super::failure::{Consequence, Failure};
use super::results;
use super::scopes::{Numbers, Scopes, learn, of_number};
use super::session::Session;

/// Contexts, and idempotency keys, that one step of a removal takes at most.
pub(super) const MOST_ROWS: u64 = 1024;

/// How long a step may take: longer than what a caller of reads waits for.
pub(super) const LONGEST: Duration = Duration::from_secs(20);

/// How often a step is tried that meets appends.
pub(super) const TRIES: usize = 5;

/// What a step removes.
#[derive(Default)]
pub(super) struct Removal {
    /// Tasks, except for those that went to work meanwhile.
    pub(super) tasks: Vec<i64>,
    /// Contexts that go when they have no task left, beside those of the tasks.
    pub(super) contexts: Vec<i64>,
    /// Whether contexts go with their last task, or stay until they expire.
    pub(super) with_contexts: bool,
    /// Whether tasks go only with contexts that have expired, and that nobody has spoken in since.
    pub(super) of_expired: bool,
    /// Tasks that ended then or later leave a result.
    pub(super) keeping: Option<Timestamp>,
    /// Idempotency keys as they are written, each with the number of its scope.
    pub(super) keys: Vec<(i64, String)>,
    /// Results.
    pub(super) results: Vec<i64>,
    /// Old keys and results of a deployment go as well.
    pub(super) older: Option<(String, Cutoffs)>,
}

/// Begins the transaction of a step.
pub(super) async fn begin(session: &Session) -> Result<(), Failure> {
    let longest = LONGEST.as_millis();
    session.run(&format!("BEGIN; SET LOCAL statement_timeout = {longest}")).await
}

/// What a step did.
pub(super) struct Removed {
    pub(super) swept: Swept,
    /// The counters that it changed.
    pub(super) touched: Touched,
    /// What to tell of contexts.
    pub(super) told: Vec<ContextEvent>,
}

/// Removes.
pub(super) async fn remove(
    session: &Session,
    scopes: &Scopes,
    removal: &Removal,
) -> Result<Removed, Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_remove(session, scopes, removal).await {
            // It met an append.
            Err(failure) if tries < TRIES && failure.consequence() == Consequence::Again => {
                session.run("ROLLBACK").await?;
            }
            removed => return removed,
        }
    }
}

async fn try_remove(
    session: &Session,
    scopes: &Scopes,
    removal: &Removal,
) -> Result<Removed, Failure> {
    begin(session).await?;
    let mut removing = Removing {
        session,
        scopes,
        bytes: HashMap::new(),
        deltas: Deltas::default(),
        swept: Swept::default(),
        told: Vec::new(),
    };
    removing.tasks(removal).await?;
    if let Some((deployment, cutoffs)) = &removal.older {
        removing.old_keys(deployment, cutoffs.quiet.as_millis()).await?;
        removing.swept.results +=
            results::forget(session, deployment, cutoffs.results, MOST_ROWS).await?;
    }
    removing.keys(&removal.keys).await?;
    let delete = "DELETE FROM results WHERE key = ANY ($1)";
    removing.swept.results += session.execute(delete, &[&removal.results]).await?;
    removing.finish().await
}

struct Removing<'s> {
    session: &'s Session,
    scopes: &'s Scopes,
    /// What scopes have less.
    bytes: HashMap<i64, i64>,
    deltas: Deltas,
    swept: Swept,
    told: Vec<ContextEvent>,
}

impl Removing<'_> {
    /// Removes tasks with their logs, and contexts where these go with them.
    async fn tasks(&mut self, removal: &Removal) -> Result<(), Failure> {
        let left = self.logs(removal).await?;
        let mut contexts = removal.contexts.clone();
        contexts.extend(left.keys());
        // In the order in which a birth locks them.
        let lock = "SELECT 1 FROM contexts WHERE key = ANY ($1) ORDER BY id, scope FOR UPDATE";
        self.session.query(lock, &[&contexts]).await?;
        self.leave(left).await?;
        if removal.with_contexts {
            let delete = "
                DELETE FROM contexts c WHERE c.key = ANY ($1)
                    AND NOT (SELECT EXISTS (SELECT 1 FROM tasks t WHERE t.context = c.key))
                RETURNING c.id, c.scope";
            for row in self.session.query(delete, &[&contexts]).await? {
                self.swept.contexts += 1;
                let pruned = ContextChange::Pruned;
                self.told.push(event(self.session, self.scopes, &row, pruned).await?);
            }
        }
        Ok(())
    }

    /// Removes tasks with their logs, and keeps results of those that ended since a moment; gives their
    /// contexts, and when the last of them was active.
    async fn logs(&mut self, removal: &Removal) -> Result<BTreeMap<i64, i64>, Failure> {
        let lock = "
            SELECT key, context FROM tasks
            WHERE key = ANY ($1) AND NOT (state IN (1, 2) OR at_work)
            ORDER BY key FOR UPDATE";
        let locked = self.session.query(lock, &[&removal.tasks]).await?;
        let read = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        let mut tasks: Vec<(i64, i64)> = locked.iter().map(read).collect::<Result<_, Failure>>()?;
        if removal.of_expired {
            let contexts: Vec<i64> = tasks.iter().map(|(_, context)| *context).collect();
            let lock = "
                SELECT key FROM contexts WHERE key = ANY ($1) AND state = 2
                ORDER BY id, scope FOR UPDATE";
            let expired = self.session.query(lock, &[&contexts]).await?;
            let expired: HashSet<i64> =
                expired.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            tasks.retain(|(_, context)| expired.contains(context));
        }
        let tasks: Vec<i64> = tasks.into_iter().map(|(key, _)| key).collect();
        if tasks.is_empty() {
            return Ok(BTreeMap::new());
        }
        if let Some(since) = removal.keeping {
            self.swept.kept += results::keep(self.session, &tasks, since).await?;
        }
        let mut sizes: HashMap<i64, i64> = HashMap::new();
        let delete = "
            WITH gone AS (
                DELETE FROM task_events WHERE task = ANY ($1) RETURNING task, octet_length(entries))
            SELECT task, sum(octet_length)::bigint FROM gone GROUP BY task";
        for row in self.session.query(delete, &[&tasks]).await? {
            sizes.insert(row.try_get(0)?, row.try_get(1)?);
        }
        let delete = "
            DELETE FROM tasks WHERE key = ANY ($1) RETURNING key, scope, state, context, status_at";
        let mut contexts: BTreeMap<i64, i64> = BTreeMap::new();
        for row in self.session.query(delete, &[&tasks]).await? {
            let (key, scope): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            self.swept.tasks += 1;
            self.deltas.count(scope, row.try_get(2)?, -1);
            self.take_off(scope, sizes.get(&key).copied().unwrap_or(0));
            let (context, at): (i64, i64) = (row.try_get(3)?, row.try_get(4)?);
            let active = contexts.entry(context).or_insert(at);
            *active = at.max(*active);
        }
        Ok(contexts)
    }

    /// Writes into contexts, which are locked, what tasks of theirs leave behind.
    async fn leave(&self, left: BTreeMap<i64, i64>) -> Result<(), Failure> {
        let (contexts, active): (Vec<i64>, Vec<i64>) = left.into_iter().unzip();
        // A birth in one of them is committed by now, or waits and finds it as it is then.
        let leave = "
            UPDATE contexts c SET last_active_at = greatest(c.last_active_at, n.at),
                is_empty = NOT EXISTS (SELECT 1 FROM tasks t WHERE t.context = c.key)
            FROM unnest($1::bigint[], $2::bigint[]) AS n (key, at)
            WHERE c.key = n.key AND c.key = ANY ($1)";
        self.session.execute(leave, &[&contexts, &active]).await?;
        Ok(())
    }

    async fn old_keys(&mut self, deployment: &str, before: i64) -> Result<(), Failure> {
        let find = "
            SELECT i.scope, i.key FROM idempotency i
            WHERE i.created_at < $1
                AND (SELECT s.deployment FROM scopes s WHERE s.key = i.scope) = $2
            LIMIT $3 FOR UPDATE OF i SKIP LOCKED";
        let rows = &[&before as _, &deployment as _, &(MOST_ROWS as i64) as _];
        let rows = self.session.query(find, rows).await?;
        let keys = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let keys: Vec<(i64, String)> = keys.collect::<Result<_, Failure>>()?;
        self.keys(&keys).await
    }

    async fn keys(&mut self, keys: &[(i64, String)]) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let (scopes, names): (Vec<i64>, Vec<&str>) =
            keys.iter().map(|(scope, key)| (*scope, key.as_str())).unzip();
        let delete = "
            DELETE FROM idempotency WHERE ctid = ANY (ARRAY(
                SELECT i.place FROM unnest($1::bigint[], $2::text[]) AS n (scope, key)
                CROSS JOIN LATERAL (SELECT ctid AS place FROM idempotency i
                    WHERE i.scope = n.scope AND i.key = n.key FOR UPDATE) i))
            RETURNING scope, coalesce(octet_length(answer), 0)";
        for row in self.session.query(delete, &[&scopes, &names]).await? {
            self.swept.keys += 1;
            self.take_off(row.try_get(0)?, row.try_get::<_, i32>(1)?.into());
        }
        Ok(())
    }

    fn take_off(&mut self, scope: i64, bytes: i64) {
        *self.bytes.entry(scope).or_default() -= bytes;
    }

    /// Writes the counters and commits.
    async fn finish(mut self) -> Result<Removed, Failure> {
        for (number, bytes) in std::mem::take(&mut self.bytes) {
            let numbers = numbers_of(self.session, self.scopes, number).await?;
            self.deltas.bytes(numbers, bytes);
        }
        self.deltas.write_counts(self.session).await?;
        self.deltas.write_usage(self.session).await?;
        self.session.run("COMMIT").await?;
        Ok(Removed { swept: self.swept, touched: self.deltas.touched(), told: self.told })
    }
}

/// The numbers of the scope with this one.
pub(super) async fn numbers_of(
    session: &Session,
    scopes: &Scopes,
    number: i64,
) -> Result<Numbers, Failure> {
    let scope = of_number(session, scopes, number).await?;
    if scopes.numbers(&scope).is_none() {
        learn(session, scopes, [&scope].into()).await?;
    }
    scopes.numbers(&scope).ok_or_else(|| Failure::unreadable("a scope was forgotten at once"))
}
