//! The queue before an agent that works on a bounded number of messages at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use legation_model::A2aError;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::service::{Count, TRY_AGAIN};
use crate::{Limits, Profile};

/// The queues of the agents that have one, by slug.
#[derive(Default)]
pub(crate) struct Queues(Mutex<HashMap<Arc<str>, Arc<Queue>>>);

/// Where runs of an agent wait, first come, first served.
pub(crate) struct Queue {
    bound: usize,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

/// A run's right to be at work. Nothing for an agent without a bound of its own.
pub(crate) type Place = Option<OwnedSemaphorePermit>;

impl Queues {
    /// The queue of an agent; `None` when it takes as many runs as there may be in all.
    pub(crate) fn of(&self, profile: &Profile) -> Option<Arc<Queue>> {
        let places = profile.concurrency?;
        let mut queues = self.0.lock();
        // An agent that was replaced may have another bound; runs at work keep their places.
        let known = queues.get(&profile.slug).filter(|queue| queue.bound == places);
        if let Some(queue) = known {
            return Some(queue.clone());
        }
        let free = Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        let queue = Arc::new(Queue { bound: places, places: free, waiting: Arc::default() });
        queues.insert(profile.slug.clone(), queue.clone());
        Some(queue)
    }

    /// Refuses a message that would have to wait behind too many others.
    ///
    /// # Errors
    /// `Unavailable` with the time after which to try again.
    pub(crate) fn admit(&self, profile: &Profile, limits: &Limits) -> Result<(), A2aError> {
        let Some(queue) = self.of(profile) else { return Ok(()) };
        let full = queue.places.available_permits() == 0;
        if full && queue.waiting.load(Ordering::Relaxed) >= limits.queued {
            let text = format!(
                "`{}` is at work and {} messages wait already; try later",
                profile.name, limits.queued
            );
            return Err(A2aError::unavailable(text, TRY_AGAIN));
        }
        Ok(())
    }
}

impl Queue {
    /// A place that is free now.
    pub(crate) fn try_enter(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Waits for a place.
    pub(crate) async fn enter(&self) -> OwnedSemaphorePermit {
        let _waiting = Count::up(&self.waiting);
        self.places.clone().acquire_owned().await.expect("queues are never closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
