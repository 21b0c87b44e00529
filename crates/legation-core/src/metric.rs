//! What is measured: a row for each metric, by which it is registered, described and documented.
//!
//! Who counts something takes its handle once, when it is made, so that counting is one write to memory.
//! The recorder of the process has to be set before; without one nothing is counted. Labels have few
//! values that are known beforehand: never what a caller chose, such as the name of a task.

use metrics::{Counter, Gauge, Histogram, SharedString, Unit};

/// A metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name, which says the unit.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells, in a sentence without a full stop.
    pub tells: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It is as it is now.
    Gauge,
    /// Durations in seconds, counted by these upper bounds.
    Durations(&'static [f64]),
}

/// The values of labels, by their names.
pub type Labels<'l> = &'l [(&'static str, &'static str)];

impl Metric {
    /// A metric that only grows.
    pub const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        tells: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Counter, labels, tells }
    }

    /// A metric that goes up and down.
    pub const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        tells: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Gauge, labels, tells }
    }

    /// A metric of durations.
    pub const fn durations(
        name: &'static str,
        labels: &'static [&'static str],
        bounds: &'static [f64],
        tells: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Durations(bounds), labels, tells }
    }

    /// Tells the recorder of the process what the metric is.
    pub fn describe(&self) {
        match self.kind {
            Kind::Counter => metrics::describe_counter!(self.name, self.tells),
            Kind::Gauge => metrics::describe_gauge!(self.name, self.tells),
            Kind::Durations(_) => {
                metrics::describe_histogram!(self.name, Unit::Seconds, self.tells);
            }
        }
    }

    /// What counts it for these values of its labels.
    pub fn count(&self, labels: Labels<'_>) -> Counter {
        debug_assert!(self.kind == Kind::Counter && self.has(labels), "{self:?}: {labels:?}");
        metrics::counter!(self.name, labels)
    }

    /// What moves it up and down for these values of its labels.
    pub fn level(&self, labels: Labels<'_>) -> Gauge {
        debug_assert!(self.kind == Kind::Gauge && self.has(labels), "{self:?}: {labels:?}");
        metrics::gauge!(self.name, labels)
    }

    /// What takes its durations for these values of its labels.
    pub fn timed(&self, labels: Labels<'_>) -> Histogram {
        debug_assert!(
            matches!(self.kind, Kind::Durations(_)) && self.has(labels),
            "{self:?}: {labels:?}"
        );
        metrics::histogram!(self.name, labels)
    }

    /// What counts it for a value of its only label that the operator chose.
    pub fn count_of(&self, value: impl Into<SharedString>) -> Counter {
        debug_assert!(self.kind == Kind::Counter && self.labels.len() == 1, "{self:?}");
        metrics::counter!(self.name, self.labels[0] => value.into())
    }

    /// What moves it up and down for such a value.
    pub fn level_of(&self, value: impl Into<SharedString>) -> Gauge {
        debug_assert!(self.kind == Kind::Gauge && self.labels.len() == 1, "{self:?}");
        metrics::gauge!(self.name, self.labels[0] => value.into())
    }

    fn has(&self, labels: Labels<'_>) -> bool {
        self.labels.iter().copied().eq(labels.iter().map(|(name, _)| *name))
    }
}

/// Streams that are open.
pub(crate) const STREAMS: Metric =
    Metric::gauge("legation_streams_open", &[], "Streams that callers read now");

/// Runs of this process.
pub(crate) const RUNS: Metric =
    Metric::gauge("legation_runs", &[], "Runs at work now, and those that wait for their place");

/// Runs that wait before an agent.
pub(crate) const WAITING: Metric = Metric::gauge(
    "legation_runs_waiting",
    &["agent"],
    "Runs that wait because their agent works on as many messages as it may",
);

/// Runs that began elsewhere.
pub(crate) const SENT_ON: Metric = Metric::counter(
    "legation_runs_sent_on_total",
    &["agent"],
    "Runs that waited here and were sent to a replica that had room; some may have come back",
);

/// What becomes of contexts.
pub(crate) const CONTEXT_EVENTS: Metric = Metric::counter(
    "legation_context_events_total",
    &["event"],
    "What became of contexts: `context.created`, `.idle`, `.resumed`, `.expired` or `.pruned`",
);

/// What the service measures.
pub const SERVICE: &[&Metric] = &[&STREAMS, &RUNS, &WAITING, &SENT_ON, &CONTEXT_EVENTS];
