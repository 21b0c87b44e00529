//! The life of contexts: when they go idle, expire and are pruned, and who hears of it.
//!
//! A context is active while something happens in it, and as long as a task of it is at work. It goes
//! idle without activity, and whoever speaks in it has it active again. It expires at the end of its
//! life, or when nothing happened for as long as tasks are kept; then its tasks are cleaned and it is
//! pruned. Only a [sweep](crate::Service::sweep) takes it on, by the clock of the store.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use legation_model::{ContextId, Timestamp};

use crate::{Scope, metric};

/// Where a context is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextState {
    /// Something happened in it lately, or is at work.
    Active,
    /// Nothing happened for a while.
    Idle,
    /// Its life is over. What is left of it goes, unless somebody speaks in it before.
    Expired,
}

impl ContextState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Idle, Self::Expired];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Expired => "expired",
        }
    }

    /// Its number in rows.
    pub const fn number(self) -> i16 {
        match self {
            Self::Active => 0,
            Self::Idle => 1,
            Self::Expired => 2,
        }
    }

    /// The one with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| i64::from(state.number()) == number)
    }

    /// What it means for a context to come to this state.
    pub fn change(self) -> ContextChange {
        match self {
            Self::Active => ContextChange::Resumed,
            Self::Idle => ContextChange::Idle,
            Self::Expired => ContextChange::Expired,
        }
    }
}

/// How long contexts live, and how long what is in them is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// A context in which nothing happened for so long is idle.
    pub idle_after: Duration,
    /// Tasks that ended longer ago than this are removed, with their logs; a context in which nothing
    /// happened for so long expires.
    pub keep: Duration,
    /// A context expires so long after it began, whatever happens in it. None stands for
    /// [`Retention::MAX_LIFE`], or for `keep` where that is longer.
    pub max_life: Option<Duration>,
    /// How long the result of a task that was removed can be got, from its end on; zero for not at
    /// all.
    pub results: Duration,
    /// How far clocks may be apart or jump: nothing is removed before so much more time has passed.
    pub leeway: Duration,
    /// How often contexts are swept.
    pub every: Duration,
}

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

impl Default for Retention {
    fn default() -> Self {
        Self {
            idle_after: Duration::from_secs(HOUR),
            keep: Duration::from_secs(30 * DAY),
            max_life: None,
            results: Duration::from_secs(30 * DAY),
            leeway: Duration::from_secs(600),
            every: Duration::from_secs(HOUR),
        }
    }
}

impl Retention {
    /// How long contexts live when nothing is said of it.
    pub const MAX_LIFE: Duration = Duration::from_secs(30 * DAY);

    /// The moments that decide a sweep at this one.
    pub fn cutoffs(&self, now: Timestamp) -> Cutoffs {
        let ago = |time: Duration| {
            let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            // What would be before 1970 is before everything.
            let moment = now.as_millis().saturating_sub(millis).max(0);
            Timestamp::from_millis(moment).unwrap_or(now)
        };
        let surely = |time: Duration| ago(time.saturating_add(self.leeway));
        let max_life = self.max_life.unwrap_or(Self::MAX_LIFE.max(self.keep));
        Cutoffs {
            idle: ago(self.idle_after),
            quiet: surely(self.keep),
            born: surely(max_life),
            results: (!self.results.is_zero()).then(|| surely(self.results)),
        }
    }
}

/// The moments that decide a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutoffs {
    /// A context that was last active before is idle.
    pub idle: Timestamp,
    /// A context that was last active before has expired, and tasks that ended before go.
    pub quiet: Timestamp,
    /// A context that began before has expired.
    pub born: Timestamp,
    /// The results of tasks that ended before go; none where no result is kept.
    pub results: Option<Timestamp>,
}

impl Cutoffs {
    /// Those by which all goes to which nothing happened since a moment, and nothing else.
    pub fn quiet_before(moment: Timestamp) -> Self {
        let born = Timestamp::from_millis(0).unwrap_or(moment);
        Self { idle: moment, quiet: moment, born, results: None }
    }

    /// Where a context with nothing at work is in its life.
    pub fn state(&self, created_at: Timestamp, active_at: Timestamp) -> ContextState {
        if created_at < self.born || active_at < self.quiet {
            ContextState::Expired
        } else if active_at < self.idle {
            ContextState::Idle
        } else {
            ContextState::Active
        }
    }
}

/// Which sweep is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The next one, if its time has come or somebody has asked for it.
    Due,
    /// One at once, unless another replica is at it.
    Now,
}

/// What becomes of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextChange {
    /// Its first task was begun.
    Created,
    /// Nothing happened in it for a while.
    Idle,
    /// Somebody spoke in it again.
    Resumed,
    /// Its life is over.
    Expired,
    /// It is gone, with its tasks: swept or erased.
    Pruned,
}

impl ContextChange {
    /// All of them, in this order.
    pub const ALL: [Self; 5] =
        [Self::Created, Self::Idle, Self::Resumed, Self::Expired, Self::Pruned];

    /// The name of the event.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "context.created",
            Self::Idle => "context.idle",
            Self::Resumed => "context.resumed",
            Self::Expired => "context.expired",
            Self::Pruned => "context.pruned",
        }
    }
}

/// Something that became of a context, once it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextEvent {
    /// What.
    pub change: ContextChange,
    /// Whose it is: a deployment, a tenant and an owner. A context spans the owner's agents.
    pub scope: Scope,
    /// The context.
    pub id: ContextId,
}

/// Hears of contexts. It is called on the store's thread: be short.
pub type ContextWatch = Arc<dyn Fn(&ContextEvent) + Send + Sync>;

/// The one who tells of contexts, to the log, the metrics and the hook of a program.
pub(crate) fn herald(hook: Option<ContextWatch>) -> ContextWatch {
    let counted =
        ContextChange::ALL.map(|change| metric::CONTEXT_EVENTS.count(&[("event", change.name())]));
    Arc::new(move |event| {
        counted[event.change as usize].increment(1);
        tell(event);
        // The store has other things to do than to fall with a hook.
        if let Some(hook) = &hook
            && catch_unwind(AssertUnwindSafe(|| hook(event))).is_err()
        {
            tracing::error!(event = event.change.name(), "the hook for contexts panicked");
        }
    })
}

fn tell(ContextEvent { change, scope, id }: &ContextEvent) {
    let event = change.name();
    let (tenant, owner) = (&*scope.tenant, scope.owner.as_deref().unwrap_or_default());
    match change {
        // These come with every conversation.
        ContextChange::Created | ContextChange::Resumed | ContextChange::Idle => {
            tracing::debug!(event, context = %id, tenant, owner, "context");
        }
        ContextChange::Expired | ContextChange::Pruned => {
            tracing::info!(event, context = %id, tenant, owner, "context");
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis as i64).expect("in range")
    }

    const ALL_OF_IT: Retention = Retention {
        idle_after: Duration::from_millis(10),
        keep: Duration::from_millis(100),
        max_life: Some(Duration::from_millis(1_000)),
        results: Duration::from_millis(500),
        leeway: Duration::from_millis(5),
        every: Duration::from_millis(1),
    };

    #[test]
    fn a_context_goes_idle_and_expires_in_its_time() {
        use ContextState::{Active, Expired, Idle};
        let now = 10_000;
        let cutoffs = ALL_OF_IT.cutoffs(at(now));
        for (age, quiet, expected) in [
            (10, 10, Active),
            (11, 11, Idle),
            (105, 105, Idle),
            (106, 106, Expired),
            (1_005, 10, Active),
            (1_005, 11, Idle),
            (1_006, 10, Expired),
        ] {
            let state = cutoffs.state(at(now - age), at(now - quiet));
            assert_eq!(state, expected, "{age} {quiet}");
        }
        assert_eq!(cutoffs.results, Some(at(now - 505)));
        let none = Retention { results: Duration::ZERO, ..ALL_OF_IT }.cutoffs(at(now));
        assert_eq!(none.results, None);
    }

    #[test]
    fn a_life_is_not_shorter_than_tasks_are_kept_unless_that_is_said() {
        let year = Duration::from_secs(365 * DAY);
        let unsaid = Retention { keep: year, leeway: Duration::ZERO, ..Retention::default() };
        let now = at(50 * 365 * DAY * 1_000);
        assert_eq!(unsaid.cutoffs(now).born, unsaid.cutoffs(now).quiet);
        let said = Retention { max_life: Some(Duration::from_secs(DAY)), ..unsaid };
        assert!(said.cutoffs(now).born > said.cutoffs(now).quiet);
        // However long, nothing is before 1970.
        let for_ever = Retention { keep: Duration::MAX, ..ALL_OF_IT };
        assert_eq!(for_ever.cutoffs(now).quiet, at(0));
    }

    #[test]
    fn states_have_their_numbers() {
        for state in ContextState::ALL {
            assert_eq!(ContextState::from_number(state.number().into()), Some(state));
        }
        assert_eq!(ContextState::from_number(3), None);
    }

    fn event(change: ContextChange) -> ContextEvent {
        let scope = Scope {
            deployment: "d".into(),
            tenant: "t".into(),
            owner: Some("o".into()),
            agent: None,
        };
        ContextEvent { change, scope, id: ContextId::parse("c").expect("a valid id") }
    }

    /// Keeps the names of counters with their labels.
    #[derive(Default)]
    struct Counted(parking_lot::Mutex<Vec<String>>);

    impl metrics::Recorder for Counted {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let labels: Vec<_> =
                key.labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
            self.0.lock().push(format!("{} {}", key.name(), labels.join(",")));
            Counter::noop()
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    /// By the event alone: names of callers are no labels.
    #[test]
    fn events_are_counted_by_their_names() {
        let counted = Counted::default();
        metrics::with_local_recorder(&counted, || {
            herald(None);
        });
        let expected = ContextChange::ALL
            .map(|change| format!("legation_context_events_total event={}", change.name()));
        assert_eq!(*counted.0.lock(), expected);
    }

    #[test]
    fn a_hook_that_panics_falls_alone() {
        let event = event(ContextChange::Idle);
        let heard = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let hook = {
            let heard = heard.clone();
            move |event: &ContextEvent| {
                heard.lock().push(event.clone());
                panic!("as told");
            }
        };
        let herald = herald(Some(Arc::new(hook)));
        herald(&event);
        herald(&event);
        assert_eq!(*heard.lock(), [event.clone(), event]);
    }
}
