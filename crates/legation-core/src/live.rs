//! A task in memory while somebody works on it or reads it.
//!
//! All changes of a task in this process go through its one `Live`. It folds an event at once, hands
//! it to the store in batches, and shows it to readers only when the store has made it durable.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use legation_model::{
    ArtifactId, ContextId, Effect, Event, Message, Task, TaskId, TaskState, TaskStatus,
    TaskStatusUpdateEvent, Timestamp, Update,
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::bell::{Bell, News};
use crate::quota::Room;
use crate::registry::Registry;
use crate::store::{Append, Birth, Idempotency, Seq, StoreError, Stored, TaskKey};
use crate::turn::Ask;
use crate::{Document, Limits, Scope, TaskStore};

/// A snapshot larger than this is stored only when it spares the fold of many events.
const LARGE_SNAPSHOT: usize = 64 << 10;
/// Bytes of recent events that are kept while nobody reads.
const UNREAD_RING: usize = 8 << 10;
/// Wakers beside those of readers that may be registered before the list is made anew.
const IDLE_WAKERS: usize = 32;
/// How many events are "many" for the rule above.
const MANY_EVENTS: u64 = 32;

/// What a live task needs from the service.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) store: Arc<dyn TaskStore>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) registry: Weak<Registry>,
    /// By which other replicas hear of what is durable.
    pub(crate) bell: Option<Arc<dyn Bell>>,
}

impl Home {
    /// How a task begins that is there already.
    fn standing(&self) -> Standing {
        if self.bell.is_some() { Standing::New } else { Standing::Taken }
    }
}

pub(crate) struct Live {
    pub(crate) key: TaskKey,
    pub(crate) id: TaskId,
    pub(crate) context_id: ContextId,
    /// Where the task's row is: `owner` and `agent` are set.
    pub(crate) scope: Scope,
    home: Home,
    state: Mutex<State>,
}

/// Why an event was not taken.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// The task has ended.
    Ended(TaskState),
    /// A bound of the task is reached; the text says which.
    Bound(String),
    /// The store no longer takes this task's events.
    Store(StoreError),
}

struct State {
    /// The fold of all events, ahead of the store by those pending and in flight.
    task: Task,
    seq: Seq,
    /// An event from which on the task has its status, the first one as far as is known.
    status_since: Seq,
    epoch: u32,
    standing: Standing,
    birth: Option<Box<Birth>>,
    /// The task's place in its caller's quota, until the store counts it.
    room: Option<Room>,
    pending: Vec<Entry>,
    /// The keys of sends whose messages are pending.
    keys: Vec<Idempotency>,
    /// Events pending or in flight, and their bytes: the run's window.
    window: (usize, usize),
    log_bytes: usize,
    last_snapshot: Seq,
    committed: Seq,
    committed_state: TaskState,
    /// The task as it settled last, rendered for the store and for replies alike.
    settled: Option<(Seq, Document)>,
    /// Recent durable frames for readers; few while nobody reads.
    ring: VecDeque<(Seq, Bytes)>,
    ring_bytes: usize,
    readers: usize,
    broken: Option<StoreError>,
    run: Option<CancellationToken>,
    /// Whether it may belong to another replica by now, so that nothing is written before the store has
    /// said whose it is.
    has_left: bool,
    /// Whether the store was told that a run waits in an interrupted state.
    at_work_stored: bool,
    /// Messages that came while the run was at work.
    inbox: VecDeque<Message>,
    /// The message that the next run shall work on.
    next: Option<(Message, Ask)>,
    wakers: Vec<Waker>,
    generation: u64,
}

/// Whether the store has taken anything of this epoch.
///
/// Where replicas may write the same task, nothing follows the first append before it is taken. If another
/// was faster, what follows might fit behind what that one wrote, and the log would lack the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing was handed to it.
    New,
    /// The first append is on its way.
    Asked,
    /// It has, so it takes nothing of an older epoch any more.
    Taken,
}

struct Entry {
    stored: Bytes,
    frame: Bytes,
}

/// Remembers that a waker is already registered, so that idle polls cost nothing.
#[derive(Default)]
pub(crate) struct Registration {
    generation: Option<u64>,
    waker: Option<Waker>,
}

/// A message that nobody is at work on: a run must be started with it.
pub(crate) struct Waiting {
    pub(crate) message: Message,
    pub(crate) ask: Ask,
    pub(crate) stop: CancellationToken,
}

impl Live {
    /// A task that does not exist yet: its first event is taken, not yet handed to the store.
    pub(crate) fn create(
        home: Home,
        key: TaskKey,
        birth: Box<Birth>,
        idempotency: Option<Idempotency>,
        task: Task,
    ) -> Self {
        let (id, context_id, scope) =
            (birth.id.clone(), birth.context_id.clone(), birth.scope.clone());
        let mut state = State::new(task, 0, 1, 0);
        state.birth = Some(birth);
        state.keys.extend(idempotency);
        let first = Event::from(Update::Task(state.task.clone()));
        state.push(&first);
        Self { key, id, context_id, scope, home, state: Mutex::new(state) }
    }

    /// A task as the store has it, with the right to write as its next owner.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub(crate) fn load(home: Home, stored: Stored) -> Result<Self, StoreError> {
        let task = stored.task()?;
        let context_id = task.context_id.clone();
        let context_id = context_id.ok_or_else(|| StoreError::damaged("a task without context"))?;
        let snapshot = stored.snapshot.as_ref().map_or(0, |(seq, _)| *seq);
        let mut state = State::new(task, stored.seq, stored.epoch + 1, snapshot);
        state.at_work_stored = stored.at_work && stored.elsewhere.is_none();
        state.standing = home.standing();
        let events = stored.events()?;
        let later = events.iter().rev();
        let later = later.take_while(|event| matches!(event.update, Update::ArtifactUpdate(_)));
        state.status_since = stored.seq - later.count() as Seq;
        let Stored { key, id, scope, .. } = stored;
        Ok(Self { key, id, context_id, scope, home, state: Mutex::new(state) })
    }

    /// Holds a place in a quota until the birth of the task is durable or refused.
    pub(crate) fn counts_as(&self, room: Option<Room>) {
        self.state.lock().room = room;
    }

    /// Folds an event and queues it for the store.
    pub(crate) fn emit(&self, event: &Event) -> Result<Seq, Refusal> {
        let mut state = self.state.lock();
        self.take(&mut state, event)
    }

    fn take(&self, state: &mut State, event: &Event) -> Result<Seq, Refusal> {
        if let Some(error) = &state.broken {
            return Err(Refusal::Store(error.clone()));
        }
        if state.has_left {
            return Err(Refusal::Store(StoreError::Fenced));
        }
        self.check_bounds(state, event)?;
        state.task.apply(event).map_err(|_| Refusal::Ended(state.task.status.state))?;
        state.push(event);
        Ok(state.seq)
    }

    fn check_bounds(&self, state: &State, event: &Event) -> Result<(), Refusal> {
        let limits = &self.home.limits;
        let bound =
            |what: &str, most: u64| Refusal::Bound(format!("the task would exceed {most} {what}"));
        // The event that ends a task always has room, so that no bound leaves a task half done.
        if event.ends() {
            return Ok(());
        }
        if state.seq >= limits.events {
            return Err(bound("events", limits.events));
        }
        if state.log_bytes >= limits.task_bytes {
            return Err(bound("bytes", limits.task_bytes as u64));
        }
        if state.task.history.len() >= limits.history {
            return Err(bound("messages", limits.history as u64));
        }
        if state.task.artifacts.len() > limits.artifacts {
            return Err(bound("artifacts", limits.artifacts as u64));
        }
        Ok(())
    }

    /// How often one message may be worked on.
    pub(crate) fn attempts(&self) -> u32 {
        self.home.limits.attempts
    }

    /// A status event of this task, as of now.
    pub(crate) fn status(&self, state: TaskState, message: Option<Message>) -> Event {
        let message = message.map(|mut message| {
            message.task_id = Some(self.id.clone());
            message.context_id = Some(self.context_id.clone());
            message
        });
        let status = TaskStatus { state, message, timestamp: Some(Timestamp::now()) };
        Update::StatusUpdate(TaskStatusUpdateEvent {
            task_id: self.id.clone(),
            context_id: self.context_id.clone(),
            status,
            metadata: None,
        })
        .into()
    }

    /// Hands all pending events to the store in one append.
    ///
    /// The run calls this whenever its agent waits for something, so events that an agent emits
    /// without waiting become durable together, and a short task costs one commit.
    pub(crate) fn flush(self: &Arc<Self>) {
        let mut state = self.state.lock();
        // A run that has ended in a question is not to be taken up after a crash.
        let rests = state.at_work_stored && state.run.is_none();
        if state.pending.is_empty() && !rests || state.broken.is_some() {
            return;
        }
        match state.standing {
            Standing::New => state.standing = Standing::Asked,
            // What is pending goes when the answer is there.
            Standing::Asked => return,
            Standing::Taken => {}
        }
        let (append, frames) = self.next_append(&mut state);
        let (last, after, bytes) = (append.last(), append.state, append.bytes_of_entries());
        let (live, room) = (self.clone(), state.room.take());
        let done = move |result| {
            // Before anybody hears of it: what he does next counts after this.
            drop(room);
            live.durable(last, after, bytes, frames, result);
        };
        // Under the lock, so that appends reach the store in the order of their events.
        self.home.store.append(append, Box::new(done));
    }

    fn next_append(&self, state: &mut State) -> (Append, Vec<Bytes>) {
        let pending = std::mem::take(&mut state.pending);
        let (entries, frames): (Vec<_>, Vec<_>) =
            pending.into_iter().map(|entry| (entry.stored, entry.frame)).unzip();
        state.at_work_stored = state.run.is_some() && state.task.status.state.is_interrupted();
        let status = &state.task.status;
        let append = Append {
            key: self.key,
            epoch: state.epoch,
            birth: state.birth.take(),
            first: state.seq + 1 - entries.len() as Seq,
            entries,
            state: status.state,
            status_at: status.timestamp.unwrap_or_else(Timestamp::now),
            at_work: state.at_work_stored,
            snapshot: state.snapshot_for_store(),
            keys: std::mem::take(&mut state.keys),
        };
        (append, frames)
    }

    /// What the store calls when an append is durable or refused.
    fn durable(
        self: &Arc<Self>,
        last: Seq,
        after: TaskState,
        bytes: usize,
        frames: Vec<Bytes>,
        result: Result<(), StoreError>,
    ) {
        let mut state = self.state.lock();
        let is_first = state.standing == Standing::Asked;
        state.window.0 -= frames.len();
        state.window.1 -= bytes;
        match result {
            Ok(()) => {
                state.standing = Standing::Taken;
                state.commit(last, after, frames, self.home.limits.ring_bytes);
                if let Some(bell) = &self.home.bell {
                    bell.ring(News::Grown(self.key, last));
                }
            }
            Err(error) => self.abandon(&mut state, error),
        }
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if is_first {
            self.flush();
        }
    }

    /// The store and this fold have parted: nobody may go on from here. The task is read afresh by
    /// whoever needs it next, and a run that was lost is mended like one whose process died.
    fn abandon(&self, state: &mut State, error: StoreError) {
        tracing::warn!(task = %self.id, error = &error as &dyn std::error::Error, "events not stored");
        self.part(state, error);
    }

    fn part(&self, state: &mut State, error: StoreError) {
        // What follows the first refusal is refused as well, and says nothing new.
        if state.broken.is_some() {
            return;
        }
        if let Some(run) = &state.run {
            run.cancel();
        }
        state.broken = Some(error);
        if let Some(registry) = self.home.registry.upgrade() {
            registry.abandon(self);
        }
    }

    /// Ends this for all who read or write it, because the store has the task no longer.
    pub(crate) fn end(&self, error: StoreError) {
        let mut state = self.state.lock();
        self.part(&mut state, error);
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Takes a further message of the caller. A run at work finds it, or begins again with it; when
    /// there is none, the caller of this must start one. Gives the task as of the message as well.
    pub(crate) fn receive(
        &self,
        message: Message,
        ask: Ask,
        idempotency: Option<Idempotency>,
        halt: &CancellationToken,
    ) -> Result<(Seq, Task, Option<Waiting>), Refusal> {
        let mut state = self.state.lock();
        let at_work = state.run.is_some() && !state.task.status.state.is_interrupted();
        let next = if at_work { state.task.status.state } else { TaskState::Submitted };
        let mut event = self.status(next, None);
        event.effect = Some(Effect::Received(message.clone()));
        let seq = self.take(&mut state, &event)?;
        state.keys.extend(idempotency);
        let waiting = match &state.run {
            Some(_) if at_work || state.next.is_some() => {
                state.inbox.push_back(message);
                None
            }
            Some(_) => {
                state.next = Some((message, ask));
                None
            }
            None => {
                let stop = halt.child_token();
                state.run = Some(stop.clone());
                Some(Waiting { message, ask, stop })
            }
        };
        let task = state.task.clone();
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        Ok((seq, task, waiting))
    }

    /// Marks that a run begins, unless one is at work; gives the token that stops it.
    pub(crate) fn begin_run(&self, halt: &CancellationToken) -> Option<CancellationToken> {
        let mut state = self.state.lock();
        if state.run.is_some() || state.broken.is_some() {
            return None;
        }
        let stop = halt.child_token();
        state.run = Some(stop.clone());
        Some(stop)
    }

    /// Whether a run is at work.
    pub(crate) fn is_at_work(&self) -> bool {
        self.state.lock().run.is_some()
    }

    /// Marks that the run has ended, or gives the message it must go on with.
    pub(crate) fn end_run(&self) -> Option<(Message, Ask)> {
        let mut state = self.state.lock();
        let open = !state.task.status.state.is_terminal() && state.broken.is_none();
        if let Some(next) = state.next.take().filter(|_| open) {
            return Some(next);
        }
        state.run = None;
        state.inbox.clear();
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        None
    }

    /// Gives up a run that has not begun, so that another replica may begin it, and gives the epoch in
    /// which the task stays. `None` when it has to stay: there is more for it already, or it shall stop.
    pub(crate) fn leave_unbegun(&self) -> Option<u32> {
        let mut state = self.state.lock();
        let is_stopped = state.run.as_ref().is_none_or(CancellationToken::is_cancelled);
        let has_more = !state.inbox.is_empty() || state.next.is_some() || state.window.0 > 0;
        let is_taken = state.standing == Standing::Taken && state.broken.is_none();
        if is_stopped || has_more || !is_taken || state.task.status.state != TaskState::Submitted {
            return None;
        }
        state.run = None;
        state.has_left = true;
        Some(state.epoch)
    }

    /// Whether the run must not settle the task, because a message waits for another round.
    pub(crate) fn has_next(&self) -> bool {
        self.state.lock().next.is_some()
    }

    /// Asks a run at work to stop; false when there is none.
    pub(crate) fn cancel_run(&self) -> bool {
        let state = self.state.lock();
        state.run.as_ref().inspect(|token| token.cancel()).is_some()
    }

    /// The task as folded so far, ahead of what readers see.
    pub(crate) fn task(&self) -> Task {
        self.state.lock().task.clone()
    }

    /// The same with an event from which on it has its status.
    pub(crate) fn task_and_status_since(&self) -> (Task, Seq) {
        let state = self.state.lock();
        (state.task.clone(), state.status_since)
    }

    /// Whether the task, as folded so far, has this artifact.
    pub(crate) fn has_artifact(&self, id: &ArtifactId) -> bool {
        self.state.lock().task.artifacts.iter().any(|known| known.artifact_id == *id)
    }

    /// The state as folded so far.
    pub(crate) fn current_state(&self) -> TaskState {
        self.state.lock().task.status.state
    }

    /// The last event that is durable, and the state after it.
    pub(crate) fn committed(&self) -> (Seq, TaskState) {
        let state = self.state.lock();
        (state.committed, state.committed_state)
    }

    /// Waits until `look` finds what it looks for; a store that gave up ends the wait.
    fn wait<T>(
        &self,
        cx: &Context<'_>,
        registration: &mut Registration,
        look: impl FnOnce(&mut State) -> Option<T>,
    ) -> Poll<Result<T, StoreError>> {
        let mut state = self.state.lock();
        if let Some(found) = look(&mut state) {
            return Poll::Ready(Ok(found));
        }
        if let Some(error) = &state.broken {
            return Poll::Ready(Err(error.clone()));
        }
        registration.register(&mut state, cx.waker());
        Poll::Pending
    }

    /// Waits until an event is durable.
    pub(crate) async fn durable_to(&self, seq: Seq) -> Result<(), StoreError> {
        let mut registration = Registration::default();
        std::future::poll_fn(|cx| {
            self.wait(cx, &mut registration, |state| (state.committed >= seq).then_some(()))
        })
        .await
    }

    /// Whether this only looks on: nothing of this process is at work on the task or on its way to the
    /// store, and it may go on.
    pub(crate) fn is_looking_on(&self) -> bool {
        let state = self.state.lock();
        state.is_looking_on() && !state.committed_state.is_terminal()
    }

    /// Takes in what another replica has made durable: the events behind the last one that is known here.
    /// Nothing where this process writes itself, because then its own appends tell.
    ///
    /// # Errors
    /// When the log cannot be read or folded.
    pub(crate) fn look_on(&self, entries: &[(Seq, Bytes)]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        for (seq, entry) in entries {
            if !state.is_looking_on() || *seq <= state.seq {
                continue;
            }
            if *seq != state.seq + 1 {
                return Err(StoreError::damaged(format!("event {seq} follows {}", state.seq)));
            }
            let event: Event = serde_json::from_slice(entry).map_err(StoreError::damaged)?;
            state.task.apply(&event).map_err(StoreError::damaged)?;
            state.push(&event);
            let frames = state.pending.drain(..).map(|entry| entry.frame).collect();
            state.window = (0, 0);
            let after = state.task.status.state;
            state.commit(*seq, after, frames, self.home.limits.ring_bytes);
        }
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// The epoch in which this writes.
    pub(crate) fn epoch(&self) -> u32 {
        self.state.lock().epoch
    }

    /// Gives the right to write as the next owner after this epoch.
    pub(crate) fn follow_epoch(&self, epoch: u32) {
        let mut state = self.state.lock();
        if state.is_looking_on() && epoch >= state.epoch {
            state.epoch = epoch + 1;
            state.standing = self.home.standing();
            state.has_left = false;
        }
    }

    /// Waits until the task has settled after an event, and that is durable.
    pub(crate) async fn settled_after(&self, seq: Seq) -> Result<Document, StoreError> {
        let mut registration = Registration::default();
        std::future::poll_fn(|cx| {
            self.wait(cx, &mut registration, |state| {
                let (at, document) = state.settled.as_ref()?;
                (*at > seq && *at <= state.committed).then(|| document.clone())
            })
        })
        .await
    }

    /// Waits until the task, as it is durable, waits for its caller or has ended.
    pub(crate) async fn settled(&self) -> Result<(), StoreError> {
        let mut registration = Registration::default();
        std::future::poll_fn(|cx| {
            self.wait(cx, &mut registration, |state| {
                let settled = state.committed == state.seq && state.committed_state.is_settled();
                settled.then_some(())
            })
        })
        .await
    }

    /// Waits until all that was folded is durable, so that it may be told.
    pub(crate) async fn all_durable(&self) -> Result<(), StoreError> {
        let seq = self.state.lock().seq;
        self.durable_to(seq).await
    }

    /// Waits until the run has ended and all its events are durable.
    pub(crate) async fn idle(&self) -> Result<(), StoreError> {
        let mut registration = Registration::default();
        std::future::poll_fn(|cx| {
            self.wait(cx, &mut registration, |state| {
                (state.run.is_none() && state.committed == state.seq).then_some(())
            })
        })
        .await
    }

    /// Waits until the run's window has room for another event.
    pub(crate) async fn room(&self) -> Result<(), StoreError> {
        let limits = &self.home.limits;
        let mut registration = Registration::default();
        std::future::poll_fn(|cx| {
            self.wait(cx, &mut registration, |state| {
                let (events, bytes) = state.window;
                let room = events < limits.window_events && bytes < limits.window_bytes;
                room.then_some(())
            })
        })
        .await
    }

    /// Waits for a message that comes while the run is at work.
    pub(crate) async fn next_message(&self) -> Result<Message, StoreError> {
        let mut registration = Registration::default();
        std::future::poll_fn(|cx| {
            // The reply to a question that the run asked counts as well: it has stayed for it.
            self.wait(cx, &mut registration, |state| {
                let next = state.next.take().map(|(message, _)| message);
                next.or_else(|| state.inbox.pop_front())
            })
        })
        .await
    }

    /// Adds a reader: from now on more durable frames are kept for a while.
    pub(crate) fn add_reader(&self) {
        self.state.lock().readers += 1;
    }

    /// Takes a reader away.
    pub(crate) fn remove_reader(&self) {
        let mut state = self.state.lock();
        state.readers -= 1;
        if state.readers == 0 && state.ring_bytes > UNREAD_RING {
            state.ring = VecDeque::new();
            state.ring_bytes = 0;
        }
    }

    /// What a reader at `cursor` finds, or its registration for when there is more.
    pub(crate) fn poll_frames(
        &self,
        cx: &Context<'_>,
        registration: &mut Registration,
        cursor: Seq,
        closes: impl Fn(TaskState) -> bool,
        out: &mut VecDeque<(Seq, Bytes)>,
    ) -> Poll<Result<Frames, StoreError>> {
        self.wait(cx, registration, |state| {
            if cursor >= state.committed {
                return closes(state.committed_state).then_some(Frames::End);
            }
            let covered = state.ring.front().is_some_and(|(first, _)| *first <= cursor + 1);
            if !covered {
                return Some(Frames::Behind);
            }
            let from = state.ring.partition_point(|(seq, _)| *seq <= cursor);
            out.extend(state.ring.iter().skip(from).cloned());
            Some(Frames::Ready)
        })
    }

    /// Wakes everybody who waits, because something outside the task has changed.
    pub(crate) fn wake(&self) {
        let wakers = self.state.lock().take_wakers();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// What a reader finds.
pub(crate) enum Frames {
    /// Frames were handed out.
    Ready,
    /// The frames it needs are no longer in memory: read the log.
    Behind,
    /// It has seen everything, and nothing more is for it.
    End,
}

impl State {
    fn new(task: Task, seq: Seq, epoch: u32, last_snapshot: Seq) -> Self {
        let state = task.status.state;
        Self {
            task,
            seq,
            status_since: seq,
            epoch,
            standing: Standing::Taken,
            birth: None,
            room: None,
            pending: Vec::new(),
            keys: Vec::new(),
            window: (0, 0),
            log_bytes: 0,
            last_snapshot,
            committed: seq,
            committed_state: state,
            settled: None,
            ring: VecDeque::new(),
            ring_bytes: 0,
            readers: 0,
            broken: None,
            run: None,
            has_left: false,
            at_work_stored: false,
            inbox: VecDeque::new(),
            next: None,
            wakers: Vec::new(),
            generation: 0,
        }
    }

    fn is_looking_on(&self) -> bool {
        self.run.is_none() && self.window.0 == 0 && self.broken.is_none()
    }

    fn push(&mut self, event: &Event) {
        let stored = Document::write(event).bytes().clone();
        let frame = match &event.effect {
            None => stored.clone(),
            Some(_) => Document::write(&event.update).bytes().clone(),
        };
        self.seq += 1;
        if !matches!(event.update, Update::ArtifactUpdate(_)) {
            self.status_since = self.seq;
        }
        self.window.0 += 1;
        self.window.1 += stored.len();
        self.log_bytes += stored.len();
        self.pending.push(Entry { stored, frame });
        let settled = self.task.status.state.is_settled();
        self.settled = settled.then(|| (self.seq, Document::write(&self.task)));
    }

    /// The snapshot to store with the pending events: at the end of a turn, unless the log is so
    /// short and the task so large that a second copy would cost more than the fold.
    fn snapshot_for_store(&mut self) -> Option<Bytes> {
        let (seq, document) = self.settled.as_ref().filter(|(seq, _)| *seq > self.last_snapshot)?;
        let many = seq - self.last_snapshot >= MANY_EVENTS;
        if document.bytes().len() > LARGE_SNAPSHOT && !many {
            return None;
        }
        self.last_snapshot = *seq;
        Some(document.bytes().clone())
    }

    fn commit(&mut self, last: Seq, after: TaskState, frames: Vec<Bytes>, ring_bytes: usize) {
        self.committed = last;
        self.committed_state = after;
        // A reader may be about to come, so a little is kept for it.
        let ring_bytes = if self.readers == 0 { ring_bytes.min(UNREAD_RING) } else { ring_bytes };
        let first = last + 1 - frames.len() as Seq;
        for (seq, frame) in (first..).zip(frames) {
            self.ring_bytes += frame.len();
            self.ring.push_back((seq, frame));
        }
        while self.ring_bytes > ring_bytes && self.ring.len() > 1 {
            let (_, frame) = self.ring.pop_front().expect("there is more than one");
            self.ring_bytes -= frame.len();
        }
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        self.generation += 1;
        std::mem::take(&mut self.wakers)
    }
}

impl Registration {
    fn register(&mut self, state: &mut State, waker: &Waker) {
        let current = self.generation == Some(state.generation);
        if current && self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return;
        }
        self.generation = Some(state.generation);
        self.waker = Some(waker.clone());
        state.wakers.push(waker.clone());
        // Those who left without an event are still in the list; now and then all have to say again
        // that they wait.
        if state.wakers.len() > 2 * (state.readers + IDLE_WAKERS) {
            state.take_wakers().into_iter().for_each(Waker::wake);
        }
    }
}

impl Append {
    fn bytes_of_entries(&self) -> usize {
        self.entries.iter().map(Bytes::len).sum()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(registry) = self.home.registry.upgrade() {
            registry.forget(self);
        }
    }
}
