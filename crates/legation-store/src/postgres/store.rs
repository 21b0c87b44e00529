//! The store as the service sees it.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use legation_core::store::{
    Append, Day, Done, Erasure, Idempotency, Letter, MOST_KEY_BYTES, Page, Query, Remembered,
    Replica, Seq, Sharing, StoreError, Stored, Swept, TaskKey, Used,
};
use legation_core::{Bell, ContextWatch, Cutoffs, Scope, TaskStore};
use legation_model::{ContextId, TaskId, Timestamp};
use metrics::Counter;
use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::oneshot;

use super::bell::Carrier;
use super::connect::Connector;
use super::contexts::{self, Aged};
use super::erase::Left;
use super::failure::Failure;
use super::lease::Lease;
use super::place::Place;
use super::readers::{Readers, reading, removing};
use super::remove::{self, MOST_ROWS, Removal, Removed};
use super::schema::Schema;
use super::text::written;
use super::tls::Tls;
use super::writer::{Common, Desk, Writer};
use super::{
    AuditLimits, OpenError, Options, PostgresAudit, PostgresSweeps, PostgresTokens, erase, fold,
    keys, list, read, results, scopes, sharing, sweep, sweeps, usage,
};
use crate::batch::{Answer, Write};
use crate::metric::{LETTERS_READ, LETTERS_SENT, TAKEN_OVER};

/// Tasks that one step of a removal takes at most: appends to them wait for a step.
pub(super) const REMOVAL_STEP: usize = 64;

/// Contexts that one step of a sweep looks at.
const AGED_STEP: usize = 1024;

/// How often counters are folded.
const FOLD_AFTER: Duration = Duration::from_secs(1);

/// Bits of a key that count the tasks of one opening of the store; those above are its number.
const KEY_BITS: u32 = 40;

/// A [`TaskStore`] in a PostgreSQL database, which others may use at the same time.
pub struct PostgresStore {
    desks: Vec<Arc<Desk>>,
    common: Arc<Common>,
    readers: Arc<Readers>,
    replica: Replica,
    schema: Schema,
    carrier: Carrier,
    lease: Duration,
    ring_every: Duration,
    last_key: AtomicI64,
    answers: AtomicUsize,
    taken_over: Counter,
    letters_sent: Counter,
    letters_read: Counter,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl PostgresStore {
    /// Opens the store in the database with this address. Its tables are made, or brought up to date,
    /// when they are not. Blocks until it is open.
    ///
    /// # Errors
    /// See [`OpenError`]; its messages say what to do.
    pub fn open(url: &str, options: Options) -> Result<Arc<Self>, OpenError> {
        let (place, schema) = (Place::parse(url)?, Schema::parse(&options.schema)?);
        let tls = Tls::new(&place)?;
        let desks: Vec<Arc<Desk>> =
            (0..options.writers.max(1)).map(|_| Arc::new(Desk::default())).collect();
        let (opened, wait) = mpsc::channel();
        let (for_thread, for_schema, chosen) = (desks.clone(), schema.clone(), options.clone());
        let thread = thread::Builder::new()
            .name("store".into())
            .spawn(move || run((place, tls), for_schema, &chosen, for_thread, &opened))
            .map_err(OpenError::Thread)?;
        let Opened { common, readers, start, carrier } =
            wait.recv().map_err(|_| Failure::Closed)??;
        Ok(Arc::new(Self {
            desks,
            common,
            readers,
            replica: Replica(start),
            schema,
            carrier,
            lease: options.lease,
            ring_every: options.ring_every,
            last_key: AtomicI64::new(start << KEY_BITS),
            answers: AtomicUsize::new(0),
            taken_over: TAKEN_OVER.count(&[]),
            letters_sent: LETTERS_SENT.count(&[]),
            letters_read: LETTERS_READ.count(&[]),
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// The bell of the replicas that have this store.
    pub fn bell(&self) -> Arc<dyn Bell> {
        let Self { common, schema, carrier, replica, ring_every, .. } = self;
        carrier.hang(common.connector.clone(), schema, *replica, *ring_every)
    }

    /// Writes what is queued and stops writing and reading; later calls are refused. Other replicas may
    /// take over at once what is unfinished.
    ///
    /// Blocks until all of it is done. Dropping the store does the same.
    pub fn close(&self) {
        self.desks.iter().for_each(|desk| desk.queue.close());
        self.readers.close();
        let Some(thread) = self.thread.lock().take() else { return };
        // A callback may hold the last reference to the store, and it runs on that very thread,
        // which ends by itself once the queues are empty.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!("the store's thread panicked");
        }
    }

    /// The integration tokens of a deployment in this database.
    pub fn tokens(&self, deployment: &str) -> PostgresTokens {
        PostgresTokens::new(self.readers.clone(), self.common.connector.runtime.clone(), deployment)
    }

    /// The audit log of a deployment in this database.
    pub fn audit(&self, deployment: &str, limits: AuditLimits) -> PostgresAudit {
        PostgresAudit::new(self.readers.clone(), deployment, limits)
    }

    /// A task as this replica sees it.
    fn seen(&self, task: Stored) -> Stored {
        let elsewhere = task.elsewhere.filter(|replica| *replica != self.replica);
        Stored { elsewhere, ..task }
    }

    fn write(&self, desk: usize, write: Write, done: Done) {
        let desk = &self.desks[desk % self.desks.len()];
        if let Some(done) = desk.queue.push(write, done) {
            refuse(done, Failure::Closed.into());
        }
    }

    /// Does a step of a removal.
    async fn remove(&self, removal: &Removal) -> Result<Swept, StoreError> {
        let scopes = &self.common.scopes;
        let Removed { swept, touched, told } =
            removing!(self.readers, |session| remove::remove(&session, scopes, removal))?;
        self.common.touched.lock().add(touched);
        self.common.tell(&told);
        Ok(swept)
    }

    /// Says that this replica is still at its sweep.
    async fn keep_sweep(&self, deployment: &str) -> Result<(), StoreError> {
        let replica = self.replica.0;
        reading!(self.readers, |session| sweeps::keep(&session, deployment, replica))
    }

    /// Takes contexts on in their lives.
    async fn age(&self, deployment: &str, cutoffs: &Cutoffs) -> Result<Swept, StoreError> {
        let (scopes, mut all, mut after) = (&self.common.scopes, Swept::default(), i64::MIN);
        loop {
            let place = (after, AGED_STEP);
            let Aged { contexts, last } = removing!(self.readers, |session| {
                contexts::aged(&session, deployment, cutoffs, place)
            })?;
            for step in contexts.chunks(REMOVAL_STEP) {
                let (swept, told) = removing!(self.readers, |session| {
                    contexts::age(&session, scopes, cutoffs, step)
                })?;
                self.common.tell(&told);
                all += swept;
            }
            let Some(last) = last else { return Ok(all) };
            after = last;
            self.keep_sweep(deployment).await?;
        }
    }

    /// Removes what is left of contexts that have expired: their tasks, with which nearly all of them go,
    /// and then the others.
    async fn clean_expired(
        &self,
        deployment: &str,
        cutoffs: &Cutoffs,
    ) -> Result<Swept, StoreError> {
        let mut all = Swept::default();
        for left in [contexts::Left::Tasks, contexts::Left::Contexts] {
            let mut in_vain = 0;
            while in_vain < remove::TRIES {
                let found = removing!(self.readers, |session| {
                    contexts::expired(&session, deployment, left)
                })?;
                if found.is_empty() {
                    break;
                }
                let (tasks, contexts) = match left {
                    contexts::Left::Tasks => (found, Vec::new()),
                    contexts::Left::Contexts => (Vec::new(), found),
                };
                let removal = Removal {
                    tasks,
                    contexts,
                    with_contexts: true,
                    of_expired: true,
                    keeping: cutoffs.results,
                    ..Removal::default()
                };
                let swept = self.remove(&removal).await?;
                all += swept;
                // Where nothing goes, somebody has spoken, or another replica was faster.
                let is_in_vain = (swept.tasks, swept.contexts) == (0, 0);
                in_vain = if is_in_vain { in_vain + 1 } else { 0 };
                self.keep_sweep(deployment).await?;
            }
        }
        Ok(all)
    }

    /// Removes tasks that ended long ago, of contexts that live on.
    async fn clean_ended(&self, deployment: &str, cutoffs: &Cutoffs) -> Result<Swept, StoreError> {
        let mut all = Swept::default();
        loop {
            let tasks = removing!(self.readers, |session| {
                sweep::ended(&session, deployment, cutoffs.quiet, REMOVAL_STEP)
            })?;
            if tasks.is_empty() {
                return Ok(all);
            }
            let keeping = cutoffs.results;
            all += self.remove(&Removal { tasks, keeping, ..Removal::default() }).await?;
            self.keep_sweep(deployment).await?;
        }
    }

    /// The sweeps of this database.
    pub fn sweeps(&self) -> PostgresSweeps {
        PostgresSweeps::new(self.readers.clone())
    }
}

/// What a store is made of, once its tables are there.
struct Opened {
    common: Arc<Common>,
    readers: Arc<Readers>,
    start: i64,
    carrier: Carrier,
}

/// The thread's body: opens the store, tells how that went, and drives all its connections until the
/// queues are closed and empty.
fn run(
    place: (Place, Tls),
    schema: Schema,
    options: &Options,
    desks: Vec<Arc<Desk>>,
    opened: &mpsc::Sender<Result<Opened, OpenError>>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(opened.send(Err(OpenError::Thread(error)))),
    };
    let connector = Connector::new(place, &schema, options, runtime.handle().clone());
    let common = Arc::new(Common::new(connector.clone()));
    let readers = Arc::new(Readers::new(connector.clone(), options.readers.max(1)));
    runtime.block_on(async {
        let beginning = async {
            let start = schema.prepare(&connector).await?;
            let carrier = Carrier::of(options, &connector, &schema).await?;
            let lease = Lease::new(connector, (schema, carrier.clone()), start, options.lease);
            lease.begin().await?;
            Ok((start, lease, carrier))
        };
        let (start, lease, carrier) = match beginning.await {
            Ok(begun) => begun,
            Err(error) => return drop(opened.send(Err(error))),
        };
        let keeping = tokio::spawn(lease.clone().keep());
        let folding = tokio::spawn(fold_often(readers.clone(), common.clone()));
        let writers: Vec<_> =
            desks.into_iter().map(|desk| Writer::new(desk, common.clone(), start).work()).collect();
        drop(opened.send(Ok(Opened { common, readers, start, carrier })));
        join_all(writers).await;
        folding.abort();
        keeping.abort();
        lease.end().await;
    });
}

/// Tells that nothing was written, and not on this thread, which may hold a lock that the callback
/// takes. Without a thread the callback is dropped, which tells a caller that listens the same.
fn refuse(done: Done, error: StoreError) {
    let _ = thread::Builder::new().spawn(move || done(Err(error)));
}

/// Folds the counters that were written, now and then, as long as it is let.
async fn fold_often(readers: Arc<Readers>, common: Arc<Common>) {
    loop {
        tokio::time::sleep(FOLD_AFTER).await;
        let touched = std::mem::take(&mut *common.touched.lock());
        if touched.is_empty() {
            continue;
        }
        // Rows that are left are folded with the next ones of the same counter, and count till then.
        if let Err(error) = reading!(readers, |session| fold::fold(&session, touched)) {
            tracing::debug!(error = &error as &dyn std::error::Error, "counters not folded");
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl TaskStore for PostgresStore {
    fn next_key(&self) -> TaskKey {
        TaskKey(self.last_key.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn append(&self, append: Append, done: Done) {
        if let Err(error) = check(&append) {
            return refuse(done, error);
        }
        // The appends of a task go one way, so they keep their order.
        let desk = append.key.0.unsigned_abs() as usize;
        self.write(desk, Write::Append(append), done);
    }

    fn backlog(&self) -> usize {
        self.desks.iter().map(|desk| desk.queue.backlog()).sum()
    }

    fn ready(&self) -> Result<(), StoreError> {
        self.desks.iter().try_for_each(|desk| desk.health.ready_beside(desk.queue.backlog()))
    }

    async fn load(&self, scope: &Scope, id: &TaskId) -> Result<Option<Stored>, StoreError> {
        let scopes = &self.common.scopes;
        let task = reading!(self.readers, |session| read::load(&session, scopes, scope, id))?;
        Ok(task.map(|task| self.seen(task)))
    }

    async fn entries(
        &self,
        scope: &Scope,
        key: TaskKey,
        after: Seq,
        bytes: usize,
    ) -> Result<Vec<(Seq, Bytes)>, StoreError> {
        let scopes = &self.common.scopes;
        reading!(self.readers, |session| read::entries(&session, scopes, scope, key, after, bytes))
    }

    async fn used(&self, scope: &Scope, day: Day) -> Result<Used, StoreError> {
        reading!(self.readers, |session| usage::used(&session, scope, day))
    }

    async fn list(&self, scope: &Scope, query: &Query) -> Result<Page, StoreError> {
        let scopes = &self.common.scopes;
        let page = reading!(self.readers, |session| list::list(&session, scopes, scope, query))?;
        let tasks = page.tasks.into_iter().map(|task| self.seen(task)).collect();
        Ok(Page { tasks, ..page })
    }

    async fn remembered(&self, scope: &Scope, key: &str) -> Result<Option<Remembered>, StoreError> {
        reading!(self.readers, |session| keys::remembered_in(&session, scope, key))
    }

    async fn remember(
        &self,
        scope: &Scope,
        idempotency: Idempotency,
        answer: Bytes,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        scopes::check(scope)?;
        check_keys(std::slice::from_ref(&idempotency))?;
        let (reply, outcome) = oneshot::channel();
        let answer = Answer { scope: scope.clone(), idempotency, message: answer, at };
        let desk = self.answers.fetch_add(1, Ordering::Relaxed);
        let done = Box::new(|result| drop(reply.send(result)));
        self.write(desk, Write::Answer(Box::new(answer)), done);
        outcome.await.unwrap_or_else(|_| Err(Failure::Closed.into()))
    }

    async fn unfinished(
        &self,
        deployment: &str,
        after: TaskKey,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let scopes = &self.common.scopes;
        let by = self.replica.0;
        let tasks = removing!(self.readers, |session| {
            sharing::take_over(&session, scopes, by, deployment, after, limit)
        })?;
        self.taken_over.increment(tasks.len() as u64);
        Ok(tasks.into_iter().map(|task| self.seen(task)).collect())
    }

    async fn result(&self, scope: &Scope, id: &TaskId) -> Result<Option<Stored>, StoreError> {
        let scopes = &self.common.scopes;
        reading!(self.readers, |session| results::load(&session, scopes, scope, id))
    }

    async fn begin_sweep(
        &self,
        deployment: &str,
        every: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let replica = self.replica.0;
        reading!(self.readers, |session| sweeps::begin(&session, deployment, replica, every))
    }

    async fn sweep(&self, deployment: &str, cutoffs: &Cutoffs) -> Result<Swept, StoreError> {
        let mut all = Swept::default();
        all += self.age(deployment, cutoffs).await?;
        all += self.clean_expired(deployment, cutoffs).await?;
        all += self.clean_ended(deployment, cutoffs).await?;
        loop {
            let older = Some((deployment.to_owned(), *cutoffs));
            let swept = self.remove(&Removal { older, ..Removal::default() }).await?;
            all += swept;
            if swept.keys.max(swept.results) < MOST_ROWS {
                return Ok(all);
            }
            self.keep_sweep(deployment).await?;
        }
    }

    async fn end_sweep(&self, deployment: &str, swept: Option<Swept>) -> Result<(), StoreError> {
        let replica = self.replica.0;
        reading!(self.readers, |session| sweeps::end(&session, deployment, replica, swept))
    }

    async fn erase(
        &self,
        scope: &Scope,
        context: Option<&ContextId>,
        erased: &mut Swept,
    ) -> Result<Erasure, StoreError> {
        let scopes = &self.common.scopes;
        loop {
            let left = removing!(self.readers, |session| {
                erase::find(&session, scopes, scope, context, REMOVAL_STEP)
            })?;
            match left {
                Left::Nothing => return Ok(Erasure::Erased),
                Left::AtWork(task) => return Ok(Erasure::AtWork(task)),
                Left::Found(removal) => *erased += self.remove(&removal).await?,
            }
        }
    }

    fn watch_contexts(&self, watch: ContextWatch) {
        let _ = self.common.watch.set(watch);
    }

    fn sharing(&self) -> Option<&dyn Sharing> {
        Some(self)
    }
}

#[async_trait]
impl Sharing for PostgresStore {
    fn replica(&self) -> Replica {
        self.replica
    }

    fn lease(&self) -> Duration {
        self.lease
    }

    async fn claim(&self, task: TaskKey, epoch: u32) -> Result<Option<Stored>, StoreError> {
        let (scopes, by) = (&self.common.scopes, self.replica.0);
        let task = removing!(self.readers, |session| {
            sharing::claim(&session, scopes, by, task, epoch)
        })?;
        Ok(task.map(|task| self.seen(task)))
    }

    async fn reached(&self, tasks: &[TaskKey]) -> Result<Vec<(TaskKey, Seq)>, StoreError> {
        reading!(self.readers, |session| sharing::reached(&session, tasks))
    }

    async fn post(&self, to: Replica, letter: Bytes) -> Result<(), StoreError> {
        let from = self.replica.0;
        reading!(self.readers, |session| sharing::post(&session, from, to, &letter))?;
        self.letters_sent.increment(1);
        Ok(())
    }

    async fn letters(&self, limit: usize) -> Result<Vec<Letter>, StoreError> {
        let to = self.replica.0;
        let letters = reading!(self.readers, |session| sharing::letters(&session, to, limit))?;
        self.letters_read.increment(letters.len() as u64);
        Ok(letters)
    }
}

/// Whether the names of an append can be written at all. One that cannot would fail all that are
/// written with it.
fn check(append: &Append) -> Result<(), StoreError> {
    append.birth.as_ref().map_or(Ok(()), |birth| scopes::check(&birth.scope))?;
    check_keys(&append.keys)
}

fn check_keys(keys: &[Idempotency]) -> Result<(), StoreError> {
    match keys.iter().any(|key| written(&key.key).len() > MOST_KEY_BYTES) {
        true => Err(StoreError::damaged("the idempotency key is too long")),
        false => Ok(()),
    }
}
