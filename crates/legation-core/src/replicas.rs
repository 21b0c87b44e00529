//! Replicas: tasks that others are at work on, in a store that all of them share.
//!
//! A task at work belongs to one replica. The others look on: they read its log as it grows, told by the
//! bell, so that streams, blocking sends and reads work everywhere. What only the owner can do, to take a
//! further message or to stop a run, another one asks for by letter. A letter may be lost, and so may its
//! answer; then the caller is told to try again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use legation_model::{A2aError, ErrorKind, Message, TaskId, TaskState};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::authorization::{self, Sealed};
use crate::bell::{Bell, News};
use crate::follow::READ_BYTES;
use crate::live::{Live, Refusal};
use crate::run::{self, Job};
use crate::send::Undone;
use crate::service::{Core, TRY_AGAIN};
use crate::spread::{self, Carried, Rooms, Spread, Work};
use crate::store::{Idempotency, Letter, Replica, Seq, Sharing, StoreError, Stored};
use crate::{Scope, TaskStore, recover, send};

/// How often everything is looked at although nobody has rung.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long an owner may take to answer, beyond the grace of the agent that it has to stop.
const ANSWER: Duration = Duration::from_secs(5);

/// How long a replica that asked for a run may take to begin it: nobody is at work on it meanwhile, and what
/// comes late is refused by the store.
const BEGUN: Duration = Duration::from_secs(2);

/// Letters that are taken at once.
const LETTERS: usize = 256;

/// What a replica knows of the others.
pub(crate) struct Replicas {
    store: Arc<dyn TaskStore>,
    bell: Arc<dyn Bell>,
    /// Told when one has gone, so that its tasks need not wait.
    gone: Notify,
    asked: AtomicU64,
    /// Who waits for an answer, by the number of the letter.
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    pub(crate) spread: Spread,
}

/// What a letter says.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The number of the letter that asks, by which its sender knows the answer.
    number: u64,
    what: What,
}

#[derive(Debug, Serialize, Deserialize)]
enum What {
    Asks(Box<Wish>),
    Answers(Answer),
    /// The answer to an authorization that who reads this waits for.
    Authorizes(Sealed),
    /// For runs that wait, of which some could begin with who writes. The number is of no use.
    Seeks(Rooms),
}

/// Who is at work on a task.
pub(crate) enum Owner<'a> {
    /// This replica, or nobody.
    This,
    /// Another one, which may be asked.
    Other(Replica, &'a Replicas),
    /// One that is gone, so that the run is lost.
    Gone(Box<Stored>),
}

/// What the owner of a task is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) scope: Scope,
    pub(crate) id: TaskId,
    pub(crate) act: Act,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Act {
    /// To take a further message.
    Receive(Box<Further>),
    /// To stop the run, and to end the task.
    Cancel,
    /// To begin a run, which waits with who asks for this.
    Begin(Box<Work>),
}

/// A further message, whose caller may send it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Further {
    pub(crate) message: Message,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) ask: Carried,
}

/// What came of a wish.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It is done, with this event.
    Done(Seq),
    /// The task has ended.
    Ended(TaskState),
    /// A bound is in the way.
    Bound(String),
    /// Nobody is at work on it here.
    NotHere,
    /// The store did not take it.
    Failed,
}

impl Replicas {
    pub(crate) fn new(store: Arc<dyn TaskStore>, bell: Arc<dyn Bell>) -> Self {
        let gone = Notify::new();
        let (asked, waiting, spread) = (AtomicU64::new(1), Mutex::default(), Spread::default());
        Self { store, bell, gone, asked, waiting, spread }
    }

    pub(crate) fn this(&self) -> Replica {
        self.sharing().replica()
    }

    pub(crate) fn sharing(&self) -> &dyn Sharing {
        self.store.sharing().expect("a store that is shared")
    }

    pub(crate) fn bell(&self) -> Arc<dyn Bell> {
        self.bell.clone()
    }

    async fn post(&self, to: Replica, number: u64, what: What) -> Result<(), StoreError> {
        let note = Note { number, what };
        let text = serde_json::to_vec(&note).map_err(StoreError::damaged)?;
        self.sharing().post(to, Bytes::from(text)).await?;
        self.bell.ring(News::Letter(to));
        Ok(())
    }

    /// Asks another one for runs that wait there.
    pub(crate) async fn seek(&self, at: Replica, rooms: Rooms) -> Result<(), StoreError> {
        self.post(at, 0, What::Seeks(rooms)).await
    }

    /// Asks the owner of a task for something.
    ///
    /// # Errors
    /// `Unavailable` when it does not answer in time: what was asked for may have been done.
    ///
    /// # Cancel safety
    /// Dropped midway, what was asked for may be done all the same.
    pub(crate) async fn ask(
        &self,
        owner: Replica,
        wish: Wish,
        patience: Duration,
    ) -> Result<Answer, A2aError> {
        let patience = match wish.act {
            Act::Begin(_) => BEGUN,
            Act::Receive(_) | Act::Cancel => patience + ANSWER,
        };
        self.wait_for(owner, What::Asks(Box::new(wish)), patience).await
    }

    /// Hands the answer to an authorization to the one that waits for it.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    ///
    /// # Cancel safety
    /// That of [`ask`](Self::ask).
    pub(crate) async fn hand_over(
        &self,
        to: Replica,
        sealed: Sealed,
        patience: Duration,
    ) -> Result<Answer, A2aError> {
        self.wait_for(to, What::Authorizes(sealed), patience + ANSWER).await
    }

    async fn wait_for(
        &self,
        owner: Replica,
        what: What,
        patience: Duration,
    ) -> Result<Answer, A2aError> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().insert(number, sender);
        let _waiting = Waiting { replicas: self, number };
        self.post(owner, number, what).await?;
        let answered = tokio::time::timeout(patience, answer).await;
        answered.ok().and_then(Result::ok).ok_or_else(|| {
            let text = "the replica that is at work on the task does not answer; try again";
            A2aError::unavailable(text, TRY_AGAIN)
        })
    }
}

/// Somebody who waits for an answer. A caller that goes away leaves nothing behind.
struct Waiting<'r> {
    replicas: &'r Replicas,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.replicas.waiting.lock().remove(&self.number);
    }
}

impl Core {
    /// Who is at work on a task. Unless it is another replica, the live task is as the store has it and
    /// may be written to.
    pub(crate) async fn owner(&self, live: &Arc<Live>) -> Result<Owner<'_>, Undone> {
        let Some(replicas) = self.replicas.as_ref().filter(|_| live.is_looking_on()) else {
            return Ok(Owner::This);
        };
        if replicas.spread.is_leaving(live.key) {
            return Err(StoreError::Fenced.into());
        }
        let stored = loop {
            let stored = self.store.load(&live.scope, &live.id).await?;
            let stored = stored.ok_or_else(|| A2aError::task_not_found(live.id.as_str()))?;
            if let Some(owner) = stored.elsewhere {
                return Ok(Owner::Other(owner, replicas));
            }
            self.look_on(live).await?;
            // What came after the look at the owner may be another one's, which must not be gone on from.
            if live.committed().0 == stored.seq || !live.is_looking_on() {
                break stored;
            }
        };
        live.follow_epoch(stored.epoch);
        // A run that waits in an interrupted state may have ended just now, and the answer that it waits
        // for begins a turn anyway.
        let is_lost = !stored.state.is_settled() && live.is_looking_on();
        Ok(if is_lost { Owner::Gone(Box::new(stored)) } else { Owner::This })
    }

    /// Reads a task as far as an event of which a reader was told elsewhere, if there is such an event. A
    /// task that was taken over from this replica without its knowing ends here, for those who read it to
    /// come again.
    pub(crate) async fn catch_up(&self, live: &Live, event: Seq) -> Result<(), StoreError> {
        if self.replicas.is_none() || live.is_looking_on() {
            return self.look_on(live).await;
        }
        let stored = self.store.load(&live.scope, &live.id).await?;
        let Some(stored) = stored.filter(|stored| stored.seq >= event) else { return Ok(()) };
        if stored.elsewhere.is_none() && stored.epoch <= live.epoch() {
            // Its own, which was seen elsewhere before the store has said so here.
            let durable = tokio::time::timeout(LOOK_EVERY, live.durable_to(event)).await;
            return durable.unwrap_or(Err(StoreError::Fenced));
        }
        live.end(StoreError::Fenced);
        Err(StoreError::Fenced)
    }

    /// Reads what a task that others are at work on has become.
    pub(crate) async fn look_on(&self, live: &Live) -> Result<(), StoreError> {
        self.look_to(live, Seq::MAX).await
    }

    /// The same as far as an event that is known to be there.
    async fn look_to(&self, live: &Live, reached: Seq) -> Result<(), StoreError> {
        while live.is_looking_on() && live.committed().0 < reached {
            let (after, _) = live.committed();
            let entries = self.store.entries(&live.scope, live.key, after, READ_BYTES).await?;
            if entries.is_empty() {
                break;
            }
            live.look_on(&entries)?;
        }
        Ok(())
    }

    /// Looks on as far as an event, and ends the live task when its log is of no use: its readers are
    /// told. What is not to be had now is looked at again soon.
    async fn try_look_to(&self, live: &Live, reached: Seq) {
        match self.look_to(live, reached).await {
            Ok(()) | Err(StoreError::Unavailable(_) | StoreError::Full) => {}
            Err(error) => live.end(error),
        }
    }
}

/// Looks after what replicas have together, for as long as the service is there.
pub(crate) async fn attend(core: Arc<Core>) {
    let Some(replicas) = &core.replicas else { return };
    tokio::select! {
        () = core.closing.cancelled() => {}
        () = hear(&core, replicas) => {}
        () = patrol(&core, replicas) => {}
        () = spread::spread(&core, replicas) => {}
    }
}

/// Hears what other replicas have to tell: what tasks have become, and letters.
async fn hear(core: &Arc<Core>, replicas: &Replicas) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = Instant::now();
    loop {
        let news = tokio::select! {
            news = replicas.bell.heard() => Some(news),
            _ = looks.tick() => None,
        };
        let Some(news) = news else {
            look_at_all(core, &mut seen).await;
            continue;
        };
        match news {
            News::Grown(key, reached) => {
                if let Some(live) = core.registry.of_key(key) {
                    core.try_look_to(&live, reached).await;
                }
            }
            News::Letter(to) if to == replicas.this() => read_letters(core).await,
            News::Letter(_) => {}
            News::Gone => replicas.gone.notify_one(),
            News::Queued(at) => replicas.spread.heard_of(at),
            News::Missed => {
                replicas.gone.notify_one();
                look_at_all(core, &mut seen).await;
            }
        }
    }
}

/// Takes up the tasks of replicas that are gone. There may be many, so nothing else waits for it.
async fn patrol(core: &Arc<Core>, replicas: &Replicas) {
    let mut patrols = tokio::time::interval(replicas.sharing().lease() / 3);
    patrols.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = patrols.tick() => {}
            () = replicas.gone.notified() => {}
        }
        // One that goes itself leaves them to the others.
        if core.is_draining() {
            continue;
        }
        if let Err(error) = recover::recover(core).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "cannot look for tasks of replicas that are gone");
        }
    }
}

/// Looks at everything that may have been missed. What could not be seen for as long as a lease ends for those
/// who wait for it here: others see it, and can tell them.
async fn look_at_all(core: &Arc<Core>, seen: &mut Instant) {
    read_letters(core).await;
    let Some(replicas) = &core.replicas else { return };
    let mut live = core.registry.all();
    live.retain(|live| live.is_looking_on());
    let keys: Vec<_> = live.iter().map(|live| live.key).collect();
    if keys.is_empty() {
        *seen = Instant::now();
        return;
    }
    let reached: HashMap<_, _> = match replicas.sharing().reached(&keys).await {
        Ok(reached) => reached.into_iter().collect(),
        Err(error) => {
            if seen.elapsed() > replicas.sharing().lease() {
                live.iter().for_each(|live| live.end(error.clone()));
            }
            return;
        }
    };
    *seen = Instant::now();
    for live in live {
        match reached.get(&live.key) {
            Some(reached) => core.try_look_to(&live, *reached).await,
            // Another one has erased it.
            None => live.end(StoreError::Removed),
        }
    }
}

async fn read_letters(core: &Arc<Core>) {
    let Some(replicas) = &core.replicas else { return };
    loop {
        let letters = replicas.sharing().letters(LETTERS).await.unwrap_or_default();
        let all = letters.len() < LETTERS;
        for Letter { from, text } in letters {
            let Ok(Note { number, what }) = serde_json::from_slice(&text) else {
                tracing::warn!(replica = from.0, "a letter that is not understood");
                continue;
            };
            match what {
                What::Answers(answer) => {
                    if let Some(waiting) = replicas.waiting.lock().remove(&number) {
                        // Whoever asked may have gone.
                        let _ = waiting.send(answer);
                    }
                }
                What::Seeks(rooms) => spread::give(core, from, rooms),
                What::Asks(wish) => {
                    answer(
                        core,
                        from,
                        number,
                        |core| async move { fulfil(&core, from, *wish).await },
                    )
                }
                What::Authorizes(sealed) => answer(core, from, number, |core| async move {
                    let received = authorization::receive(&core, &sealed).await;
                    received.map_or(Answer::NotHere, |()| Answer::Done(0))
                }),
            }
        }
        if all {
            return;
        }
    }
}

/// Answers a letter when what it asks for is done.
fn answer<F>(core: &Arc<Core>, to: Replica, number: u64, act: impl FnOnce(Arc<Core>) -> F)
where
    F: Future<Output = Answer> + Send + 'static,
{
    let (core, act) = (core.clone(), act(core.clone()));
    core.clone().runs.spawn(async move {
        let answer = act.await;
        let Some(replicas) = &core.replicas else { return };
        if let Err(error) = replicas.post(to, number, What::Answers(answer)).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "cannot answer a replica");
        }
    });
}

/// Does what another replica asks for.
async fn fulfil(core: &Arc<Core>, from: Replica, wish: Wish) -> Answer {
    let Wish { scope, id, act } = wish;
    let at_work = core.registry.get(&scope, &id).filter(|live| live.is_at_work());
    match (act, at_work) {
        (Act::Begin(work), _) => spread::begin(core, from, &scope, *work).await,
        (Act::Cancel, Some(live)) => stop(core, &live).await,
        (Act::Receive(further), Some(live)) => receive(core, &live, *further).await,
        (Act::Cancel | Act::Receive(_), None) => Answer::NotHere,
    }
}

async fn stop(core: &Core, live: &Arc<Live>) -> Answer {
    match send::stop(core, live).await {
        Ok(()) => Answer::Done(live.committed().0),
        Err(Undone::Refused(error)) if error.kind == ErrorKind::TaskNotCancelable => {
            Answer::Ended(live.current_state())
        }
        Err(Undone::Moved(_)) => Answer::NotHere,
        Err(Undone::Named | Undone::Refused(_)) => Answer::Failed,
    }
}

async fn receive(core: &Arc<Core>, live: &Arc<Live>, further: Further) -> Answer {
    let Further { message, idempotency, ask } = further;
    let ask = ask.into();
    let Some(exposed) = core.agent(live.scope.agent.as_deref()) else { return Answer::NotHere };
    let place = core.places.take(&core.limits, &live.scope);
    let (seq, waiting) = match live.receive(message, ask, idempotency, &core.halt) {
        Ok((seq, _, waiting)) => (seq, waiting),
        Err(Refusal::Ended(state)) => return Answer::Ended(state),
        Err(Refusal::Bound(text)) => return Answer::Bound(text),
        Err(Refusal::Store(error)) => return not_stored(&error),
    };
    live.flush();
    if let Some(waiting) = waiting {
        run::start(core, Job::new(live, exposed, waiting), place);
    }
    match live.durable_to(seq).await {
        Ok(()) => Answer::Done(seq),
        Err(error) => not_stored(&error),
    }
}

/// Where another run was faster, or the same send elsewhere, the sender shall look again.
fn not_stored(error: &StoreError) -> Answer {
    match error {
        StoreError::Fenced | StoreError::Taken(_) => Answer::NotHere,
        StoreError::Full
        | StoreError::Unavailable(_)
        | StoreError::Removed
        | StoreError::Damaged(_) => Answer::Failed,
    }
}
