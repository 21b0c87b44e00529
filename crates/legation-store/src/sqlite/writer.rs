//! The thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use legation_core::store::{StoreError, Swept};
use legation_core::{ContextEvent, ContextWatch};
use rusqlite::{Connection, TransactionBehavior};

use super::commit::{Writing, Written};
use super::failure::{Consequence, Failure};
use super::queue::{Queue, Removal, RemovalStep, Work};
use super::scopes::Scopes;
use super::sweep::Removing;
use super::usage::Tally;
use super::{Options, erase, sweep};
use crate::batch::Batch;
use crate::health::Health;
use crate::metric::Writes;
use crate::taken::Taken;

/// How far beyond its bound the write-ahead log may get before commits wait for readers.
const PATIENCE: u64 = 4;

/// What the writer shares with those who ask.
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) health: Health,
    pub(super) scopes: Scopes,
    pub(super) options: Options,
    counted: Writes,
    pub(super) watch: OnceLock<ContextWatch>,
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        Self {
            queue: Queue::default(),
            health: Health::default(),
            scopes: Scopes::default(),
            options,
            counted: Writes::default(),
            watch: OnceLock::new(),
        }
    }

    /// Tells what became of contexts, which is durable.
    fn tell(&self, told: &[ContextEvent]) {
        if let Some(watch) = self.watch.get() {
            told.iter().for_each(|event| watch(event));
        }
    }

    /// Ends the store: after this nothing is written and nothing confirmed.
    fn end(&self, reason: &str) -> StoreError {
        let error = StoreError::unavailable(reason);
        self.health.end(error.clone());
        (self.options.on_fatal)(reason);
        error
    }

    /// Tells why a write failed, and ends the store when nothing is certain after it.
    fn failed(&self, failure: Failure) -> StoreError {
        if failure.consequence() == Consequence::Fatal {
            return self.end(&format!("a write failed: {failure}"));
        }
        let error = StoreError::from(failure);
        self.health.suffer(error.clone());
        error
    }
}

/// The thread's body: works until the queue is closed and empty.
pub(super) fn run(shared: &Arc<Shared>, connection: Connection) {
    let mut writer = Writer {
        shared: shared.clone(),
        connection,
        batch: Batch::default(),
        taken: Taken::default(),
    };
    while catch_unwind(AssertUnwindSafe(|| writer.work())).is_err() {
        // What was written and told is unknown. Should the hook let the process live, the writer
        // goes on only to refuse.
        shared.end("the writer panicked");
    }
    writer.settle_log();
}

struct Writer {
    shared: Arc<Shared>,
    connection: Connection,
    batch: Batch,
    taken: Taken,
}

impl Writer {
    fn work(&mut self) {
        if let Some(error) = self.shared.health.ended() {
            self.refuse(&error);
        }
        loop {
            match self.shared.queue.take(&mut self.taken) {
                Work::Writes => self.write(),
                Work::Remove(step) => self.remove(step),
                Work::End => return,
            }
            self.bound_log();
        }
    }

    fn write(&mut self) {
        let (began, writes) = (Instant::now(), self.taken.writes.len());
        let written = match self.shared.health.ended() {
            Some(error) => Err(error),
            None => self.write_batch().map_err(|failure| self.shared.failed(failure)),
        };
        match written {
            Ok(told) => {
                self.shared.counted.committed(began, writes, self.taken.bytes);
                self.shared.tell(&told);
                self.confirm();
            }
            Err(error) => self.refuse(&error),
        }
    }

    fn confirm(&mut self) {
        self.shared.health.recover();
        self.shared.queue.settle(std::mem::take(&mut self.taken.bytes));
        let counted = &self.shared.counted;
        counted.stale(self.batch.stale());
        for outcome in self.batch.outcomes() {
            if let Err(error) = &outcome {
                counted.refused(error);
            }
            let done = self.taken.dones.pop_front().expect("every write has an outcome");
            done(outcome);
        }
        self.batch.clear();
    }

    fn refuse(&mut self, error: &StoreError) {
        self.shared.queue.settle(std::mem::take(&mut self.taken.bytes));
        self.taken.writes.clear();
        self.batch.clear();
        while let Some(done) = self.taken.dones.pop_front() {
            self.shared.counted.refused(error);
            done(Err(error.clone()));
        }
    }

    /// Writes what was taken; gives what to tell of contexts.
    fn write_batch(&mut self) -> Result<Vec<ContextEvent>, Failure> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tally = Tally::new(self.shared.options.count_usage);
        let mut writing = Writing::new(&transaction, &self.shared.scopes, tally)?;
        for write in self.taken.writes.drain(..) {
            self.batch.add(write, &mut writing)?;
        }
        let Written { learned, told } = writing.write(&mut self.batch)?;
        crash_point!(WRITTEN);
        transaction.commit()?;
        crash_point!(COMMITTED);
        learned
            .into_iter()
            .for_each(|(scope, numbers)| self.shared.scopes.learn(scope, numbers.scope, numbers));
        Ok(told)
    }

    fn remove(&mut self, step: RemovalStep) {
        let swept = match self.shared.health.ended() {
            Some(error) => Err(error),
            None => self.try_remove(&step.what).map_err(|failure| self.shared.failed(failure)),
        };
        let swept = swept.map(|(swept, told)| {
            self.shared.tell(&told);
            swept
        });
        // Nobody listens when the removal was given up meanwhile; what was removed stays removed.
        let _ = step.reply.send(swept);
    }

    /// Does a step of a removal; gives what it was, and what to tell of contexts.
    fn try_remove(&mut self, what: &Removal) -> Result<(Swept, Vec<ContextEvent>), Failure> {
        // What is erased shall not be read from the free pages of the file either. Retention need
        // not pay for that.
        let secure = matches!(what, Removal::Erased(_));
        self.connection.pragma_update(None, "secure_delete", secure)?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut removing =
            Removing::new(&transaction, &self.shared.scopes, self.shared.options.count_usage);
        let swept = match what {
            Removal::Aged { contexts, cutoffs } => sweep::age(&mut removing, contexts, cutoffs)?,
            Removal::Ended { tasks, cutoffs } => sweep::ended(&mut removing, tasks, cutoffs)?,
            Removal::Expired { tasks, contexts, cutoffs } => {
                sweep::expired(&mut removing, tasks, contexts, cutoffs)?
            }
            Removal::Old { deployment, cutoffs } => sweep::old(&mut removing, deployment, cutoffs)?,
            Removal::Erased(found) => erase::remove(&mut removing, found)?,
        };
        let told = removing.finish()?;
        transaction.commit()?;
        sweep::give_back_room(&self.connection)?;
        Ok((swept, told))
    }

    /// Writes the write-ahead log back when it has become long. This comes after the callers were
    /// told, so that none of them waits for it.
    fn bound_log(&self) {
        if self.shared.health.ended().is_some() {
            return;
        }
        if let Err(failure) = self.try_bound_log() {
            self.shared.failed(failure);
        }
    }

    fn try_bound_log(&self) -> Result<(), Failure> {
        let bound = self.shared.options.checkpoint_bytes;
        if self.checkpoint("NOOP")? < bound {
            return Ok(());
        }
        let length = self.checkpoint("PASSIVE")?;
        if length > bound * PATIENCE {
            // Readers that overlap without a pause keep the log from beginning anew. Reads are
            // short, so waiting for those of this moment is, too.
            self.checkpoint("RESTART")?;
        }
        Ok(())
    }

    /// Runs a checkpoint; returns the bytes of the log.
    fn checkpoint(&self, mode: &str) -> Result<u64, Failure> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let mut checkpoint = self.connection.prepare_cached(&sql)?;
        let pages: i64 = checkpoint.query_row([], |row| row.get(1))?;
        Ok(pages.unsigned_abs() * super::schema::PAGE_BYTES)
    }

    /// Leaves a database without a log behind, unless what it would hold is uncertain.
    fn settle_log(&self) {
        if self.shared.health.ended().is_some() {
            return;
        }
        if let Err(failure) = self.checkpoint("TRUNCATE") {
            tracing::warn!(error = &failure as &dyn std::error::Error, "log not written back");
        }
    }
}
