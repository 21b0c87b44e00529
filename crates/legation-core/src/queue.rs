//! The queue before an agent that works on a bounded number of messages at once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use legation_model::A2aError;
use metrics::{Counter, Gauge};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::metric::{SENT_ON, WAITING};
use crate::service::TRY_AGAIN;
use crate::store::Replica;
use crate::turns::{Line as _, Turns};
use crate::{Exposed, Limits, Profile, Scope};

/// The queues of the agents that have one, by slug.
#[derive(Default)]
pub(crate) struct Queues {
    all: Mutex<HashMap<Arc<str>, Arc<Queue>>>,
    /// Told when an agent has a place for which nobody waits.
    room: Arc<Notify>,
}

/// Where runs of an agent wait. Tenants take turns, and so do the callers of a tenant; what one of them
/// has in line is first come, first served.
pub(crate) struct Queue {
    bound: usize,
    state: Mutex<State>,
    room: Arc<Notify>,
    waiting: Gauge,
    sent_on: Counter,
}

#[derive(Default)]
struct State {
    taken: usize,
    waiting: Turns<Arc<str>, Turns<Arc<str>, VecDeque<Waiter>>>,
}

struct Waiter {
    entrance: oneshot::Sender<Entrance>,
    may_go: bool,
}

/// How a run waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Another replica may take it.
    Anywhere,
    /// The same, before what the same caller has in line: it was in line already.
    FirstAnywhere,
    /// It has to begin here.
    Here,
    /// The same, before what the same caller has in line.
    FirstHere,
}

impl Wait {
    fn may_go(self) -> bool {
        matches!(self, Self::Anywhere | Self::FirstAnywhere)
    }
}

/// Where a run that waited may begin.
pub(crate) enum Entrance {
    Here(Place),
    /// At another replica, which has room.
    Elsewhere(Replica),
}

/// A run's right to be at work; somebody else's when this is dropped.
pub(crate) struct Place(Option<Arc<Queue>>);

impl Queues {
    /// The queue of an agent; `None` when it takes as many runs as there may be in all.
    pub(crate) fn of(&self, profile: &Profile) -> Option<Arc<Queue>> {
        let bound = profile.concurrency?.max(1);
        let mut queues = self.all.lock();
        // An agent that was replaced may have another bound; runs at work keep their places.
        let known = queues.get(&profile.slug).filter(|queue| queue.bound == bound);
        if let Some(queue) = known {
            return Some(queue.clone());
        }
        let queue = Arc::new(Queue {
            bound,
            state: Mutex::default(),
            room: self.room.clone(),
            waiting: WAITING.level_of(profile.slug.clone()),
            sent_on: SENT_ON.count_of(profile.slug.clone()),
        });
        queues.insert(profile.slug.clone(), queue.clone());
        Some(queue)
    }

    /// Refuses a message that would have to wait behind too many others.
    ///
    /// # Errors
    /// `Unavailable` with the time after which to try again.
    pub(crate) fn admit(&self, profile: &Profile, limits: &Limits) -> Result<(), A2aError> {
        let Some(queue) = self.of(profile) else { return Ok(()) };
        let state = queue.state.lock();
        if state.taken >= queue.bound && state.waiting.len() >= limits.queued {
            let text = format!(
                "`{}` is at work and {} messages wait already; try later",
                profile.name, limits.queued
            );
            return Err(A2aError::unavailable(text, TRY_AGAIN));
        }
        Ok(())
    }

    /// Waits until an agent has a place for which nobody waits here.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn room(&self) {
        self.room.notified().await;
    }

    /// Which of these agents have places for which nobody waits, and how many.
    pub(crate) fn rooms(&self, agents: &[Exposed]) -> Vec<(Arc<str>, usize)> {
        let room = |exposed: &Exposed| {
            let queue = self.of(&exposed.profile)?;
            let free = queue.bound.saturating_sub(queue.state.lock().taken);
            (free > 0).then(|| (exposed.profile.slug.clone(), free))
        };
        agents.iter().filter_map(room).collect()
    }

    /// Whether runs wait that another replica may take.
    pub(crate) fn has_some_to_give(&self, agents: &[Exposed]) -> bool {
        let mut queues = agents.iter().filter_map(|exposed| self.of(&exposed.profile));
        queues.any(|queue| queue.has_some_to_give())
    }
}

impl Queue {
    /// A place that is free now.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.state.lock();
        let is_free = state.taken < self.bound;
        is_free.then(|| {
            state.taken += 1;
            Place(Some(self.clone()))
        })
    }

    /// Waits for a place.
    pub(crate) async fn enter(self: &Arc<Self>, scope: &Scope, wait: Wait) -> Entrance {
        let entered = match self.line_up(scope, wait) {
            Ok(place) => return Entrance::Here(place),
            Err(entered) => entered,
        };
        self.waiting.increment(1);
        let mut waiting = Waiting { queue: self, entered, is_over: false };
        let entrance = (&mut waiting.entered).await.expect("who is in line is not forgotten");
        waiting.is_over = true;
        entrance
    }

    /// A place that is free now, or one in line.
    fn line_up(
        self: &Arc<Self>,
        scope: &Scope,
        wait: Wait,
    ) -> Result<Place, oneshot::Receiver<Entrance>> {
        let mut state = self.state.lock();
        if state.taken < self.bound {
            state.taken += 1;
            return Ok(Place(Some(self.clone())));
        }
        let caller = scope.owner.clone().unwrap_or_default();
        let line = state.waiting.line(&scope.tenant).line(&caller);
        let (entrance, entered) = oneshot::channel();
        let waiter = Waiter { entrance, may_go: wait.may_go() };
        match wait {
            Wait::FirstAnywhere | Wait::FirstHere => line.push_front(waiter),
            Wait::Anywhere | Wait::Here => line.push_back(waiter),
        }
        Err(entered)
    }

    /// Whether runs wait that another replica may take.
    pub(crate) fn has_some_to_give(&self) -> bool {
        self.state.lock().waiting.any(&|waiter| waiter.may_go)
    }

    /// Sends up to so many of those that wait, in their order, to another replica.
    pub(crate) fn send_on(&self, most: usize, to: Replica) {
        let mut state = self.state.lock();
        let mut sent = 0;
        while sent < most
            && let Some(waiter) = state.waiting.take(&|waiter| waiter.may_go)
        {
            sent += usize::from(waiter.entrance.send(Entrance::Elsewhere(to)).is_ok());
        }
        self.sent_on.increment(sent as u64);
    }

    fn leave(self: Arc<Self>) {
        let mut state = self.state.lock();
        while let Some(next) = state.waiting.take(&|_| true) {
            let place = Place(Some(self.clone()));
            match next.entrance.send(Entrance::Here(place)) {
                // It has gone away at this moment. The place is still the one that is left here.
                Err(Entrance::Here(mut place)) => place.0 = None,
                Ok(()) | Err(Entrance::Elsewhere(_)) => return,
            }
        }
        state.taken -= 1;
        drop(state);
        self.room.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.leave();
        }
    }
}

/// One that waits; it leaves the line when it goes away.
struct Waiting<'q> {
    queue: &'q Queue,
    entered: oneshot::Receiver<Entrance>,
    is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.waiting.decrement(1);
        if !self.is_over {
            self.entered.close();
            self.queue.state.lock().waiting.retain(&|waiter| !waiter.entrance.is_closed());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn of(tenant: &str, owner: &str) -> Scope {
        let owner = Some(owner.into());
        Scope { deployment: "d".into(), tenant: tenant.into(), owner, agent: None }
    }

    fn queue(bound: usize) -> Arc<Queue> {
        let mut profile = Profile::new("slow", "Slow", "Takes its time");
        profile.concurrency = Some(bound);
        Queues::default().of(&profile).expect("a bound")
    }

    #[test]
    fn a_changed_bound_holds_for_those_who_come_then() {
        let queues = Queues::default();
        let mut profile = Profile::new("slow", "Slow", "Takes its time");
        assert!(queues.of(&profile).is_none());
        profile.concurrency = Some(2);
        let first = queues.of(&profile).expect("a bound");
        let _at_work = first.try_enter().expect("a free place");
        assert!(Arc::ptr_eq(&first, &queues.of(&profile).expect("the same bound")));
        profile.concurrency = Some(1);
        let second = queues.of(&profile).expect("another bound");
        let _place = second.try_enter().expect("a free place");
        assert!(second.try_enter().is_none());
    }

    #[tokio::test]
    async fn a_place_goes_to_the_next_in_turn_and_nobody_is_passed_over() {
        let queue = queue(1);
        let mut place = queue.try_enter().expect("a free place");
        let names = [("t", "ann"), ("t", "ann"), ("t", "bob"), ("u", "eve")];
        let (entered, mut order) = tokio::sync::mpsc::unbounded_channel();
        for (tenant, owner) in names {
            let (queue, entered, scope) = (queue.clone(), entered.clone(), of(tenant, owner));
            let waiting = tokio::spawn(async move {
                let Entrance::Here(place) = queue.enter(&scope, Wait::Here).await else { return };
                let _ = entered.send((scope.owner, place));
            });
            // Each is in line before the next.
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
        }
        for expected in ["ann", "eve", "bob", "ann"] {
            drop(place);
            let next = order.recv().await.expect("one more");
            assert_eq!(next.0.as_deref(), Some(expected));
            place = next.1;
        }
        assert!(queue.try_enter().is_none());
        drop(place);
        assert!(queue.try_enter().is_some());
    }

    #[tokio::test]
    async fn one_that_gives_up_leaves_nothing_behind() {
        let queue = queue(1);
        let place = queue.try_enter().expect("a free place");
        let ann = of("t", "ann");
        assert!(queue.enter(&ann, Wait::Anywhere).now_or_never().is_none());
        assert_eq!(queue.state.lock().waiting.len(), 0);
        // One that was given the place at the moment in which it gave up.
        let mut late = Box::pin(queue.enter(&ann, Wait::Here));
        assert!((&mut late).now_or_never().is_none());
        drop(place);
        assert!(queue.try_enter().is_none(), "it is the other's");
        drop(late);
        assert!(queue.try_enter().is_some());
    }

    #[tokio::test]
    async fn only_those_that_may_are_sent_on() {
        let queue = queue(1);
        let _place = queue.try_enter().expect("a free place");
        let ann = of("t", "ann");
        let mut stays = Box::pin(queue.enter(&ann, Wait::Here));
        let mut goes = Box::pin(queue.enter(&ann, Wait::Anywhere));
        assert!((&mut stays).now_or_never().is_none() && (&mut goes).now_or_never().is_none());
        queue.send_on(5, Replica(7));
        let gone = goes.now_or_never();
        assert!(matches!(gone, Some(Entrance::Elsewhere(Replica(7)))));
        assert!(stays.now_or_never().is_none());
    }
}
