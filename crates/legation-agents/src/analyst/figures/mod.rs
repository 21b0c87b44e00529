//! The arithmetic: statistics of one series, never a NaN or an infinity.
//!
//! Values near the ends of the float range are scaled before they are squared or summed, sums are
//! compensated, and variances are computed around the mean in a second pass. A figure that still
//! does not exist is an [`Undefined`] with its reason.

mod bins;
mod correlate;
mod describe;
mod forecast;
mod group;
mod growth;
mod outliers;
mod rank;
mod sample;
mod student;
mod trend;

pub use correlate::Correlation;
pub use describe::Description;
pub use forecast::{Ahead, CONFIDENCE};
pub use group::{Aggregate, Group, Grouping};
pub use growth::Step;
pub use outliers::{FENCE, Outliers};
pub(crate) use rank::rank;
pub use rank::{Ranked, Ranking};
pub use trend::{Direction, Fit, STRONG_FIT, Trend, WEAK_FIT};

pub(crate) use bins::bins;
pub(crate) use correlate::pearson;
pub(crate) use describe::describe;
pub(crate) use forecast::forecast;
pub(crate) use group::split;
pub(crate) use outliers::outliers;
pub(crate) use sample::Sample;
pub(crate) use trend::trend;

use std::fmt;

/// A finite number, or why there is none.
pub type Figure = Result<f64, Undefined>;

/// Why a figure does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undefined {
    /// It takes more values than there are.
    TooFewValues {
        /// How many it takes.
        needed: usize,
    },
    /// A percentage of a first value of zero.
    FirstIsZero,
    /// The quality of a fit to values that do not vary.
    AllEqual,
    /// No value is greater than the one before.
    NoRise,
    /// No value is less than the one before.
    NoFall,
    /// It is larger than a 64-bit float can hold.
    TooLarge,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewValues { needed } => write!(f, "it takes at least {needed} values"),
            Self::FirstIsZero => f.write_str("the first value is 0"),
            Self::AllEqual => f.write_str("all values are equal"),
            Self::NoRise => f.write_str("no step rises"),
            Self::NoFall => f.write_str("no step falls"),
            Self::TooLarge => f.write_str("it is too large to calculate"),
        }
    }
}

/// A value and where it stands in its series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The value.
    pub value: f64,
    /// Its position, counted from 1 and including missing values.
    pub position: usize,
    /// What the table calls that position, such as "Jan".
    pub label: Option<String>,
}
