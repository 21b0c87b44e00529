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
        let queue = queues.entry(profile.slug.clone()).or_insert_with(|| {
            let places = Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
            Arc::new(Queue { places, waiting: Arc::default() })
        });
        Some(queue.clone())
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
