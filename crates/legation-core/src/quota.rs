//! How much somebody may store: tasks in a day, and bytes.
//!
//! What counts is what the store has counted, together with the tasks that are on their way to it. So
//! a restart or a crash forgets nothing, and of many messages at once none gets in too much.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use legation_model::{A2aError, ErrorKind, Timestamp};
use parking_lot::Mutex;

use crate::call::Call;
use crate::service::Core;
use crate::store::{Day, Usage, Used};

/// How much a tenant, and each caller of it, may store. Nothing said is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Tasks that are begun in a day, which begins at midnight UTC.
    pub tasks_per_day: Option<u64>,
    /// Bytes of JSON in logs of tasks, and of answers that are kept for repetitions.
    pub stored_bytes: Option<u64>,
    /// The same for each caller that some scheme knows. Nobody in particular is no caller.
    pub caller_tasks_per_day: Option<u64>,
    /// Likewise.
    pub caller_stored_bytes: Option<u64>,
}

/// The quotas of all tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Those of every tenant.
    pub all: Quota,
    /// Tenants that have others; what is not said there is as for all.
    pub tenants: Vec<(String, Quota)>,
}

impl Quotas {
    /// Whether nothing is bounded, so that nothing has to be counted.
    pub fn are_none(&self) -> bool {
        let tenants = self.tenants.iter().map(|(_, quota)| quota);
        tenants.chain([&self.all]).all(|quota| *quota == Quota::default())
    }

    /// That of a tenant.
    fn of(&self, tenant: &str) -> Quota {
        let own = self.tenants.iter().find(|(name, _)| name == tenant);
        let own = own.map(|(_, quota)| *quota).unwrap_or_default();
        Quota {
            tasks_per_day: own.tasks_per_day.or(self.all.tasks_per_day),
            stored_bytes: own.stored_bytes.or(self.all.stored_bytes),
            caller_tasks_per_day: own.caller_tasks_per_day.or(self.all.caller_tasks_per_day),
            caller_stored_bytes: own.caller_stored_bytes.or(self.all.caller_stored_bytes),
        }
    }
}

/// The tasks that are on their way to the store, by whom.
#[derive(Default)]
pub(crate) struct Coming(Arc<Mutex<HashMap<Who, u64>>>);

/// A tenant, or a caller of it.
type Who = (Arc<str>, Option<Arc<str>>);

/// A task on its way to the store. It counts until this is dropped, which is to be when the store
/// counts it or refuses it.
pub(crate) struct Room {
    whos: [Who; 2],
    coming: Arc<Mutex<HashMap<Who, u64>>>,
}

impl Coming {
    /// One task more; gives how many those of its tenant and of its caller are with it.
    fn add(&self, call: &Call) -> (Room, [u64; 2]) {
        let tenant = &call.caller.tenant;
        let whos = [(tenant.clone(), None), (tenant.clone(), Some(call.caller.subject.clone()))];
        let mut coming = self.0.lock();
        let counts = whos.each_ref().map(|who| {
            let count = coming.entry(who.clone()).or_default();
            *count += 1;
            *count
        });
        drop(coming);
        (Room { whos, coming: self.0.clone() }, counts)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut coming = self.coming.lock();
        for who in &self.whos {
            match coming.get_mut(who) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(coming.remove(who)),
            }
        }
    }
}

/// Checks that a caller may begin a task, which counts from now on. Nothing is counted where nothing
/// is bounded.
///
/// # Errors
/// `RateLimited`: for tasks with the time until the day is over, for bytes without.
pub(crate) async fn begin(core: &Core, call: &Call) -> Result<Option<Room>, A2aError> {
    let Some(quota) = quota_for(core, call) else { return Ok(None) };
    // First this one is counted and then the store is asked. So one that becomes durable meanwhile is
    // counted twice rather than not at all.
    let (room, coming) = core.coming.add(call);
    let now = Timestamp::now();
    let used = used(core, call, now).await?;
    check_bytes(&quota, used)?;
    let bounds = [
        ("tenant", quota.tasks_per_day, used.tenant),
        ("caller", quota.caller_tasks_per_day, used.caller),
    ];
    for ((whose, bound, Usage { tasks, .. }), coming) in bounds.into_iter().zip(coming) {
        if let Some(most) = bound.filter(|most| tasks + coming > *most) {
            let text = format!(
                "{most} new tasks a day are the quota of this {whose}; a day ends at midnight UTC"
            );
            let mut error = A2aError::new(ErrorKind::RateLimited, text);
            error.retry_after = Some(Day::of(now).rest(now));
            return Err(error);
        }
    }
    Ok(Some(room))
}

/// Checks that a caller may add to a task.
///
/// # Errors
/// `RateLimited`, without a time: it depends on what is erased.
pub(crate) async fn go_on(core: &Core, call: &Call) -> Result<(), A2aError> {
    match quota_for(core, call) {
        Some(quota) => check_bytes(&quota, used(core, call, Timestamp::now()).await?),
        None => Ok(()),
    }
}

/// The quota for a call, if there is any.
fn quota_for(core: &Core, call: &Call) -> Option<Quota> {
    let quotas = &core.limits.quotas;
    if quotas.are_none() {
        return None;
    }
    let quota = quotas.of(&call.caller.tenant);
    let quota = if call.caller.scheme.is_empty() {
        Quota { caller_tasks_per_day: None, caller_stored_bytes: None, ..quota }
    } else {
        quota
    };
    Some(quota).filter(|quota| *quota != Quota::default())
}

async fn used(core: &Core, call: &Call, now: Timestamp) -> Result<Used, A2aError> {
    Ok(core.store.used(&core.scope(call), Day::of(now)).await?)
}

fn check_bytes(quota: &Quota, used: Used) -> Result<(), A2aError> {
    let bounds = [
        ("tenant", quota.stored_bytes, used.tenant),
        ("caller", quota.caller_stored_bytes, used.caller),
    ];
    for (whose, bound, Usage { bytes, .. }) in bounds {
        if let Some(most) = bound.filter(|most| bytes >= *most) {
            let text = format!(
                "{most} bytes of stored tasks are the quota of this {whose}, and they are used up; \
                 erase contexts that are needed no more"
            );
            return Err(A2aError::new(ErrorKind::RateLimited, text));
        }
    }
    Ok(())
}

impl Day {
    /// How long the day still takes.
    fn rest(self, now: Timestamp) -> Duration {
        let end = (self.0 + 1) * Self::MILLIS;
        Duration::from_millis(u64::try_from(end - now.as_millis()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_its_own_quota_and_else_that_of_all() {
        let all = Quota { tasks_per_day: Some(1), stored_bytes: Some(2), ..Quota::default() };
        let own = Quota { tasks_per_day: Some(9), caller_tasks_per_day: Some(3), ..all };
        let own = Quota { stored_bytes: None, ..own };
        let quotas = Quotas { all, tenants: vec![("acme".into(), own)] };
        assert_eq!(quotas.of("other"), all);
        assert_eq!(quotas.of("acme"), Quota { stored_bytes: Some(2), ..own });
        assert!(!quotas.are_none() && Quotas::default().are_none());
        let of_one = Quotas { all: Quota::default(), tenants: vec![("acme".into(), own)] };
        assert!(!of_one.are_none());
    }

    #[test]
    fn a_day_ends_at_midnight() {
        let at = |millis| Timestamp::from_millis(millis).expect("in range");
        for (now, day, rest) in
            [(0, 0, 86_400_000), (86_399_999, 0, 1), (86_400_000, 1, 86_400_000)]
        {
            let now = at(now);
            assert_eq!(Day::of(now), Day(day));
            assert_eq!(Day::of(now).rest(now), Duration::from_millis(rest));
        }
    }

    #[test]
    fn what_is_coming_counts_until_it_is_there() {
        let coming = Coming::default();
        let call = |subject| Call::by(crate::Caller::new("t", subject));
        let (ann, counts) = coming.add(&call("ann"));
        assert_eq!(counts, [1, 1]);
        let (bob, counts) = coming.add(&call("bob"));
        assert_eq!(counts, [2, 1]);
        drop(ann);
        assert_eq!(coming.add(&call("ann")).1, [2, 1]);
        drop(bob);
        assert!(coming.0.lock().is_empty());
    }
}
