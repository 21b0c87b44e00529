//! How often somebody may call: rules, each with a bucket for everyone that it tells apart.
//!
//! A bucket is a number in a map that is bounded and split, so that a call costs a look at one of
//! its parts for each rule that concerns it. Buckets that are full again are the same as none.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use legation_model::{A2aError, ErrorKind};
use parking_lot::Mutex;

use crate::Caller;

/// The parts of a map of buckets.
const SHARDS: usize = 16;
/// Buckets in a part at most.
const BUCKETS: usize = 4_096;

/// Whom a rule tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Every caller that some scheme knows. Nobody in particular is no caller.
    Caller,
    /// Every tenant.
    Tenant,
    /// Every agent.
    Agent,
    /// Nobody: it is for all of them together.
    Server,
}

impl Per {
    /// The names of all.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("caller", Self::Caller),
        ("tenant", Self::Tenant),
        ("agent", Self::Agent),
        ("server", Self::Server),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, per)| *per == self).map_or("", |(name, _)| name)
    }
}

/// A rule: how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Whom it tells apart.
    pub per: Per,
    /// The scopes of the operations that it is for; all when empty.
    pub operations: Vec<&'static str>,
    /// The agents that it is for; all when empty.
    pub agents: Vec<String>,
    /// So often.
    pub count: u32,
    /// In this time.
    pub within: Duration,
    /// So often at once, after a while without; `count` when absent.
    pub burst: Option<u32>,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            per: Per::Caller,
            operations: Vec::new(),
            agents: Vec::new(),
            count: 1_000,
            within: Duration::from_secs(1),
            burst: None,
        }
    }
}

impl Rate {
    /// The rules where none are said: more than any program needs that is not meant to fill the
    /// server, and less than one needs to keep everybody else out.
    pub(crate) fn usual() -> Vec<Self> {
        vec![Self { burst: Some(2_000), ..Self::default() }]
    }
}

/// What a call is, as rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    /// The scope of its operation, if it has one.
    pub(crate) operation: Option<&'a str>,
    /// The agent it is for, where that is said.
    pub(crate) agent: Option<&'a str>,
}

/// The rules in force.
pub(crate) struct Rates {
    rules: Vec<Rule>,
    hasher: RandomState,
}

struct Rule {
    rate: Rate,
    buckets: RateLimiter<u64, Buckets, Now>,
}

impl Rates {
    pub(crate) fn new(rates: &[Rate]) -> Self {
        let rule = |rate: &Rate| {
            let buckets = Buckets { every: every(rate).into(), shards: Default::default() };
            Rule { buckets: RateLimiter::new(quota(rate), buckets, Now), rate: rate.clone() }
        };
        Self { rules: rates.iter().map(rule).collect(), hasher: RandomState::new() }
    }

    /// Whether some rule depends on the agent that a call is for.
    pub(crate) fn ask_for_agents(&self) -> bool {
        let asks = |rate: &Rate| rate.per == Per::Agent || !rate.agents.is_empty();
        self.rules.iter().any(|rule| asks(&rule.rate))
    }

    /// Counts a call.
    ///
    /// # Errors
    /// `RateLimited` with the time after which to try again, by the first rule that is exceeded.
    pub(crate) fn check(&self, asked: Asked<'_>) -> Result<(), A2aError> {
        for rule in &self.rules {
            let Some(key) = rule.key(asked, &self.hasher) else { continue };
            if let Err(until) = rule.buckets.check_key(&key) {
                return Err(exceeded(&rule.rate, until.wait_time_from(Now.now())));
            }
        }
        Ok(())
    }
}

impl Rule {
    /// The bucket of a call; `None` when the rule does not concern it.
    fn key(&self, asked: Asked<'_>, hasher: &RandomState) -> Option<u64> {
        let Rate { per, operations, agents, .. } = &self.rate;
        let is_operation = operations.is_empty()
            || asked.operation.is_some_and(|operation| operations.contains(&operation));
        let is_agent = agents.is_empty()
            || asked.agent.is_some_and(|agent| agents.iter().any(|known| *known == *agent));
        if !is_operation || !is_agent {
            return None;
        }
        let Caller { tenant, subject, scheme, .. } = asked.caller;
        match per {
            Per::Caller if scheme.is_empty() => None,
            // By the hash alone, which nobody outside can foresee: two callers in one bucket are
            // less likely than a broken disk.
            Per::Caller => Some(hasher.hash_one((tenant, subject))),
            Per::Tenant => Some(hasher.hash_one(tenant)),
            Per::Agent => asked.agent.map(|agent| hasher.hash_one(agent)),
            Per::Server => Some(0),
        }
    }
}

fn quota(rate: &Rate) -> Quota {
    let burst = rate.burst.unwrap_or(rate.count);
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(every(rate)).expect("more than no time").allow_burst(burst)
}

/// How long a call takes to come back.
fn every(rate: &Rate) -> Duration {
    (rate.within / rate.count.max(1)).max(Duration::from_nanos(1))
}

/// The refusal. Its text is the same each time, so that the audit log can count it.
fn exceeded(rate: &Rate, wait: Duration) -> A2aError {
    let Rate { per, operations, count, within, .. } = rate;
    let what = if operations.is_empty() { "calls".into() } else { operations.join(" and ") };
    let text = format!(
        "too often: {count} times in {within:?} is the rate of {what} for each {}; try later",
        per.name()
    );
    let mut error = A2aError::new(ErrorKind::RateLimited, text);
    error.retry_after = Some(wait);
    error
}

/// The runtime's clock, which tests can stop.
#[derive(Clone, Copy, Debug)]
struct Now;

impl Clock for Now {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Buckets by what they are for: when each is full again.
struct Buckets {
    /// How long a call takes to come back.
    every: Nanos,
    shards: [Mutex<HashMap<u64, Nanos>>; SHARDS],
}

impl StateStore for Buckets {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut shard = self.shards[(*key % SHARDS as u64) as usize].lock();
        if let Some(full) = shard.get_mut(key) {
            let (outcome, new) = measure(Some(*full))?;
            *full = new;
            return Ok(outcome);
        }
        let (outcome, new) = measure(None)?;
        if shard.len() >= BUCKETS {
            // The new one lacks a call from now on, so those that are full by now are known.
            let now = new.saturating_sub(self.every);
            shard.retain(|_, full| *full > now);
            if shard.len() >= BUCKETS
                && let Some(any) = shard.keys().next().copied()
            {
                shard.remove(&any);
            }
        }
        shard.insert(*key, new);
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(tenant: &str, subject: &str) -> Caller {
        Caller { scheme: "bearer".into(), ..Caller::new(tenant, subject) }
    }

    fn rate(per: Per, count: u32, within: u64) -> Rate {
        let within = Duration::from_secs(within);
        Rate { per, count, within, burst: None, ..Rate::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn each_has_a_bucket_that_fills_again() {
        let rates = Rates::new(&[rate(Per::Caller, 3, 6)]);
        let (ann, bob) = (known("t", "ann"), known("t", "bob"));
        let ask = |caller| rates.check(Asked { caller, operation: None, agent: None });
        let passed = |caller| (0..10).take_while(|_| ask(caller).is_ok()).count();
        assert_eq!((passed(&ann), passed(&bob)), (3, 3), "each of them");
        let error = ask(&ann).expect_err("too often");
        assert_eq!(error.kind, ErrorKind::RateLimited);
        assert_eq!(error.retry_after, Some(Duration::from_secs(2)));
        tokio::time::advance(Duration::from_millis(1_999)).await;
        assert_eq!(passed(&ann), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(passed(&ann), 1, "as the answer said");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(passed(&ann), 3, "and no more than there is room for");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rule_concerns_whom_and_what_it_says() {
        let only = |operation, agent: &str| Rate {
            operations: vec![operation],
            agents: vec![agent.into()],
            ..rate(Per::Server, 1, 60)
        };
        let (ann, bob, eve) = (known("t", "ann"), known("t", "bob"), known("u", "ann"));
        let nobody = Caller::anonymous();
        let cases = [
            // Whether a second call is refused, after a first one by ann to send to the agent `a`.
            (rate(Per::Caller, 1, 60), [true, false, false, true, true]),
            (rate(Per::Tenant, 1, 60), [true, true, false, true, true]),
            (rate(Per::Agent, 1, 60), [true, true, true, false, true]),
            (rate(Per::Server, 1, 60), [true, true, true, true, true]),
            (only("send", "a"), [true, true, true, false, false]),
            (only("read", "a"), [false, false, false, false, false]),
            (only("send", "b"), [false, false, false, false, false]),
        ];
        for (rate, expected) in cases {
            let seconds = [
                (&ann, "send", "a"),
                (&bob, "send", "a"),
                (&eve, "send", "a"),
                (&ann, "send", "b"),
                (&ann, "read", "a"),
            ];
            let refused = seconds.map(|(caller, operation, agent)| {
                let rates = Rates::new(std::slice::from_ref(&rate));
                let ask = |caller, operation, agent| {
                    let (operation, agent) = (Some(operation), Some(agent));
                    rates.check(Asked { caller, operation, agent })
                };
                ask(&ann, "send", "a").expect("the first");
                ask(caller, operation, agent).is_err()
            });
            assert_eq!(refused, expected, "{rate:?}");
        }
        let rates = Rates::new(&[rate(Per::Caller, 1, 60)]);
        let ask = || rates.check(Asked { caller: &nobody, operation: None, agent: None });
        assert!((0..10).all(|_| ask().is_ok()), "nobody in particular is no caller");
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_never_more_buckets_than_there_is_room_for() {
        let mut rates = Rates::new(&[rate(Per::Caller, 1, 3_600)]);
        for number in 0..SHARDS * BUCKETS * 2 {
            let caller = known("t", &number.to_string());
            rates.check(Asked { caller: &caller, operation: None, agent: None }).expect("new");
        }
        // Each of them lacks a call for an hour, and so does this one afterwards, alone.
        tokio::time::advance(Duration::from_secs(3_600)).await;
        let last = known("t", "last");
        let ask = || rates.check(Asked { caller: &last, operation: None, agent: None });
        assert!(ask().is_ok() && ask().is_err());
        let buckets = rates.rules.remove(0).buckets.into_state_store();
        let mut held = buckets.shards.map(|shard| shard.lock().len());
        held.sort_unstable();
        assert_eq!(held[0], 1, "the full ones went");
        assert!(held[1..].iter().all(|held| *held == BUCKETS), "{held:?}");
    }
}
