//! What tenants and callers have used of their quotas.
//!
//! It is written in the transactions of what it counts, so it is right whenever the process dies, and
//! costs no commit. Where nothing is counted it is empty, and counted anew when it is to be.

use std::collections::HashMap;
use std::sync::Arc;

use legation_core::Scope;
use legation_core::store::{Day, Usage, Used};
use legation_model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::failure::Failure;

/// What a transaction changes.
pub(super) struct Tally {
    is_counting: bool,
    changes: HashMap<Who, Change>,
}

/// A tenant of a deployment, or a caller of it.
type Who = (Arc<str>, Arc<str>, Option<Arc<str>>);

#[derive(Clone, Copy)]
struct Change {
    day: i64,
    tasks: i64,
    bytes: i64,
}

impl Tally {
    pub(super) fn new(is_counting: bool) -> Self {
        Self { is_counting, changes: HashMap::new() }
    }

    pub(super) fn is_counting(&self) -> bool {
        self.is_counting
    }

    /// A task of a full scope was born.
    pub(super) fn born(&mut self, scope: &Scope, at: Timestamp) {
        let Day(day) = Day::of(at);
        self.change(scope, |change| {
            if day > change.day {
                (change.day, change.tasks) = (day, 0);
            }
            // One of an earlier day is no matter for a quota any more.
            change.tasks += i64::from(day == change.day);
        });
    }

    /// A full scope has so many bytes more, or less.
    pub(super) fn bytes(&mut self, scope: &Scope, bytes: i64) {
        self.change(scope, |change| change.bytes += bytes);
    }

    fn change(&mut self, scope: &Scope, make: impl Fn(&mut Change)) {
        if !self.is_counting {
            return;
        }
        for owner in [None, scope.owner.clone()] {
            let who = (scope.deployment.clone(), scope.tenant.clone(), owner);
            make(self.changes.entry(who).or_insert(Change { day: i64::MIN, tasks: 0, bytes: 0 }));
        }
    }

    /// Adds to what was counted before.
    pub(super) fn write(&self, connection: &Connection) -> Result<(), Failure> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let mut upsert = connection.prepare_cached(
            "INSERT INTO usage (deployment, tenant, is_caller, owner, day, tasks, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, max(?7, 0))
             ON CONFLICT DO UPDATE SET
                 tasks = CASE WHEN excluded.day > day THEN excluded.tasks
                              WHEN excluded.day = day THEN tasks + excluded.tasks
                              ELSE tasks END,
                 day = max(day, excluded.day), bytes = max(bytes + ?7, 0)",
        )?;
        for ((deployment, tenant, owner), Change { day, tasks, bytes }) in &self.changes {
            let name = owner.as_deref().unwrap_or_default();
            upsert.execute(params![
                deployment,
                tenant,
                owner.is_some(),
                name,
                day,
                tasks,
                bytes
            ])?;
        }
        Ok(())
    }
}

/// What the tenant of a scope has used, and its owner.
pub(super) fn used(connection: &Connection, scope: &Scope, day: Day) -> Result<Used, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT iif(day = ?5, tasks, 0), bytes FROM usage
         WHERE deployment = ?1 AND tenant = ?2 AND is_caller = ?3 AND owner = ?4",
    )?;
    let mut of = |owner: Option<&str>| -> Result<Usage, Failure> {
        let place = params![
            scope.deployment,
            scope.tenant,
            owner.is_some(),
            owner.unwrap_or_default(),
            day.0
        ];
        let usage = select.query_row(place, |row| {
            let number = |column| row.get(column).map(i64::unsigned_abs);
            Ok(Usage { tasks: number(0)?, bytes: number(1)? })
        });
        Ok(usage.optional()?.unwrap_or_default())
    };
    Ok(Used {
        tenant: of(None)?,
        caller: scope
            .owner
            .as_deref()
            .map_or_else(|| Ok(Usage::default()), |owner| of(Some(owner)))?,
    })
}

/// Sees to it that what is counted is right, where anything is.
pub(super) fn prepare(writer: &mut Connection, is_counting: bool) -> rusqlite::Result<()> {
    let is_empty: bool =
        writer.query_row("SELECT NOT EXISTS (SELECT 1 FROM usage)", [], |row| row.get(0))?;
    if is_empty != is_counting {
        return Ok(());
    }
    let taken = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_counting {
        let Day(today) = Day::of(Timestamp::now());
        taken.execute(COUNT, (today, today * Day::MILLIS))?;
        taken.execute(
            "INSERT INTO usage SELECT deployment, tenant, 0, '', day, sum(tasks), sum(bytes)
             FROM usage WHERE is_caller GROUP BY deployment, tenant",
            [],
        )?;
    } else {
        // What is written from now on is not counted, so this would be wrong later.
        taken.execute("DELETE FROM usage", [])?;
    }
    taken.commit()
}

/// Counts for every caller what is stored. Those of today's tasks that were removed are forgotten.
const COUNT: &str = "
    WITH logs AS (
        SELECT t.scope, sum(length(e.entries)) AS bytes
        FROM task_events e JOIN tasks t ON t.key = e.id >> 24 GROUP BY t.scope),
    answers AS (
        SELECT scope, sum(length(answer)) AS bytes FROM idempotency
        WHERE answer IS NOT NULL GROUP BY scope),
    born AS (
        SELECT scope, count(*) AS tasks FROM tasks WHERE created_at >= ?2 GROUP BY scope)
    INSERT INTO usage
    SELECT s.deployment, s.tenant, 1, s.owner, ?1, sum(coalesce(born.tasks, 0)),
        sum(coalesce(logs.bytes, 0) + coalesce(answers.bytes, 0))
    FROM scopes s
    LEFT JOIN logs ON logs.scope = s.key
    LEFT JOIN answers ON answers.scope = s.key
    LEFT JOIN born ON born.scope = s.key
    GROUP BY s.deployment, s.tenant, s.owner";
