//! Free text: fenced blocks, JSON, tables, and lists of numbers in what remains.

use serde_json::Value;

use super::cell::{Cell, Commas, read_cell};
use super::delimiter::DELIMITERS;
use super::header::is_header;
use super::json::read_json;
use super::list::read_lists;
use super::table::{is_rule, read_table};
use crate::analyst::bad_data::{BadData, Place};
use crate::analyst::limits::MAX_TEXT_BYTES;
use crate::analyst::series::Reading;
use crate::analyst::watch::Watch;

/// What messages call the text parts.
pub(crate) const SOURCE: &str = "the text";
const TABLE: &str = "the table in the text";
const JSON: &str = "the JSON in the text";

/// How often we try to read JSON at a bracket that turns out to be none; each try may look at
/// the whole text, so that a text of brackets would cost its square without this bound.
const MAX_JSON_TRIES: usize = 16;

/// Reads all data in the text; returns it and the text that is left, the instruction.
///
/// # Errors
///
/// Data that is recognised as such but cannot be read, or a text that is too long.
pub(crate) fn read_text(text: &str, attached: bool) -> Result<(Reading, String), BadData> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(BadData::too_much(SOURCE, "bytes", text.len(), MAX_TEXT_BYTES));
    }
    let mut reading = Reading::default();
    let mut prose = String::new();
    for (index, part) in text.split("```").enumerate() {
        // The odd parts stand between fences.
        let part = if index % 2 == 1 { read_fence(part, &mut reading)? } else { part };
        let part = read_embedded_json(part, &mut reading)?;
        prose.push_str(&read_embedded_tables(&part, &mut reading)?);
        prose.push('\n');
    }
    let other_data = attached || reading.has_data();
    let (lists, instruction) = read_lists(&prose, other_data)?;
    reading.absorb(lists);
    Ok((reading, instruction))
}

/// Reads a fenced block by the kind it is marked with; returns what is still to be read.
fn read_fence<'a>(part: &'a str, reading: &mut Reading) -> Result<&'a str, BadData> {
    let Some((kind, body)) = part.split_once('\n') else { return Ok(part) };
    match kind.trim().to_ascii_lowercase().as_str() {
        "csv" | "tsv" => {
            reading.absorb(read_table(TABLE, body, &Watch::default())?);
            Ok("")
        }
        "json" => {
            let value = serde_json::from_str(body).map_err(|error| {
                let problem = format!("it is not JSON: {error}");
                BadData::new(JSON, Place::Whole, problem, "Correct it and send it again")
            })?;
            reading.absorb(read_json(JSON, &value)?);
            Ok("")
        }
        _ => Ok(body),
    }
}

/// Reads JSON objects and arrays of records; leaves plain arrays, which are lists in brackets.
fn read_embedded_json(text: &str, reading: &mut Reading) -> Result<String, BadData> {
    let mut prose = String::new();
    let mut rest = 0;
    let mut search = 0;
    let mut tries = 0;
    while let Some(found) = text[search..].find(['{', '[']).filter(|_| tries < MAX_JSON_TRIES) {
        let start = search + found;
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        let Some(Ok(value)) = values.next() else {
            tries += 1;
            search = start + 1;
            continue;
        };
        search = start + values.byte_offset();
        if holds_series(&value) {
            reading.absorb(read_json(JSON, &value)?);
            prose.push_str(&text[rest..start]);
            rest = search;
        }
    }
    prose.push_str(&text[rest..]);
    Ok(prose)
}

fn holds_series(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| item.is_object() || item.is_array()),
        Value::Object(fields) => {
            fields.values().any(|field| field.is_array() || field.is_object() || field.is_number())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Reads tables that stand in the text: a header line and at least two rows, up to a blank line.
fn read_embedded_tables(text: &str, reading: &mut Reading) -> Result<String, BadData> {
    let lines: Vec<&str> = text.lines().collect();
    let mut prose = String::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(delimiter) = table_delimiter(&lines[at..]) else {
            prose.push_str(lines[at]);
            prose.push('\n');
            at += 1;
            continue;
        };
        let belongs = |line: &&&str| !line.trim().is_empty() && line.contains(delimiter);
        let length = lines[at..].iter().take_while(belongs).count();
        let table = lines[at..at + length].join("\n");
        reading.absorb(read_table(TABLE, &table, &Watch::default())?);
        at += length;
    }
    Ok(prose)
}

/// Says which delimiter makes a table of these lines, if they start with one.
fn table_delimiter(lines: &[&str]) -> Option<char> {
    let [header, below @ ..] = lines else { return None };
    let (ruled, rows) = match below {
        [rule, rows @ ..] if is_rule(rule) => (true, rows),
        rows => (false, rows),
    };
    // A sentence with a comma may stand over one line of numbers, hardly over two of its width.
    let least = if ruled { 1 } else { 2 };
    DELIMITERS.into_iter().map(char::from).find(|delimiter| {
        let names = split(header, *delimiter);
        names.len() > 1
            && !header.trim_end().ends_with([':', '.', '?', '!'])
            && is_header(&names, Commas::Thousands)
            && rows.len() >= least
            && rows[..least].iter().all(|row| is_row(row, *delimiter, names.len()))
    })
}

fn is_row(line: &str, delimiter: char, width: usize) -> bool {
    let cells = split(line, delimiter);
    // A decimal comma is as good a number as any in this test.
    let is_number = |cell: &&str| matches!(read_cell(cell, Commas::Decimal), Cell::Number(_));
    // Quoted cells may hold the delimiter, so that a plain split finds more cells than there are.
    (cells.len() == width || line.contains('"')) && cells.iter().any(is_number)
}

fn split(line: &str, delimiter: char) -> Vec<&str> {
    let line = line.trim_matches(|c| c == ' ' || (c == '|' && delimiter == '|'));
    line.split(delimiter).map(|cell| cell.trim_matches([' ', '"'])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match read_text(text, false) {
            Ok((reading, _)) => reading.in_short(),
            Err(bad) => bad.to_string().split(". ").next().unwrap_or_default().to_owned(),
        }
    }

    #[test]
    fn data_in_text_is_found_in_every_form() {
        let cases = [
            ("Analyze:\n```csv\nm,s\nJan,1\nFeb,2\n```\nthanks", "s=1 2"),
            ("Analyze:\n```\nm,s\nJan,1\nFeb,2\n```", "s=1 2"),
            ("```json\n{\"s\": [1, 2]}\n```", "s=1 2"),
            ("```python\nx = [1, 2]\n```", "x=1 2"),
            ("Analyze this, please:\nm,s\nJan,1\nFeb,2\n\nThanks, Bob", "s=1 2"),
            ("m;s\nJan;1,5\nFeb;2,5", "s=1.5 2.5"),
            ("| m | s |\n|---|---|\n| Jan | 1 |", "s=1"),
            ("name,s\n\"a, b\",1\n\"c, d\",2", "s=1 2"),
            ("Trend of [{\"s\": 1}, {\"s\": 2}] please", "s=1 2"),
            ("for {\"s\": [1, 2], \"c\": [3, 4]}", "c=3 4; s=1 2"),
            ("for [1, 2, 3]", "=1 2 3"),
            ("Hi Bob, see\n1, 2, 3\n4, 5, 6", "=1 2 3 4 5 6"),
            ("use {} and {\"a\": \"b\"} with [1, 2]", "=1 2"),
            ("no data here", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn errors_in_embedded_data_name_the_place() {
        let cases = [
            (
                "m,s\nJan,1\nFeb,2\nMar,x",
                "I cannot use line 4, column `s` of the table in the text: `x` is not a number",
            ),
            (
                "m,s\nJan,1\nFeb,2\nMar,3,4",
                "I cannot use line 4 of the table in the text: it has 3 cells, but the first \
                 line has 2",
            ),
            (
                "{\"s\": [1, \"x\"]}",
                "I cannot use `$.s[1]` in the JSON in the text: `x` is not a number",
            ),
            (
                "{\"jan\": 1, \"feb\": 2}",
                "I cannot use `$` in the JSON in the text: it holds no list of numbers in a \
                 fixed order",
            ),
            (
                "```json\n[1,\n```",
                "I cannot use the JSON in the text: it is not JSON: EOF while parsing a value at \
                 line 2 column 0",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_refused_and_a_text_of_brackets_is_quick() {
        assert!(read(&" ".repeat(MAX_TEXT_BYTES + 1)).contains("at most"));
        assert_eq!(read(&"[\"".repeat(MAX_TEXT_BYTES / 2)), "");
    }
}
