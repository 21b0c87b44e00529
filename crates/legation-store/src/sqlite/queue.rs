//! What waits for the writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use legation_core::Cutoffs;
use legation_core::store::{Done, StoreError, Swept, TaskKey};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::erase::Found;
use crate::batch::Write;
use crate::taken::Taken;

/// Something for the writer to do.
pub(super) enum Op {
    Write(Write, Done),
    Remove(RemovalStep),
}

/// A bounded piece of a removal.
pub(super) struct RemovalStep {
    pub(super) what: Removal,
    pub(super) reply: oneshot::Sender<Result<Swept, StoreError>>,
}

/// What a step removes.
pub(super) enum Removal {
    /// Nothing yet: contexts that may be elsewhere in their lives than is said of them.
    Aged { contexts: Vec<i64>, cutoffs: Cutoffs },
    /// Tasks that ended long ago.
    Ended { tasks: Vec<TaskKey>, cutoffs: Cutoffs },
    /// Tasks of contexts that expired, and such contexts without tasks.
    Expired { tasks: Vec<TaskKey>, contexts: Vec<i64>, cutoffs: Cutoffs },
    /// What is old of a deployment and belongs to no task any more.
    Old { deployment: String, cutoffs: Cutoffs },
    /// What was found of what is to be erased.
    Erased(Found),
}

/// What the writer does next.
pub(super) enum Work {
    Writes,
    Remove(RemovalStep),
    /// The queue is closed and empty.
    End,
}

/// The queue. It has no bound of its own: each run has a window of events that it may have on
/// their way, and the service refuses new work by [`Queue::backlog`].
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    backlog: AtomicUsize,
}

#[derive(Default)]
struct State {
    ops: VecDeque<Op>,
    closed: bool,
}

impl Queue {
    /// Adds something to do; gives it back when the queue is closed.
    pub(super) fn push(&self, op: Op) -> Option<Op> {
        let mut state = self.state.lock();
        if state.closed {
            return Some(op);
        }
        if let Op::Write(write, _) = &op {
            self.backlog.fetch_add(write.bytes(), Ordering::Relaxed);
        }
        state.ops.push_back(op);
        drop(state);
        self.filled.notify_one();
        None
    }

    /// Takes nothing more; what is queued is still done.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
    }

    /// Waits for something to do. Writes are put into `taken`.
    pub(super) fn take(&self, taken: &mut Taken) -> Work {
        let mut state = self.state.lock();
        while state.ops.is_empty() {
            if state.closed {
                return Work::End;
            }
            self.filled.wait(&mut state);
        }
        while let Some(op) = state.ops.pop_front() {
            match op {
                Op::Write(write, done) => taken.add(write, done),
                Op::Remove(step) if taken.dones.is_empty() => return Work::Remove(step),
                Op::Remove(_) => {
                    state.ops.push_front(op);
                    break;
                }
            }
            if taken.is_full() {
                break;
            }
        }
        Work::Writes
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
