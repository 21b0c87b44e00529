//! The result of an analysis, as figures. How it reads is in [`narrative`](super::narrative), how
//! programs see it in [`data`](super::data).

use super::data;
use super::draw::Picture;
use super::figures::{
    Ahead, Correlation, Description, Grouping, Outliers, Ranking, Sample, Trend, Undefined,
    describe, forecast, outliers, trend,
};
use super::narrative;
use super::plan::Plan;
use super::request::Operation;
use super::series::Series;

/// What the analyst found in the data of one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// One entry per series, in the order of the data.
    pub series: Vec<SeriesReport>,
    /// One entry per column that was aggregated.
    pub groups: Vec<Grouping>,
    /// The rows in the order that was asked for, when no groups were.
    pub ranking: Option<Ranking>,
    /// One entry per pair of columns that was correlated.
    pub correlations: Vec<Correlation>,
    /// The chart, when one was asked for.
    pub chart: Option<Picture>,
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
    /// The steps ahead, when asked for.
    pub forecast: Option<Result<Vec<Ahead>, Undefined>>,
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
    /// `description`, `trend`, `outliers` and `forecast` are there when asked for, and so are, beside
    /// `series`, `groups`, `ranking`, `correlations` and `chart`; see `docs/analyst.md`. A figure that does not
    /// exist is null, and a key with `Reason` added to its name says why (`rSquaredReason`).
    /// Positions count from 1 and include missing values; `label` is there when the data names
    /// its rows. `direction` is rising, falling, flat or unclear; `fit` is strong, moderate, weak
    /// or unknown. Numbers are not rounded.
    pub fn to_data(&self) -> serde_json::Value {
        data::report(self)
    }
}

impl SeriesReport {
    /// Finds out about a series what a plan wants; `None` when it has no value.
    pub(crate) fn new(series: &Series, name: String, plan: &Plan) -> Option<Self> {
        let sample = Sample::new(series)?;
        let wants = |operation| plan.operations.contains(&operation);
        Some(Self {
            name,
            count: sample.count(),
            missing: sample.positions() - sample.count(),
            description: wants(Operation::Describe).then(|| describe(&sample)),
            trend: wants(Operation::Trend).then(|| trend(&sample)),
            outliers: wants(Operation::Outliers).then(|| outliers(&sample)),
            forecast: plan.forecast.map(|steps| forecast(&sample, steps)),
        })
    }
}
