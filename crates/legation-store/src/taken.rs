//! What a writer takes for one transaction, and how much that may be.

use std::collections::VecDeque;

use legation_core::store::Done;

use crate::batch::Write;

/// Writes in one transaction at most. Streams queue many appends of the same task, which merge
/// into few rows, so a wide batch is far cheaper for them than two narrow ones.
const MOST_WRITES: usize = 1024;

/// Bytes of writes in one transaction after which no more are added.
const MOST_BYTES: usize = 8 << 20;

/// Writes for one transaction, with whom to tell, in the same order.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) writes: Vec<Write>,
    pub(crate) dones: VecDeque<Done>,
    pub(crate) bytes: usize,
}

impl Taken {
    pub(crate) fn add(&mut self, write: Write, done: Done) {
        self.bytes += write.bytes();
        self.writes.push(write);
        self.dones.push_back(done);
    }

    /// Whether it takes no more.
    pub(crate) fn is_full(&self) -> bool {
        self.dones.len() >= MOST_WRITES || self.bytes >= MOST_BYTES
    }
}
