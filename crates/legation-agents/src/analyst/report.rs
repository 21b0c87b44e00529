//! The result of an analysis, as figures. How it reads is in [`narrative`](super::narrative), how
//! programs see it in [`data`](super::data).

use super::data;
use super::figures::{Description, Outliers, Sample, Trend, Undefined, describe, outliers, trend};
use super::narrative;
use super::request::{Operation, Request};
use super::series::{Series, names};

/// What the analyst found in the data of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// One entry per series, in the order of the data.
    pub series: Vec<SeriesReport>,
    /// How the data was read where that could be doubted, and what was asked for but not done.
    pub notes: Vec<String>,
}

/// What the analyst found in one series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesReport {
    /// The name the sender gave, or one of ours; distinct within the report.
    pub name: String,
    /// The number of values.
    pub count: usize,
    /// The number of missing values.
    pub missing: usize,
    /// The descriptive statistics, when asked for.
    pub description: Option<Description>,
    /// The trend, when asked for.
    pub trend: Option<Result<Trend, Undefined>>,
    /// The outliers, when asked for.
    pub outliers: Option<Result<Outliers, Undefined>>,
}

impl Report {
    /// Writes a short answer for people: the finding first, then the figures. Plain text.
    pub fn to_text(&self) -> String {
        narrative::text(self)
    }

    /// Returns the figures for programs, as one JSON object with camelCase keys.
    ///
    /// ```json
    /// {
    ///   "series": [{
    ///     "name": "sales", "count": 5, "missing": 0,
    ///     "description": {
    ///       "sum": 615, "mean": 123, "median": 120, "standardDeviation": 27.29,
    ///       "minimum": {"value": 95, "position": 3, "label": "Mar"},
    ///       "maximum": {"value": 160, "position": 5, "label": "May"},
    ///       "lowerQuartile": 100, "upperQuartile": 140
    ///     },
    ///     "trend": {
    ///       "direction": "rising", "fit": "moderate",
    ///       "slope": 14, "intercept": 95, "rSquared": 0.6577, "next": 165,
    ///       "first": {"value": 100, "position": 1}, "last": {"value": 160, "position": 5},
    ///       "growth": 60, "growthPercent": 60,
    ///       "greatestRise": {"change": 45, "from": 3, "to": 4},
    ///       "greatestFall": {"change": -25, "from": 2, "to": 3}
    ///     },
    ///     "outliers": {"lowerFence": 40, "upperFence": 200, "count": 0, "points": []}
    ///   }],
    ///   "notes": []
    /// }
    /// ```
    ///
    /// `description`, `trend` and `outliers` are there when asked for. A figure that does not
    /// exist is null, and a key with `Reason` added to its name says why (`rSquaredReason`).
    /// Positions count from 1 and include missing values; `label` is there when the data names
    /// its rows. `direction` is rising, falling, flat or unclear; `fit` is strong, moderate, weak
    /// or unknown. Numbers are not rounded.
    pub fn to_data(&self) -> serde_json::Value {
        data::report(self)
    }

    /// Carries out a request on every series; series without any value are left out.
    pub(crate) fn new(series: &[Series], request: &Request, notes: Vec<String>) -> Self {
        let reports = series.iter().zip(names(series)).filter_map(|(series, name)| {
            let sample = Sample::new(series)?;
            let wants = |operation| request.wants(operation);
            Some(SeriesReport {
                name,
                count: sample.count(),
                missing: sample.positions() - sample.count(),
                description: wants(Operation::Describe).then(|| describe(&sample)),
                trend: wants(Operation::Trend).then(|| trend(&sample)),
                outliers: wants(Operation::Outliers).then(|| outliers(&sample)),
            })
        });
        Self { series: reports.collect(), notes }
    }
}
