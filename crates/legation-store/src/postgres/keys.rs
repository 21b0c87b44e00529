//! Idempotency keys: each stands for what came of the first send that had it.

use bytes::Bytes;
use legation_core::Scope;
use legation_core::store::{Outcome, Remembered};
use tokio_postgres::Row;

use super::failure::Failure;
use super::read;
use super::scopes::{Names, names};
use super::session::Session;
use super::text::written;

/// What keys stand for. A scope below zero is that of the task with this number, sign turned.
pub(super) const FIND: &str = "
    SELECT i.scope, i.key, i.digest, i.answer, i.task
    FROM unnest($1::bigint[], $2::text[]) AS n (scope, key)
    CROSS JOIN LATERAL (SELECT i.* FROM idempotency i
        WHERE i.key = n.key AND i.scope = CASE WHEN n.scope >= 0 THEN n.scope
            ELSE (SELECT t.scope FROM tasks t WHERE t.key = -n.scope) END OFFSET 0) i";

/// What a key of the scope stands for.
pub(super) async fn remembered_in(
    session: &Session,
    scope: &Scope,
    key: &str,
) -> Result<Option<Remembered>, Failure> {
    let Names { deployment, tenant, owner, agent } = names(scope);
    let key = written(key);
    let row = match owner {
        Some(owner) => {
            let select = "
                SELECT i.digest, i.answer, i.task FROM scopes s
                CROSS JOIN LATERAL (SELECT * FROM idempotency
                    WHERE scope = s.key AND key = $5 OFFSET 0) i
                WHERE s.deployment = $1 AND s.tenant = $2 AND s.owner = $3
                    AND ($4::text IS NULL OR s.agent = $4) LIMIT 1";
            session.first(select, &[&deployment, &tenant, &owner, &agent, &key]).await?
        }
        None => {
            let select = "
                SELECT i.digest, i.answer, i.task FROM scopes s
                CROSS JOIN LATERAL (SELECT * FROM idempotency
                    WHERE scope = s.key AND key = $4 OFFSET 0) i
                WHERE s.deployment = $1 AND s.tenant = $2
                    AND ($3::text IS NULL OR s.agent = $3) LIMIT 1";
            session.first(select, &[&deployment, &tenant, &agent, &key]).await?
        }
    };
    row.map(|row| remembered(&row, 0)).transpose()
}

/// What a key stands for, from the columns of digest, answer and task on.
pub(super) fn remembered(row: &Row, first: usize) -> Result<Remembered, Failure> {
    let digest: &[u8] = row.try_get(first)?;
    let digest =
        digest.try_into().map_err(|_| Failure::unreadable("a digest of another length"))?;
    let outcome = match row.try_get::<_, Option<&[u8]>>(first + 1)? {
        Some(answer) => Outcome::Message(Bytes::copy_from_slice(answer)),
        None => Outcome::Task(read::task_id(row.try_get(first + 2)?)?),
    };
    Ok(Remembered { outcome, digest })
}
