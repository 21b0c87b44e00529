//! A report as JSON for programs; the shape is documented at [`Report::to_data`].

use serde_json::{Map, Value, json};

use super::figures::{
    Ahead, CONFIDENCE, Correlation, Description, Direction, Figure, Fit, Group, Grouping, Outliers,
    Point, Ranked, Ranking, Step, Trend, Undefined,
};
use super::report::{Report, SeriesReport};

/// Writes a report.
pub(crate) fn report(report: &Report) -> Value {
    let mut object = Object::default();
    object.put("series", report.series.iter().map(series).collect::<Vec<_>>());
    if !report.groups.is_empty() {
        object.put("groups", report.groups.iter().map(grouping).collect::<Vec<_>>());
    }
    if let Some(ranking) = &report.ranking {
        object.put("ranking", self::ranking(ranking));
    }
    if !report.correlations.is_empty() {
        object.put("correlations", report.correlations.iter().map(correlation).collect::<Vec<_>>());
    }
    if let Some(chart) = &report.chart {
        object.put("chart", json!({ "title": chart.title, "filename": "chart.svg" }));
    }
    object.put("notes", report.notes.as_slice());
    object.into()
}

fn grouping(found: &Grouping) -> Value {
    let group = |group: &Group| {
        let mut object = Object::default();
        object.put("group", group.name.as_str());
        for (aggregate, figure) in found.aggregates.iter().zip(&group.figures) {
            object.figure(aggregate.name(), *figure);
        }
        Value::from(object)
    };
    let mut object = Object::default();
    object.put("by", found.by.as_str());
    if let Some(measure) = &found.measure {
        object.put("measure", measure.as_str());
    }
    object.put("groups", found.groups.iter().map(group).collect::<Vec<_>>());
    object.into()
}

fn ranking(found: &Ranking) -> Value {
    let row = |row: &Ranked| {
        let mut object = Object::default();
        object.put("position", row.position);
        if let Some(label) = &row.label {
            object.put("label", label.as_str());
        }
        object.put("value", row.value);
        Value::from(object)
    };
    let mut object = Object::default();
    object.put("by", found.by.as_str());
    object.put("ascending", found.ascending);
    object.put("of", found.of);
    object.put("rows", found.rows.iter().map(row).collect::<Vec<_>>());
    object.into()
}

fn correlation(found: &Correlation) -> Value {
    let mut object = Object::default();
    object.put("first", found.first.as_str());
    object.put("second", found.second.as_str());
    object.figure("r", found.r);
    object.put("count", found.count);
    object.into()
}

fn forecast(steps: &[Ahead]) -> Value {
    let step = |step: &Ahead| {
        let mut object = Object::default();
        object.put("position", step.position);
        object.figure("value", step.value);
        object.figure("lower", step.lower);
        object.figure("upper", step.upper);
        Value::from(object)
    };
    json!({ "confidence": CONFIDENCE, "steps": steps.iter().map(step).collect::<Vec<_>>() })
}

fn series(report: &SeriesReport) -> Value {
    let mut object = Object::default();
    object.put("name", report.name.as_str());
    object.put("count", report.count);
    object.put("missing", report.missing);
    if let Some(found) = &report.description {
        object.put("description", description(found));
    }
    if let Some(found) = &report.trend {
        object.put_or_reason("trend", found.as_ref().map(trend));
    }
    if let Some(found) = &report.outliers {
        object.put_or_reason("outliers", found.as_ref().map(outliers));
    }
    if let Some(found) = &report.forecast {
        object.put_or_reason("forecast", found.as_ref().map(|steps| forecast(steps)));
    }
    object.into()
}

fn description(found: &Description) -> Value {
    let mut object = Object::default();
    object.figure("sum", found.sum);
    object.put("mean", number(found.mean));
    object.put("median", number(found.median));
    object.figure("standardDeviation", found.standard_deviation);
    object.put("minimum", point(&found.minimum));
    object.put("maximum", point(&found.maximum));
    object.put("lowerQuartile", number(found.lower_quartile));
    object.put("upperQuartile", number(found.upper_quartile));
    object.into()
}

fn trend(found: &Trend) -> Value {
    let mut object = Object::default();
    object.put("direction", direction(found.direction));
    object.put("fit", fit(found.fit));
    object.figure("slope", found.slope);
    object.figure("intercept", found.intercept);
    object.figure("rSquared", found.r_squared);
    object.figure("next", found.next);
    object.put("first", point(&found.first));
    object.put("last", point(&found.last));
    object.figure("growth", found.growth);
    object.figure("growthPercent", found.growth_percent);
    object.put_or_reason("greatestRise", found.greatest_rise.as_ref().map(step));
    object.put_or_reason("greatestFall", found.greatest_fall.as_ref().map(step));
    object.into()
}

fn outliers(found: &Outliers) -> Value {
    let mut object = Object::default();
    object.figure("lowerFence", found.lower_fence);
    object.figure("upperFence", found.upper_fence);
    object.put("count", found.count);
    object.put("points", found.points.iter().map(point).collect::<Vec<_>>());
    object.into()
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Rising => "rising",
        Direction::Falling => "falling",
        Direction::Flat => "flat",
        Direction::Unclear => "unclear",
    }
}

fn fit(fit: Fit) -> &'static str {
    match fit {
        Fit::Strong => "strong",
        Fit::Moderate => "moderate",
        Fit::Weak => "weak",
        Fit::Unknown => "unknown",
    }
}

fn point(point: &Point) -> Value {
    let mut object = Object::default();
    object.put("value", number(point.value));
    object.put("position", point.position);
    if let Some(label) = &point.label {
        object.put("label", label.as_str());
    }
    object.into()
}

fn step(step: &Step) -> Value {
    json!({ "change": number(step.change), "from": step.from, "to": step.to })
}

/// Writes whole numbers without a fraction, as the sender most likely wrote them.
fn number(value: f64) -> Value {
    /// Beyond this, not every whole number is a float, and the fraction does no harm.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT { json!(value as i64) } else { json!(value) }
}

#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    fn figure(&mut self, key: &str, figure: Figure) {
        self.put_or_reason(key, figure.as_ref().map(|value| number(*value)));
    }

    fn put_or_reason(&mut self, key: &str, value: Result<Value, &Undefined>) {
        match value {
            Ok(value) => self.put(key, value),
            Err(reason) => {
                self.put(key, Value::Null);
                self.put(&format!("{key}Reason"), reason.to_string());
            }
        }
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyst::{Input, Outcome, analyze};

    fn data(text: &str) -> Value {
        let Outcome::Report(report) = analyze(&[Input::Text(text)]) else {
            panic!("no report: {text}")
        };
        report.to_data()
    }

    #[test]
    fn the_shape_is_the_documented_one() {
        let expected = json!({
            "series": [{
                "name": "sales", "count": 5, "missing": 0,
                "description": {
                    "sum": 615, "mean": 123, "median": 120,
                    "standardDeviation": 27.294688127912362,
                    "minimum": {"value": 95, "position": 3},
                    "maximum": {"value": 160, "position": 5},
                    "lowerQuartile": 100, "upperQuartile": 140
                },
                "trend": {
                    "direction": "rising", "fit": "moderate",
                    "slope": 14, "intercept": 95, "rSquared": 0.6577181208053692, "next": 165,
                    "first": {"value": 100, "position": 1},
                    "last": {"value": 160, "position": 5},
                    "growth": 60, "growthPercent": 60,
                    "greatestRise": {"change": 45, "from": 3, "to": 4},
                    "greatestFall": {"change": -25, "from": 2, "to": 3}
                },
                "outliers": {"lowerFence": 40, "upperFence": 200, "count": 0, "points": []}
            }],
            "notes": []
        });
        assert_eq!(data("sales: [100, 120, 95, 140, 160]"), expected);
    }

    #[test]
    fn what_does_not_exist_is_null_with_a_reason() {
        let found = data("trend, outliers and total: [0, 1e308, 1e308]");
        let found = &found["series"][0];
        assert_eq!(found["description"]["sum"], Value::Null);
        assert_eq!(found["description"]["sumReason"], "it is too large to calculate");
        assert_eq!(found["trend"]["growthPercentReason"], "the first value is 0");
        assert_eq!(found["trend"]["greatestFallReason"], "no step falls");
        assert_eq!(found["outliersReason"], "it takes at least 4 values");
        let flat = data("[5, 5, 5]");
        assert_eq!(flat["series"][0]["trend"]["rSquaredReason"], "all values are equal");
        assert_eq!(flat["series"][0]["trend"]["slope"], 0);
    }

    #[test]
    fn only_what_was_asked_for_is_there() {
        let found = data("outliers in [1, 2, 3, 4]");
        let keys: Vec<&str> =
            found["series"][0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["count", "missing", "name", "outliers"]);
    }
}
