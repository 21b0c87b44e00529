//! The store as the service sees it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use legation_core::store::{
    Append, Day, Done, Erasure, Idempotency, Page, Query, Remembered, Seq, StoreError, Stored,
    Swept, TaskKey, Used,
};
use legation_core::{ContextWatch, Cutoffs, Scope, TaskStore};
use legation_model::{ContextId, TaskId, Timestamp};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::database::{Database, Memory};
use super::directory::Directory;
use super::erase::Left;
use super::open::{self, OpenError, Opened};
use super::queue::{Op, Removal, RemovalStep};
use super::readers::Readers;
use super::writer::{self, Shared};
use super::{
    AuditLimits, Options, SqliteAudit, SqliteSweeps, SqliteTokens, contexts, erase, keys, list,
    read, results, sweep, usage,
};
use crate::batch::{Answer, Write};
use crate::kind::blocking;

/// Tasks that one step of a removal takes at most: appends wait for a step.
const REMOVAL_STEP: usize = 64;

/// Contexts that one step of a sweep takes on in their lives at most.
const AGED_STEP: usize = 256;

/// A [`TaskStore`] in a directory or in memory, through SQLite.
pub struct SqliteStore {
    shared: Arc<Shared>,
    readers: Readers,
    sweeps: Arc<SqliteSweeps>,
    database: Database,
    last_key: AtomicI64,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Last, so that the directory is free only when nothing is open in it.
    _directory: Option<Directory>,
}

impl SqliteStore {
    /// Opens the store in a directory, which is made when it is missing.
    ///
    /// # Errors
    /// See [`OpenError`]; its messages say what to do.
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Arc<Self>, OpenError> {
        let opened = open::open(directory.as_ref(), &options)?;
        Self::start(opened, options)
    }

    /// Opens the store in memory, where no other one is open meanwhile. What it holds is gone when the
    /// process ends, or earlier with its [`Memory`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn in_memory(memory: &Memory, options: Options) -> Result<Arc<Self>, OpenError> {
        let opened = open::open_in(Database::Memory(memory.clone()), &options)?;
        Self::start(opened, options)
    }

    fn start(opened: Opened, options: Options) -> Result<Arc<Self>, OpenError> {
        let shared = Arc::new(Shared::new(options));
        let (for_writer, connection) = (shared.clone(), opened.writer);
        let writer = thread::Builder::new()
            .name("store".into())
            .spawn(move || writer::run(&for_writer, connection))
            .map_err(OpenError::Thread)?;
        Ok(Arc::new(Self {
            shared,
            readers: opened.readers,
            sweeps: Arc::new(SqliteSweeps::of_database(opened.database.clone())),
            database: opened.database,
            last_key: AtomicI64::new(opened.last_key),
            writer: Mutex::new(Some(writer)),
            _directory: opened.directory,
        }))
    }

    /// The integration tokens of a deployment.
    pub fn tokens(&self, deployment: &str) -> SqliteTokens {
        SqliteTokens::of_database(self.database.clone(), deployment)
    }

    /// The audit log of a deployment.
    pub fn audit(&self, deployment: &str, limits: AuditLimits) -> SqliteAudit {
        SqliteAudit::of_database(self.database.clone(), deployment, limits)
    }

    /// The sweeps, for who asks for one.
    pub fn sweeps(&self) -> Arc<SqliteSweeps> {
        self.sweeps.clone()
    }

    /// Writes what is queued, tidies up and stops writing; later appends are refused.
    ///
    /// Blocks until all of it is done. Dropping the store does the same.
    pub fn close(&self) {
        self.shared.queue.close();
        self.readers.rest();
        self.sweeps.close();
        let Some(writer) = self.writer.lock().take() else { return };
        // A callback may hold the last reference to the store, and it runs on that very thread,
        // which ends by itself once the queue is empty.
        if writer.thread().id() != thread::current().id() && writer.join().is_err() {
            tracing::error!("the store's thread panicked while it stopped");
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl TaskStore for SqliteStore {
    fn next_key(&self) -> TaskKey {
        TaskKey(self.last_key.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn append(&self, append: Append, done: Done) {
        self.write(Write::Append(append), done);
    }

    fn backlog(&self) -> usize {
        self.shared.queue.backlog()
    }

    fn ready(&self) -> Result<(), StoreError> {
        self.shared.health.ready_beside(self.backlog())
    }

    async fn load(&self, scope: &Scope, id: &TaskId) -> Result<Option<Stored>, StoreError> {
        self.readers.read(|connection| read::load(connection, &self.shared.scopes, scope, id))
    }

    async fn entries(
        &self,
        scope: &Scope,
        key: TaskKey,
        after: Seq,
        bytes: usize,
    ) -> Result<Vec<(Seq, Bytes)>, StoreError> {
        self.readers.read(|connection| read::entries(connection, scope, key, after, bytes))
    }

    async fn used(&self, scope: &Scope, day: Day) -> Result<Used, StoreError> {
        self.readers.read(|connection| usage::used(connection, scope, day))
    }

    async fn list(&self, scope: &Scope, query: &Query) -> Result<Page, StoreError> {
        let scopes = &self.shared.scopes;
        self.readers.read_consistently(|connection| list::list(connection, scopes, scope, query))
    }

    async fn remembered(&self, scope: &Scope, key: &str) -> Result<Option<Remembered>, StoreError> {
        self.readers.read(|connection| keys::remembered_in(connection, scope, key))
    }

    async fn remember(
        &self,
        scope: &Scope,
        idempotency: Idempotency,
        answer: Bytes,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if scope.owner.is_none() || scope.agent.is_none() {
            return Err(StoreError::damaged("an answer is kept for an owner and of an agent"));
        }
        let (reply, outcome) = oneshot::channel();
        let answer = Answer { scope: scope.clone(), idempotency, message: answer, at };
        self.write(Write::Answer(Box::new(answer)), Box::new(|result| drop(reply.send(result))));
        outcome.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn unfinished(
        &self,
        deployment: &str,
        after: TaskKey,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let scopes = &self.shared.scopes;
        self.readers.read_consistently(|connection| {
            read::unfinished(connection, scopes, deployment, after, limit)
        })
    }

    async fn result(&self, scope: &Scope, id: &TaskId) -> Result<Option<Stored>, StoreError> {
        self.readers.read(|connection| results::load(connection, &self.shared.scopes, scope, id))
    }

    async fn begin_sweep(
        &self,
        deployment: &str,
        every: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (sweeps, deployment) = (self.sweeps.clone(), deployment.to_owned());
        blocking(move || sweeps.begin(&deployment, every)).await
    }

    async fn sweep(&self, deployment: &str, cutoffs: &Cutoffs) -> Result<Swept, StoreError> {
        let mut all = Swept::default();
        all += self.age(deployment, cutoffs).await?;
        all += self.clean_expired(deployment, cutoffs).await?;
        all += self.clean_ended(deployment, cutoffs).await?;
        loop {
            let deployment = deployment.to_owned();
            let swept = self.remove(Removal::Old { deployment, cutoffs: *cutoffs }).await?;
            all += swept;
            if swept.keys.max(swept.results) < sweep::MOST_ROWS {
                return Ok(all);
            }
        }
    }

    async fn end_sweep(&self, deployment: &str, swept: Option<Swept>) -> Result<(), StoreError> {
        let Some(swept) = swept else { return Ok(()) };
        let (sweeps, deployment) = (self.sweeps.clone(), deployment.to_owned());
        blocking(move || sweeps.end(&deployment, swept)).await
    }

    async fn erase(
        &self,
        scope: &Scope,
        context: Option<&ContextId>,
        erased: &mut Swept,
    ) -> Result<Erasure, StoreError> {
        loop {
            let left = self.readers.read_consistently(|connection| {
                erase::find(connection, scope, context, REMOVAL_STEP)
            })?;
            match left {
                Left::Nothing => return Ok(Erasure::Erased),
                Left::AtWork(task) => return Ok(Erasure::AtWork(task)),
                Left::Found(found) => *erased += self.remove(Removal::Erased(found)).await?,
            }
        }
    }

    fn watch_contexts(&self, watch: ContextWatch) {
        let _ = self.shared.watch.set(watch);
    }
}

impl SqliteStore {
    /// Takes contexts on in their lives.
    async fn age(&self, deployment: &str, cutoffs: &Cutoffs) -> Result<Swept, StoreError> {
        let (mut all, mut after) = (Swept::default(), i64::MIN);
        loop {
            let contexts = self.readers.read_consistently(|connection| {
                contexts::aged(connection, deployment, cutoffs, after, AGED_STEP)
            })?;
            let Some(last) = contexts.last() else { return Ok(all) };
            after = *last;
            all += self.remove(Removal::Aged { contexts, cutoffs: *cutoffs }).await?;
        }
    }

    /// Removes what is left of contexts that have expired.
    async fn clean_expired(
        &self,
        deployment: &str,
        cutoffs: &Cutoffs,
    ) -> Result<Swept, StoreError> {
        let mut all = Swept::default();
        loop {
            let (tasks, contexts) = self.readers.read_consistently(|connection| {
                let tasks = contexts::expired_tasks(connection, deployment, REMOVAL_STEP)?;
                Ok((tasks, contexts::expired_and_empty(connection, deployment, sweep::MOST_ROWS)?))
            })?;
            if tasks.is_empty() && contexts.is_empty() {
                return Ok(all);
            }
            all += self.remove(Removal::Expired { tasks, contexts, cutoffs: *cutoffs }).await?;
        }
    }

    /// Removes tasks that ended long ago, of contexts that live on.
    async fn clean_ended(&self, deployment: &str, cutoffs: &Cutoffs) -> Result<Swept, StoreError> {
        let mut all = Swept::default();
        loop {
            let tasks = self.readers.read_consistently(|connection| {
                sweep::find_ended(connection, deployment, cutoffs.quiet, REMOVAL_STEP)
            })?;
            if tasks.is_empty() {
                return Ok(all);
            }
            all += self.remove(Removal::Ended { tasks, cutoffs: *cutoffs }).await?;
        }
    }

    fn write(&self, write: Write, done: Done) {
        if let Some(Op::Write(_, done)) = self.shared.queue.push(Op::Write(write, done)) {
            // Not on this thread, which may hold a lock that the callback takes. Without a thread
            // the callback is dropped, which tells a caller that listens the same.
            let refuse = move || done(Err(closed()));
            let _ = thread::Builder::new().spawn(refuse);
        }
    }

    async fn remove(&self, what: Removal) -> Result<Swept, StoreError> {
        let (reply, answer) = oneshot::channel();
        // Refused when the store is closed: the sender is dropped then.
        let _ = self.shared.queue.push(Op::Remove(RemovalStep { what, reply }));
        answer.await.unwrap_or_else(|_| Err(closed()))
    }
}

fn closed() -> StoreError {
    StoreError::unavailable("the store is closed")
}
