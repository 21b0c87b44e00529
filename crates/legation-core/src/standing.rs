//! Whether the credentials of a stream are still good: asked again and again while it is open.

use std::fmt;
use std::future::Future as _;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use legation_model::{A2aError, ErrorKind, Timestamp};
use tokio::time::{Instant, Sleep, sleep};

use crate::service::{Core, TRY_AGAIN};
use crate::{Actor, AuditAction, AuditEvent, AuditLog, AuditOutcome, Caller};

/// The longest time that a timer is set for.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The time between two looks, in parts.
const WHOLE: u32 = 2 * HALF;
const HALF: u32 = 500;

/// What is to be said of credentials that were good once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They are still good, for the same caller and the same rights.
    Good,
    /// They are good no more.
    Ended,
    /// Nobody can tell at the moment.
    Unknown,
}

/// Credentials that may be taken back, and who can tell.
pub trait StillGood: fmt::Debug + Send + Sync + 'static {
    /// What is to be said of them now, as soon as that is known. It has an end by itself.
    fn standing(self: Arc<Self>) -> BoxFuture<'static, Standing>;
}

/// The credentials of the reader of a stream.
pub(crate) struct Watch {
    /// When they end by themselves.
    end: Instant,
    /// Whether somebody can take them back before, and how often to look.
    credentials: Option<(Arc<dyn StillGood>, Duration)>,
    asking: Option<BoxFuture<'static, Standing>>,
    /// Whether nobody could tell the last time.
    is_doubtful: bool,
    timer: Pin<Box<Sleep>>,
    audit: Option<(Arc<dyn AuditLog>, Actor)>,
}

impl Watch {
    /// Watches the credentials of a caller; `None` when they never end.
    pub(crate) fn new(core: &Core, caller: &Caller) -> Option<Self> {
        if caller.expires.is_none() && caller.credentials.is_none() {
            return None;
        }
        let rest = caller.expires.map_or(LONGEST, |end| {
            let rest = end.as_millis().saturating_sub(Timestamp::now().as_millis());
            Duration::from_millis(u64::try_from(rest).unwrap_or(0)).min(LONGEST)
        });
        let every = core.limits.recheck;
        let mut watch = Self {
            end: Instant::now() + rest,
            credentials: caller.credentials.clone().map(|credentials| (credentials, every)),
            asking: None,
            is_doubtful: false,
            timer: Box::pin(sleep(rest)),
            audit: core.audit.clone().map(|audit| (audit, Actor::from(caller))),
        };
        // The first time earlier, by chance: streams that began together do not ask together.
        watch.wind((RandomState::new().hash_one(()) % u64::from(HALF)) as u32 + HALF);
        Some(watch)
    }

    /// Sets the timer to when they are looked at next: after so much of the time between two looks.
    fn wind(&mut self, part: u32) {
        let after = |every: Duration| every / WHOLE * part;
        let next = self.credentials.as_ref().map(|(_, every)| Instant::now() + after(*every));
        self.timer.as_mut().reset(next.map_or(self.end, |next| next.min(self.end)));
    }

    /// Why the stream has to end, as soon as it has to.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<A2aError> {
        loop {
            if let Some(asking) = &mut self.asking
                && let Poll::Ready(standing) = asking.as_mut().poll(cx)
            {
                self.asking = None;
                self.wind(WHOLE);
                if let Some(error) = self.judge(standing) {
                    return Poll::Ready(error);
                }
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if self.end <= Instant::now() {
                return Poll::Ready(ended());
            }
            self.asking =
                self.credentials.as_ref().map(|(credentials, _)| credentials.clone().standing());
            // While somebody is asked, only the end is waited for.
            self.timer.as_mut().reset(self.end);
        }
    }

    /// What follows from an answer. Whom nobody can tell of twice is let in no longer, as at the
    /// door: a stream does not outlive its credentials because their issuer is away.
    fn judge(&mut self, standing: Standing) -> Option<A2aError> {
        let was_doubtful = std::mem::replace(&mut self.is_doubtful, standing == Standing::Unknown);
        match standing {
            Standing::Unknown if was_doubtful => {
                let text = "whether the credentials of this stream are still good cannot be found \
                            out; subscribe again later";
                Some(A2aError::unavailable(text, TRY_AGAIN))
            }
            Standing::Good | Standing::Unknown => None,
            Standing::Ended => {
                if let Some((audit, actor)) = &self.audit {
                    let (action, outcome) = (AuditAction::Stream, AuditOutcome::Refused);
                    let event = AuditEvent::new(actor.clone(), action, outcome);
                    audit.note(event.saying("the credentials were taken back"));
                }
                Some(ended())
            }
        }
    }
}

fn ended() -> A2aError {
    let text = "the credentials of this stream have ended; subscribe with new ones";
    A2aError::new(ErrorKind::Unauthenticated, text)
}
