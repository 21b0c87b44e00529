//! What is measured, and one round's worth of it.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

/// A figure of a run, in the unit its heading says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Metric {
    /// Requests, streams or chunks in a second.
    Rate,
    /// Median time to the end of an answer.
    P50,
    /// The time 99 of 100 answers take at most.
    P99,
    /// Median time to the first event of a stream.
    First,
    /// The server's processor time for 1,000 requests, streams or chunks.
    Cpu,
    /// The server's resident memory after the round.
    Resident,
    /// Resident memory that one open stream adds.
    MemoryEach,
    /// From the start of the process to its card.
    StartUp,
}

impl Metric {
    /// All of them, in the order of the table's columns.
    pub(super) const ALL: [Self; 8] = [
        Self::Rate,
        Self::P50,
        Self::P99,
        Self::First,
        Self::Cpu,
        Self::Resident,
        Self::MemoryEach,
        Self::StartUp,
    ];

    /// The column's heading and its digits after the point.
    pub(super) fn heading(self) -> (&'static str, usize) {
        match self {
            Self::Rate => ("per s", 0),
            Self::P50 => ("p50 ms", 3),
            Self::P99 => ("p99 ms", 3),
            Self::First => ("first ms", 3),
            Self::Cpu => ("CPU ms/1k", 2),
            Self::Resident => ("RSS MB", 1),
            Self::MemoryEach => ("KB each", 1),
            Self::StartUp => ("start ms", 1),
        }
    }

    /// Tells whether `value` is as good as `wanted`.
    pub(super) fn reaches(self, value: f64, wanted: f64) -> bool {
        match self {
            Self::Rate => value >= wanted,
            Self::P50
            | Self::P99
            | Self::First
            | Self::Cpu
            | Self::Resident
            | Self::MemoryEach
            | Self::StartUp => value <= wanted,
        }
    }
}

/// The figures of one round.
pub(super) type Sample = BTreeMap<Metric, f64>;

/// Returns the median of each metric over `rounds`.
pub(super) fn medians(rounds: &[Sample]) -> Sample {
    let values = |metric| rounds.iter().filter_map(|round| round.get(&metric).copied()).collect();
    Metric::ALL.into_iter().filter_map(|metric| Some((metric, median(values(metric))?))).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

/// Returns the time that a share of `times` does not exceed, in milliseconds.
pub(super) fn percentile(times: &mut [Duration], share: f64) -> Option<f64> {
    let last = times.len().checked_sub(1)?;
    let index = (last as f64 * share).round() as usize;
    let (_, time, _) = times.select_nth_unstable(index);
    Some(milliseconds(*time))
}

/// Returns `time` in milliseconds.
pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_or_between_the_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let mut times: Vec<_> = (0..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut times, 0.5), Some(50.0));
        assert_eq!(percentile(&mut times, 0.99), Some(99.0));
        assert_eq!(percentile(&mut [], 0.5), None);
    }
}
