//! Whether an append would be taken now, judged by the latest ones.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use legation_core::store::StoreError;
use parking_lot::Mutex;

/// How long a failure speaks for the appends after it. Then one is let through again to try.
const PROBE_AFTER: Duration = Duration::from_secs(1);

/// The outcome of the latest writes.
#[derive(Default)]
pub(crate) struct Health {
    /// Spares the lock while all is well, which is asked with every request.
    ill: AtomicBool,
    last: Mutex<Option<Illness>>,
}

struct Illness {
    error: StoreError,
    since: Instant,
    /// Trying does not cure it.
    for_good: bool,
}

impl Health {
    /// Whether an append would be taken now.
    pub(crate) fn ready(&self) -> Result<(), StoreError> {
        self.ready_beside(0)
    }

    /// The same, where so many bytes are being written: while the latest write failed, those are the try
    /// that the others wait for, and nobody else shall find out by waiting.
    pub(crate) fn ready_beside(&self, backlog: usize) -> Result<(), StoreError> {
        if !self.ill.load(Ordering::Acquire) {
            return Ok(());
        }
        match &*self.last.lock() {
            Some(illness) if illness.for_good => Err(illness.error.clone()),
            Some(illness) if illness.since.elapsed() < PROBE_AFTER || backlog > 0 => {
                Err(illness.error.clone())
            }
            // Whoever asks may only look, so nobody's chance is used up here.
            Some(_) | None => Ok(()),
        }
    }

    /// A write succeeded.
    pub(crate) fn recover(&self) {
        if self.ill.load(Ordering::Acquire) {
            *self.last.lock() = None;
            self.ill.store(false, Ordering::Release);
        }
    }

    /// A write failed; another may succeed.
    pub(crate) fn suffer(&self, error: StoreError) {
        self.set(Illness { error, since: Instant::now(), for_good: false });
    }

    /// Nothing will be written any more, unless the store finds a way back and says so.
    pub(crate) fn end(&self, error: StoreError) {
        self.set(Illness { error, since: Instant::now(), for_good: true });
    }

    /// Why nothing will be written any more, if that is so.
    pub(crate) fn ended(&self) -> Option<StoreError> {
        let last = self.last.lock();
        last.as_ref().filter(|illness| illness.for_good).map(|illness| illness.error.clone())
    }

    fn set(&self, illness: Illness) {
        *self.last.lock() = Some(illness);
        self.ill.store(true, Ordering::Release);
    }
}
