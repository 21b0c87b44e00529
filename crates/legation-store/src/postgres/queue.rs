//! What waits for a writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use legation_core::store::Done;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::batch::Write;
use crate::taken::Taken;

/// A queue of writes. It has no bound of its own: each run has a window of events that it may have on
/// their way, and the service refuses new work by [`Queue::backlog`].
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Notify,
    backlog: AtomicUsize,
}

#[derive(Default)]
struct State {
    writes: VecDeque<(Write, Done)>,
    closed: bool,
}

impl Queue {
    /// Adds a write; gives back whom to tell when the queue is closed.
    pub(super) fn push(&self, write: Write, done: Done) -> Option<Done> {
        let mut state = self.state.lock();
        if state.closed {
            return Some(done);
        }
        self.backlog.fetch_add(write.bytes(), Ordering::Relaxed);
        state.writes.push_back((write, done));
        drop(state);
        self.filled.notify_one();
        None
    }

    /// Takes nothing more; what is queued is still done.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
    }

    /// Waits until there is something to take; false when the queue is closed and empty.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(super) async fn filled(&self) -> bool {
        loop {
            {
                let state = self.state.lock();
                if !state.writes.is_empty() || state.closed {
                    return !state.writes.is_empty();
                }
            }
            self.filled.notified().await;
        }
    }

    /// Takes what is there, as much as a transaction may have.
    pub(super) fn take(&self) -> Taken {
        let (mut state, mut taken) = (self.state.lock(), Taken::default());
        while let Some((write, done)) = state.writes.pop_front() {
            taken.add(write, done);
            if taken.is_full() {
                break;
            }
        }
        taken
    }

    /// Bytes of writes that were pushed and not settled.
    pub(super) fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }

    /// Takes bytes of writes whose outcome is certain off the backlog.
    pub(super) fn settle(&self, bytes: usize) {
        self.backlog.fetch_sub(bytes, Ordering::Relaxed);
    }
}
