//! How often and how long something is tried again: doubling pauses with jitter, within bounds.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// How long a server that went away is waited for, counted from the last progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The most tries in a row without progress. With none, messages go without a key for their
    /// repetition as well, which spares the agent keeping it.
    pub attempts: u32,
    /// The longest time without progress.
    pub total: Duration,
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Patience {
    /// Two minutes: enough for a server to be restarted, little enough for a person to wait.
    fn default() -> Self {
        Self {
            attempts: 50,
            total: Duration::from_secs(120),
            first: Duration::from_millis(100),
            longest: Duration::from_secs(5),
        }
    }
}

/// The tries of one outage.
#[derive(Debug)]
pub(crate) struct Tries {
    patience: Patience,
    made: u32,
    since: Option<Instant>,
}

impl Tries {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, made: 0, since: None }
    }

    /// How many were made since the last progress.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// Something succeeded: the next failure begins a new outage.
    pub(crate) fn progress(&mut self) {
        (self.made, self.since) = (0, None);
    }

    /// How long to pause before the next try, at least as long as the other side asked; `None` when
    /// that would be one too many or too late.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let doubled = self.patience.first.saturating_mul(1 << self.made.min(20));
        let pause = jitter(doubled.min(self.patience.longest)).max(asked.unwrap_or_default());
        // What the other side asks for may be all the time there is.
        let in_time = since.elapsed().saturating_add(pause) <= self.patience.total;
        if self.made >= self.patience.attempts || !in_time {
            return None;
        }
        self.made += 1;
        Some(pause)
    }
}

/// Between half of the pause and all of it, so that many clients of one server do not come back in
/// step. The standard library's hasher keys are random enough for that.
pub(crate) fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 1024;
    pause / 2 + pause / 2 * u32::try_from(random).expect("below 1024") / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        attempts: 8,
        total: Duration::from_secs(10),
        first: Duration::from_millis(100),
        longest: Duration::from_secs(1),
    };

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_a_bound_and_tries_end() {
        let mut tries = Tries::new(PATIENCE);
        for most in [100, 200, 400, 800, 1000, 1000, 1000, 1000] {
            let pause = tries.next(None).expect("within its bounds").as_millis();
            assert!((most / 2..=most).contains(&pause), "{pause} of {most}");
        }
        assert_eq!(tries.next(None), None);
        tries.progress();
        assert!(tries.next(None).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn time_is_bounded_and_the_other_side_is_heard() {
        let mut tries = Tries::new(PATIENCE);
        let asked = Duration::from_secs(4);
        assert_eq!(tries.next(Some(asked)), Some(asked));
        tokio::time::advance(asked).await;
        assert_eq!(tries.next(Some(asked)), Some(asked));
        tokio::time::advance(asked).await;
        assert_eq!(tries.next(Some(asked)), None);
        assert_eq!(tries.next(Some(Duration::MAX)), None);
    }
}
