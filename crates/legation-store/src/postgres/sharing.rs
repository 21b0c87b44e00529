//! What replicas have together: who takes over what, how far tasks have come, and letters.

use bytes::Bytes;
use legation_core::store::{Letter, Replica, Seq, Stored, TaskKey};
use tokio::time::timeout;

use super::failure::Failure;
use super::read::load_by_keys;
use super::remove::begin;
use super::scopes::Scopes;
use super::session::Session;
use super::text::written;

/// Takes over unfinished tasks of a deployment whose replica is gone, after a key, by key. What the old
/// owner still writes is refused from then on.
pub(super) async fn take_over(
    session: &Session,
    scopes: &Scopes,
    by: i64,
    deployment: &str,
    after: TaskKey,
    limit: usize,
) -> Result<Vec<Stored>, Failure> {
    begin(session).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = session.query(TAKE_OVER, &[&after.0, &written(deployment), &limit, &by]).await?;
    let keys: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    taken(session, scopes, &keys).await
}

/// Makes a submitted task a replica's, if its epoch is still this one.
pub(super) async fn claim(
    session: &Session,
    scopes: &Scopes,
    by: i64,
    task: TaskKey,
    epoch: u32,
) -> Result<Option<Stored>, Failure> {
    begin(session).await?;
    let claim = "UPDATE tasks SET epoch = epoch + 1, replica = $3
                 WHERE key = $1 AND epoch = $2 AND state = 1";
    let claimed = session.execute(claim, &[&task.0, &i64::from(epoch), &by]).await?;
    let keys = if claimed == 1 { vec![task.0] } else { Vec::new() };
    Ok(taken(session, scopes, &keys).await?.pop())
}

/// Ends a transaction that took these tasks, and gives them.
async fn taken(session: &Session, scopes: &Scopes, keys: &[i64]) -> Result<Vec<Stored>, Failure> {
    let tasks = load_by_keys(session, scopes, keys).await?;
    // Where it is uncertain whether this was committed, the tasks are this replica's all the same: if
    // they were not left to it, nobody would look after them. Should they be another's, then what is
    // written first fences the rest.
    let committed = timeout(session.patience(), session.run("COMMIT")).await;
    if let Err(failure) = committed.unwrap_or(Err(Failure::Late)) {
        let error: &dyn std::error::Error = &failure;
        tracing::warn!(error, "tasks are taken over without certainty");
    }
    Ok(tasks)
}

/// The owners of unfinished tasks are found one by one in the index, however many tasks they have. Rows
/// that others take over at this moment are theirs.
const TAKE_OVER: &str = "
    WITH RECURSIVE owners AS (
        SELECT min(t.replica) AS id FROM tasks t WHERE t.state IN (1, 2) OR t.at_work
        UNION ALL
        SELECT (SELECT min(t.replica) FROM tasks t
                WHERE (t.state IN (1, 2) OR t.at_work) AND t.replica > o.id)
        FROM owners o WHERE o.id IS NOT NULL),
    gone AS (
        SELECT o.id FROM owners o WHERE o.id <> $4 AND NOT EXISTS (
            SELECT 1 FROM replicas r WHERE r.id = o.id AND r.lease_until > now())),
    found AS (
        SELECT t.key FROM tasks t
        WHERE t.key = ANY (ARRAY(
                SELECT f.key FROM gone g CROSS JOIN LATERAL (
                    SELECT u.key FROM tasks u JOIN scopes s ON s.key = u.scope
                    WHERE u.replica = g.id AND (u.state IN (1, 2) OR u.at_work) AND u.key > $1
                        AND s.deployment = $2
                    ORDER BY u.key LIMIT $3) f
                ORDER BY f.key LIMIT $3))
            AND t.replica IN (SELECT id FROM gone)
        ORDER BY t.key FOR NO KEY UPDATE OF t SKIP LOCKED)
    UPDATE tasks t SET epoch = t.epoch + 1, replica = $4 FROM found f WHERE t.key = f.key
    RETURNING t.key";

/// The numbers of the last events of tasks.
pub(super) async fn reached(
    session: &Session,
    tasks: &[TaskKey],
) -> Result<Vec<(TaskKey, Seq)>, Failure> {
    let keys: Vec<i64> = tasks.iter().map(|key| key.0).collect();
    let select = "
        SELECT k.key, e.last FROM unnest($1::bigint[]) AS k (key)
        CROSS JOIN LATERAL (SELECT e.last FROM task_events e WHERE e.task = k.key
            ORDER BY e.last DESC LIMIT 1) e";
    let rows = session.query(select, &[&keys]).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok((TaskKey(row.try_get(0)?), row.try_get::<_, i32>(1)?.unsigned_abs().into()))
    };
    rows.iter().map(read).collect()
}

/// Leaves a letter.
pub(super) async fn post(
    session: &Session,
    from: i64,
    to: Replica,
    body: &[u8],
) -> Result<(), Failure> {
    let insert = "INSERT INTO letters (recipient, sender, body) VALUES ($1, $2, $3)";
    session.execute(insert, &[&to.0, &from, &body]).await?;
    Ok(())
}

/// Takes letters, the oldest first.
pub(super) async fn letters(
    session: &Session,
    to: i64,
    limit: usize,
) -> Result<Vec<Letter>, Failure> {
    let take = "
        WITH taken AS (
            DELETE FROM letters WHERE id = ANY (ARRAY(
                SELECT id FROM letters WHERE recipient = $1 ORDER BY id LIMIT $2
                FOR UPDATE SKIP LOCKED))
            RETURNING id, sender, body)
        SELECT sender, body FROM taken ORDER BY id";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = session.query(take, &[&to, &limit]).await?;
    let read = |row: &tokio_postgres::Row| {
        let text = Bytes::copy_from_slice(row.try_get(1)?);
        Ok(Letter { from: Replica(row.try_get(0)?), text })
    };
    rows.iter().map(read).collect()
}
