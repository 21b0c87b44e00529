//! Gives the rows of all tables as records, as of one moment.

use std::sync::Arc;

use legation_core::Scope;
use legation_core::store::TaskKey;
use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Row};

use crate::log::{last_of_row, row_ids};
use crate::sqlite::failure::Failure;
use crate::sqlite::read::blob;
use crate::transfer::{
    Audit, Context, Digest, Each, Key, Log, Outcome, Record, Task, Token, TransferError,
};

/// Gives all records, in their order.
pub(super) fn read(connection: &Connection, each: Each<'_>) -> Result<(), TransferError> {
    let moment = connection.unchecked_transaction().map_err(Failure::from)?;
    give(&moment, CONTEXTS, [], &mut |row| each(Record::Context(context(row)?)))?;
    give(&moment, TASKS, [], &mut |row| {
        let number = TaskKey(cell(row, 0)?);
        each(Record::Task(task(row)?))?;
        let rows = row_ids(number);
        give(&moment, LOG, [*rows.start(), *rows.end()], &mut |row| each(Record::Log(log(row)?)))
    })?;
    give(&moment, SCOPES, [], &mut |owner| {
        let number: i64 = cell(owner, 4)?;
        give(&moment, KEYS, [number], &mut |row| each(Record::Key(key(scope(owner, 0)?, row)?)))
    })?;
    give(&moment, RESULTS, [], &mut |row| each(Record::Result(outcome(row)?)))?;
    give(&moment, TOKENS, [], &mut |row| each(Record::Token(token(row)?)))?;
    give(&moment, AUDIT, [], &mut |row| each(Record::Audit(audit(row)?)))?;
    Ok(moment.commit().map_err(Failure::from)?)
}

/// Gives the rows of a statement, one at a time.
fn give(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    each: &mut dyn FnMut(&Row<'_>) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    let mut select = connection.prepare_cached(sql).map_err(Failure::from)?;
    let mut rows = select.query(parameters).map_err(Failure::from)?;
    while let Some(row) = rows.next().map_err(Failure::from)? {
        each(row)?;
    }
    Ok(())
}

// The order of all of these is that of an index, so nothing is sorted and nothing piles up.

const CONTEXTS: &str = "
    SELECT s.deployment, s.tenant, s.owner, s.agent, c.id, c.created_at,
        max(c.last_active_at,
            coalesce((SELECT max(t.status_at) FROM tasks t WHERE t.context = c.key), 0)),
        c.state
    FROM contexts c CROSS JOIN scopes s ON s.key = c.scope ORDER BY c.key";

const TASKS: &str = "
    SELECT t.key, s.deployment, s.tenant, s.owner, s.agent, t.id, c.id, t.state, t.status_at,
        t.created_at, t.epoch, t.snapshot, t.at_work
    FROM tasks t CROSS JOIN scopes s ON s.key = t.scope CROSS JOIN contexts c ON c.key = t.context
    ORDER BY t.key";

const LOG: &str = "
    SELECT id, format, snapshot, entries FROM task_events WHERE id BETWEEN ?1 AND ?2 ORDER BY id";

const SCOPES: &str = "
    SELECT deployment, tenant, owner, agent, key FROM scopes
    ORDER BY deployment, tenant, owner, agent";

const KEYS: &str = "
    SELECT key, digest, created_at, task, answer FROM idempotency WHERE scope = ?1 ORDER BY key";

const RESULTS: &str = "
    SELECT s.deployment, s.tenant, s.owner, s.agent, r.id, r.context, r.state, r.status_at, r.format,
        r.last, r.at, r.snapshot, r.entries
    FROM results r CROSS JOIN scopes s ON s.key = r.scope ORDER BY r.key";

const TOKENS: &str = "
    SELECT deployment, id, name, tenant, subject, scopes, agents, digest, earlier_digest,
        earlier_until, created_at, expires_at, revoked_at, last_used_at
    FROM integration_tokens ORDER BY deployment, id";

const AUDIT: &str = "
    SELECT id, deployment, at, tenant, subject, scheme, address, action, outcome, target, detail,
        count
    FROM audit ORDER BY id";

fn cell<T: FromSql>(row: &Row<'_>, column: usize) -> Result<T, Failure> {
    Ok(row.get(column)?)
}

/// A body that is text, as JSON is.
fn body(row: &Row<'_>, column: usize) -> Result<Option<String>, Failure> {
    let Some(bytes) = blob(row, column)? else { return Ok(None) };
    let text = String::from_utf8(bytes.into());
    text.map(Some).map_err(|_| Failure::unreadable("a body that is not text"))
}

fn digest(row: &Row<'_>, column: usize) -> Result<Option<Digest>, Failure> {
    let Some(bytes) = blob(row, column)? else { return Ok(None) };
    Digest::try_from(&*bytes).map(Some).map_err(Failure::unreadable)
}

fn one<T>(value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::unreadable("a row that lacks something"))
}

fn scope(row: &Row<'_>, first: usize) -> Result<Scope, Failure> {
    let name = |column| cell::<Arc<str>>(row, first + column);
    let (owner, agent) = (Some(name(2)?), Some(name(3)?));
    Ok(Scope { deployment: name(0)?, tenant: name(1)?, owner, agent })
}

fn context(row: &Row<'_>) -> Result<Context, Failure> {
    Ok(Context {
        scope: scope(row, 0)?,
        id: cell(row, 4)?,
        created_at: cell(row, 5)?,
        active_at: cell(row, 6)?,
        state: cell(row, 7)?,
    })
}

fn task(row: &Row<'_>) -> Result<Task, Failure> {
    Ok(Task {
        scope: scope(row, 1)?,
        id: cell(row, 5)?,
        context: cell(row, 6)?,
        state: cell(row, 7)?,
        status_at: cell(row, 8)?,
        created_at: cell(row, 9)?,
        epoch: cell(row, 10)?,
        snapshot: cell(row, 11)?,
        at_work: cell(row, 12)?,
    })
}

fn log(row: &Row<'_>) -> Result<Log, Failure> {
    Ok(Log {
        // It has as many bits as fit.
        last: last_of_row(cell(row, 0)?) as i32,
        format: cell(row, 1)?,
        snapshot: body(row, 2)?,
        entries: one(body(row, 3)?)?,
    })
}

fn key(scope: Scope, row: &Row<'_>) -> Result<Key, Failure> {
    Ok(Key {
        scope,
        key: cell(row, 0)?,
        digest: one(digest(row, 1)?)?,
        created_at: cell(row, 2)?,
        task: cell(row, 3)?,
        answer: body(row, 4)?,
    })
}

fn outcome(row: &Row<'_>) -> Result<Outcome, Failure> {
    Ok(Outcome {
        scope: scope(row, 0)?,
        id: cell(row, 4)?,
        context: cell(row, 5)?,
        state: cell(row, 6)?,
        status_at: cell(row, 7)?,
        format: cell(row, 8)?,
        last: cell(row, 9)?,
        at: cell(row, 10)?,
        snapshot: body(row, 11)?,
        entries: body(row, 12)?,
    })
}

fn token(row: &Row<'_>) -> Result<Token, Failure> {
    Ok(Token {
        deployment: cell(row, 0)?,
        id: cell(row, 1)?,
        name: cell(row, 2)?,
        tenant: cell(row, 3)?,
        subject: cell(row, 4)?,
        scopes: cell(row, 5)?,
        agents: cell(row, 6)?,
        digest: one(digest(row, 7)?)?,
        earlier_digest: digest(row, 8)?,
        earlier_until: cell(row, 9)?,
        created_at: cell(row, 10)?,
        expires_at: cell(row, 11)?,
        revoked_at: cell(row, 12)?,
        last_used_at: cell(row, 13)?,
    })
}

fn audit(row: &Row<'_>) -> Result<Audit, Failure> {
    Ok(Audit {
        id: cell(row, 0)?,
        deployment: cell(row, 1)?,
        at: cell(row, 2)?,
        tenant: cell(row, 3)?,
        subject: cell(row, 4)?,
        scheme: cell(row, 5)?,
        address: cell(row, 6)?,
        action: cell(row, 7)?,
        outcome: cell(row, 8)?,
        target: cell(row, 9)?,
        detail: cell(row, 10)?,
        count: cell(row, 11)?,
    })
}
