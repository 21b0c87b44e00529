//! The places of runs: how many are at work in all, of each caller and of each tenant.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use legation_model::{A2aError, ErrorKind};
use parking_lot::Mutex;

use crate::service::{Count, TRY_AGAIN};
use crate::{Limits, Scope};

/// Every place that is taken.
#[derive(Default)]
pub(crate) struct Places {
    all: Arc<AtomicUsize>,
    /// Of those only who have a bound and a run.
    taken: Arc<Mutex<HashMap<Who, usize>>>,
}

/// Who has a bound.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Who {
    Caller(Arc<str>, Arc<str>),
    Tenant(Arc<str>),
}

/// A run's place, free again when this is dropped.
pub(crate) struct RunGuard {
    _count: Count,
    holders: Vec<Who>,
    taken: Arc<Mutex<HashMap<Who, usize>>>,
}

impl Places {
    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    /// Takes a place for a run that is there already, whatever the bounds.
    pub(crate) fn take(&self, limits: &Limits, scope: &Scope) -> RunGuard {
        let holders = bounds(limits, scope).map(|(who, _)| who).collect();
        self.hold(holders, &mut self.taken.lock())
    }

    /// Takes a place for a new run.
    ///
    /// # Errors
    /// `RateLimited` when its caller or tenant has as many as it may.
    pub(crate) fn try_take(&self, limits: &Limits, scope: &Scope) -> Result<RunGuard, A2aError> {
        let mut holders = Vec::new();
        // One lock over both steps, so that of many at once none gets in too much.
        let mut taken = self.taken.lock();
        for (who, most) in bounds(limits, scope) {
            if taken.get(&who).is_some_and(|count| *count >= most) {
                return Err(full(&who, most));
            }
            holders.push(who);
        }
        Ok(self.hold(holders, &mut taken))
    }

    fn hold(&self, holders: Vec<Who>, taken: &mut HashMap<Who, usize>) -> RunGuard {
        for who in &holders {
            *taken.entry(who.clone()).or_default() += 1;
        }
        RunGuard { _count: Count::up(&self.all), holders, taken: self.taken.clone() }
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if self.holders.is_empty() {
            return;
        }
        let mut taken = self.taken.lock();
        for who in &self.holders {
            match taken.get_mut(who) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(taken.remove(who)),
            }
        }
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
        assert!(places.taken.lock().is_empty());
        assert_eq!(places.taken(), 0);
        let unbounded = Limits::default();
        let many: Vec<_> = (0..100).map(|_| places.try_take(&unbounded, &ann)).collect();
        assert!(many.iter().all(Result::is_ok) && places.taken.lock().is_empty());
    }
}
