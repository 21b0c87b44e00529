//! The places of runs: how many are at work in all, of each caller and of each tenant.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use legation_model::{A2aError, ErrorKind};
use metrics::Gauge;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::service::{Count, TRY_AGAIN};
use crate::{Limits, Scope, metric};

/// Every place that is taken.
pub(crate) struct Places {
    all: Arc<AtomicUsize>,
    bounded: Arc<Bounded>,
}

impl Default for Places {
    fn default() -> Self {
        let level = metric::RUNS.level(&[]);
        let bounded = Bounded { taken: Mutex::default(), freed: Notify::new(), level };
        Self { all: Arc::default(), bounded: Arc::new(bounded) }
    }
}

/// The places of those who have a bound, and how many there are of all.
struct Bounded {
    /// Of those only who have a run.
    taken: Mutex<HashMap<Who, Taken>>,
    freed: Notify,
    level: Gauge,
}

/// What somebody has of places.
#[derive(Clone, Copy, Default)]
struct Taken {
    held: usize,
    waiting: usize,
}

/// Who has a bound.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Who {
    Caller(Arc<str>, Arc<str>),
    Tenant(Arc<str>),
}

/// A run's place, or its right to one; free again when this is dropped.
pub(crate) struct RunGuard {
    _count: Count,
    /// Whose bounds it counts in, with how many they may have.
    holders: Vec<(Who, usize)>,
    bounded: Arc<Bounded>,
    is_waiting: bool,
}

impl Places {
    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    /// Takes a place for a run that is there already, whatever the bounds.
    pub(crate) fn take(&self, limits: &Limits, scope: &Scope) -> RunGuard {
        let guard = self.guard(limits, scope, false);
        guard.count(|taken| taken.held += 1);
        guard
    }

    /// Takes a place for a new run.
    ///
    /// # Errors
    /// `RateLimited` when its caller or tenant has as many as it may, those that wait among them.
    pub(crate) fn try_take(&self, limits: &Limits, scope: &Scope) -> Result<RunGuard, A2aError> {
        let guard = self.guard(limits, scope, false);
        // One lock over both steps, so that of many at once none gets in too much.
        let mut taken = self.bounded.taken.lock();
        for (who, most) in &guard.holders {
            if taken.get(who).is_some_and(|taken| taken.held + taken.waiting >= *most) {
                let error = full(who, *most);
                drop(taken);
                return Err(guard.forget(error));
            }
        }
        for (who, _) in &guard.holders {
            taken.entry(who.clone()).or_default().held += 1;
        }
        drop(taken);
        Ok(guard)
    }

    /// Takes the right to a place for a run that nobody can be told to begin later. It has to
    /// [enter](RunGuard::enter); new runs of the same caller come after it.
    pub(crate) fn queue(&self, limits: &Limits, scope: &Scope) -> RunGuard {
        let guard = self.guard(limits, scope, true);
        guard.count(|taken| taken.waiting += 1);
        guard
    }

    fn guard(&self, limits: &Limits, scope: &Scope, is_waiting: bool) -> RunGuard {
        let holders = bounds(limits, scope).collect();
        let (count, bounded) = (Count::up(&self.all), self.bounded.clone());
        bounded.level.increment(1);
        RunGuard { _count: count, holders, bounded, is_waiting }
    }
}

impl RunGuard {
    /// Whether the place is not there yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Waits until there is a place.
    ///
    /// # Cancel safety
    /// Safe: the right to a place stays.
    pub(crate) async fn enter(&mut self) {
        let bounded = self.bounded.clone();
        loop {
            let mut freed = pin!(bounded.freed.notified());
            // Before the look, so that what becomes free after it is not missed.
            freed.as_mut().enable();
            if self.try_enter() {
                return;
            }
            freed.await;
        }
    }

    fn try_enter(&mut self) -> bool {
        let mut taken = self.bounded.taken.lock();
        let is_free =
            |(who, most): &(Who, usize)| taken.get(who).is_none_or(|taken| taken.held < *most);
        if self.is_waiting && !self.holders.iter().all(is_free) {
            return false;
        }
        if std::mem::take(&mut self.is_waiting) {
            for (who, _) in &self.holders {
                let taken = taken.entry(who.clone()).or_default();
                (taken.held, taken.waiting) = (taken.held + 1, taken.waiting - 1);
            }
        }
        true
    }

    fn count(&self, change: impl Fn(&mut Taken)) {
        if self.holders.is_empty() {
            return;
        }
        let mut taken = self.bounded.taken.lock();
        self.holders.iter().for_each(|(who, _)| change(taken.entry(who.clone()).or_default()));
    }

    /// Gives up what was not counted.
    fn forget<T>(mut self, instead: T) -> T {
        self.holders.clear();
        instead
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        self.bounded.level.decrement(1);
        if self.holders.is_empty() {
            return;
        }
        let mut taken = self.bounded.taken.lock();
        for (who, _) in &self.holders {
            let Some(counted) = taken.get_mut(who) else { continue };
            if self.is_waiting {
                counted.waiting -= 1;
            } else {
                counted.held -= 1;
            }
            if counted.held + counted.waiting == 0 {
                taken.remove(who);
            }
        }
        drop(taken);
        self.bounded.freed.notify_waiters();
    }
}

/// The bounds that concern a scope.
fn bounds(limits: &Limits, scope: &Scope) -> impl Iterator<Item = (Who, usize)> {
    let caller = limits.runs_per_caller.zip(scope.owner.clone());
    let caller = caller.map(|(most, owner)| (Who::Caller(scope.tenant.clone(), owner), most));
    let tenant = limits.runs_per_tenant.map(|most| (Who::Tenant(scope.tenant.clone()), most));
    caller.into_iter().chain(tenant)
}

fn full(who: &Who, most: usize) -> A2aError {
    let who = match who {
        Who::Caller(..) => "caller",
        Who::Tenant(_) => "tenant",
    };
    let text = format!("{most} runs at work are the most for each {who}; wait for one to end");
    let mut error = A2aError::new(ErrorKind::RateLimited, text);
    error.retry_after = Some(TRY_AGAIN);
    error
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn of(tenant: &str, owner: &str) -> Scope {
        let owner = Some(owner.into());
        Scope { deployment: "d".into(), tenant: tenant.into(), owner, agent: None }
    }

    #[test]
    fn places_are_bounded_for_each_and_come_back() {
        let limits =
            Limits { runs_per_caller: Some(2), runs_per_tenant: Some(3), ..Limits::default() };
        let places = Places::default();
        let take = |scope: &Scope| places.try_take(&limits, scope);
        let [ann, bob, eve] = [of("t", "ann"), of("t", "bob"), of("u", "ann")];
        let mut anns = vec![take(&ann).expect("free"), take(&ann).expect("free")];
        let error = take(&ann).err().expect("the caller's are taken");
        assert_eq!(error.kind, ErrorKind::RateLimited);
        assert!(error.message.contains("caller") && error.retry_after.is_some(), "{error}");
        let _bobs = take(&bob).expect("free");
        let error = take(&bob).err().expect("the tenant's are taken");
        assert!(error.message.contains("tenant"), "{error}");
        let _eves = take(&eve).expect("another tenant");
        anns.push(places.take(&limits, &ann));
        assert_eq!(places.taken(), 5, "a run that is there already gets its place");
        drop(anns);
        assert!(take(&bob).is_ok());
        drop((take(&ann), _bobs, _eves));
        assert!(places.bounded.taken.lock().is_empty());
        assert_eq!(places.taken(), 0);
        let unbounded = Limits::default();
        let many: Vec<_> = (0..100).map(|_| places.try_take(&unbounded, &ann)).collect();
        assert!(many.iter().all(Result::is_ok) && places.bounded.taken.lock().is_empty());
    }

    #[tokio::test]
    async fn whoever_waits_for_a_place_comes_before_new_ones() {
        let limits = Limits { runs_per_caller: Some(1), ..Limits::default() };
        let places = Places::default();
        let (ann, bob) = (of("t", "ann"), of("t", "bob"));
        let at_work = places.try_take(&limits, &ann).expect("free");
        let mut first = places.queue(&limits, &ann);
        let second = places.queue(&limits, &ann);
        assert!(first.enter().now_or_never().is_none(), "the place is taken");
        let mut other = places.queue(&limits, &bob);
        assert!(other.enter().now_or_never().is_some(), "somebody else's is free");
        drop(at_work);
        assert!(places.try_take(&limits, &ann).is_err(), "it is for those who wait");
        let mut second = tokio::spawn(async move {
            let mut second = second;
            second.enter().await;
            second
        });
        first.enter().await;
        tokio::task::yield_now().await;
        assert!((&mut second).now_or_never().is_none(), "one at a time");
        drop(first);
        let second = second.await.expect("no panic");
        assert!(!second.is_waiting() && places.taken() == 2);
        drop((second, other));
        // One that gives up leaves nothing behind.
        let at_work = places.try_take(&limits, &ann).expect("free again");
        let mut gone = places.queue(&limits, &ann);
        assert!(gone.enter().now_or_never().is_none());
        drop((gone, at_work));
        assert!(places.bounded.taken.lock().is_empty());
        assert_eq!(places.taken(), 0);
    }
}
