//! What each connection that writes does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::{self, Either, FutureExt as _};
use legation_core::store::StoreError;
use legation_core::{ContextChange, ContextEvent, ContextWatch};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::Row;

use super::commit::{self, Rows, Witness};
use super::connect::Connector;
use super::contexts;
use super::deltas::Touched;
use super::failure::{Consequence, Failure};
use super::look::{self, look};
use super::queue::Queue;
use super::scopes::Scopes;
use super::session::Session;
use crate::batch::{Batch, Write};
use crate::health::Health;
use crate::metric::Writes;
use crate::taken::Taken;

/// How often a batch is tried that meets others.
const TRIES: usize = 5;

/// How long after a failed attempt to connect the next one is.
const PAUSE: Duration = Duration::from_millis(500);

/// How often a connection that nobody uses is looked at.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// A writer as those who ask see it.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) queue: Queue,
    pub(super) health: Health,
}

/// What all writers have in common.
pub(super) struct Common {
    pub(super) connector: Connector,
    pub(super) scopes: Scopes,
    /// Counters that have rows to fold.
    pub(super) touched: Mutex<Touched>,
    counted: Writes,
    pub(super) watch: OnceLock<ContextWatch>,
}

impl Common {
    pub(super) fn new(connector: Connector) -> Self {
        Self {
            connector,
            scopes: Scopes::default(),
            touched: Mutex::default(),
            counted: Writes::default(),
            watch: OnceLock::new(),
        }
    }

    /// Tells what became of contexts, which is durable.
    pub(super) fn tell(&self, told: &[ContextEvent]) {
        if let Some(watch) = self.watch.get() {
            told.iter().for_each(|event| watch(event));
        }
    }

    /// A connection that is ready for a batch.
    async fn session(&self) -> Result<Session, Failure> {
        let session = self.connector.connect().await?;
        // Before the first batch needs them, all in one round trip.
        let statements = [look::STATEMENTS, commit::STATEMENTS].concat();
        session.prepare(&statements).await?;
        Ok(session)
    }

    /// How long a batch may take. The rest of a caller's patience is for asking what became of it.
    fn for_a_batch(&self) -> Duration {
        self.connector.patience - self.to_ask()
    }

    /// How long the answer to what became of a batch may take.
    fn to_ask(&self) -> Duration {
        self.connector.patience / 4
    }

    /// How long a write waits for a connection, and how long a batch that failed took when those behind
    /// it need not try.
    fn to_begin(&self) -> Duration {
        self.connector.patience / 2
    }
}

/// A writer.
pub(super) struct Writer {
    desk: Arc<Desk>,
    common: Arc<Common>,
    /// Whose tasks are those that it writes.
    replica: i64,
    session: Option<Session>,
}

/// What a batch came to that was not written for certain.
struct Unwritten {
    failure: Failure,
    /// Set when it may be written all the same, with what is to be told then.
    witness: Option<(Witness, Vec<ContextEvent>)>,
}

impl From<Failure> for Unwritten {
    fn from(failure: Failure) -> Self {
        Self { failure, witness: None }
    }
}

impl Writer {
    pub(super) fn new(desk: Arc<Desk>, common: Arc<Common>, replica: i64) -> Self {
        Self { desk, common, replica, session: None }
    }

    /// Works until the queue is closed and empty.
    pub(super) async fn work(mut self) {
        let desk = self.desk.clone();
        loop {
            if !self.is_connected() && !self.connect().await {
                return;
            }
            match timeout(LOOK_AFTER, desk.queue.filled()).await {
                Ok(true) => self.serve(desk.queue.take()).await,
                Ok(false) => return,
                // Whether the connection is still there.
                Err(_) => {}
            }
        }
    }

    fn is_connected(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.is_closed())
    }

    /// Connects, however long it takes. What comes meanwhile waits for some time, and is refused at once
    /// when that was in vain. False when the queue is closed and empty.
    async fn connect(&mut self) -> bool {
        loop {
            let mut attempt = pin!(self.common.session());
            let soon = match self.desk.health.ended() {
                None => {
                    let waited_in_vain = pin!(async {
                        self.desk.queue.filled().await;
                        sleep(self.common.to_begin()).await;
                    });
                    match future::select(attempt.as_mut(), waited_in_vain).await {
                        Either::Left((connected, _)) => Some(connected),
                        Either::Right(_) => None,
                    }
                }
                Some(_) => None,
            };
            let connected = match soon {
                Some(connected) => Some(connected),
                None => {
                    let late = Failure::Late.into();
                    self.is_down(&late);
                    self.refusing(&late, attempt).await
                }
            };
            let error = match connected {
                Some(Ok(session)) => {
                    self.session = Some(session);
                    self.desk.health.recover();
                    return true;
                }
                Some(Err(failure)) => StoreError::from(failure),
                None => return false,
            };
            self.is_down(&error);
            if self.refusing(&error, sleep(PAUSE)).await.is_none() {
                return false;
            }
        }
    }

    /// Tells that nothing is written until there is a connection again.
    fn is_down(&self, error: &StoreError) {
        if self.desk.health.ended().is_none() {
            tracing::warn!(error = error as &dyn std::error::Error, "no connection to write");
        }
        self.desk.health.end(error.clone());
    }

    /// Waits for something, and refuses what comes meanwhile; gives nothing when the queue is closed and
    /// empty before.
    async fn refusing<T>(&self, error: &StoreError, wait: impl Future<Output = T>) -> Option<T> {
        let mut wait = pin!(wait);
        loop {
            let filled = pin!(self.desk.queue.filled());
            match future::select(filled, wait.as_mut()).await {
                Either::Left((true, _)) => self.refuse_queued(error),
                Either::Left((false, _)) => return None,
                Either::Right((done, _)) => return Some(done),
            }
        }
    }

    fn refuse_queued(&self, error: &StoreError) {
        loop {
            let taken = self.desk.queue.take();
            if taken.writes.is_empty() {
                return;
            }
            let outcomes = vec![Err(error.clone()); taken.writes.len()];
            self.tell(taken, outcomes);
        }
    }

    async fn serve(&mut self, mut taken: Taken) {
        let writes = std::mem::take(&mut taken.writes);
        let end = Instant::now() + self.common.for_a_batch();
        let outcomes = AssertUnwindSafe(self.outcomes(&writes, end)).catch_unwind().await;
        let outcomes = outcomes.unwrap_or_else(|_| {
            // What the server holds is unknown, and the next batch shall not find half of this one.
            self.session = None;
            let error = StoreError::unavailable("the writer panicked");
            tracing::error!(error = &error as &dyn std::error::Error, "not written");
            vec![Err(error); writes.len()]
        });
        self.tell(taken, outcomes);
    }

    fn tell(&self, taken: Taken, outcomes: Vec<Result<(), StoreError>>) {
        self.desk.queue.settle(taken.bytes);
        for (done, outcome) in taken.dones.into_iter().zip(outcomes) {
            if let Err(error) = &outcome {
                self.common.counted.refused(error);
            }
            // Others wait behind this one, and have nothing to do with it.
            if catch_unwind(AssertUnwindSafe(|| done(outcome))).is_err() {
                tracing::error!("who was told the outcome of a write panicked");
            }
        }
    }

    /// Makes writes durable by an end that is the same for all of a batch; gives the outcome of each.
    async fn outcomes(&mut self, writes: &[Write], end: Instant) -> Vec<Result<(), StoreError>> {
        let failure = match self.write(writes, end).await {
            Ok(outcomes) => {
                self.desk.health.recover();
                return outcomes;
            }
            Err(failure) => failure,
        };
        let consequence = failure.consequence();
        let is_to_blame = matches!(consequence, Consequence::Again | Consequence::Refused);
        if is_to_blame && writes.len() > 1 {
            // One of them is, and the others shall not suffer for it.
            let (some, others) = writes.split_at(writes.len() / 2);
            let mut outcomes = Box::pin(self.outcomes(some, end)).await;
            outcomes.extend(Box::pin(self.outcomes(others, end)).await);
            return outcomes;
        }
        let error = StoreError::from(failure);
        if consequence != Consequence::Refused {
            tracing::warn!(error = &error as &dyn std::error::Error, "not written");
            self.desk.health.suffer(error.clone());
        }
        vec![Err(error); writes.len()]
    }

    async fn write(
        &mut self,
        writes: &[Write],
        end: Instant,
    ) -> Result<Vec<Result<(), StoreError>>, Failure> {
        let began = Instant::now();
        let common = self.common.clone();
        let outcomes = |mut batch: Batch| {
            let bytes = writes.iter().map(Write::bytes).sum();
            common.counted.committed(began.into_std(), writes.len(), bytes);
            common.counted.stale(batch.stale());
            batch.outcomes().collect()
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let mut batch = Batch::default();
            let Some(unwritten) = self.try_write(writes, &mut batch, end).await.err() else {
                return Ok(outcomes(batch));
            };
            let Unwritten { failure, witness } = unwritten;
            let consequence = failure.consequence();
            if consequence == Consequence::Again && tries < TRIES {
                continue;
            }
            if began.elapsed() >= common.to_begin() {
                // Those behind have waited for as long, and would for as long again.
                self.refuse_queued(&StoreError::unavailable("the database hangs"));
            }
            match consequence {
                Consequence::Lost => {
                    self.session = None;
                    let Some((witness, told)) = witness else { return Err(failure) };
                    return match self.ask(&witness).await {
                        Ok(true) => {
                            self.common.tell(&told);
                            Ok(outcomes(batch))
                        }
                        Ok(false) => Err(failure),
                        Err(_) => {
                            self.session = None;
                            Err(failure)
                        }
                    };
                }
                Consequence::Again
                | Consequence::Full
                | Consequence::Refused
                | Consequence::Unavailable => return Err(failure),
            }
        }
    }

    /// Writes a batch, or says why it could not.
    async fn try_write(
        &self,
        writes: &[Write],
        batch: &mut Batch,
        end: Instant,
    ) -> Result<(), Unwritten> {
        let Some(session) = &self.session else { return Err(Failure::Closed.into()) };
        let scopes = &self.common.scopes;
        let looked = timeout_at(end, look(session, scopes, writes)).await;
        let mut looked = match looked.unwrap_or(Err(Failure::Late)) {
            Ok(looked) => looked,
            Err(failure) => {
                if failure.consequence() != Consequence::Lost {
                    let undone = timeout_at(end, session.run("ROLLBACK")).await;
                    undone.unwrap_or(Err(Failure::Late))?;
                }
                return Err(failure.into());
            }
        };
        for write in writes {
            let Ok(()) = batch.add(write.clone(), &mut looked);
        }
        commit::refuse_taken_names(batch, &mut looked);
        let rows = Rows::of(batch, &looked);
        crash_point!(READ);
        let written = timeout_at(end, rows.write(session, self.replica)).await;
        let resumed = match written.unwrap_or(Err(Failure::Late)) {
            Ok(resumed) => resumed,
            Err(failure) => {
                let witness = rows.witness().map(|witness| (witness, rows.told));
                return Err(Unwritten { failure, witness });
            }
        };
        crash_point!(COMMITTED);
        self.common.touched.lock().add(rows.deltas.touched());
        self.common.tell(&rows.told);
        self.tell_resumed(session, &resumed, end).await;
        Ok(())
    }

    /// Tells of contexts that are active again. What is written is written, whether or not it can be
    /// told whose they are.
    async fn tell_resumed(&self, session: &Session, resumed: &[Row], end: Instant) {
        for row in resumed {
            let event = contexts::event(session, &self.common.scopes, row, ContextChange::Resumed);
            match timeout_at(end, event).await.unwrap_or(Err(Failure::Late)) {
                Ok(event) => self.common.tell(&[event]),
                Err(failure) => {
                    let error: &dyn std::error::Error = &failure;
                    tracing::debug!(error, "a context is active again, and nobody is told");
                }
            }
        }
    }

    /// Whether what was uncertain is written, as far as that can be told soon. If not, it may still
    /// come, and the numbers of events keep it from spoiling anything.
    async fn ask(&mut self, witness: &Witness) -> Result<bool, Failure> {
        let asking = async {
            let session = self.session.insert(self.common.session().await?);
            witness.is_there(session).await
        };
        timeout(self.common.to_ask(), asking).await.unwrap_or(Err(Failure::Late))
    }
}
