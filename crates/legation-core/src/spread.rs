//! Spreading work: a run that waits for a place here may begin at another replica, which has one.
//!
//! Who has runs that wait rings. Who has room asks for some of them by letter, and gets each by a letter of
//! its own, with all that its caller asked for and whether there are more. The store decides whose it is: whoever claims a task has to
//! know its epoch. What a caller entrusts an agent with stays in the memory of the replica that was told, and
//! so does its run.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use legation_model::{Message, Metadata, TaskState};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::bell::News;
use crate::live::{Live, Waiting};
use crate::queue::Wait;
use crate::replicas::{Act, Answer, Replicas, Wish};
use crate::run::{self, Job};
use crate::service::{Core, TRY_AGAIN};
use crate::store::{Replica, StoreError, TaskKey};
use crate::turn::Ask;
use crate::{Caller, Scope};

/// How often it is rung for runs that wait although nothing happens.
const RING_EVERY: Duration = Duration::from_secs(1);

/// How long after it has asked a replica asks again: what it was given has begun by then.
const SEEK_EVERY: Duration = Duration::from_millis(50);

/// How often a run may come back from other replicas before it waits for its place here.
pub(crate) const RETURNS: u32 = 3;

/// What a replica knows of runs that wait, here and elsewhere.
#[derive(Default)]
pub(crate) struct Spread {
    /// Replicas at which runs wait, as far as they have said and were not asked for some since; the one
    /// that was asked last comes last.
    laden: Mutex<VecDeque<Replica>>,
    /// Told when there is another one.
    rung: Notify,
    /// Tasks that are on their way to another one.
    leaving: Mutex<BTreeSet<TaskKey>>,
}

/// What a letter carries of an [`Ask`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Carried {
    accepted_output_modes: Vec<String>,
    metadata: Option<Metadata>,
    caller: Option<Caller>,
    of_crew: bool,
    callback: Option<Arc<str>>,
}

/// A run that another replica shall begin.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Work {
    key: TaskKey,
    /// That of the task until it is claimed.
    epoch: u32,
    message: Message,
    ask: Carried,
    /// Whether more runs wait for the same agent.
    more: bool,
}

/// What a replica has room for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rooms {
    deployment: Arc<str>,
    /// How many runs of which agents.
    agents: Vec<(Arc<str>, usize)>,
}

impl Carried {
    /// All but what is kept in memory alone. The schema is found again in what the task's messages ask for.
    pub(crate) fn of(ask: &Ask) -> Self {
        Self {
            accepted_output_modes: ask.accepted_output_modes.clone(),
            metadata: ask.metadata.clone(),
            caller: ask.caller.clone(),
            of_crew: ask.of_crew,
            callback: ask.callback.clone(),
        }
    }
}

impl From<Carried> for Ask {
    fn from(carried: Carried) -> Self {
        let Carried { accepted_output_modes, metadata, caller, of_crew, callback } = carried;
        Self { accepted_output_modes, metadata, caller, of_crew, callback, ..Self::default() }
    }
}

impl Spread {
    /// Whether a task is on its way to another replica.
    pub(crate) fn is_leaving(&self, key: TaskKey) -> bool {
        self.leaving.lock().contains(&key)
    }

    /// Notes that runs wait at a replica.
    pub(crate) fn heard_of(&self, laden: Replica) {
        let mut all = self.laden.lock();
        if !all.contains(&laden) {
            all.push_back(laden);
        }
        drop(all);
        self.rung.notify_one();
    }
}

/// How a run waits for its place. Where others may take it, they are told.
pub(crate) fn wait(core: &Core, job: &Job) -> Wait {
    let Some(replicas) = &core.replicas else { return Wait::Here };
    let is_first = job.attempt == 1 && job.live.current_state() == TaskState::Submitted;
    if !is_first || !job.ask.entrusted.is_empty() || job.ask.granted.is_some() {
        return Wait::Here;
    }
    ring(replicas);
    Wait::Anywhere
}

fn ring(replicas: &Replicas) {
    replicas.bell().ring(News::Queued(replicas.this()));
}

/// Looks for work where there is room, and rings for it where there is none.
pub(crate) async fn spread(core: &Core, replicas: &Replicas) {
    let mut rings = tokio::time::interval(RING_EVERY);
    rings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = core.queues.room() => {}
            () = replicas.spread.rung.notified() => {}
            _ = rings.tick() => {
                if core.queues.has_some_to_give(&core.agents()) {
                    ring(replicas);
                }
                continue;
            }
        }
        if seek(core, replicas).await {
            tokio::time::sleep(SEEK_EVERY).await;
            // Others may be laden as well, and there may be more room than the one had runs.
            replicas.spread.rung.notify_one();
        }
    }
}

/// Asks a replica at which runs wait for as many as there is room for; gives whether there was one.
async fn seek(core: &Core, replicas: &Replicas) -> bool {
    let agents = core.queues.rooms(&core.agents());
    if agents.is_empty() || core.admit().is_err() {
        return false;
    }
    let Some(laden) = replicas.spread.laden.lock().pop_front() else { return false };
    let rooms = Rooms { deployment: core.deployment.clone(), agents };
    if let Err(error) = replicas.seek(laden, rooms).await {
        // It rings again.
        tracing::debug!(error = &error as &dyn std::error::Error, "cannot ask for runs that wait");
    }
    true
}

/// Gives a replica that has room runs that wait here.
pub(crate) fn give(core: &Core, to: Replica, rooms: Rooms) {
    if rooms.deployment != core.deployment {
        return;
    }
    for (slug, free) in rooms.agents {
        let queue = core.agent(Some(&slug)).and_then(|exposed| core.queues.of(&exposed.profile));
        if let Some(queue) = queue {
            queue.send_on(free, to);
        }
    }
}

/// Lets another replica begin a run that has not begun here. It comes back when that one does not want it
/// or does not say, and stays away when the task is not this one's any more.
pub(crate) async fn hand_over(core: &Core, mut job: Job, to: Replica) -> Option<Job> {
    let Some(replicas) = &core.replicas else { return Some(job) };
    let (live, spread) = (job.live.clone(), &replicas.spread);
    // What is not durable cannot be found by the other one; a store that refuses it ends the run.
    if live.all_durable().await.is_err() {
        return Some(job);
    }
    let _leaving = Leaving::of(&live, spread);
    let Some(epoch) = live.leave_unbegun() else { return Some(job) };
    let (scope, id, key) = (live.scope.clone(), live.id.clone(), live.key);
    let more = core.queues.of(&job.exposed.profile).is_some_and(|queue| queue.has_some_to_give());
    let (message, ask) = (job.message.clone(), Carried::of(&job.ask));
    let work = Work { key, epoch, message, ask, more };
    let wish = Wish { scope, id, act: Act::Begin(Box::new(work)) };
    if let Ok(Answer::Done(_)) = replicas.ask(to, wish, Duration::ZERO).await {
        return None;
    }
    loop {
        match replicas.sharing().claim(key, epoch).await {
            Ok(Some(stored)) => {
                live.follow_epoch(stored.epoch);
                job.stop = live.begin_run(&core.halt)?;
                return Some(job);
            }
            // It has begun elsewhere all the same, or was cancelled.
            Ok(None) => return None,
            // While the store is away nobody else can claim it either.
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(task = %live.id, error, "cannot tell whose a run is");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(TRY_AGAIN) => {}
            () = job.stop.cancelled() => return None,
        }
    }
}

/// Marks a task that is on its way, for as long as nobody can tell whose it is.
struct Leaving<'s> {
    spread: &'s Spread,
    key: TaskKey,
}

impl<'s> Leaving<'s> {
    fn of(live: &Live, spread: &'s Spread) -> Self {
        spread.leaving.lock().insert(live.key);
        Self { spread, key: live.key }
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.spread.leaving.lock().remove(&self.key);
    }
}

/// Begins a run that waited at another replica.
pub(crate) async fn begin(core: &Arc<Core>, from: Replica, scope: &Scope, work: Work) -> Answer {
    if let Some(replicas) = core.replicas.as_ref().filter(|_| work.more) {
        replicas.spread.heard_of(from);
    }
    match try_begin(core, scope, work).await {
        Ok(answer) => answer,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "cannot begin a run that waited elsewhere");
            Answer::Failed
        }
    }
}

async fn try_begin(core: &Arc<Core>, scope: &Scope, work: Work) -> Result<Answer, StoreError> {
    let Some(replicas) = core.replicas.as_ref().filter(|_| core.admit().is_ok()) else {
        return Ok(Answer::NotHere);
    };
    if scope.deployment != core.deployment {
        return Ok(Answer::NotHere);
    }
    let Some(exposed) = core.agent(scope.agent.as_deref()) else { return Ok(Answer::NotHere) };
    let place = core.queues.of(&exposed.profile).map(|queue| queue.try_enter().ok_or(()));
    let Ok(place) = place.transpose() else { return Ok(Answer::NotHere) };
    let Ok(own) = core.places.try_take(&core.limits, scope) else { return Ok(Answer::NotHere) };
    let Work { key, epoch, message, ask, .. } = work;
    let Some(stored) = replicas.sharing().claim(key, epoch).await? else {
        return Ok(Answer::NotHere);
    };
    let (seq, id) = (stored.seq, stored.id.clone());
    let live = core.load(stored).await.inspect_err(|_| {
        // It is this one's all the same.
        core.registry.abandon_again(scope.clone(), id);
    })?;
    // Somebody's further message may have begun a run already.
    if let Some(stop) = live.begin_run(&core.halt) {
        let waiting = Waiting { message, ask: ask.into(), stop };
        run::start(core, Job { place, ..Job::new(&live, exposed, waiting) }, own);
    }
    Ok(Answer::Done(seq))
}
