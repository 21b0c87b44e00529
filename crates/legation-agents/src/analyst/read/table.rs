//! A CSV table: delimiter, header and the types of columns are found out, errors name line and
//! column.
//!
//! The text is read twice, record by record: once to learn what each column holds and once to
//! keep it, in 8 bytes a number and 4 a word. No cell becomes a string of its own.
//!
//! Markdown tables are read too: their outer bars and the rule below the header are taken off.

use std::borrow::Cow;
use std::rc::Rc;

use csv::StringRecord;

use super::cell::{Cell, Commas, read_cell};
use super::delimiter::sniff;
use super::grid::{Tally, number};
use super::header::is_header;
use super::records::{Record, Source};
use crate::analyst::bad_data::{BadData, Place};
use crate::analyst::frame::{Cells, Column, Frame, Numbers, Words};
use crate::analyst::limits::{MAX_CELLS, MAX_COLUMNS, MAX_FILE_BYTES, MAX_ROWS};
use crate::analyst::series::Reading;
use crate::analyst::watch::Watch;

/// Reads the columns of a table.
///
/// # Errors
///
/// A row of another width than the first, a word in a column of numbers, no numbers at all, or
/// too much data.
pub(crate) fn read_table(name: &str, text: &str, watch: &Watch) -> Result<Reading, BadData> {
    if text.len() > MAX_FILE_BYTES {
        return Err(BadData::too_much(name, "bytes", text.len(), MAX_FILE_BYTES));
    }
    let text = without_frame(text.trim_start_matches('\u{feff}'));
    let source = Source { name, text: &text, delimiter: sniff(&text), watch };
    let shape = Shape::of(source)?;
    let frame = match shape.only_row() {
        Some(values) => Frame::list(name, None, values),
        None => shape.load(source)?,
    };
    if frame.columns.iter().all(|column| column.numbers().is_none()) {
        return Err(BadData::new(
            name,
            Place::Whole,
            "it has no column of numbers",
            "Send at least one column of numbers, with its name in the first line",
        ));
    }
    let decimal = shape.commas == Commas::Decimal;
    Ok(Reading::of(frame, decimal.then_some("I read commas inside numbers as decimal commas.")))
}

/// What a first reading says about a table.
struct Shape {
    first: StringRecord,
    has_header: bool,
    commas: Commas,
    tallies: Vec<Tally>,
    rows: usize,
}

impl Shape {
    fn of(source: Source<'_>) -> Result<Self, BadData> {
        let commas = commas(source)?;
        let mut shape: Option<Self> = None;
        source.each("looking through", |record| match &mut shape {
            None => {
                shape = Some(Self::begin(source, record, commas)?);
                Ok(())
            }
            Some(shape) => shape.add(source, record),
        })?;
        let empty = || {
            let remedy = "Send a table with a header line and rows";
            BadData::new(source.name, Place::Whole, "it is empty", remedy)
        };
        shape.ok_or_else(empty)
    }

    fn begin(source: Source<'_>, record: &Record<'_>, commas: Commas) -> Result<Self, BadData> {
        let width = record.cells.len();
        if width > MAX_COLUMNS {
            return Err(BadData::too_much(source.name, "columns", width, MAX_COLUMNS));
        }
        let cells: Vec<&str> = record.cells.iter().map(str::trim).collect();
        let has_header = is_header(&cells, commas);
        let first = cells.into();
        let tallies = vec![Tally::default(); width];
        let mut shape = Self { first, has_header, commas, tallies, rows: 0 };
        if !has_header {
            shape.add(source, record)?;
        }
        Ok(shape)
    }

    fn add(&mut self, source: Source<'_>, record: &Record<'_>) -> Result<(), BadData> {
        let (found, width) = (record.cells.len(), self.first.len());
        if found != width {
            return Err(BadData::new(
                source.name,
                Place::Line(source.line(record)),
                format!("it has {}, but the first line has {width}", cells(found)),
                "Give every line the same number of cells, and quote cells that hold a delimiter",
            ));
        }
        self.rows += 1;
        check_size(source.name, self.rows, width)?;
        for (tally, cell) in self.tallies.iter_mut().zip(record.cells) {
            tally.count(read_cell(cell, self.commas));
        }
        Ok(())
    }

    /// Returns the values of a table that is one line of numbers: a list, not columns of one.
    fn only_row(&self) -> Option<Numbers> {
        if self.has_header || self.rows != 1 || self.first.len() < 2 {
            return None;
        }
        let number = |cell| match read_cell(cell, self.commas) {
            Cell::Number(value) => Some(Some(value)),
            Cell::Missing => Some(None),
            Cell::NotFinite | Cell::Word => None,
        };
        let values: Vec<Option<f64>> = self.first.iter().map(number).collect::<Option<_>>()?;
        values.iter().any(Option::is_some).then(|| values.into_iter().collect())
    }

    /// Reads the table a second time, now knowing what each column is.
    fn load(&self, source: Source<'_>) -> Result<Frame, BadData> {
        let blank = |tally: &Tally| match tally.is_numeric() {
            true => Building::Numbers(Numbers::default()),
            false => Building::Words(Words::default()),
        };
        let mut columns: Vec<Building> = self.tallies.iter().map(blank).collect();
        let mut is_header = self.has_header;
        source.each("reading", |record| {
            if std::mem::take(&mut is_header) {
                return Ok(());
            }
            for (column, (building, text)) in columns.iter_mut().zip(record.cells).enumerate() {
                match building {
                    Building::Numbers(numbers) => {
                        let place = || self.place(source, record, column);
                        let cell = read_cell(text, self.commas);
                        numbers.push(number(source.name, cell, place, text)?);
                    }
                    Building::Words(words) => words.push(text),
                }
            }
            Ok(())
        })?;
        let columns = columns.into_iter().enumerate().map(|(column, building)| Column {
            // Without a header, the only column needs no name.
            name: (self.has_header || self.first.len() > 1).then(|| self.column_name(column)),
            cells: match building {
                Building::Numbers(numbers) => Cells::Numbers(Rc::new(numbers)),
                Building::Words(words) => Cells::Words(Rc::new(words)),
            },
        });
        Ok(Frame { source: source.name.to_owned(), columns: columns.collect(), rows: self.rows })
    }

    fn place(&self, source: Source<'_>, record: &Record<'_>, column: usize) -> Place {
        Place::Cell { line: source.line(record), column: self.column_name(column) }
    }

    fn column_name(&self, column: usize) -> String {
        match self.first.get(column).filter(|_| self.has_header) {
            Some(name) if !name.is_empty() => name.to_owned(),
            Some(_) | None => format!("column {}", column + 1),
        }
    }
}

/// A column that is being filled.
enum Building {
    Numbers(Numbers),
    Words(Words),
}

/// What commas inside cells mean. Where commas separate cells and nothing is quoted, none is inside.
fn commas(source: Source<'_>) -> Result<Commas, BadData> {
    if source.delimiter == b',' && !source.text.contains('"') {
        return Ok(Commas::Thousands);
    }
    let mut decimal = false;
    source.each("looking through", |record| {
        decimal = decimal || Commas::of(record.cells.iter()) == Commas::Decimal;
        Ok(())
    })?;
    Ok(if decimal { Commas::Decimal } else { Commas::Thousands })
}

/// Refuses a table with more rows or cells than we take, as soon as it has them.
fn check_size(name: &str, rows: usize, width: usize) -> Result<(), BadData> {
    if rows > MAX_ROWS {
        return Err(BadData::too_much(name, "rows or more", rows, MAX_ROWS));
    }
    if rows * width > MAX_CELLS {
        return Err(BadData::too_much(name, "cells or more", rows * width, MAX_CELLS));
    }
    Ok(())
}

fn cells(count: usize) -> String {
    if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") }
}

/// Takes the outer bars and the rules of a Markdown table off, keeping the number of lines.
fn without_frame(text: &str) -> Cow<'_, str> {
    // The rule is the second line, perhaps after blank ones.
    const TOP: usize = 10;
    if !text.lines().take(TOP).any(is_rule) {
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

    fn read(text: &str) -> String {
        match read_table("`t.csv`", text, &Watch::default()) {
            Ok(reading) => reading.in_short(),
            Err(bad) => match bad.place {
                Place::Whole => bad.problem,
                Place::Line(_) | Place::Cell { .. } | Place::Item(_) | Place::Path(_) => {
                    format!("{:?}: {}", bad.place, bad.problem)
                }
            },
        }
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
    fn too_much_of_anything_is_refused() {
        assert!(check_size("t", MAX_ROWS, 4).is_ok());
        assert!(check_size("t", MAX_ROWS + 1, 1).is_err());
        assert!(check_size("t", MAX_CELLS / 200 + 1, 200).is_err());
        assert!(read(&" ".repeat(MAX_FILE_BYTES + 1)).contains("at most"));
        assert!(read(&format!("{}\n", "a,".repeat(10_000)).repeat(2)).contains("at most 256"));
    }

    #[test]
    fn columns_have_types() {
        let text = "id,day,region,note,sales\n1,2024-03-01,north,,1\n2,2024-03-02,south,,2\n";
        let reading = read_table("t", text, &Watch::default()).unwrap();
        let kinds: Vec<&str> = reading.frames[0].columns.iter().map(Column::kind).collect();
        assert_eq!(kinds, ["numbers", "dates", "categories", "empty", "numbers"]);
    }
}
