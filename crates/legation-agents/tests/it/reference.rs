//! Figures against those of numpy, pandas and scipy; `tests/reference.py` makes the expected ones.

use legation_agents::analyst::{Input, Outcome, analyze};
use serde_json::{Value, json};

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../reference.json")).expect("what reference.py wrote")
}

/// The answer to plain words about the table of a case.
fn ask(case: &Value, words: &str) -> Value {
    let csv = case["csv"].as_str().expect("a table");
    match analyze(&[Input::Csv { name: None, text: csv }, Input::Text(words)]) {
        Outcome::Report(report) => report.to_data(),
        other @ (Outcome::Question(_) | Outcome::BadData(_)) => panic!("{words}: {other:?}"),
    }
}

#[track_caller]
fn close(found: &Value, expected: &Value, what: &str) {
    let (Some(one), Some(other)) = (found.as_f64(), expected.as_f64()) else {
        panic!("{what}: {found} and {expected}")
    };
    let off = (one - other).abs() / other.abs().max(1e-9);
    assert!(off < 1e-9, "{what}: {one} is not {other}");
}

#[test]
fn columns_agree_with_pandas() {
    for case in cases() {
        let words = "describe, trend, outliers and forecast of price and sales, next 3 days";
        let found = ask(&case, words);
        for (at, name) in ["price", "sales"].into_iter().enumerate() {
            let (expected, found) = (&case["columns"][name], &found["series"][at]);
            assert_eq!((&found["name"], &found["count"]), (&json!(name), &expected["count"]));
            let described =
                ["sum", "mean", "median", "standardDeviation", "lowerQuartile", "upperQuartile"];
            for figure in described {
                close(&found["description"][figure], &expected[figure], figure);
            }
            for figure in ["slope", "intercept", "rSquared"] {
                close(&found["trend"][figure], &expected[figure], figure);
            }
            assert_eq!(found["outliers"]["count"], expected["outliers"], "{name}");
            let steps = found["forecast"]["steps"].as_array().expect("steps");
            for (found, expected) in
                steps.iter().zip(expected["forecast"].as_array().expect("steps"))
            {
                for figure in ["position", "value", "lower", "upper"] {
                    close(&found[figure], &expected[figure], figure);
                }
            }
            assert_eq!(steps.len(), 3);
        }
    }
}

#[test]
fn groups_and_correlations_agree_with_pandas() {
    for case in cases() {
        let words = "count, total, average, median, lowest and highest price by region";
        let found = ask(&case, words);
        let groups = found["groups"][0]["groups"].as_array().expect("groups");
        let expected = case["groups"].as_array().expect("groups");
        assert_eq!(groups.len(), expected.len());
        for (found, expected) in groups.iter().zip(expected) {
            assert_eq!(found["group"], expected["group"]);
            for figure in ["count", "sum", "mean", "median", "min", "max"] {
                close(&found[figure], &expected[figure], figure);
            }
        }
        let found = ask(&case, "correlation of price and sales");
        let found = &found["correlations"][0];
        close(&found["r"], &case["correlation"]["r"], "r");
        assert_eq!(found["count"], case["correlation"]["count"]);
    }
}

#[test]
fn filtered_rows_agree_with_pandas() {
    for case in cases() {
        let filtered = &case["filtered"];
        let east = if case["name"] == "shops" { "and region is not east" } else { "" };
        let words = format!("average sales where price >= {} {east}", filtered["from"]);
        let found = ask(&case, &words);
        let found = &found["series"][0];
        assert_eq!(
            (&found["name"], &found["count"]),
            (&json!("sales"), &filtered["count"]),
            "{words}"
        );
        close(&found["description"]["mean"], &filtered["mean"], &words);
    }
}
