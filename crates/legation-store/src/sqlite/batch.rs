//! The writes of one transaction, its appends merged so that each task is written once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use legation_core::Scope;
use legation_core::store::{Append, Birth, Idempotency, Seq, StoreError, TaskKey};
use legation_model::{TaskState, Timestamp};

use super::commit::Writing;
use super::failure::Failure;
use super::log::MAX_SEQ;

/// Bytes after which a row takes no further append, so that reading one entry stays cheap.
const ROW_BYTES: usize = 256 << 10;

/// Something that becomes durable in a transaction.
pub(super) enum Write {
    Append(Append),
    Answer(Box<Answer>),
}

/// A direct answer and the key that stands for it.
pub(super) struct Answer {
    pub(super) scope: Scope,
    pub(super) idempotency: Idempotency,
    pub(super) message: Bytes,
    pub(super) at: Timestamp,
}

impl Write {
    /// Roughly how much memory it holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Append(append) => append.bytes(),
            Self::Answer(answer) => answer.message.len() + 256,
        }
    }
}

/// What the database says about a task before the batch.
pub(super) struct Head {
    pub(super) scope: i64,
    pub(super) epoch: u32,
    pub(super) last: Seq,
    pub(super) state: TaskState,
    pub(super) status_at: Timestamp,
    pub(super) snapshot: Option<Seq>,
    pub(super) at_work: bool,
}

/// Where a task comes from.
pub(super) enum Origin {
    Born(Box<Birth>),
    Stored(Head),
}

/// All that a batch does to one task.
pub(super) struct Change {
    pub(super) key: TaskKey,
    pub(super) origin: Origin,
    pub(super) epoch: u32,
    pub(super) last: Seq,
    pub(super) state: TaskState,
    pub(super) status_at: Timestamp,
    pub(super) snapshot: Option<Seq>,
    pub(super) at_work: bool,
    pub(super) rows: Vec<Row>,
    /// Keys that stand for the task from this batch on.
    pub(super) keys: Vec<Idempotency>,
    /// Set when the database refuses the birth, and with it all that follows.
    pub(super) refusal: Option<StoreError>,
}

/// Consecutive events that become one row.
pub(super) struct Row {
    pub(super) last: Seq,
    pub(super) entries: Vec<Bytes>,
    pub(super) snapshot: Option<Bytes>,
    bytes: usize,
}

/// What becomes of a write.
enum Verdict {
    /// What becomes of this change.
    Of(usize),
    /// It is in the transaction.
    Written,
    Refused(StoreError),
}

/// The changes of one transaction and the verdict on each write, in the order given.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) changes: Vec<Change>,
    places: HashMap<TaskKey, usize>,
    verdicts: Vec<Verdict>,
}

impl Batch {
    /// Adds a write to what the batch does.
    pub(super) fn add(&mut self, write: Write, writing: &mut Writing<'_>) -> Result<(), Failure> {
        let verdict = match write {
            Write::Append(append) => self.append(append, writing)?,
            Write::Answer(answer) => match writing.answer(&answer)? {
                None => Verdict::Written,
                Some(earlier) => Verdict::Refused(StoreError::Taken(Box::new(earlier))),
            },
        };
        self.verdicts.push(verdict);
        Ok(())
    }

    /// The outcome of each write, once the transaction is committed.
    pub(super) fn outcomes(&mut self) -> impl Iterator<Item = Result<(), StoreError>> {
        let changes = &mut self.changes;
        self.verdicts.drain(..).map(|verdict| match verdict {
            Verdict::Refused(error) => Err(error),
            Verdict::Written => Ok(()),
            // What came after a refused birth finds no task: it was never this writer's.
            Verdict::Of(place) => match &mut changes[place].refusal {
                None => Ok(()),
                Some(refusal) => Err(std::mem::replace(refusal, StoreError::Fenced)),
            },
        })
    }

    pub(super) fn clear(&mut self) {
        self.changes.clear();
        self.places.clear();
        self.verdicts.clear();
    }

    fn append(&mut self, append: Append, writing: &mut Writing<'_>) -> Result<Verdict, Failure> {
        let Some(place) = self.place(&append, writing)? else { return self.begin(append, writing) };
        let refusal = self.changes[place].accept(append, writing)?;
        Ok(refusal.map_or(Verdict::Of(place), Verdict::Refused))
    }

    /// The change of the append's task; `None` when the task does not exist.
    fn place(&mut self, append: &Append, writing: &Writing<'_>) -> Result<Option<usize>, Failure> {
        let vacant = match self.places.entry(append.key) {
            Entry::Occupied(place) => return Ok(Some(*place.get())),
            Entry::Vacant(vacant) => vacant,
        };
        if append.birth.is_some() {
            return Ok(None);
        }
        let Some(head) = writing.head(append.key)? else { return Ok(None) };
        self.changes.push(Change::of_stored(append.key, head));
        Ok(Some(*vacant.insert(self.changes.len() - 1)))
    }

    fn begin(&mut self, mut append: Append, writing: &mut Writing<'_>) -> Result<Verdict, Failure> {
        let Some(birth) = append.birth.take() else {
            return Ok(Verdict::Refused(StoreError::Fenced));
        };
        if birth.scope.owner.is_none() || birth.scope.agent.is_none() || append.entries.is_empty() {
            let what = "a task is born with an owner, an agent and its first event";
            return Ok(Verdict::Refused(StoreError::damaged(what)));
        }
        let mut change = Change::of_born(&append, birth);
        if let Some(error) = change.accept(append, writing)? {
            return Ok(Verdict::Refused(error));
        }
        self.places.insert(change.key, self.changes.len());
        self.changes.push(change);
        Ok(Verdict::Of(self.changes.len() - 1))
    }
}

impl Change {
    fn of_stored(key: TaskKey, head: Head) -> Self {
        Self {
            key,
            epoch: head.epoch,
            last: head.last,
            state: head.state,
            status_at: head.status_at,
            snapshot: head.snapshot,
            at_work: head.at_work,
            origin: Origin::Stored(head),
            rows: Vec::new(),
            keys: Vec::new(),
            refusal: None,
        }
    }

    fn of_born(append: &Append, birth: Box<Birth>) -> Self {
        Self {
            key: append.key,
            origin: Origin::Born(birth),
            epoch: append.epoch,
            last: 0,
            state: append.state,
            status_at: append.status_at,
            at_work: append.at_work,
            snapshot: None,
            rows: Vec::with_capacity(1),
            keys: Vec::new(),
            refusal: None,
        }
    }

    /// Takes what an append adds; else gives why not: another run has written, the numbers do not
    /// meet, or a key of it is taken.
    fn accept(
        &mut self,
        append: Append,
        writing: &mut Writing<'_>,
    ) -> Result<Option<StoreError>, Failure> {
        if append.epoch < self.epoch || append.first != self.last + 1 || append.birth.is_some() {
            return Ok(Some(StoreError::Fenced));
        }
        if append.last() > MAX_SEQ {
            return Ok(Some(StoreError::Full));
        }
        if let Some(earlier) = writing.keys(self, &append)? {
            return Ok(Some(StoreError::Taken(Box::new(earlier))));
        }
        self.epoch = append.epoch;
        self.last = append.last();
        self.state = append.state;
        self.status_at = append.status_at;
        self.at_work = append.at_work;
        self.keys.extend(append.keys);
        self.add_to_rows(append.entries, append.snapshot);
        Ok(None)
    }

    fn add_to_rows(&mut self, entries: Vec<Bytes>, snapshot: Option<Bytes>) {
        if entries.is_empty() {
            return;
        }
        if snapshot.is_some() {
            self.snapshot = Some(self.last);
            self.rows.iter_mut().for_each(|row| row.snapshot = None);
        }
        let bytes = entries.iter().map(Bytes::len).sum();
        match self.rows.last_mut() {
            // A row's snapshot includes all its entries, so one that has a snapshot is complete.
            Some(row) if row.snapshot.is_none() && row.bytes < ROW_BYTES => {
                row.entries.extend(entries);
                row.bytes += bytes;
                row.last = self.last;
                row.snapshot = snapshot;
            }
            _ => self.rows.push(Row { last: self.last, entries, snapshot, bytes }),
        }
    }
}
