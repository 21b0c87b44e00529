//! How many calls there are, by what they ask for, how they come and how they end.

use std::sync::OnceLock;
use std::time::Instant;

use legation_core::metric::Metric;
use legation_model::ErrorKind;
use legation_wire::error;
use legation_wire::operation::{self, Operation};
use metrics::{Counter, Histogram};

use crate::answer::Answer;

/// Calls that were answered, or left by their callers before.
const CALLS: Metric = Metric::counter(
    "legation_calls_total",
    &["operation", "binding", "outcome"],
    "Calls, by how they ended: `OK`, the reason of an error, or `ABANDONED` by a caller that went away",
);

/// How long they took.
const DURATIONS: Metric = Metric::durations(
    "legation_call_duration_seconds",
    &["operation", "binding"],
    &[
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
        300.0,
    ],
    "How long calls took until their answer began",
);

/// What the bindings measure.
pub const METRICS: &[&Metric] = &[&CALLS, &DURATIONS];

/// By which binding a call comes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Binding {
    JsonRpc,
    Rest,
    Grpc,
}

const BINDINGS: [&str; 3] = ["JSONRPC", "HTTP+JSON", "GRPC"];

/// The operations, and behind them what is none: methods of extensions, and calls that say none that
/// there is.
const ASKED: usize = operation::TABLE.len() + 2;
const EXTENSION: usize = ASKED - 2;
const NONE: usize = ASKED - 1;

/// The errors, and behind them what is none.
const ENDS: usize = error::TABLE.len() + 2;
const OK: usize = ENDS - 2;
const ABANDONED: usize = ENDS - 1;

fn name_of_asked(asked: usize) -> &'static str {
    match asked {
        EXTENSION => "extension",
        NONE => "none",
        operation => operation::TABLE[operation].operation.row().method,
    }
}

fn name_of_end(end: usize) -> &'static str {
    match end {
        OK => "OK",
        ABANDONED => "ABANDONED",
        kind => error::TABLE[kind].reason,
    }
}

/// All calls of a server. What there never was is not shown either: most of the table stays empty.
#[derive(Default)]
pub(crate) struct Calls([[Row; ASKED]; BINDINGS.len()]);

#[derive(Default)]
struct Row {
    durations: OnceLock<Histogram>,
    ends: [OnceLock<Counter>; ENDS],
}

impl Calls {
    /// Begins to count a call.
    pub(crate) fn begin(&self, binding: Binding) -> Counting<'_> {
        Counting { calls: self, binding, began: Instant::now(), asked: NONE, end: ABANDONED }
    }
}

/// A call that is counted when it is over, also when its caller goes away before.
pub(crate) struct Counting<'c> {
    calls: &'c Calls,
    binding: Binding,
    began: Instant,
    asked: usize,
    end: usize,
}

impl Counting<'_> {
    /// Says what it asks for.
    pub(crate) fn asks_for(&mut self, operation: Operation) {
        self.asked = operation as usize;
    }

    /// Says that it asks for something that an extension may have.
    pub(crate) fn asks_for_extension(&mut self) {
        self.asked = EXTENSION;
    }

    /// Counts it by its answer.
    pub(crate) fn answered(mut self, answer: &Answer) {
        self.end = answer.extensions().get::<ErrorKind>().map_or(OK, |kind| *kind as usize);
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        let (asked, end) = (self.asked, self.end);
        let binding = ("binding", BINDINGS[self.binding as usize]);
        let operation = ("operation", name_of_asked(asked));
        let row = &self.calls.0[self.binding as usize][asked];
        let count = || CALLS.count(&[operation, binding, ("outcome", name_of_end(end))]);
        row.ends[end].get_or_init(count).increment(1);
        let durations = row.durations.get_or_init(|| DURATIONS.timed(&[operation, binding]));
        durations.record(self.began.elapsed());
    }
}
