//! Writes records into the tables, one by one.

use legation_core::store::{Seq, TaskKey};
use rusqlite::{Params, params};

use super::Transfer;
use crate::log::row_id;
use crate::sqlite::failure::Failure;
use crate::sqlite::scopes::intern;
use crate::transfer::{Audit, Context, Key, Log, Outcome, Record, Task, Token};

impl Transfer {
    /// Writes a record within the transaction.
    pub(super) fn put(&mut self, record: &Record) -> Result<(), Failure> {
        match record {
            Record::Context(context) => self.put_context(context),
            Record::Task(task) => self.put_task(task),
            Record::Log(log) => self.put_log(log),
            Record::Key(key) => self.put_key(key),
            Record::Result(outcome) => self.put_outcome(outcome),
            Record::Token(token) => self.put_token(token),
            Record::Audit(entry) => self.put_audit(entry),
        }
    }

    fn run(&self, sql: &str, parameters: impl Params) -> Result<i64, Failure> {
        Ok(self.connection.prepare_cached(sql)?.insert(parameters)?)
    }

    /// Its tasks are counted as they come.
    fn put_context(&self, context: &Context) -> Result<(), Failure> {
        let Context { scope, id, created_at, active_at, state } = context;
        let owner = intern(&self.connection, scope)?.owner;
        let insert = "INSERT INTO contexts (id, scope, created_at, last_active_at, state, tasks)
                      VALUES (?1, ?2, ?3, ?4, ?5, 0)";
        self.run(insert, (id, owner, created_at, active_at, state))?;
        Ok(())
    }

    fn put_task(&mut self, task: &Task) -> Result<(), Failure> {
        let numbers = intern(&self.connection, &task.scope)?;
        let join =
            "UPDATE contexts SET tasks = tasks + 1 WHERE id = ?1 AND scope = ?2 RETURNING key";
        let context: i64 = self
            .connection
            .prepare_cached(join)?
            .query_row((&task.context, numbers.owner), |row| row.get(0))?;
        let insert = "
            INSERT INTO tasks
                (id, scope, context, state, status_at, created_at, epoch, snapshot, at_work)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let place = params![
            task.id,
            numbers.scope,
            context,
            task.state,
            task.status_at,
            task.created_at,
            task.epoch,
            task.snapshot,
            task.at_work,
        ];
        // One more than the greatest there is, so their order is that of the file.
        self.task = TaskKey(self.run(insert, place)?);
        *self.counts.entry((numbers.scope, task.state)).or_default() += 1;
        Ok(())
    }

    fn put_log(&self, log: &Log) -> Result<(), Failure> {
        let Log { last, format, snapshot, entries } = log;
        let id = row_id(self.task, Seq::from(last.unsigned_abs()));
        let insert =
            "INSERT INTO task_events (id, format, snapshot, entries) VALUES (?1, ?2, ?3, ?4)";
        let snapshot = snapshot.as_ref().map(String::as_bytes);
        self.run(insert, (id, format, snapshot, entries.as_bytes()))?;
        Ok(())
    }

    fn put_key(&self, key: &Key) -> Result<(), Failure> {
        let scope = intern(&self.connection, &key.scope)?.scope;
        let insert = "INSERT INTO idempotency (scope, key, digest, created_at, task, answer)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let answer = key.answer.as_ref().map(String::as_bytes);
        // No row of this table has a number that could be given back.
        self.connection.prepare_cached(insert)?.execute(params![
            scope,
            key.key,
            key.digest.0,
            key.created_at,
            key.task,
            answer,
        ])?;
        Ok(())
    }

    fn put_outcome(&self, outcome: &Outcome) -> Result<(), Failure> {
        let scope = intern(&self.connection, &outcome.scope)?.scope;
        let insert = "
            INSERT INTO results
                (scope, id, context, state, status_at, format, last, at, snapshot, entries)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let place = params![
            scope,
            outcome.id,
            outcome.context,
            outcome.state,
            outcome.status_at,
            outcome.format,
            outcome.last,
            outcome.at,
            outcome.snapshot.as_ref().map(String::as_bytes),
            outcome.entries.as_ref().map(String::as_bytes),
        ];
        self.run(insert, place)?;
        Ok(())
    }

    fn put_token(&self, token: &Token) -> Result<(), Failure> {
        let insert = "
            INSERT INTO integration_tokens (deployment, id, name, tenant, subject, scopes, agents,
                digest, earlier_digest, earlier_until, created_at, expires_at, revoked_at,
                last_used_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        self.connection.prepare_cached(insert)?.execute(params![
            token.deployment,
            token.id,
            token.name,
            token.tenant,
            token.subject,
            token.scopes,
            token.agents,
            token.digest.0,
            token.earlier_digest.map(|digest| digest.0),
            token.earlier_until,
            token.created_at,
            token.expires_at,
            token.revoked_at,
            token.last_used_at,
        ])?;
        Ok(())
    }

    fn put_audit(&self, entry: &Audit) -> Result<(), Failure> {
        let insert = "
            INSERT INTO audit (id, deployment, at, tenant, subject, scheme, address, action, outcome,
                target, detail, count)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let place = params![
            entry.id,
            entry.deployment,
            entry.at,
            entry.tenant,
            entry.subject,
            entry.scheme,
            entry.address,
            entry.action,
            entry.outcome,
            entry.target,
            entry.detail,
            entry.count,
        ];
        self.run(insert, place)?;
        Ok(())
    }
}
