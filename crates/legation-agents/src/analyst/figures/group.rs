//! Rows of a kind, taken together.

use super::sample::{count_f64, finite, quantile, sum};
use super::{Figure, Undefined};
use crate::analyst::frame::{Numbers, Words};

/// A figure of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// How many values there are.
    Count,
    /// Their sum.
    Sum,
    /// Their arithmetic mean.
    Mean,
    /// The middle one.
    Median,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// The groups of a table by the words of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    /// The column that says which group a row belongs to.
    pub by: String,
    /// The column that is aggregated; `None` when rows are counted.
    pub measure: Option<String>,
    /// What was calculated, in the order of the figures of each group.
    pub aggregates: Vec<Aggregate>,
    /// The groups, in the order in which they first occur.
    pub groups: Vec<Group>,
}

impl Grouping {
    /// Which of several figures says most about a group: what it sums up to.
    pub(crate) fn telling(&self) -> usize {
        let sum = self.aggregates.iter().position(|it| *it == Aggregate::Sum);
        sum.filter(|_| self.aggregates.len() > 1).unwrap_or(0)
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What its rows have in common; empty for rows without it.
    pub name: String,
    /// One figure per aggregate.
    pub figures: Vec<Figure>,
}

/// The values of every group, by the number of its word; the last is of rows without a word.
pub(crate) fn split(keys: &Words, rows: usize, measure: Option<&Numbers>) -> Vec<Vec<f64>> {
    let others = keys.names().len();
    let mut groups = vec![Vec::new(); others + 1];
    for row in 0..rows {
        // Rows without a measure are counted, and what is counted does not matter.
        let value = measure.map_or(Some(0.0), |measure| measure.get(row));
        groups[keys.code(row).unwrap_or(others)].extend(value);
    }
    groups
}

impl Aggregate {
    /// Every aggregate by its name.
    pub(crate) const ALL: [(Self, &str); 6] = [
        (Self::Count, "count"),
        (Self::Sum, "sum"),
        (Self::Mean, "mean"),
        (Self::Median, "median"),
        (Self::Min, "min"),
        (Self::Max, "max"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(aggregate, _)| *aggregate == self).map_or("", |(_, name)| name)
    }

    /// The figure of some values.
    pub(crate) fn of(self, values: &[f64]) -> Figure {
        let n = count_f64(values.len());
        if values.is_empty() && !matches!(self, Self::Count | Self::Sum) {
            return Err(Undefined::TooFewValues { needed: 1 });
        }
        match self {
            Self::Count => Ok(n),
            Self::Sum => finite(sum(values.iter().copied())),
            Self::Mean => finite(sum(values.iter().copied()) / n),
            Self::Median => {
                let mut sorted = values.to_vec();
                sorted.sort_by(f64::total_cmp);
                finite(quantile(&sorted, 0.5))
            }
            Self::Min => finite(values.iter().copied().fold(f64::INFINITY, f64::min)),
            Self::Max => finite(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        }
    }
}
