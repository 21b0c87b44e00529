//! Retention: finds tasks that ended long ago.

use legation_model::{TaskState, Timestamp};

use super::failure::Failure;
use super::remove::begin;
use super::session::Session;
use super::text::written;

/// Finds up to `limit` tasks of a deployment that ended before a moment. What it finds stays true until
/// it is removed, because an ended task never changes.
pub(super) async fn ended(
    session: &Session,
    deployment: &str,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<i64>, Failure> {
    begin(session).await?;
    let states: Vec<i32> = TaskState::ALL
        .iter()
        .filter(|state| state.is_terminal())
        .map(|state| state.number())
        .collect();
    let select = "
        SELECT t.key FROM (
            SELECT s.key AS scope, c.state FROM scopes s
            CROSS JOIN LATERAL (SELECT state FROM task_counts
                WHERE scope = s.key AND state = ANY ($2)
                GROUP BY state HAVING sum(tasks) > 0 OFFSET 0) c
            WHERE s.deployment = $1) r
        CROSS JOIN LATERAL (SELECT t.key FROM tasks t
            WHERE t.scope = r.scope AND t.state = r.state AND t.status_at < $3
            ORDER BY t.status_at LIMIT $4) t
        LIMIT $4";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let deployment = written(deployment);
    let rows = session.query(select, &[&deployment, &states, &before.as_millis(), &limit]).await?;
    session.run("COMMIT").await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
