//! Folds the rows of a counter into one, now and then and beside the appends.

use super::deltas::Touched;
use super::failure::Failure;
use super::session::Session;

/// Folds counters. What it takes and what it puts there are one statement, so the sum is always right,
/// also when two replicas fold the same: then the one leaves what the other has locked.
pub(super) async fn fold(session: &Session, touched: Touched) -> Result<(), Failure> {
    let (scopes, states): (Vec<i64>, Vec<i32>) = touched.counts.into_iter().unzip();
    if !scopes.is_empty() {
        session.execute(COUNTS, &[&scopes, &states]).await?;
    }
    let (scopes, are_tenants): (Vec<i64>, Vec<bool>) = touched.usage.into_iter().unzip();
    if !scopes.is_empty() {
        session.execute(USAGE, &[&scopes, &are_tenants]).await?;
    }
    Ok(())
}

/// A step is bounded, so that it ends however many rows there are.
const COUNTS: &str = "
    WITH counter AS (SELECT * FROM unnest($1::bigint[], $2::int[]) AS c (scope, state)),
    found AS (
        SELECT r.ctid AS place FROM counter c
        CROSS JOIN LATERAL (SELECT ctid FROM task_counts t
            WHERE t.scope = c.scope AND t.state = c.state LIMIT 10000 FOR UPDATE SKIP LOCKED) r),
    gone AS (
        DELETE FROM task_counts WHERE ctid = ANY (ARRAY(SELECT place FROM found))
        RETURNING scope, state, tasks)
    INSERT INTO task_counts (scope, state, tasks)
    SELECT scope, state, sum(tasks) FROM gone GROUP BY scope, state HAVING sum(tasks) <> 0";

/// Of the tasks, those of the newest day stay: no quota asks for another.
const USAGE: &str = "
    WITH counter AS (SELECT * FROM unnest($1::bigint[], $2::bool[]) AS c (scope, is_tenant)),
    found AS (
        SELECT r.ctid AS place FROM counter c
        CROSS JOIN LATERAL (SELECT ctid FROM usage u
            WHERE u.scope = c.scope AND u.is_tenant = c.is_tenant
            LIMIT 10000 FOR UPDATE SKIP LOCKED) r),
    gone AS (
        DELETE FROM usage WHERE ctid = ANY (ARRAY(SELECT place FROM found))
        RETURNING scope, is_tenant, day, tasks, bytes),
    newest AS (
        SELECT scope, is_tenant, max(day) AS day, sum(bytes) AS bytes FROM gone
        GROUP BY scope, is_tenant)
    INSERT INTO usage (scope, is_tenant, day, tasks, bytes)
    SELECT n.scope, n.is_tenant, n.day,
        (SELECT sum(g.tasks) FROM gone g
         WHERE g.scope = n.scope AND g.is_tenant = n.is_tenant AND g.day = n.day), n.bytes
    FROM newest n";
