//! Figures in the shape a caller asked for: those that its schema names.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use super::frame::plain;

/// Other words for figures, beside those of [`Report::to_data`](super::Report::to_data).
const WORDS: [(&str, &str); 8] = [
    ("average", "mean"),
    ("min", "minimum"),
    ("max", "maximum"),
    ("std", "standarddeviation"),
    ("stddev", "standarddeviation"),
    ("r2", "rsquared"),
    ("total", "sum"),
    ("forecast", "next"),
];

/// Fills the top-level properties of a schema with the figures of the same names, wherever they are
/// in the data, the outermost and first first. `None` when there are none. Whether that is enough is
/// for the check of the answer to say.
pub(super) fn pick(schema: &Value, data: &Value, text: &str) -> Option<Value> {
    let schema = target(schema, schema);
    let properties = schema.get("properties")?.as_object()?;
    let figures = index(data);
    let found = properties.iter().filter_map(|(name, property)| {
        let value = match plain(name).as_str() {
            "summary" => Value::from(text),
            word => fitting(figures.get(word).or_else(|| figures.get(other(word)?))?, property),
        };
        Some((name.clone(), value))
    });
    let found: Map<String, Value> = found.collect();
    (!found.is_empty()).then_some(Value::Object(found))
}

/// The schema itself, or the definition it is no more than a reference to.
fn target<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// A point or a step as its number where a number is wanted.
fn fitting(figure: &Value, property: &Value) -> Value {
    let number = figure.get("value").or_else(|| figure.get("change"));
    number.filter(|_| wants_number(property)).unwrap_or(figure).clone()
}

/// Whether a property is a number, or may be one.
fn wants_number(property: &Value) -> bool {
    let either = property["anyOf"].as_array();
    matches!(property["type"].as_str(), Some("number" | "integer"))
        || either.is_some_and(|either| either.iter().any(wants_number))
}

/// Every member by its name; of several of one name, the one nearest to the top.
fn index(data: &Value) -> HashMap<String, &Value> {
    let mut index = HashMap::new();
    let mut queue = VecDeque::from([data]);
    while let Some(value) = queue.pop_front() {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    index.entry(plain(name)).or_insert(value);
                    queue.push_back(value);
                }
            }
            Value::Array(items) => queue.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    index
}

/// What a figure is called in our words.
fn other(word: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, figure)| *figure)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_are_found_by_name() {
        let data = json!({"notes": [], "series": [
            {"name": "sales", "count": 3, "description": {"mean": 2, "maximum": {"value": 3}},
             "trend": {"rSquared": 1}},
            {"name": "costs", "count": 9, "description": {"mean": 8}},
        ]});
        let number = json!({"type": "number"});
        let cases = [
            (
                json!({"properties": {"mean": number, "R_squared": number}}),
                Some(json!({"mean": 2, "R_squared": 1})),
            ),
            (
                json!({"properties": {"max": number, "maximum": {"type": "object"}, "other": {}}}),
                Some(json!({"max": 3, "maximum": {"value": 3}})),
            ),
            (
                json!({"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"count": number}}}}),
                Some(json!({"count": 3})),
            ),
            (
                json!({"properties": {"summary": {}, "notes": {}}}),
                Some(json!({"summary": "Rising.", "notes": []})),
            ),
            (json!({"properties": {"colour": {}}}), None),
            (json!({"type": "number"}), None),
        ];
        for (schema, expected) in cases {
            assert_eq!(pick(&schema, &data, "Rising."), expected, "{schema}");
        }
    }
}
