//! What is at work on an HTTP/2 connection: whether its readers take their responses, and whether
//! there is anything at all.
//!
//! Flow control hides a slow reader from the transport: its body is just not asked for more. A body
//! that is read is asked at least once per heartbeat, so one that is not asked for longer is stuck.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

/// Readers that are listed beside those that are there, before the list is made anew.
const GONE: usize = 32;

/// Looks at a connection in the time after which it is idle. More would make it known sooner.
const LOOKS: u32 = 4;

/// The requests of one connection and the readers of their responses.
#[derive(Clone, Default)]
pub(crate) struct Readers(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Whether each response was asked for more since the last look.
    taken: Mutex<Vec<Weak<AtomicBool>>>,
    /// How many requests there have been.
    begun: AtomicU64,
    /// How many of them are at work or being answered.
    open: AtomicU64,
}

/// A request, and later the reader of its response.
pub(crate) struct Reader {
    of: Readers,
    taken: Arc<AtomicBool>,
}

impl Reader {
    /// Marks that there is a response to be read.
    pub(crate) fn begins(&self) {
        self.takes();
        let mut taken = self.of.0.taken.lock();
        // Between two looks there may be very many short ones.
        if taken.len() >= 2 * self.of.0.open.load(Ordering::Relaxed) as usize + GONE {
            taken.retain(|reader| reader.strong_count() > 0);
        }
        taken.push(Arc::downgrade(&self.taken));
    }

    /// Marks that the response is asked for more.
    pub(crate) fn takes(&self) {
        self.taken.store(true, Ordering::Relaxed);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.of.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Readers {
    /// Watches over one more request.
    pub(crate) fn add(&self) -> Reader {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Reader { of: self.clone(), taken: Arc::default() }
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

    /// Completes when there was nothing at work for so long, or somewhat longer.
    pub(crate) async fn quiet(&self, idle: Duration) {
        let look = || (self.0.begun.load(Ordering::Relaxed), self.0.open.load(Ordering::Relaxed));
        let (mut quiet, mut last) = (0, look());
        while quiet < LOOKS {
            tokio::time::sleep(idle / LOOKS).await;
            let now = look();
            // The same at both ends, and nothing in between.
            quiet = if now == last && now.1 == 0 { quiet + 1 } else { 0 };
            last = now;
        }
    }

    fn look(&self) -> bool {
        let mut stuck = false;
        self.0.taken.lock().retain(|reader| {
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

    fn reader(readers: &Readers) -> Reader {
        let reader = readers.add();
        reader.begins();
        reader
    }

    #[test]
    fn a_reader_is_stuck_when_it_took_nothing_since_the_last_look() {
        let readers = Readers::default();
        let (one, two) = (reader(&readers), reader(&readers));
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
        assert!(!readers.look() && readers.0.taken.lock().is_empty());
    }

    #[test]
    fn readers_that_are_gone_leave_nothing_behind() {
        let readers = Readers::default();
        let held: Vec<_> = (0..10).map(|_| reader(&readers)).collect();
        for _ in 0..10_000 {
            drop(reader(&readers));
            assert!(readers.0.taken.lock().len() <= 2 * (held.len() + 1) + GONE);
        }
        held.iter().for_each(Reader::takes);
        assert!(!readers.look(), "all of them took something");
        assert_eq!(readers.0.taken.lock().len(), held.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_quiet_when_nothing_was_at_work_for_long() {
        const IDLE: Duration = Duration::from_secs(60);
        let readers = Readers::default();
        let held = readers.add();
        let watch = tokio::spawn({
            let readers = readers.clone();
            async move { readers.quiet(IDLE).await }
        });
        tokio::time::sleep(IDLE * 10).await;
        assert!(!watch.is_finished(), "a request is at work");
        drop(held);
        for _ in 0..10 {
            tokio::time::sleep(IDLE - Duration::from_secs(10)).await;
            drop(readers.add());
        }
        assert!(!watch.is_finished(), "now and then there is one");
        tokio::time::sleep(IDLE * 2).await;
        assert!(watch.is_finished());
    }
}
