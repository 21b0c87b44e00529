//! What to do with the data, as a small declarative object: either sent as such in a data part or
//! read from plain words. Nothing in it is run; it only names columns and operations we have.

mod lexer;
mod mentions;
mod order;
mod tests_of_rows;
mod values;
mod words;

use serde::Deserialize;
use serde_json::Value;

use super::figures::Aggregate;
use super::request::Operation;

pub(crate) use words::{choices, measurable, read};

/// A request. Everything may be left out; what is left out is not done.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Plan {
    /// What to find out about each series.
    pub(crate) operations: Vec<Operation>,
    /// The columns to look at; all when none is named.
    pub(crate) columns: Vec<String>,
    /// Which rows to look at: those that pass every test.
    pub(crate) filter: Vec<Test>,
    /// What to take together.
    pub(crate) group: Option<Grouped>,
    /// In which order groups or rows are listed, and how many of them.
    pub(crate) order: Option<Order>,
    /// The columns to correlate, each with each; an empty list means all.
    pub(crate) correlate: Option<Vec<String>>,
    /// How many steps to look ahead.
    pub(crate) forecast: Option<usize>,
    /// What to draw.
    pub(crate) chart: Option<Drawing>,
    /// What is asked for in words that we cannot do, in our words.
    #[serde(skip)]
    pub(crate) beyond: Vec<&'static str>,
}

/// A test of rows: all that is said of the column must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Test {
    /// The column that is looked at.
    pub(crate) column: String,
    /// This value, or one of these.
    pub(crate) is: Option<Value>,
    /// Not this value, nor any of these.
    pub(crate) not: Option<Value>,
    /// At least this.
    pub(crate) from: Option<Value>,
    /// At most this.
    pub(crate) to: Option<Value>,
    /// More than this.
    pub(crate) above: Option<Value>,
    /// Less than this.
    pub(crate) below: Option<Value>,
}

/// What to take together, and how.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Grouped {
    /// The column that says which group a row belongs to.
    pub(crate) by: String,
    /// The columns that are aggregated; rows are counted when there is none.
    pub(crate) measures: Vec<String>,
    /// What is calculated; count, sum and mean when nothing is said.
    pub(crate) aggregates: Vec<Aggregate>,
}

/// In which order groups or rows are listed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Order {
    /// The column whose values decide. Of groups it is their figure unless this names what they are
    /// grouped by.
    pub(crate) by: Option<String>,
    /// Whether the least comes first.
    pub(crate) ascending: bool,
    /// How many are listed; all of them when nothing is said.
    pub(crate) most: Option<usize>,
}

/// What to draw.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Drawing {
    /// The kind of chart; what suits the data when nothing is said.
    pub(crate) kind: Option<Kind>,
    /// The column along the horizontal axis.
    pub(crate) x: Option<String>,
    /// The columns that are drawn.
    pub(crate) y: Vec<String>,
    /// What stands above it.
    pub(crate) title: Option<String>,
    /// Its width in pixels.
    pub(crate) width: Option<u32>,
    /// Its height in pixels.
    pub(crate) height: Option<u32>,
}

/// A kind of chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Line,
    Bar,
    Pie,
    Scatter,
    Histogram,
}

/// The member of a data part that holds a request; beside it, `data` may hold the data.
const REQUEST: &str = "request";

impl Plan {
    /// Takes the request out of a data part that has one; an error says what is wrong with it.
    pub(crate) fn take(value: &mut Value) -> Result<Option<Self>, String> {
        let Some(request) = value.as_object_mut().and_then(|object| object.remove(REQUEST)) else {
            return Ok(None);
        };
        // An object of lists may have a column of that name.
        if request.is_array() {
            value[REQUEST] = request;
            return Ok(None);
        }
        serde_json::from_value(request).map(Some).map_err(|error| error.to_string())
    }

    /// Whether nothing but the series as they are is asked for, so that looking at all of it is
    /// what is wanted.
    pub(crate) fn says_nothing(&self) -> bool {
        self.operations.is_empty()
            && self.group.is_none()
            && self.order.is_none()
            && self.correlate.is_none()
            && self.forecast.is_none()
            && self.chart.is_none()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_strict_and_may_have_data_beside_it() {
        let mut part = json!({"request": {"forecast": 3}, "data": {"s": [1, 2, 3]}});
        let plan = Plan::take(&mut part).unwrap().unwrap();
        assert_eq!((plan.forecast, part), (Some(3), json!({"data": {"s": [1, 2, 3]}})));
        let cases = [
            (json!({"request": {"forcast": 3}}), "unknown field `forcast`"),
            (json!({"request": {"chart": {"kind": "donut"}}}), "unknown variant `donut`"),
            (json!({"request": {"forecast": -1}}), "invalid value: integer `-1`"),
            (json!({"request": 5}), "invalid type: integer `5`"),
        ];
        for (mut part, expected) in cases {
            let found = Plan::take(&mut part).unwrap_err();
            assert!(found.contains(expected), "{found}");
        }
        let mut column = json!({"request": [1, 2], "sales": [3, 4]});
        assert_eq!(Plan::take(&mut column), Ok(None));
        assert_eq!(column["request"], json!([1, 2]));
    }
}
