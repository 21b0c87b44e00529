//! Moments between two steps that belong together, at which tests end the process as `kill -9` would.

use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A step of the migration is to be taken.
pub const MIGRATION: &str = "migration";
/// What a batch builds on was read, and nothing of it is written.
pub const READ: &str = "read";
/// A batch is written and not committed.
pub const WRITTEN: &str = "written";
/// A batch is committed, and nobody knows.
pub const COMMITTED: &str = "committed";
/// Callers know of a batch, and the other replicas are to be told.
pub const RING: &str = "ring";
/// The lease is to be renewed.
pub const RENEWAL: &str = "renewal";

/// Those that a replica comes to again and again.
pub const OF_POSTGRES: [&str; 4] = [READ, COMMITTED, RING, RENEWAL];
/// Those that SQLite's writer comes to again and again.
pub const OF_SQLITE: [&str; 2] = [WRITTEN, COMMITTED];

/// Ends this process when it comes to a point for the nth time.
///
/// # Errors
/// When the point cannot be watched.
pub fn end_at(point: &str, nth: usize) -> Result<(), String> {
    let left = AtomicUsize::new(nth);
    fail::cfg_callback(point, move || {
        if left.fetch_sub(1, Ordering::Relaxed) == 1 {
            process::abort();
        }
    })
}
