//! Which rows of a table a request is about.

use serde_json::Value;

use super::frame::{Cells, Column, Frame, Numbers, Words, is_date, plain};
use super::plan::{Test, choices};

/// The rows that pass every test, and a note that says so. Tables without the columns of the tests
/// stay as they are. An error is the question to ask.
pub(crate) fn filter(frames: &mut [Frame], tests: &[Test]) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    for test in tests {
        let mut found = false;
        for frame in frames.iter_mut() {
            let Some(column) = frame.column(&test.column) else { continue };
            found = true;
            let rows = passing(column, test, frame.rows)?;
            if rows.is_empty() {
                return Err(none_left(column, test));
            }
            let (kept, all) = (rows.len(), frame.rows);
            notes.push(format!("I used only the {kept} of {all} rows where {}.", say(test)));
            *frame = frame.select(&rows);
        }
        if !found {
            return Err(unknown(&test.column, frames));
        }
    }
    Ok(notes)
}

/// What to say about a column that is not there.
pub(crate) fn unknown(name: &str, frames: &[Frame]) -> String {
    let names = frames.iter().flat_map(|frame| &frame.columns);
    let names = choices(names.filter_map(|column| column.name.as_deref()));
    format!("There is no column `{name}`. Which one do you mean? {names}")
}

fn none_left(column: &Column, test: &Test) -> String {
    let has = match &column.cells {
        Cells::Numbers(_) => String::new(),
        Cells::Words(words) => format!(" {}", choices(words.names().iter().map(|name| &**name))),
    };
    format!("No row is left where {}. Which rows do you mean?{has}", say(test))
}

fn passing(column: &Column, test: &Test, rows: usize) -> Result<Vec<usize>, String> {
    match &column.cells {
        Cells::Numbers(numbers) => by_number(numbers, test),
        Cells::Words(words) if words.is_free_text() => Err(format!(
            "`{}` has so many different values that I do not keep them. By which other column \
             shall I choose rows?",
            test.column
        )),
        Cells::Words(words) => by_word(words, test, rows),
    }
}

fn by_number(numbers: &Numbers, test: &Test) -> Result<Vec<usize>, String> {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let wrong = || {
        format!(
            "`{}` holds numbers, and it is compared with something else. With which number \
                 shall I compare it?",
            test.column
        )
    };
    let bound = |value: &Option<Value>| {
        value.as_ref().map(|value| number(value).ok_or_else(wrong)).transpose()
    };
    let list = |value: &Option<Value>| -> Result<Option<Vec<f64>>, String> {
        let Some(value) = value else { return Ok(None) };
        many(value)
            .iter()
            .map(|one| number(one).ok_or_else(wrong))
            .collect::<Result<_, _>>()
            .map(Some)
    };
    let (from, to) = (bound(&test.from)?, bound(&test.to)?);
    let (above, below) = (bound(&test.above)?, bound(&test.below)?);
    let (is, not) = (list(&test.is)?, list(&test.not)?);
    let passes = |value: f64| {
        from.is_none_or(|from| value >= from)
            && to.is_none_or(|to| value <= to)
            && above.is_none_or(|above| value > above)
            && below.is_none_or(|below| value < below)
            && is.as_ref().is_none_or(|is| is.contains(&value))
            && not.as_ref().is_none_or(|not| !not.contains(&value))
    };
    let rows = numbers.iter().enumerate();
    Ok(rows.filter(|(_, value)| value.is_some_and(passes)).map(|(row, _)| row).collect())
}

fn by_word(words: &Words, test: &Test, rows: usize) -> Result<Vec<usize>, String> {
    let bounds = [&test.from, &test.to, &test.above, &test.below];
    if bounds.iter().any(|bound| bound.is_some()) && !words.are_dates() {
        return Err(format!(
            "`{}` holds words, which have no order that I know. Which of them do you mean? {}",
            test.column,
            choices(words.names().iter().map(|name| &**name))
        ));
    }
    let [from, to, above, below] = bounds.map(|bound| bound.as_ref().map(text));
    let dates = [&from, &to, &above, &below];
    if let Some(bad) = dates.into_iter().flatten().find(|it| !is_date(it) && it.len() != 4) {
        return Err(format!(
            "`{}` holds dates, and I do not read `{bad}` as one. Which date do you mean? Write it \
             as 2024-01-31, 2024-01 or 2024.",
            test.column
        ));
    }
    let list = |value: &Option<Value>| -> Option<Vec<String>> {
        value.as_ref().map(|value| many(value).iter().map(|one| plain(&text(one))).collect())
    };
    let (is, not) = (list(&test.is), list(&test.not));
    let passes = |name: &str| {
        // A bound that says less than the cell, such as a month, holds all of that time.
        let start = |bound: &String| name.get(..bound.len()).unwrap_or(name).replace('/', "-");
        let cut = |bound: &Option<String>, keep: fn(&str, &str) -> bool| {
            bound.as_ref().is_none_or(|bound| keep(&start(bound), &bound.replace('/', "-")))
        };
        cut(&from, |cell, bound| cell >= bound)
            && cut(&to, |cell, bound| cell <= bound)
            && cut(&above, |cell, bound| cell > bound)
            && cut(&below, |cell, bound| cell < bound)
            && is.as_ref().is_none_or(|is| is.contains(&plain(name)))
            && not.as_ref().is_none_or(|not| !not.contains(&plain(name)))
    };
    let kept: Vec<bool> = words.names().iter().map(|name| passes(name)).collect();
    Ok((0..rows).filter(|row| words.code(*row).is_some_and(|code| kept[code])).collect())
}

fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            vec![value]
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A test in words.
fn say(test: &Test) -> String {
    let bounds = [
        ("is", &test.is),
        ("is not", &test.not),
        ("is at least", &test.from),
        ("is at most", &test.to),
        ("is above", &test.above),
        ("is below", &test.below),
    ];
    let each = bounds.into_iter().filter_map(|(word, value)| {
        let values: Vec<String> = many(value.as_ref()?).into_iter().map(shown).collect();
        Some(format!("{word} {}", values.join(" or ")))
    });
    format!("`{}` {}", test.column, each.collect::<Vec<_>>().join(" and "))
}

fn shown(value: &Value) -> String {
    match value.as_f64() {
        Some(number) => super::format::number(number),
        None => super::bad_data::excerpt(&text(value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::analyst::{Watch, read::read_table};

    fn rows(test: Value) -> String {
        let table = "day,region,sales\n2024-01-05,north,1\n2024-01-31,south,2\n2024-02-01,North,3\n\
                     2024-03-01,west,\n";
        let mut frames = read_table("t", table, &Watch::default()).unwrap().frames;
        let test: Test = serde_json::from_value(test).unwrap();
        match filter(&mut frames, &[test]) {
            Ok(notes) => notes.join(" "),
            Err(question) => format!("? {question}"),
        }
    }

    #[test]
    fn tests_keep_the_rows_they_say() {
        let cases = [
            (
                json!({"column": "region", "is": "north"}),
                "I used only the 2 of 4 rows where `region` is north.",
            ),
            (
                json!({"column": "Region", "is": ["north", "west"]}),
                "I used only the 3 of 4 rows where `Region` is north or west.",
            ),
            (
                json!({"column": "region", "not": "north"}),
                "I used only the 2 of 4 rows where `region` is not north.",
            ),
            (
                json!({"column": "sales", "above": 1, "to": 3}),
                "I used only the 2 of 4 rows where `sales` is at most 3 and is above 1.",
            ),
            (
                json!({"column": "sales", "is": "2"}),
                "I used only the 1 of 4 rows where `sales` is 2.",
            ),
            (
                json!({"column": "day", "to": "2024-01"}),
                "I used only the 2 of 4 rows where `day` is at most 2024-01.",
            ),
            (
                json!({"column": "day", "above": "2024-01"}),
                "I used only the 2 of 4 rows where `day` is above 2024-01.",
            ),
            (
                json!({"column": "day", "from": "2024/01/31", "below": "2024-03-01"}),
                "I used only the 2 of 4 rows where `day` is at least 2024/01/31 and is below \
                 2024-03-01.",
            ),
        ];
        for (test, expected) in cases {
            assert_eq!(rows(test.clone()), expected, "{test}");
        }
    }

    #[test]
    fn what_cannot_be_tested_is_asked_back() {
        let cases = [
            (
                json!({"column": "area", "is": "north"}),
                "? There is no column `area`. Which one do you mean? There are `day`, `region`, \
                 `sales`.",
            ),
            (
                json!({"column": "region", "is": "east"}),
                "? No row is left where `region` is east. Which rows do you mean? There are \
                 `north`, `south`, `North`, `west`.",
            ),
            (
                json!({"column": "region", "above": "east"}),
                "? `region` holds words, which have no order that I know. Which of them do you \
                 mean? There are `north`, `south`, `North`, `west`.",
            ),
            (
                json!({"column": "sales", "above": "much"}),
                "? `sales` holds numbers, and it is compared with something else. With which \
                 number shall I compare it?",
            ),
            (
                json!({"column": "day", "above": "May"}),
                "? `day` holds dates, and I do not read `May` as one. Which date do you mean? \
                 Write it as 2024-01-31, 2024-01 or 2024.",
            ),
        ];
        for (test, expected) in cases {
            assert_eq!(rows(test.clone()), expected, "{test}");
        }
    }
}
