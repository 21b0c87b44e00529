//! The writes of one transaction, its appends merged so that each task is written once.
//!
//! This is all that the stores decide about a write; each of them tells it what is there before and
//! writes what it comes to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use legation_core::Scope;
use legation_core::store::{Append, Birth, Idempotency, Remembered, Seq, StoreError, TaskKey};
use legation_model::{TaskState, Timestamp};

use crate::log::MAX_SEQ;

/// Bytes after which a row takes no further append, so that reading one entry stays cheap.
const ROW_BYTES: usize = 256 << 10;

/// Something that becomes durable in a transaction.
#[derive(Clone)]
pub(crate) enum Write {
    Append(Append),
    Answer(Box<Answer>),
}

/// A direct answer and the key that stands for it.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) scope: Scope,
    pub(crate) idempotency: Idempotency,
    pub(crate) message: Bytes,
    pub(crate) at: Timestamp,
}

impl Write {
    /// Roughly how much memory it holds.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Append(append) => append.bytes(),
            Self::Answer(answer) => answer.message.len() + 256,
        }
    }
}

/// What the database says about a task before the batch.
pub(crate) struct Head {
    pub(crate) scope: i64,
    pub(crate) epoch: u32,
    pub(crate) last: Seq,
    pub(crate) state: TaskState,
    pub(crate) status_at: Timestamp,
    pub(crate) snapshot: Option<Seq>,
    pub(crate) at_work: bool,
}

/// What a batch asks of the database while writes are added to it.
pub(crate) trait Before {
    /// Why it could not tell.
    type Failure;

    /// What the database says about a task.
    fn head(&mut self, key: TaskKey) -> Result<Option<Head>, Self::Failure>;

    /// Lets the keys of an append stand for its task; else gives what one of them stands for.
    fn keys(
        &mut self,
        change: &Change,
        append: &Append,
    ) -> Result<Option<Remembered>, Self::Failure>;

    /// Keeps a direct answer; else gives what its key stands for.
    fn answer(&mut self, answer: &Answer) -> Result<Option<Remembered>, Self::Failure>;
}

/// Where a task comes from.
pub(crate) enum Origin {
    Born(Box<Birth>),
    Stored(Head),
}

/// All that a batch does to one task.
pub(crate) struct Change {
    pub(crate) key: TaskKey,
    pub(crate) origin: Origin,
    pub(crate) epoch: u32,
    pub(crate) last: Seq,
    pub(crate) state: TaskState,
    pub(crate) status_at: Timestamp,
    pub(crate) snapshot: Option<Seq>,
    pub(crate) at_work: bool,
    pub(crate) rows: Vec<Row>,
    /// Keys that stand for the task from this batch on.
    pub(crate) keys: Vec<Idempotency>,
    /// Set when the database refuses the birth, and with it all that follows.
    pub(crate) refusal: Option<StoreError>,
}

/// Consecutive events that become one row.
pub(crate) struct Row {
    pub(crate) last: Seq,
    pub(crate) entries: Vec<Bytes>,
    pub(crate) snapshot: Option<Bytes>,
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
pub(crate) struct Batch {
    pub(crate) changes: Vec<Change>,
    places: HashMap<TaskKey, usize>,
    verdicts: Vec<Verdict>,
}

impl Batch {
    /// Adds a write to what the batch does.
    pub(crate) fn add<B: Before>(
        &mut self,
        write: Write,
        before: &mut B,
    ) -> Result<(), B::Failure> {
        let verdict = match write {
            Write::Append(append) => self.append(append, before)?,
            Write::Answer(answer) => match before.answer(&answer)? {
                None => Verdict::Written,
                Some(earlier) => Verdict::Refused(StoreError::Taken(Box::new(earlier))),
            },
        };
        self.verdicts.push(verdict);
        Ok(())
    }

    /// How many appends came too late: another run has taken their task.
    pub(crate) fn stale(&self) -> usize {
        let is_stale = |verdict: &&Verdict| matches!(verdict, Verdict::Refused(StoreError::Fenced));
        self.verdicts.iter().filter(is_stale).count()
    }

    /// The outcome of each write, once the transaction is committed.
    pub(crate) fn outcomes(&mut self) -> impl Iterator<Item = Result<(), StoreError>> {
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

    /// Whether the database refuses the birth of a task.
    pub(crate) fn refuses(&self, key: TaskKey) -> bool {
        self.places.get(&key).is_some_and(|place| self.changes[*place].refusal.is_some())
    }

    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.places.clear();
        self.verdicts.clear();
    }

    fn append<B: Before>(&mut self, append: Append, before: &mut B) -> Result<Verdict, B::Failure> {
        let Some(place) = self.place(&append, before)? else { return self.begin(append, before) };
        let refusal = self.changes[place].accept(append, before)?;
        Ok(refusal.map_or(Verdict::Of(place), Verdict::Refused))
    }

    /// The change of the append's task; `None` when the task does not exist.
    fn place<B: Before>(
        &mut self,
        append: &Append,
        before: &mut B,
    ) -> Result<Option<usize>, B::Failure> {
        let vacant = match self.places.entry(append.key) {
            Entry::Occupied(place) => return Ok(Some(*place.get())),
            Entry::Vacant(vacant) => vacant,
        };
        if append.birth.is_some() {
            return Ok(None);
        }
        let Some(head) = before.head(append.key)? else { return Ok(None) };
        self.changes.push(Change::of_stored(append.key, head));
        Ok(Some(*vacant.insert(self.changes.len() - 1)))
    }

    fn begin<B: Before>(
        &mut self,
        mut append: Append,
        before: &mut B,
    ) -> Result<Verdict, B::Failure> {
        let Some(birth) = append.birth.take() else {
            return Ok(Verdict::Refused(StoreError::Fenced));
        };
        if birth.scope.owner.is_none() || birth.scope.agent.is_none() || append.entries.is_empty() {
            let what = "a task is born with an owner, an agent and its first event";
            return Ok(Verdict::Refused(StoreError::damaged(what)));
        }
        let mut change = Change::of_born(&append, birth);
        if let Some(error) = change.accept(append, before)? {
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
    fn accept<B: Before>(
        &mut self,
        append: Append,
        before: &mut B,
    ) -> Result<Option<StoreError>, B::Failure> {
        if append.epoch < self.epoch || append.first != self.last + 1 || append.birth.is_some() {
            return Ok(Some(StoreError::Fenced));
        }
        if append.last() > MAX_SEQ {
            return Ok(Some(StoreError::Full));
        }
        if let Some(earlier) = before.keys(self, &append)? {
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
