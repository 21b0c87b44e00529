//! The second round trip of a transaction: writes what a batch comes to, and commits it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::task::Poll;

use futures::future::{BoxFuture, FutureExt as _, join, try_join_all};
use futures::poll;
use legation_core::store::{Birth, Outcome, StoreError, TaskKey};
use legation_core::{ContextChange, ContextEvent};
use legation_model::{ContextId, TaskId};
use parking_lot::Mutex;

use super::contexts::owner;
use super::deltas::{Deltas, INSERT_COUNTS, INSERT_USAGE};
use super::failure::Failure;
use super::look::{Context, Looked};
use super::session::{Parameters, Session};
use super::text::written;
use crate::batch::{Batch, Change, Head, Origin, Row};
use crate::log::{FORMAT, join as join_entries};

/// Rows to write, by table and column.
#[derive(Default)]
pub(super) struct Rows<'a> {
    contexts: NewContexts<'a>,
    revived: Vec<i64>,
    /// Tasks at rest that go on, whose contexts may be at rest as well.
    gone_on: Vec<i64>,
    born: Tasks<'a>,
    changed: Tasks<'a>,
    events: Events<'a>,
    /// Snapshots that newer ones replace: task and last event.
    outdated: (Vec<i64>, Vec<i32>),
    keys: Keys<'a>,
    pub(super) deltas: Deltas,
    /// What to tell of contexts, once it is committed.
    pub(super) told: Vec<ContextEvent>,
}

#[derive(Default)]
struct NewContexts<'a> {
    key: Vec<i64>,
    scope: Vec<i64>,
    id: Vec<&'a str>,
    at: Vec<i64>,
}

#[derive(Default)]
struct Tasks<'a> {
    key: Vec<i64>,
    id: Vec<&'a str>,
    scope: Vec<i64>,
    context: Vec<i64>,
    state: Vec<i32>,
    status_at: Vec<i64>,
    created_at: Vec<i64>,
    epoch: Vec<i64>,
    snapshot: Vec<Option<i32>>,
    at_work: Vec<bool>,
}

#[derive(Default)]
struct Events<'a> {
    task: Vec<i64>,
    last: Vec<i32>,
    snapshot: Vec<Option<&'a [u8]>>,
    entries: Vec<Cow<'a, [u8]>>,
}

#[derive(Default)]
struct Keys<'a> {
    scope: Vec<i64>,
    key: Vec<Cow<'a, str>>,
    digest: Vec<&'a [u8]>,
    created_at: Vec<i64>,
    task: Vec<Option<&'a str>>,
    answer: Vec<Option<&'a [u8]>>,
    context: Vec<Option<ContextId>>,
}

/// Refuses the births whose name another task has, before anything is written.
pub(super) fn refuse_taken_names(batch: &mut Batch, looked: &mut Looked) {
    for change in &mut batch.changes {
        if let Origin::Born(birth) = &change.origin
            && !looked.takes_name(birth)
        {
            change.refusal = Some(StoreError::Fenced);
        }
    }
}

impl<'a> Rows<'a> {
    /// All that a batch writes.
    pub(super) fn of(batch: &'a Batch, looked: &'a Looked) -> Self {
        let mut rows = Self::default();
        let mut contexts = HashMap::new();
        for change in batch.changes.iter().filter(|change| change.refusal.is_none()) {
            match &change.origin {
                Origin::Born(birth) => rows.born(change, birth, looked, &mut contexts),
                Origin::Stored(head) => rows.changed(change, head),
            }
            rows.events(change, looked);
        }
        rows.keys(batch, looked);
        rows
    }

    fn born(
        &mut self,
        change: &'a Change,
        birth: &'a Birth,
        looked: &Looked,
        contexts: &mut HashMap<(i64, &'a ContextId), i64>,
    ) {
        let numbers = looked.numbers(&change.origin);
        let created_at = birth.created_at.as_millis();
        let place = (numbers.owner, &birth.context_id);
        let mut tell = |change| {
            let (scope, id) = (owner(&birth.scope), birth.context_id.clone());
            self.told.push(ContextEvent { change, scope, id });
        };
        let context = *contexts.entry(place).or_insert_with(|| {
            match looked.contexts.get(&(numbers.owner, birth.context_id.clone())) {
                Some(Context { key, is_empty, is_at_rest }) => {
                    self.revived.extend((*is_empty || *is_at_rest).then_some(*key));
                    if *is_at_rest {
                        tell(ContextChange::Resumed);
                    }
                    *key
                }
                None => {
                    tell(ContextChange::Created);
                    self.contexts.key.push(change.key.0);
                    self.contexts.scope.push(numbers.owner);
                    self.contexts.id.push(birth.context_id.as_str());
                    self.contexts.at.push(created_at);
                    change.key.0
                }
            }
        });
        self.born.push(change);
        self.born.id.push(birth.id.as_str());
        self.born.scope.push(numbers.scope);
        self.born.context.push(context);
        self.born.created_at.push(created_at);
        self.deltas.count(numbers.scope, change.state.number(), 1);
        self.deltas.born(numbers, birth.created_at);
    }

    fn changed(&mut self, change: &Change, head: &Head) {
        let after = (change.state, change.status_at, change.epoch, change.snapshot, change.at_work);
        if after == (head.state, head.status_at, head.epoch, head.snapshot, head.at_work) {
            return;
        }
        self.changed.push(change);
        if head.state.is_interrupted() && head.state != change.state {
            self.gone_on.push(change.key.0);
        }
        if let Some(outdated) = head.snapshot.filter(|_| head.snapshot != change.snapshot) {
            self.outdated.0.push(change.key.0);
            self.outdated.1.push(outdated as i32);
        }
        self.deltas.count(head.scope, head.state.number(), -1);
        self.deltas.count(head.scope, change.state.number(), 1);
    }

    fn events(&mut self, change: &'a Change, looked: &Looked) {
        let mut bytes = 0;
        for Row { last, entries, snapshot, .. } in &change.rows {
            let body = match entries.as_slice() {
                [entry] => Cow::Borrowed(&**entry),
                entries => {
                    let mut body = Vec::new();
                    join_entries(entries, &mut body);
                    Cow::Owned(body)
                }
            };
            bytes += body.len() as i64;
            self.events.task.push(change.key.0);
            self.events.last.push(*last as i32);
            self.events.snapshot.push(snapshot.as_deref());
            self.events.entries.push(body);
        }
        if bytes > 0 {
            self.deltas.bytes(looked.numbers(&change.origin), bytes);
        }
    }

    /// The keys of what is not refused.
    fn keys(&mut self, batch: &Batch, looked: &'a Looked) {
        let is_refused = |task: &TaskKey| batch.refuses(*task);
        for new in looked.new_keys.iter().filter(|new| !new.task.as_ref().is_some_and(is_refused)) {
            let (task, answer) = match &new.outcome {
                Outcome::Task(id) => (Some(TaskId::as_str(id)), None),
                Outcome::Message(json) => (None, Some(&**json)),
            };
            self.keys.scope.push(new.numbers.scope);
            self.keys.key.push(written(&new.idempotency.key));
            self.keys.digest.push(&new.idempotency.digest);
            self.keys.created_at.push(new.at.as_millis());
            self.keys.task.push(task);
            self.keys.answer.push(answer);
            self.keys.context.push(answer.and_then(context_of));
            if let Some(answer) = answer {
                self.deltas.bytes(new.numbers, answer.len() as i64);
            }
        }
    }

    /// Writes all of it and commits. When this fails because the connection is lost, it is uncertain
    /// whether it was written.
    ///
    /// The order of the tables is that in which rows of theirs are locked, here and by removals. Gives
    /// the contexts that are active again because tasks went on, each with its id and scope.
    pub(super) async fn write(
        &self,
        session: &Session,
        replica: i64,
    ) -> Result<Vec<tokio_postgres::Row>, Failure> {
        let Self {
            contexts,
            revived,
            gone_on,
            born,
            changed,
            events,
            outdated,
            keys,
            deltas,
            told: _,
        } = self;
        let entries: Vec<&[u8]> = events.entries.iter().map(|body| &**body).collect();
        let named: Vec<_> =
            keys.context.iter().map(|id| id.as_ref().map(ContextId::as_str)).collect();
        let format = FORMAT as i16;
        let statements: [(bool, &'static str, Parameters<'_>); 7] = [
            (
                contexts.key.is_empty(),
                INSERT_CONTEXTS,
                &[&contexts.key, &contexts.scope, &contexts.id, &contexts.at],
            ),
            (revived.is_empty(), REVIVE_CONTEXTS, &[revived]),
            (
                born.key.is_empty(),
                INSERT_TASKS,
                &[
                    &born.key,
                    &born.id,
                    &born.scope,
                    &born.context,
                    &born.state,
                    &born.status_at,
                    &born.created_at,
                    &born.epoch,
                    &born.snapshot,
                    &born.at_work,
                    &replica,
                ],
            ),
            (
                changed.key.is_empty(),
                UPDATE_TASKS,
                &[
                    &changed.key,
                    &changed.state,
                    &changed.status_at,
                    &changed.epoch,
                    &changed.snapshot,
                    &changed.at_work,
                    &replica,
                ],
            ),
            (
                events.task.is_empty(),
                INSERT_EVENTS,
                &[&events.task, &events.last, &format, &events.snapshot, &entries],
            ),
            (outdated.0.is_empty(), DROP_SNAPSHOTS, &[&outdated.0, &outdated.1]),
            (
                keys.key.is_empty(),
                INSERT_KEYS,
                &[
                    &keys.scope,
                    &keys.key,
                    &keys.digest,
                    &keys.created_at,
                    &keys.task,
                    &keys.answer,
                    &named,
                ],
            ),
        ];
        let resumed = Mutex::default();
        let mut writes: Vec<BoxFuture<'_, Result<u64, Failure>>> = Vec::with_capacity(10);
        for (is_empty, sql, parameters) in statements {
            if !is_empty {
                writes.push(session.execute(sql, parameters).boxed());
            }
        }
        if !gone_on.is_empty() {
            let resume = async {
                let rows = session.query(RESUME_CONTEXTS, &[gone_on]).await?;
                *resumed.lock() = rows;
                Ok(0)
            };
            // With the other contexts: they are locked after the tasks, and before all else.
            writes.insert(0, resume.boxed());
        }
        writes.push(deltas.write_counts(session).boxed());
        writes.push(deltas.write_usage(session).boxed());
        commit(session, writes).await?;
        Ok(resumed.into_inner())
    }

    /// A row by which to know later whether all of it was written.
    pub(super) fn witness(&self) -> Option<Witness> {
        if let (Some(task), Some(last), Some(entries)) =
            (self.events.task.first(), self.events.last.first(), self.events.entries.first())
        {
            let body = entries.to_vec();
            return Some(Witness::Events { task: *task, last: *last, body });
        }
        let (scope, key) = (self.keys.scope.first()?, self.keys.key.first()?);
        let digest = self.keys.digest.first()?.to_vec();
        Some(Witness::Key { scope: *scope, key: key.to_string(), digest })
    }
}

impl Tasks<'_> {
    /// Adds what a birth and a change have in common.
    fn push(&mut self, change: &Change) {
        self.key.push(change.key.0);
        self.state.push(change.state.number());
        self.status_at.push(change.status_at.as_millis());
        self.epoch.push(change.epoch.into());
        self.snapshot.push(change.snapshot.map(|seq| seq as i32));
        self.at_work.push(change.at_work);
    }
}

/// Sends writes and the commit together. A write that cannot even be sent must not be committed
/// without.
async fn commit(
    session: &Session,
    writes: Vec<BoxFuture<'_, Result<u64, Failure>>>,
) -> Result<(), Failure> {
    let mut writes = try_join_all(writes);
    match poll!(&mut writes) {
        Poll::Pending => {}
        Poll::Ready(Ok(_)) => return session.run("COMMIT").await,
        Poll::Ready(Err(failure)) => {
            session.run("ROLLBACK").await?;
            return Err(failure);
        }
    }
    // Where a write fails, the commit undoes all of them and says nothing of it.
    let (written, committed) = join(writes, session.run("COMMIT")).await;
    written.and(committed)
}

/// A row of a transaction of which it is not known whether it was committed. Its number would not do:
/// after a crash the server gives the numbers of what it lost to others.
pub(super) enum Witness {
    Events { task: i64, last: i32, body: Vec<u8> },
    Key { scope: i64, key: String, digest: Vec<u8> },
}

impl Witness {
    /// Whether it is there.
    pub(super) async fn is_there(&self, session: &Session) -> Result<bool, Failure> {
        let row = match self {
            Self::Events { task, last, body } => {
                let select = "SELECT entries = $3 FROM task_events WHERE task = $1 AND last = $2";
                session.first(select, &[task, last, body]).await?
            }
            Self::Key { scope, key, digest } => {
                let select = "SELECT digest = $3 FROM idempotency WHERE scope = $1 AND key = $2";
                session.first(select, &[scope, key, digest]).await?
            }
        };
        row.map_or(Ok(false), |row| Ok(row.try_get(0)?))
    }
}

/// The context that a direct answer names.
pub(super) fn context_of(answer: &[u8]) -> Option<ContextId> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Names {
        context_id: Option<ContextId>,
    }
    serde_json::from_slice::<Names>(answer).ok()?.context_id
}

/// The statements that a commit uses.
pub(super) const STATEMENTS: &[&str] = &[
    INSERT_CONTEXTS,
    REVIVE_CONTEXTS,
    RESUME_CONTEXTS,
    INSERT_TASKS,
    UPDATE_TASKS,
    INSERT_EVENTS,
    DROP_SNAPSHOTS,
    INSERT_KEYS,
    INSERT_COUNTS,
    INSERT_USAGE,
];

const INSERT_CONTEXTS: &str = "
    INSERT INTO contexts (key, scope, id, created_at, last_active_at)
    SELECT key, scope, id, at, at
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) AS n (key, scope, id, at)";

const REVIVE_CONTEXTS: &str = "UPDATE contexts SET is_empty = FALSE, state = 0
     WHERE key = ANY (ARRAY(SELECT key FROM contexts WHERE key = ANY ($1)
        ORDER BY id, scope FOR NO KEY UPDATE))";

/// Nearly all of them are active, and then nothing is written.
const RESUME_CONTEXTS: &str = "
    UPDATE contexts SET state = 0
    WHERE key = ANY (ARRAY(SELECT key FROM contexts
            WHERE key = ANY (ARRAY(SELECT context FROM tasks WHERE key = ANY ($1))) AND state <> 0
            ORDER BY id, scope FOR NO KEY UPDATE))
        AND state <> 0
    RETURNING id, scope";

pub(super) const INSERT_TASKS: &str = "
    INSERT INTO tasks
        (key, id, scope, context, state, status_at, created_at, epoch, snapshot, at_work, replica)
    SELECT *, CASE WHEN n.state IN (1, 2) OR n.at_work THEN $11::bigint END
    FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::int[],
        $6::bigint[], $7::bigint[], $8::bigint[], $9::int[], $10::bool[])
        AS n (key, id, scope, context, state, status_at, created_at, epoch, snapshot, at_work)";

const UPDATE_TASKS: &str = "
    UPDATE tasks t SET state = n.state, status_at = n.status_at, epoch = n.epoch,
        snapshot = n.snapshot, at_work = n.at_work,
        replica = CASE WHEN n.state IN (1, 2) OR n.at_work THEN $7::bigint END
    FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[], $5::int[], $6::bool[])
        AS n (key, state, status_at, epoch, snapshot, at_work)
    WHERE t.key = n.key AND t.key = ANY ($1)";

pub(super) const INSERT_EVENTS: &str = "
    INSERT INTO task_events (task, last, format, snapshot, entries)
    SELECT task, last, $3, snapshot, entries
    FROM unnest($1::bigint[], $2::int[], $4::bytea[], $5::bytea[])
        AS n (task, last, snapshot, entries)";

/// Their rows stay where they are, because the tasks are locked.
const DROP_SNAPSHOTS: &str = "
    UPDATE task_events SET snapshot = NULL WHERE ctid = ANY (ARRAY(
        SELECT e.place FROM unnest($1::bigint[], $2::int[]) AS n (task, last)
        CROSS JOIN LATERAL (SELECT ctid AS place FROM task_events e
            WHERE e.task = n.task AND e.last = n.last OFFSET 0) e))";

pub(super) const INSERT_KEYS: &str = "
    INSERT INTO idempotency (scope, key, digest, created_at, task, answer, context)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bigint[], $5::text[],
        $6::bytea[], $7::text[])";
