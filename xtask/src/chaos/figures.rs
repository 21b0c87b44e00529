//! What a history says in numbers.

use std::collections::HashMap;
use std::time::Duration;

use legation_testkit::history::{Fault, Kind, Record, What};

use super::Setup;
use super::pairs::WATCHERS;
use crate::load::outcome::Outcome;
use crate::load::world::World;

/// Some of many measured times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    pub(super) count: usize,
    pub(super) median: Duration,
    pub(super) p99: Duration,
    pub(super) most: Duration,
}

impl Times {
    pub(super) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |hundredths: usize| {
            times.get((times.len() * hundredths / 100).min(times.len().saturating_sub(1))).copied()
        };
        let [median, p99, most] = [50, 99, 100].map(|place| at(place).unwrap_or_default());
        Self { count: times.len(), median, p99, most }
    }

    /// As counts of delays.
    pub(super) fn counts(self) -> [(&'static str, u64); 4] {
        [
            ("events watched elsewhere", self.count as u64),
            ("ms delay p50", self.median.as_millis() as u64),
            ("ms p99", self.p99.as_millis() as u64),
            ("ms most", self.most.as_millis() as u64),
        ]
    }
}

/// How long a call may be kept that cannot be answered, and what may come on top.
const REFUSE: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_millis(300);

/// How long refusals took: as counts, and what is wrong with them.
pub(super) fn refusals(setup: &Setup, world: &World, outcome: &mut Outcome) {
    let refusals = world.refusals();
    let (others, copies) = (Times::of(refusals.of_others), Times::of(refusals.of_copies));
    if others.most > REFUSE + setup.held_to(SLACK) {
        outcome.faults.push(format!("a refusal took {:?}", others.most));
    }
    outcome.counts.extend([
        ("ms refusal p50", others.median.as_millis() as u64),
        ("ms p99", others.p99.as_millis() as u64),
        ("ms most", others.most.as_millis() as u64),
        ("ms most of copies", copies.most.as_millis() as u64),
    ]);
}

/// How long tasks stood still whose run was lost: from the last event of the old owner to the first of
/// the new one, as callers saw them. Where more than one replica was killed meanwhile, that may have been
/// the new owner, and is left out.
pub(super) fn takeovers(records: &[Record]) -> Times {
    let mut first_told: HashMap<(&str, u64), u64> = HashMap::new();
    let (mut begun_again, mut kills) = (Vec::new(), Vec::new());
    let live = records.iter().take_while(|record| record.what != What::Final);
    for record in live {
        if record.what == What::Fault(Fault::Kill) {
            kills.push(record.at);
        }
        let What::Event { event, .. } = &record.what else { continue };
        let Some(seq) = event.seq else { continue };
        let is_first = !first_told.contains_key(&(event.task.as_str(), seq));
        first_told.entry((&event.task, seq)).or_insert(record.at);
        if is_first && matches!(event.kind, Kind::Status { attempt: Some(_), .. }) {
            begun_again.push((event.task.as_str(), seq, record.at));
        }
    }
    let stood = begun_again.into_iter().filter_map(|(task, seq, at)| {
        let before = *first_told.get(&(task, seq - 1))?;
        let killed = kills.iter().filter(|kill| (before..at).contains(kill)).count();
        (killed < 2).then(|| Duration::from_micros(at.saturating_sub(before)))
    });
    Times::of(stood.collect())
}

/// How much later than they were told events were known at another replica than their own: those that
/// were told while somebody listened there.
pub(super) fn delays(records: &[Record]) -> Times {
    let mut opened = HashMap::new();
    let mut delays = Vec::new();
    let live = records.iter().take_while(|record| record.what != What::Final);
    for record in live.filter(|record| record.client >= WATCHERS) {
        match &record.what {
            What::Open { stream, .. } => drop(opened.insert(*stream, record.at)),
            What::Event { stream, event } => {
                let Kind::Chunk { at: Some(at), .. } = event.kind else { continue };
                if opened.get(stream).is_some_and(|opened| *opened <= at) {
                    delays.push(Duration::from_micros(record.at.saturating_sub(at)));
                }
            }
            What::Send(_)
            | What::Answer { .. }
            | What::Read(_)
            | What::Listed { .. }
            | What::End { .. }
            | What::Failed { .. }
            | What::Fault(_)
            | What::Final => {}
        }
    }
    Times::of(delays)
}
