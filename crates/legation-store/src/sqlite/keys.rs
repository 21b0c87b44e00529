//! Idempotency keys: each stands for what came of the first send that had it.

use legation_core::Scope;
use legation_core::store::{Idempotency, Outcome, Remembered};
use legation_model::Timestamp;
use rusqlite::{Connection, params};

use super::failure::Failure;
use super::read::{blob, task_id};
use super::scopes::within;

/// What a key of the scope stands for.
pub(super) fn remembered_in(
    connection: &Connection,
    scope: &Scope,
    key: &str,
) -> Result<Option<Remembered>, Failure> {
    for number in within(connection, scope)? {
        if let Some(found) = remembered(connection, number, key)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What a key of the scope with this number stands for.
fn remembered(
    connection: &Connection,
    scope: i64,
    key: &str,
) -> Result<Option<Remembered>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT digest, answer, task FROM idempotency WHERE scope = ?1 AND key = ?2",
    )?;
    let mut rows = select.query((scope, key))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let outcome = match blob(row, 1)? {
        Some(answer) => Outcome::Message(answer),
        None => Outcome::Task(task_id(row, 2)?),
    };
    Ok(Some(Remembered { digest: row.get(0)?, outcome }))
}

/// Lets keys of the scope with this number stand for an outcome. When one of them stands for
/// something already, gives that and changes nothing.
pub(super) fn remember(
    connection: &Connection,
    scope: i64,
    keys: &[Idempotency],
    outcome: &Outcome,
    at: Timestamp,
) -> Result<Option<Remembered>, Failure> {
    for idempotency in keys {
        if let Some(earlier) = remembered(connection, scope, &idempotency.key)? {
            return Ok(Some(earlier));
        }
    }
    let (task, answer) = match outcome {
        Outcome::Task(id) => (Some(id.as_str()), None),
        Outcome::Message(json) => (None, Some(&**json)),
    };
    let mut insert = connection.prepare_cached(
        "INSERT INTO idempotency (scope, key, digest, created_at, task, answer)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for Idempotency { key, digest } in keys {
        insert.execute(params![scope, key, digest, at.as_millis(), task, answer])?;
    }
    Ok(None)
}

/// Lets keys of the scope with this number stand for nothing.
pub(super) fn forget(
    connection: &Connection,
    scope: i64,
    keys: &[Idempotency],
) -> Result<(), Failure> {
    let mut delete =
        connection.prepare_cached("DELETE FROM idempotency WHERE scope = ?1 AND key = ?2")?;
    for idempotency in keys {
        delete.execute((scope, &idempotency.key))?;
    }
    Ok(())
}
