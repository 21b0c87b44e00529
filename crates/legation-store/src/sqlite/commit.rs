//! Writes a batch into a transaction: as few statements for each task as there are tables.

use std::collections::HashMap;

use legation_core::store::{Append, Birth, Outcome, Remembered, StoreError, TaskKey};
use legation_core::{ContextChange, ContextEvent, Scope};
use legation_model::TaskState;
use rusqlite::{CachedStatement, Connection, params};

use super::contexts::{self, Contexts};
use super::failure::Failure;
use super::scopes::{Numbers, Scopes, intern, of_number};
use super::usage::Tally;
use super::{keys, read};
use crate::batch::{Answer, Batch, Before, Change, Head, Origin, Row};
use crate::log::{FORMAT, join, row_id};

/// How many tasks a state of a scope gained or lost, by the scope's and the state's number.
pub(super) type Counts = HashMap<(i64, i32), i64>;

/// Scopes that were looked up or made and are not in memory yet.
pub(super) type Learned = Vec<(Scope, Numbers)>;

/// Adds to the counters.
pub(super) fn add_counts(connection: &Connection, counts: &Counts) -> Result<(), Failure> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO task_counts (scope, state, tasks) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks",
    )?;
    for ((scope, state), tasks) in counts.iter().filter(|(_, tasks)| **tasks != 0) {
        upsert.execute((scope, state, tasks))?;
    }
    Ok(())
}

/// The statements of a transaction, prepared once for all its tasks.
pub(super) struct Writing<'a> {
    connection: &'a Connection,
    scopes: &'a Scopes,
    insert_task: CachedStatement<'a>,
    update_task: CachedStatement<'a>,
    insert_row: CachedStatement<'a>,
    drop_snapshot: CachedStatement<'a>,
    contexts: Contexts<'a>,
    counts: Counts,
    learned: Learned,
    tally: Tally,
    told: Vec<ContextEvent>,
    body: Vec<u8>,
}

/// What holds, and is to be told, once a transaction is committed.
pub(super) struct Written {
    pub(super) learned: Learned,
    pub(super) told: Vec<ContextEvent>,
}

impl<'a> Writing<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        scopes: &'a Scopes,
        tally: Tally,
    ) -> Result<Self, Failure> {
        let insert_task = connection.prepare_cached(
            "INSERT INTO tasks
                 (key, id, scope, context, state, status_at, created_at, epoch, snapshot, at_work)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        )?;
        let update_task = connection.prepare_cached(
            "UPDATE tasks SET state = ?2, status_at = ?3, epoch = ?4, snapshot = ?5, at_work = ?6
             WHERE key = ?1",
        )?;
        let insert_row = connection.prepare_cached(
            "INSERT INTO task_events (id, format, snapshot, entries) VALUES (?1, ?2, ?3, ?4)",
        )?;
        let drop_snapshot =
            connection.prepare_cached("UPDATE task_events SET snapshot = NULL WHERE id = ?1")?;
        Ok(Self {
            connection,
            scopes,
            insert_task,
            update_task,
            insert_row,
            drop_snapshot,
            contexts: Contexts::new(connection)?,
            counts: Counts::new(),
            learned: Learned::new(),
            tally,
            told: Vec::new(),
            body: Vec::new(),
        })
    }

    /// Writes all that a batch does.
    pub(super) fn write(mut self, batch: &mut Batch) -> Result<Written, Failure> {
        for change in &mut batch.changes {
            if self.task(change)? {
                self.rows(change)?;
            }
        }
        add_counts(self.connection, &self.counts)?;
        self.tally.write(self.connection)?;
        Ok(Written { learned: self.learned, told: self.told })
    }

    /// Writes the row of a task; false when its birth is refused.
    fn task(&mut self, change: &mut Change) -> Result<bool, Failure> {
        let refusal = match &change.origin {
            Origin::Born(birth) => self.born(change, birth)?,
            Origin::Stored(head) => {
                self.changed(change, head)?;
                None
            }
        };
        change.refusal = refusal;
        Ok(change.refusal.is_none())
    }

    fn born(&mut self, change: &Change, birth: &Birth) -> Result<Option<StoreError>, Failure> {
        let Numbers { scope, owner } = self.numbers(&birth.scope)?;
        let (context, became) =
            self.contexts.join(owner, &birth.context_id, birth.created_at, change.status_at)?;
        if let Some(change) = became {
            let (scope, id) = (contexts::owner(&birth.scope), birth.context_id.clone());
            self.told.push(ContextEvent { change, scope, id });
        }
        let inserted = self.insert_task.execute(params![
            change.key.0,
            birth.id.as_str(),
            scope,
            context,
            change.state.number(),
            change.status_at.as_millis(),
            birth.created_at.as_millis(),
            change.epoch,
            change.snapshot.map(|seq| seq as i64),
            change.at_work,
        ])?;
        if inserted == 0 {
            contexts::leave(self.connection, context)?;
            keys::forget(self.connection, scope, &change.keys)?;
            return Ok(Some(StoreError::Fenced));
        }
        self.count(scope, change.state, 1);
        self.tally.born(&birth.scope, birth.created_at);
        Ok(None)
    }

    fn changed(&mut self, change: &Change, head: &Head) -> Result<(), Failure> {
        let after = (change.state, change.status_at, change.epoch, change.snapshot, change.at_work);
        if after == (head.state, head.status_at, head.epoch, head.snapshot, head.at_work) {
            return Ok(());
        }
        self.update_task.execute((
            change.key.0,
            change.state.number(),
            change.status_at.as_millis(),
            change.epoch,
            change.snapshot.map(|seq| seq as i64),
            change.at_work,
        ))?;
        if let Some(outdated) = head.snapshot.filter(|_| head.snapshot != change.snapshot) {
            self.drop_snapshot.execute([row_id(change.key, outdated)])?;
        }
        if is_activity(head, change)
            && let Some(context) = self.contexts.touch(change.key, change.status_at)?
        {
            let resumed = ContextChange::Resumed;
            self.told.push(contexts::event(self.connection, self.scopes, context, resumed)?);
        }
        self.count(head.scope, head.state, -1);
        self.count(head.scope, change.state, 1);
        Ok(())
    }

    fn rows(&mut self, change: &Change) -> Result<(), Failure> {
        let mut bytes = 0;
        for row in &change.rows {
            let Row { last, entries, snapshot, .. } = row;
            let id = row_id(change.key, *last);
            let snapshot = snapshot.as_deref();
            let body = match entries.as_slice() {
                [entry] => entry,
                entries => {
                    join(entries, &mut self.body);
                    self.body.as_slice()
                }
            };
            self.insert_row.execute((id, FORMAT, snapshot, body))?;
            bytes += body.len() as i64;
        }
        if self.tally.is_counting() && bytes > 0 {
            match &change.origin {
                Origin::Born(birth) => self.tally.bytes(&birth.scope, bytes),
                Origin::Stored(head) => {
                    let scope = of_number(self.scopes, self.connection, head.scope)?;
                    self.tally.bytes(&scope, bytes);
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, scope: i64, state: TaskState, tasks: i64) {
        *self.counts.entry((scope, state.number())).or_default() += tasks;
    }

    fn numbers(&mut self, scope: &Scope) -> Result<Numbers, Failure> {
        if let Some(numbers) = self.scopes.numbers(scope) {
            return Ok(numbers);
        }
        let numbers = intern(self.connection, scope)?;
        self.learned.push((scope.clone(), numbers));
        Ok(numbers)
    }
}

impl Before for Writing<'_> {
    type Failure = Failure;

    fn head(&mut self, key: TaskKey) -> Result<Option<Head>, Failure> {
        let mut select = self.connection.prepare_cached(
            "SELECT scope, epoch, state, status_at, snapshot,
                    (SELECT max(id) FROM task_events
                     WHERE id BETWEEN ?1 << 24 AND (?1 + 1 << 24) - 1),
                    at_work
             FROM tasks WHERE key = ?1",
        )?;
        let mut rows = select.query([key.0])?;
        rows.next()?.map(read::head).transpose()
    }

    /// This is written before the batch, so that of two writes with a key the second is refused
    /// before it is merged with anything.
    fn keys(&mut self, change: &Change, append: &Append) -> Result<Option<Remembered>, Failure> {
        if append.keys.is_empty() {
            return Ok(None);
        }
        let (scope, id) = match &change.origin {
            Origin::Born(birth) => (self.numbers(&birth.scope)?.scope, birth.id.clone()),
            Origin::Stored(head) => (head.scope, read::id(self.connection, change.key)?),
        };
        let outcome = Outcome::Task(id);
        keys::remember(self.connection, scope, &append.keys, &outcome, append.status_at)
    }

    fn answer(&mut self, answer: &Answer) -> Result<Option<Remembered>, Failure> {
        let scope = self.numbers(&answer.scope)?.scope;
        let outcome = Outcome::Message(answer.message.clone());
        let keys = std::slice::from_ref(&answer.idempotency);
        let earlier = keys::remember(self.connection, scope, keys, &outcome, answer.at)?;
        if earlier.is_none() {
            self.tally.bytes(&answer.scope, answer.message.len() as i64);
        }
        Ok(earlier)
    }
}

/// Whether a change is one that a context counts as activity: a message came, or the task came to
/// rest. Both change the status; so does the agent that begins, which follows at once on a message
/// and would only cost another write.
fn is_activity(head: &Head, change: &Change) -> bool {
    let begins = (head.state, change.state) == (TaskState::Submitted, TaskState::Working);
    (head.state, head.status_at) != (change.state, change.status_at) && !begins
}
