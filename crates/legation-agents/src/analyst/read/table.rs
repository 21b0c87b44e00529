//! A CSV table: delimiter and header are found out, errors name line and column.
//!
//! Markdown tables are read too: their outer bars and the rule below the header are taken off.

use std::borrow::Cow;

use csv::StringRecord;

use super::cell::{Cell, Commas, read_cell};
use super::grid::{Grid, read_grid};
use super::header::is_header;
use super::records::records;
use crate::analyst::bad_data::{BadData, Place};
use crate::analyst::limits::MAX_TABLE_BYTES;
use crate::analyst::series::{Reading, Series};

/// Reads the numeric columns of a table.
///
/// # Errors
///
/// A row of another width than the first, a word in a column of numbers, no numbers at all, or
/// too much data.
pub(crate) fn read_table(source: &str, text: &str) -> Result<Reading, BadData> {
    if text.len() > MAX_TABLE_BYTES {
        return Err(BadData::too_much(source, "bytes", text.len(), MAX_TABLE_BYTES));
    }
    let table = Table::new(source, &without_frame(text.trim_start_matches('\u{feff}')))?;
    let mut reading = match table.only_row() {
        Some(values) => list_in_a_row(source, values)?,
        None => read_grid(source, &table)?,
    };
    if reading.series.is_empty() {
        return Err(BadData::new(
            source,
            Place::Whole,
            "it has no column of numbers",
            "Send at least one column of numbers, with its name in the first line",
        ));
    }
    if table.commas == Commas::Decimal {
        reading.note("I read commas inside numbers as decimal commas.".to_owned());
    }
    Ok(reading)
}

fn list_in_a_row(source: &str, values: Vec<Option<f64>>) -> Result<Reading, BadData> {
    let mut reading = Reading::default();
    reading.push(source, Series { name: None, values, labels: None })?;
    Ok(reading)
}

/// The records of a table, all of one width, and the line each starts on.
struct Table {
    header: Option<StringRecord>,
    rows: Vec<(usize, StringRecord)>,
    commas: Commas,
}

impl Table {
    fn new(source: &str, text: &str) -> Result<Self, BadData> {
        let mut rows = records(source, text)?;
        let Some((_, first)) = rows.first() else {
            let remedy = "Send a table with a header line and rows";
            return Err(BadData::new(source, Place::Whole, "it is empty", remedy));
        };
        let width = first.len();
        if let Some((line, row)) = rows.iter().find(|(_, row)| row.len() != width) {
            return Err(BadData::new(
                source,
                Place::Line(*line),
                format!("it has {}, but the first line has {width}", cells(row.len())),
                "Give every line the same number of cells, and quote cells that hold a delimiter",
            ));
        }
        let commas = Commas::of(rows.iter().flat_map(|(_, row)| row.iter()));
        let first_cells: Vec<&str> = first.iter().collect();
        let header = is_header(&first_cells, commas).then(|| rows.remove(0).1);
        Ok(Self { header, rows, commas })
    }

    /// Returns the values of a table that is one line of numbers: a list, not columns of one.
    fn only_row(&self) -> Option<Vec<Option<f64>>> {
        let [(_, row)] = self.rows.as_slice() else { return None };
        if self.header.is_some() || row.len() < 2 {
            return None;
        }
        let number = |cell| match read_cell(cell, self.commas) {
            Cell::Number(value) => Some(Some(value)),
            Cell::Missing => Some(None),
            Cell::NotFinite | Cell::Word => None,
        };
        let values: Vec<Option<f64>> = row.iter().map(number).collect::<Option<_>>()?;
        values.iter().any(Option::is_some).then_some(values)
    }

    fn column_name(&self, column: usize) -> String {
        match self.header.as_ref().and_then(|header| header.get(column)) {
            Some(name) if !name.is_empty() => name.to_owned(),
            Some(_) | None => format!("column {}", column + 1),
        }
    }
}

impl Grid for Table {
    fn columns(&self) -> usize {
        self.header.as_ref().or(self.rows.first().map(|(_, row)| row)).map_or(0, StringRecord::len)
    }
    fn rows(&self) -> usize {
        self.rows.len()
    }
    fn name(&self, column: usize) -> Option<String> {
        // Without a header, the only column needs no name.
        (self.header.is_some() || self.columns() > 1).then(|| self.column_name(column))
    }
    fn cell(&self, column: usize, row: usize) -> Cell {
        read_cell(&self.rows[row].1[column], self.commas)
    }
    fn text(&self, column: usize, row: usize) -> Cow<'_, str> {
        self.rows[row].1[column].into()
    }
    fn place(&self, column: usize, row: usize) -> Place {
        Place::Cell { line: self.rows[row].0, column: self.column_name(column) }
    }
}

fn cells(count: usize) -> String {
    if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") }
}

/// Takes the outer bars and the rules of a Markdown table off, keeping the number of lines.
fn without_frame(text: &str) -> Cow<'_, str> {
    if !text.lines().any(is_rule) {
        return text.into();
    }
    let bare = |line: &str| match line.trim() {
        rule if is_rule(rule) => String::new(),
        row => row.strip_prefix('|').unwrap_or(row).strip_suffix('|').unwrap_or(row).to_owned(),
    };
    text.lines().map(bare).collect::<Vec<_>>().join("\n").into()
}

/// Whether a line is the `|---|:--|` below the header of a Markdown table.
pub(crate) fn is_rule(line: &str) -> bool {
    line.contains("--") && line.contains('|') && line.trim().chars().all(|c| "|-: ".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyst::limits::MAX_VALUES;

    fn read(text: &str) -> String {
        match read_table("`t.csv`", text) {
            Ok(reading) => reading.series.iter().map(line).collect::<Vec<_>>().join("; "),
            Err(bad) => match bad.place {
                Place::Whole => bad.problem,
                Place::Line(_) | Place::Cell { .. } | Place::Item(_) | Place::Path(_) => {
                    format!("{:?}: {}", bad.place, bad.problem)
                }
            },
        }
    }

    fn line(series: &Series) -> String {
        let show = |value: &Option<f64>| value.map_or("_".to_owned(), |value| value.to_string());
        let values: Vec<String> = series.values.iter().map(show).collect();
        format!("{}={}", series.name.as_deref().unwrap_or(""), values.join(" "))
    }

    #[test]
    fn columns_of_numbers_are_series() {
        let cases = [
            ("month,sales\nJan,100\nFeb,120\n", "sales=100 120"),
            ("\u{feff}a;b\r\n1;2\r\n3;\r\n", "a=1 3; b=2 _"),
            ("a\tb\n1,5\t2\n2,5\t3\n", "a=1.5 2.5; b=2 3"),
            ("name,\"net, total\"\nx,\"1,200\"\ny,\"1,300\"", "net, total=1200 1300"),
            ("1,10\n2,20\n", "column 1=1 2; column 2=10 20"),
            ("5\n6\n7\n", "=5 6 7"),
            ("100,120,95,140,160", "=100 120 95 140 160"),
            ("sales\n100\n120", "sales=100 120"),
            ("region,2023,2024\nnorth,1,2\nsouth,3,4", "2023=1 3; 2024=2 4"),
            ("| m | s |\n|---|---:|\n| Jan | 1 |\n| Feb | 2 |", "s=1 2"),
            ("year,s\n2020,1\n2021,2", "s=1 2"),
            ("a,b\nx,5", "b=5"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn errors_name_line_and_column() {
        let cell = |line: usize, column: &str, found: &str| {
            format!("{:?}: `{found}` is not a number", Place::Cell { line, column: column.into() })
        };
        let cases = [
            ("m,s\na,1\nb,2\nc,x\n", cell(4, "s", "x")),
            ("m,s\r\na,1\r\n\r\n\r\nb,2\r\nc,x\r\n", cell(6, "s", "x")),
            ("m,s\n\"a\nb\",1\nc,2\nd,x\n", cell(5, "s", "x")),
            ("1,2\n3,4\n5,x", cell(3, "column 2", "x")),
            ("m,s\na,1\nb,2,3\n", "Line(3): it has 3 cells, but the first line has 2".to_owned()),
            ("m,s\n\na\n", "Line(3): it has 1 cell, but the first line has 2".to_owned()),
            ("", "it is empty".to_owned()),
            ("\n\n", "it is empty".to_owned()),
            ("a,b\n", "it has no column of numbers".to_owned()),
            ("a,b\nx,y\n", "it has no column of numbers".to_owned()),
            ("a,b\n,\n", "it has no column of numbers".to_owned()),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn too_many_rows_or_bytes_are_refused() {
        assert!(read(&"1\n".repeat(MAX_VALUES)).starts_with("=1 1"));
        assert!(read(&"1\n".repeat(MAX_VALUES + 1)).contains("at most"));
        assert!(read(&"1".repeat(MAX_TABLE_BYTES + 1)).contains("at most"));
        assert!(read(&format!("{}\n", "a,".repeat(1000)).repeat(2)).contains("at most"));
    }
}
