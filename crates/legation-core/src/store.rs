//! What the service asks of a store: one log per task, appended once, read by many.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use legation_model::{
    A2aError, ContextId, ErrorKind, Event, Task, TaskId, TaskState, Timestamp, Update,
};
use serde::{Deserialize, Serialize};

use crate::{ContextWatch, Cutoffs, Scope};

/// The number of an event within its task: 1, 2, 3 and so on without gaps.
pub type Seq = u64;

/// The store's own name of a task, dense and never shown outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskKey(pub i64);

/// A process that shares its store with others. No two ever have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Replica(pub i64);

/// Called once when an append is durable, or refused. It runs on the store's thread: be short.
pub type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Consecutive events of one task, to be made durable together with what they change.
#[derive(Clone, Debug)]
pub struct Append {
    /// The task.
    pub key: TaskKey,
    /// The run that writes. A store refuses an append whose epoch is below the task's.
    pub epoch: u32,
    /// With a task's first events: what creates it.
    pub birth: Option<Box<Birth>>,
    /// The number of the first entry.
    pub first: Seq,
    /// The events as JSON without raw line breaks, see [`Event`]. None where nothing is to be told
    /// but whether a run is at work.
    pub entries: Vec<Bytes>,
    /// The state of the task after these events.
    pub state: TaskState,
    /// Since when the task is in its status.
    pub status_at: Timestamp,
    /// Whether a run waits within an interrupted state, so that it is lost with its process. In the
    /// other states the state says it.
    pub at_work: bool,
    /// The task after these events as JSON, where reading it shall be cheap.
    pub snapshot: Option<Bytes>,
    /// The keys of the sends that brought these events: from now on each stands for the task. When
    /// one of them stands for something already, the append is refused.
    pub keys: Vec<Idempotency>,
}

impl Append {
    /// The number of the last entry.
    pub fn last(&self) -> Seq {
        self.first + self.entries.len() as Seq - 1
    }

    /// Roughly how much memory it holds.
    pub fn bytes(&self) -> usize {
        let entries: usize = self.entries.iter().map(Bytes::len).sum();
        entries + self.snapshot.as_ref().map_or(0, Bytes::len) + 256
    }
}

/// What a task is born with and keeps.
#[derive(Clone, Debug)]
pub struct Birth {
    /// Where the row goes; `owner` and `agent` are always set.
    pub scope: Scope,
    /// The public name.
    pub id: TaskId,
    /// The context, which is created when it is new.
    pub context_id: ContextId,
    /// When the message arrived.
    pub created_at: Timestamp,
}

/// The longest name of a tenant or a caller, in bytes, that every store takes.
pub const MOST_NAME_BYTES: usize = 600;

/// The longest idempotency key, in bytes, that every store takes.
pub const MOST_KEY_BYTES: usize = 2_400;

/// Marks a send so that its repetition finds what came of the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// Chosen by the caller; unique per deployment, tenant, owner and agent.
    pub key: String,
    /// A digest of the request: the same key with another body is refused.
    pub digest: [u8; 32],
}

/// What a store remembers of an idempotent send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// What came of the first call.
    pub outcome: Outcome,
    /// The digest of the first call's request.
    pub digest: [u8; 32],
}

/// What came of an idempotent send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A task, which the message began or went on with.
    Task(TaskId),
    /// A direct answer, as JSON.
    Message(Bytes),
}

/// A task as the store has it: the newest snapshot and the entries behind it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The store's name of the task.
    pub key: TaskKey,
    /// Where its row is; `owner` and `agent` are always set.
    pub scope: Scope,
    /// The public name.
    pub id: TaskId,
    /// The run that wrote last.
    pub epoch: u32,
    /// The number of the last event.
    pub seq: Seq,
    /// The task's state after the last event.
    pub state: TaskState,
    /// Since when the task is in its status.
    pub status_at: Timestamp,
    /// Whether a run waits within an interrupted state.
    pub at_work: bool,
    /// The other replica that is at work on it; none when nobody is, or this one, or one that is gone.
    pub elsewhere: Option<Replica>,
    /// The number of the event the snapshot includes, and the snapshot.
    pub snapshot: Option<(Seq, Bytes)>,
    /// The entries after the snapshot, all of them when there is none.
    pub tail: Vec<Bytes>,
}

impl Stored {
    /// The task's JSON when the snapshot is the newest state.
    pub fn document(&self) -> Option<&Bytes> {
        self.snapshot.as_ref().filter(|(seq, _)| *seq == self.seq).map(|(_, json)| json)
    }

    /// Roughly how much memory it holds.
    pub fn bytes(&self) -> usize {
        let tail: usize = self.tail.iter().map(Bytes::len).sum();
        tail + self.snapshot.as_ref().map_or(0, |(_, json)| json.len())
    }

    /// The events after the snapshot.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when an entry cannot be read.
    pub fn events(&self) -> Result<Vec<Event>, StoreError> {
        let read = |entry: &Bytes| serde_json::from_slice(entry);
        self.tail.iter().map(read).collect::<Result<_, _>>().map_err(StoreError::damaged)
    }

    /// The task: the snapshot with the tail folded in.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the log cannot be read or folded.
    pub fn task(&self) -> Result<Task, StoreError> {
        let mut events = self.events()?.into_iter();
        let mut task = match &self.snapshot {
            Some((_, json)) => serde_json::from_slice(json).map_err(StoreError::damaged)?,
            None => match events.next().map(|event| event.update) {
                Some(Update::Task(task)) => task,
                _ => return Err(StoreError::damaged("the log does not begin with the task")),
            },
        };
        for event in events {
            task.apply(&event).map_err(StoreError::damaged)?;
        }
        Ok(task)
    }
}

/// Which tasks of a scope to page through, newest status first.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only tasks of this context.
    pub context_id: Option<ContextId>,
    /// Only tasks in this state.
    pub state: Option<TaskState>,
    /// Only tasks whose status is of this moment or later.
    pub since: Option<Timestamp>,
    /// Only tasks that sort behind this place.
    pub after: Option<Place>,
    /// How many at most.
    pub limit: usize,
}

/// A place in the order of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The status time of the task there.
    pub status_at: Timestamp,
    /// The key of the task there.
    pub key: TaskKey,
}

/// A page of a listing.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The tasks, newest status first.
    pub tasks: Vec<Stored>,
    /// How many tasks match the query in all, wherever the page begins.
    pub total: u64,
    /// Whether there are tasks behind the page.
    pub more: bool,
}

/// What a sweep or an erasure did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Swept {
    /// Contexts that went idle.
    pub idle: u64,
    /// Contexts that expired.
    pub expired: u64,
    /// Results that were kept of tasks that were removed.
    pub kept: u64,
    /// Tasks that were removed, with their logs.
    pub tasks: u64,
    /// Contexts that were removed, with the last of their tasks.
    pub contexts: u64,
    /// Remembered idempotency keys that were removed.
    pub keys: u64,
    /// Results that were removed.
    pub results: u64,
}

/// What came of the wish to erase something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// What there was of it is removed.
    Erased,
    /// This task of it is submitted or working or its run waits, so that something would come after.
    /// Others may have been removed.
    AtWork(TaskId),
}

impl std::ops::AddAssign for Swept {
    fn add_assign(&mut self, more: Self) {
        let Self { idle, expired, kept, tasks, contexts, keys, results } = more;
        self.idle += idle;
        self.expired += expired;
        self.kept += kept;
        self.tasks += tasks;
        self.contexts += contexts;
        self.keys += keys;
        self.results += results;
    }
}

/// A day, counted from the first of 1970; it begins at midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

impl Day {
    /// Milliseconds of a day.
    pub const MILLIS: i64 = 86_400_000;

    /// That of a moment.
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_millis().div_euclid(Self::MILLIS))
    }
}

/// What somebody has used of what there are quotas for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tasks that were born on a day, those that were removed since among them.
    pub tasks: u64,
    /// Bytes of entries, and of direct answers that are kept.
    pub bytes: u64,
}

/// What a tenant and a caller of it have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The tenant, by all its callers.
    pub tenant: Usage,
    /// The caller.
    pub caller: Usage,
}

/// Why a store did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// No room is left; what was asked may work once there is.
    #[error("the store has no room left")]
    Full,
    /// The store cannot be reached or does not keep up; what was asked may work later.
    #[error("the store is not available")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// Another run has taken the task over.
    #[error("another run owns the task")]
    Fenced,
    /// The task was removed.
    #[error("the task was removed")]
    Removed,
    /// The idempotency key stands for this already.
    #[error("the idempotency key is taken")]
    Taken(Box<Remembered>),
    /// What is stored cannot be read.
    #[error("the store holds something unreadable")]
    Damaged(#[source] Arc<dyn Error + Send + Sync>),
}

impl StoreError {
    /// A store that is not available, with the cause.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into().into())
    }

    /// A store that holds something unreadable, with the cause.
    pub fn damaged(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Damaged(source.into().into())
    }
}

impl From<StoreError> for A2aError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => {
                Self::new(ErrorKind::StorageFull, "the server's storage is full; try later")
            }
            StoreError::Unavailable(_) => {
                tracing::warn!(error = &error as &dyn Error, "store not available");
                Self::unavailable("the server's store is not available", Duration::from_secs(1))
            }
            StoreError::Fenced => {
                Self::unavailable("the task has moved; try again", Duration::from_secs(1))
            }
            StoreError::Removed => Self::new(ErrorKind::TaskNotFound, "the task was removed"),
            StoreError::Taken(_) => {
                Self::unavailable("the same call is in progress; try again", Duration::from_secs(1))
            }
            StoreError::Damaged(source) => internal("cannot read the task", source.as_ref()),
        }
    }
}

/// An internal error for the caller; the cause goes to the log only.
pub(crate) fn internal(what: &str, source: &(dyn Error + 'static)) -> A2aError {
    tracing::error!(error = source, "{what}");
    A2aError::new(ErrorKind::Internal, "internal error")
}

/// A durable home of tasks and their logs.
///
/// # Contract
/// Appends of one task become durable in the order in which they were given. `done` is called
/// after the append is durable, never before. Reads see durable state only, and a read that begins
/// after a `done` sees what it reported.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// A name for a new task.
    fn next_key(&self) -> TaskKey;

    /// Queues an append and returns at once; the queue is bounded by the windows of its writers.
    fn append(&self, append: Append, done: Done);

    /// Bytes of appends and answers that are queued and not yet durable.
    fn backlog(&self) -> usize;

    /// Whether an append would be taken now. Some time after a failure the answer is yes again, so
    /// that somebody tries.
    ///
    /// # Errors
    /// Why not: [`StoreError::Full`] or [`StoreError::Unavailable`].
    fn ready(&self) -> Result<(), StoreError>;

    /// A task of the scope.
    async fn load(&self, scope: &Scope, id: &TaskId) -> Result<Option<Stored>, StoreError>;

    /// Entries of a task after a number, in order, at most about `bytes` of them but at least one.
    /// Each comes with its number; a gap before the first says that older ones were pruned.
    async fn entries(
        &self,
        scope: &Scope,
        key: TaskKey,
        after: Seq,
        bytes: usize,
    ) -> Result<Vec<(Seq, Bytes)>, StoreError>;

    /// What the tenant and the owner of a scope have used: tasks on a day, and bytes, as they are
    /// durable. Nothing where the store was not told to count.
    async fn used(&self, scope: &Scope, day: Day) -> Result<Used, StoreError>;

    /// A page of the scope's tasks; shorter than asked for where the tasks are large.
    async fn list(&self, scope: &Scope, query: &Query) -> Result<Page, StoreError>;

    /// What came of an earlier send with this idempotency key.
    async fn remembered(&self, scope: &Scope, key: &str) -> Result<Option<Remembered>, StoreError>;

    /// Makes a direct answer durable under the key of its send. The scope's `owner` and `agent` are
    /// always set.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the key stands for something already.
    ///
    /// # Cancel safety
    /// Dropped midway, the answer may be kept all the same.
    async fn remember(
        &self,
        scope: &Scope,
        idempotency: Idempotency,
        answer: Bytes,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Tasks of the deployment that are submitted or working or whose run waits in an interrupted
    /// state, by key, after one: what a process that died left behind. Of a store that is shared they
    /// are those of replicas that are gone, and from now on they are this replica's: what their old
    /// owner still writes is refused.
    async fn unfinished(
        &self,
        deployment: &str,
        after: TaskKey,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError>;

    /// The result of a task of the scope that was removed, as long as it is kept: the task as it ended,
    /// without its log. Where several agents have one of that name, it is the oldest.
    async fn result(&self, scope: &Scope, id: &TaskId) -> Result<Option<Stored>, StoreError>;

    /// Begins a sweep of the deployment; gives the moment of it by the store's clock. Nothing when
    /// another replica is at it, or when `every` is said, nobody has asked for one, and one was done
    /// since.
    async fn begin_sweep(
        &self,
        deployment: &str,
        every: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Takes the contexts of the deployment on in their lives and removes what is over: the tasks of
    /// those that expired and these themselves, other tasks that ended long ago, old idempotency keys
    /// and results. What is at work stays, with its context. Tasks leave a result where that is worth
    /// keeping. All of it goes in steps, between which others have their turn, and each step looks
    /// again at what it changes, so two sweeps at a time do no harm.
    ///
    /// # Cancel safety
    /// Dropped midway, it has done some of it, every task wholly; the next sweep does the rest.
    async fn sweep(&self, deployment: &str, cutoffs: &Cutoffs) -> Result<Swept, StoreError>;

    /// Ends a sweep that was begun. With what it did, it counts as done.
    async fn end_sweep(&self, deployment: &str, swept: Option<Swept>) -> Result<(), StoreError>;

    /// Removes all that the scope has of a context, or of all its contexts: tasks with their logs,
    /// results, direct answers, the idempotency keys that stand for any of them, and the contexts
    /// themselves where no agent outside the scope has a task in them. What is removed is counted as it
    /// goes, also when not all of it does.
    ///
    /// # Cancel safety
    /// Dropped midway, it has removed some of the tasks, each of them wholly.
    async fn erase(
        &self,
        scope: &Scope,
        context: Option<&ContextId>,
        erased: &mut Swept,
    ) -> Result<Erasure, StoreError>;

    /// Says who hears what becomes of contexts, once that is durable. Only the first to say so is
    /// heard.
    fn watch_contexts(&self, watch: ContextWatch);

    /// What replicas have together, where the store is one that they share.
    fn sharing(&self) -> Option<&dyn Sharing> {
        None
    }
}

/// What a store has that several replicas share.
///
/// A task belongs to the replica that wrote last while a run is at work on it, and for as long as that
/// replica says in time that it is there: for the length of its lease, by the clock of the store.
#[async_trait]
pub trait Sharing: Send + Sync {
    /// This one.
    fn replica(&self) -> Replica;

    /// How long a replica that says nothing more counts as there.
    fn lease(&self) -> Duration;

    /// Makes a submitted task this replica's, if its epoch is still this one; gives it as it is then.
    /// What its old owner still writes is refused.
    async fn claim(&self, task: TaskKey, epoch: u32) -> Result<Option<Stored>, StoreError>;

    /// The numbers of the last events of tasks, of those that there are.
    async fn reached(&self, tasks: &[TaskKey]) -> Result<Vec<(TaskKey, Seq)>, StoreError>;

    /// Leaves a letter for another replica. It may be lost.
    async fn post(&self, to: Replica, letter: Bytes) -> Result<(), StoreError>;

    /// Takes the letters for this replica, the oldest first, at most so many.
    async fn letters(&self, limit: usize) -> Result<Vec<Letter>, StoreError>;
}

/// A letter of another replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Whose it is.
    pub from: Replica,
    /// What it says.
    pub text: Bytes,
}
