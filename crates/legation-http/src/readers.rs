//! Readers of HTTP/2 responses that take nothing.
//!
//! Flow control hides a slow reader from the transport: its body is just not asked for more. A body
//! that is read is asked at least once per heartbeat, so one that is not asked for longer is stuck.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

/// The readers of the responses of one connection.
#[derive(Clone, Default)]
pub(crate) struct Readers(Arc<Mutex<Vec<Weak<AtomicBool>>>>);

/// Whether a response was asked for more since the last look.
pub(crate) struct Reader(Arc<AtomicBool>);

impl Reader {
    /// Marks that the response is asked for more.
    pub(crate) fn takes(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Readers {
    /// Watches over one more response.
    pub(crate) fn add(&self) -> Reader {
        let taken = Arc::new(AtomicBool::new(true));
        self.0.lock().push(Arc::downgrade(&taken));
        Reader(taken)
    }

    /// Completes when a reader took nothing between two looks.
    pub(crate) async fn stuck(&self, between: Duration) {
        loop {
            tokio::time::sleep(between).await;
            if self.look() {
                return;
            }
        }
    }

    fn look(&self) -> bool {
        let mut stuck = false;
        self.0.lock().retain(|reader| {
            let reader = reader.upgrade();
            stuck |= reader.as_ref().is_some_and(|taken| !taken.swap(false, Ordering::Relaxed));
            reader.is_some()
        });
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_stuck_when_it_took_nothing_since_the_last_look() {
        let readers = Readers::default();
        let (one, two) = (readers.add(), readers.add());
        assert!(!readers.look(), "both are new");
        one.takes();
        two.takes();
        assert!(!readers.look());
        one.takes();
        assert!(readers.look(), "two took nothing");
        drop(two);
        one.takes();
        assert!(!readers.look());
        drop(one);
        assert!(!readers.look() && readers.0.lock().is_empty());
    }
}
