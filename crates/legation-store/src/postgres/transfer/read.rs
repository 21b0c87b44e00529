//! Gives the rows of all tables as records, as of one moment.

use std::collections::VecDeque;

use legation_core::Scope;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::postgres::failure::Failure;
use crate::postgres::session::Session;
use crate::postgres::text;
use crate::transfer::{
    Audit, Context, Digest, Each, Key, Log, Outcome, Record, Task, Token, TransferError,
};

/// Rows of a query that the server keeps ready, a few at a time.
struct Cursor {
    fetch: &'static str,
    rows: VecDeque<Row>,
    is_done: bool,
}

/// Declares a cursor within the transaction.
macro_rules! cursor {
    ($session:expr, $name:literal, $some:literal, $select:expr) => {{
        $session.run(concat!("DECLARE ", $name, " NO SCROLL CURSOR FOR ", $select)).await?;
        Cursor {
            fetch: concat!("FETCH ", $some, " FROM ", $name),
            rows: VecDeque::new(),
            is_done: false,
        }
    }};
}

impl Cursor {
    async fn peek(&mut self, session: &Session) -> Result<Option<&Row>, Failure> {
        if self.rows.is_empty() && !self.is_done {
            self.rows = session.query(self.fetch, &[]).await?.into();
            self.is_done = self.rows.is_empty();
        }
        Ok(self.rows.front())
    }

    async fn next(&mut self, session: &Session) -> Result<Option<Row>, Failure> {
        self.peek(session).await?;
        Ok(self.rows.pop_front())
    }
}

/// Gives all records, in their order.
pub(super) async fn read(session: &Session, each: Each<'_>) -> Result<(), TransferError> {
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut contexts = cursor!(
        session,
        "contexts_of_all",
        "100",
        "SELECT s.deployment, s.tenant, s.owner, s.agent, c.id, c.created_at,
             greatest(c.last_active_at,
                 (SELECT max(t.status_at) FROM tasks t WHERE t.context = c.key)), c.state
         FROM contexts c
         CROSS JOIN LATERAL (SELECT * FROM scopes WHERE key = c.scope OFFSET 0) s ORDER BY c.key"
    );
    while let Some(row) = contexts.next(session).await? {
        each(Record::Context(context(&row)?))?;
    }
    let mut tasks = cursor!(
        session,
        "tasks_of_all",
        "100",
        "SELECT t.key, s.deployment, s.tenant, s.owner, s.agent, t.id, c.id, t.state, t.status_at,
             t.created_at, t.epoch, t.snapshot, t.at_work
         FROM tasks t
         CROSS JOIN LATERAL (SELECT * FROM scopes WHERE key = t.scope OFFSET 0) s
         CROSS JOIN LATERAL (SELECT id FROM contexts WHERE key = t.context OFFSET 0) c
         ORDER BY t.key"
    );
    // Beside the tasks and not joined with them, so that nothing as large as a log is ever sorted.
    let mut logs = cursor!(
        session,
        "logs_of_all",
        "16",
        "SELECT task, last, format, snapshot, entries FROM task_events ORDER BY task, last"
    );
    while let Some(row) = tasks.next(session).await? {
        let key: i64 = cell(&row, 0)?;
        each(Record::Task(task(&row)?))?;
        while let Some(first) = logs.peek(session).await? {
            let of: i64 = cell(first, 0)?;
            if of > key {
                break;
            }
            if of < key {
                return Err(Failure::unreadable("a log without a task").into());
            }
            each(Record::Log(log(first)?))?;
            logs.rows.pop_front();
        }
    }
    let mut keys = cursor!(
        session,
        "keys_of_all",
        "16",
        "SELECT s.deployment, s.tenant, s.owner, s.agent, i.key, i.digest, i.created_at, i.task,
             i.answer
         FROM scopes s
         CROSS JOIN LATERAL (SELECT * FROM idempotency WHERE scope = s.key OFFSET 0) i
         ORDER BY s.deployment, s.tenant, s.owner, s.agent, i.key"
    );
    while let Some(row) = keys.next(session).await? {
        each(Record::Key(key(&row)?))?;
    }
    let mut outcomes = cursor!(
        session,
        "results_of_all",
        "16",
        "SELECT s.deployment, s.tenant, s.owner, s.agent, r.id, r.context, r.state, r.status_at,
             r.format, r.last, r.at, r.snapshot, r.entries
         FROM results r
         CROSS JOIN LATERAL (SELECT * FROM scopes WHERE key = r.scope OFFSET 0) s ORDER BY r.key"
    );
    while let Some(row) = outcomes.next(session).await? {
        each(Record::Result(outcome(&row)?))?;
    }
    let mut tokens = cursor!(
        session,
        "tokens_of_all",
        "100",
        "SELECT deployment, id, name, tenant, subject, scopes, agents, digest, earlier_digest,
             earlier_until, created_at, expires_at, revoked_at, last_used_at
         FROM integration_tokens ORDER BY deployment, id"
    );
    while let Some(row) = tokens.next(session).await? {
        each(Record::Token(token(&row)?))?;
    }
    let mut entries = cursor!(
        session,
        "audit_of_all",
        "100",
        "SELECT id, deployment, at, tenant, subject, scheme, address, action, outcome, target, detail,
             count
         FROM audit ORDER BY id"
    );
    while let Some(row) = entries.next(session).await? {
        each(Record::Audit(audit(&row)?))?;
    }
    Ok(session.run("COMMIT").await?)
}

pub(super) fn cell<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Result<T, Failure> {
    Ok(row.try_get(column)?)
}

fn name(row: &Row, column: usize) -> Result<String, Failure> {
    Ok(text::read(cell(row, column)?).into_owned())
}

/// A body that is text, as JSON is.
fn body(row: &Row, column: usize) -> Result<Option<String>, Failure> {
    let bytes: Option<Vec<u8>> = cell(row, column)?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| Failure::unreadable("a body that is not text"))
}

fn digest(row: &Row, column: usize) -> Result<Option<Digest>, Failure> {
    let bytes: Option<&[u8]> = cell(row, column)?;
    bytes.map(Digest::try_from).transpose().map_err(Failure::unreadable)
}

fn one<T>(value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::unreadable("a row that lacks something"))
}

fn scope(row: &Row, first: usize) -> Result<Scope, Failure> {
    let name = |column| name(row, first + column).map(Into::into);
    let (owner, agent) = (Some(name(2)?), Some(name(3)?));
    Ok(Scope { deployment: name(0)?, tenant: name(1)?, owner, agent })
}

fn context(row: &Row) -> Result<Context, Failure> {
    Ok(Context {
        scope: scope(row, 0)?,
        id: cell(row, 4)?,
        created_at: cell(row, 5)?,
        active_at: cell(row, 6)?,
        state: cell(row, 7)?,
    })
}

fn task(row: &Row) -> Result<Task, Failure> {
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

fn log(row: &Row) -> Result<Log, Failure> {
    Ok(Log {
        last: cell(row, 1)?,
        format: cell::<i16>(row, 2)?.into(),
        snapshot: body(row, 3)?,
        entries: one(body(row, 4)?)?,
    })
}

fn key(row: &Row) -> Result<Key, Failure> {
    Ok(Key {
        scope: scope(row, 0)?,
        key: name(row, 4)?,
        digest: one(digest(row, 5)?)?,
        created_at: cell(row, 6)?,
        task: cell(row, 7)?,
        answer: body(row, 8)?,
    })
}

fn outcome(row: &Row) -> Result<Outcome, Failure> {
    Ok(Outcome {
        scope: scope(row, 0)?,
        id: cell(row, 4)?,
        context: cell(row, 5)?,
        state: cell(row, 6)?,
        status_at: cell(row, 7)?,
        format: cell::<i16>(row, 8)?.into(),
        last: cell(row, 9)?,
        at: cell(row, 10)?,
        snapshot: body(row, 11)?,
        entries: body(row, 12)?,
    })
}

fn token(row: &Row) -> Result<Token, Failure> {
    Ok(Token {
        deployment: name(row, 0)?,
        id: name(row, 1)?,
        name: name(row, 2)?,
        tenant: name(row, 3)?,
        subject: name(row, 4)?,
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

fn audit(row: &Row) -> Result<Audit, Failure> {
    Ok(Audit {
        id: cell(row, 0)?,
        deployment: name(row, 1)?,
        at: cell(row, 2)?,
        tenant: name(row, 3)?,
        subject: name(row, 4)?,
        scheme: name(row, 5)?,
        address: cell(row, 6)?,
        action: cell(row, 7)?,
        outcome: cell(row, 8)?,
        target: name(row, 9)?,
        detail: name(row, 10)?,
        count: cell(row, 11)?,
    })
}
