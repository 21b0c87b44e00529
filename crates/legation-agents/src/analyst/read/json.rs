//! JSON data: an array of numbers, an array of records, or an object of such arrays.
//!
//! An object of numbers is refused on purpose: JSON gives its keys no order, and without an order
//! there is no trend and no position.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::cell::{Cell, Commas, read_cell};
use super::grid::{Grid, read_grid};
use crate::analyst::bad_data::{BadData, Place};
use crate::analyst::limits::MAX_COLUMNS;
use crate::analyst::series::{Reading, check_values};

/// How many objects deep we look for arrays, for wrappers such as `{"data": {"sales": [..]}}`.
const MAX_DEPTH: usize = 4;

/// Reads every list of numbers in a JSON value.
///
/// # Errors
///
/// A value that is no number among numbers, arrays in arrays, or no list of numbers at all.
pub(crate) fn read_json(source: &str, value: &Value) -> Result<Reading, BadData> {
    let mut reading = Reading::default();
    match value {
        Value::Array(items) => read_array(source, "$", None, items, &mut reading)?,
        Value::Object(fields) => read_object(source, "$", fields, MAX_DEPTH, &mut reading)?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    if !reading.has_data() {
        return Err(BadData::new(
            source,
            Place::Path("$".to_owned()),
            "it holds no list of numbers in a fixed order",
            "Send an array of numbers, an array of records, or an object of arrays, \
             for example {\"sales\": [100, 120, 95]}",
        ));
    }
    Ok(reading)
}

fn read_object(
    source: &str,
    path: &str,
    fields: &Map<String, Value>,
    depth: usize,
    reading: &mut Reading,
) -> Result<(), BadData> {
    let mut lists = Vec::new();
    for (key, value) in fields {
        let path = format!("{path}.{key}");
        match value {
            Value::Array(items) if items.iter().any(is_container) => {
                read_array(source, &path, Some(key), items, reading)?;
            }
            Value::Array(items) => lists.push(List { path, name: Some(key), items }),
            Value::Object(inner) if depth > 1 => {
                read_object(source, &path, inner, depth - 1, reading)?;
            }
            Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_) => {}
        }
    }
    // Lists of one length belong together as the columns of a table, so labels can be shared.
    let same_length = lists.windows(2).all(|pair| pair[0].items.len() == pair[1].items.len());
    if same_length {
        return add(source, &Lists(lists), reading);
    }
    for list in lists {
        add(source, &Lists(vec![list]), reading)?;
    }
    Ok(())
}

fn read_array(
    source: &str,
    path: &str,
    name: Option<&String>,
    items: &[Value],
    reading: &mut Reading,
) -> Result<(), BadData> {
    if items.iter().any(Value::is_object) {
        let records = Records::new(source, path, items)?;
        return add(source, &records, reading);
    }
    if let Some(at) = items.iter().position(Value::is_array) {
        return Err(BadData::new(
            source,
            Place::Path(format!("{path}[{at}]")),
            "it is a list inside a list, and I cannot tell rows from columns",
            "Send an object with one named list per series, or a list of records",
        ));
    }
    let list = List { path: path.to_owned(), name, items };
    add(source, &Lists(vec![list]), reading)
}

fn add(source: &str, grid: &impl Grid, reading: &mut Reading) -> Result<(), BadData> {
    reading.frames.push(read_grid(source, grid)?);
    Ok(())
}

fn is_container(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::Number(number) => match number.as_f64() {
            Some(value) if value.is_finite() => Cell::Number(value + 0.0),
            Some(_) | None => Cell::NotFinite,
        },
        Value::String(text) => read_cell(text, Commas::Thousands),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Cell::Word,
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::String(text) => text.into(),
        Value::Bool(_) | Value::Number(_) => value.to_string().into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// One array of plain values and where it is.
struct List<'a> {
    path: String,
    name: Option<&'a String>,
    items: &'a [Value],
}

/// Arrays of one length: each is a column.
struct Lists<'a>(Vec<List<'a>>);

impl Grid for Lists<'_> {
    fn columns(&self) -> usize {
        self.0.len()
    }
    fn rows(&self) -> usize {
        self.0.first().map_or(0, |list| list.items.len())
    }
    fn name(&self, column: usize) -> Option<String> {
        self.0[column].name.cloned()
    }
    fn cell(&self, column: usize, row: usize) -> Cell {
        cell(&self.0[column].items[row])
    }
    fn text(&self, column: usize, row: usize) -> Cow<'_, str> {
        text(&self.0[column].items[row])
    }
    fn place(&self, column: usize, row: usize) -> Place {
        Place::Path(format!("{}[{row}]", self.0[column].path))
    }
}

/// An array of objects: each field is a column, absent fields are missing values.
struct Records<'a> {
    path: &'a str,
    fields: Vec<&'a String>,
    rows: Vec<&'a Map<String, Value>>,
}

impl<'a> Records<'a> {
    fn new(source: &str, path: &'a str, items: &'a [Value]) -> Result<Self, BadData> {
        check_values(source, items.len())?;
        let mut rows = Vec::with_capacity(items.len());
        let mut fields: Vec<&String> = Vec::new();
        let mut known = HashSet::new();
        for (at, item) in items.iter().enumerate() {
            let Value::Object(record) = item else {
                let place = Place::Path(format!("{path}[{at}]"));
                let remedy = "Make every item an object, or send the numbers as a list";
                return Err(BadData::new(source, place, "the other items are records", remedy));
            };
            for field in record.keys() {
                if known.insert(field) {
                    fields.push(field);
                }
            }
            if fields.len() > MAX_COLUMNS {
                return Err(BadData::too_much(source, "fields", fields.len(), MAX_COLUMNS));
            }
            rows.push(record);
        }
        Ok(Self { path, fields, rows })
    }

    fn value(&self, column: usize, row: usize) -> &Value {
        self.rows[row].get(self.fields[column]).unwrap_or(&Value::Null)
    }
}

impl Grid for Records<'_> {
    fn columns(&self) -> usize {
        self.fields.len()
    }
    fn rows(&self) -> usize {
        self.rows.len()
    }
    fn name(&self, column: usize) -> Option<String> {
        Some(self.fields[column].clone())
    }
    fn cell(&self, column: usize, row: usize) -> Cell {
        cell(self.value(column, row))
    }
    fn text(&self, column: usize, row: usize) -> Cow<'_, str> {
        text(self.value(column, row))
    }
    fn place(&self, column: usize, row: usize) -> Place {
        Place::Path(format!("{}[{row}].{}", self.path, self.fields[column]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: &Value) -> String {
        match read_json("the data", value) {
            Ok(reading) => reading.in_short(),
            Err(bad) => format!("{:?}", bad.place),
        }
    }

    #[test]
    fn lists_records_and_objects_of_lists_are_read() {
        let cases = [
            (json!([1, 2.5, null, "3", "NaN", "1,200"]), "=1 2.5 _ 3 _ 1200"),
            (json!([{"m": "Jan", "s": 1}, {"m": "Feb", "s": "2", "c": 5}]), "s=1 2; c=_ 5"),
            (json!({"a": [1, 2], "b": [3]}), "a=1 2; b=3"),
            (json!({"unit": "kg", "m": ["x", "y"], "s": [1, 2]}), "s=1 2"),
            (json!({"data": {"sales": [1, 2]}}), "sales=1 2"),
            (json!({"data": [{"s": 1, "o": {"x": 1}}, {"s": 2}]}), "s=1 2"),
            (json!({"year": [2020, 2021], "s": [1, 2]}), "s=1 2"),
        ];
        for (value, expected) in cases {
            assert_eq!(read(&value), expected, "{value}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_path() {
        let cases = [
            (json!([1, 2, "x"]), r#"Path("$[2]")"#),
            (json!([1, true]), r#"Path("$[1]")"#),
            (json!([1, 2, "1e999"]), r#"Path("$[2]")"#),
            (json!({"a": [1, "x", 3]}), r#"Path("$.a[1]")"#),
            (json!([{"s": 1}, {"s": 2}, {"s": "?!"}]), r#"Path("$[2].s")"#),
            (json!([{"s": 1}, 2]), r#"Path("$[1]")"#),
            (json!([[1, 2], [3, 4]]), r#"Path("$[0]")"#),
            (json!({"jan": 1, "feb": 2}), r#"Path("$")"#),
            (json!([]), r#"Path("$")"#),
            (json!("text"), r#"Path("$")"#),
            (json!(5), r#"Path("$")"#),
            (json!([null, null]), r#"Path("$")"#),
        ];
        for (value, expected) in cases {
            assert_eq!(read(&value), expected, "{value}");
        }
    }
}
