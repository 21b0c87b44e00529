//! Rows and columns, wherever they come from, turned into series.
//!
//! A column is numeric when at least half of what it holds is numbers; anything else in it is
//! then an error with its place, because dropping it would give wrong figures in silence. Other
//! columns are labels: the first of them names the positions.

use std::borrow::Cow;
use std::rc::Rc;

use super::cell::Cell;
use crate::analyst::bad_data::{BadData, Place, excerpt};
use crate::analyst::limits::MAX_COLUMNS;
use crate::analyst::series::{Reading, Series, check_values};

/// Data in rows and columns.
pub(crate) trait Grid {
    /// How many columns there are.
    fn columns(&self) -> usize;
    /// How many rows of data there are.
    fn rows(&self) -> usize;
    /// What the sender calls a column.
    fn name(&self, column: usize) -> Option<String>;
    /// What a cell means.
    fn cell(&self, column: usize, row: usize) -> Cell;
    /// What a cell says.
    fn text(&self, column: usize, row: usize) -> Cow<'_, str>;
    /// Where a cell is, for the sender.
    fn place(&self, column: usize, row: usize) -> Place;
}

/// Columns of numbers that count the rows rather than measure something.
const INDEX_NAMES: [&str; 16] = [
    "id", "index", "row", "no", "no.", "nr", "#", "year", "quarter", "month", "week", "day",
    "date", "period", "step", "position",
];

/// Reads the numeric columns as series; none is no error here.
pub(crate) fn read_grid(source: &str, grid: &impl Grid) -> Result<Reading, BadData> {
    check_values(source, grid.rows())?;
    if grid.columns() > MAX_COLUMNS {
        return Err(BadData::too_much(source, "columns", grid.columns(), MAX_COLUMNS));
    }
    let mut numeric = Vec::new();
    let mut label_column = None;
    for column in 0..grid.columns() {
        match numbers(source, grid, column)? {
            Some(values) => numeric.push((column, values)),
            None if label_column.is_none() && has_text(grid, column) => label_column = Some(column),
            None => {}
        }
    }
    let mut reading = Reading::default();
    if let Some(index) = set_index_aside(grid, &mut numeric) {
        let name = excerpt(&grid.name(index).unwrap_or_default());
        reading.note(format!("I took `{name}` as the labels of the rows, not as data."));
        label_column = label_column.or(Some(index));
    }
    let labels = label_column.map(|column| labels(grid, column));
    for (column, values) in numeric {
        let series = Series { name: grid.name(column), values, labels: labels.clone() };
        reading.push(source, series)?;
    }
    Ok(reading)
}

/// Returns the values of a numeric column, `None` for a column of labels.
fn numbers(
    source: &str,
    grid: &impl Grid,
    column: usize,
) -> Result<Option<Vec<Option<f64>>>, BadData> {
    let cells: Vec<Cell> = (0..grid.rows()).map(|row| grid.cell(column, row)).collect();
    let count = |wanted: fn(&Cell) -> bool| cells.iter().filter(|cell| wanted(cell)).count();
    let numeric = count(|cell| matches!(cell, Cell::Number(_) | Cell::NotFinite));
    if numeric == 0 || numeric < count(|cell| *cell == Cell::Word) {
        return Ok(None);
    }
    let mut values = Vec::with_capacity(cells.len());
    for (row, cell) in cells.into_iter().enumerate() {
        let refuse = |bad: fn(&str, Place, &str) -> BadData| {
            Err(bad(source, grid.place(column, row), &grid.text(column, row)))
        };
        match cell {
            Cell::Number(value) => values.push(Some(value)),
            Cell::Missing => values.push(None),
            Cell::NotFinite => return refuse(BadData::not_finite),
            Cell::Word => return refuse(BadData::not_a_number),
        }
    }
    Ok(Some(values))
}

/// Removes a column that only counts the rows, when something else remains to analyze.
fn set_index_aside(
    grid: &impl Grid,
    numeric: &mut Vec<(usize, Vec<Option<f64>>)>,
) -> Option<usize> {
    let is_index = |column: usize| {
        let name = grid.name(column).unwrap_or_default();
        INDEX_NAMES.iter().any(|index| name.trim().eq_ignore_ascii_case(index))
    };
    if numeric.len() < 2 {
        return None;
    }
    let at = numeric.iter().position(|(column, _)| is_index(*column))?;
    Some(numeric.remove(at).0)
}

fn has_text(grid: &impl Grid, column: usize) -> bool {
    (0..grid.rows()).any(|row| !grid.text(column, row).trim().is_empty())
}

fn labels(grid: &impl Grid, column: usize) -> Rc<[String]> {
    (0..grid.rows()).map(|row| excerpt(&grid.text(column, row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyst::read::cell::{Commas, read_cell};

    /// The first row is the header.
    struct Rows<'a>(&'a [&'a [&'a str]]);

    impl Grid for Rows<'_> {
        fn columns(&self) -> usize {
            self.0[0].len()
        }
        fn rows(&self) -> usize {
            self.0.len() - 1
        }
        fn name(&self, column: usize) -> Option<String> {
            Some(self.0[0][column].to_owned())
        }
        fn cell(&self, column: usize, row: usize) -> Cell {
            read_cell(self.0[row + 1][column], Commas::Thousands)
        }
        fn text(&self, column: usize, row: usize) -> Cow<'_, str> {
            self.0[row + 1][column].into()
        }
        fn place(&self, _: usize, row: usize) -> Place {
            Place::Line(row + 2)
        }
    }

    fn series_names(rows: &[&[&str]]) -> Vec<String> {
        let reading = read_grid("the table", &Rows(rows)).unwrap();
        reading.series.into_iter().filter_map(|series| series.name).collect()
    }

    #[test]
    fn columns_of_mostly_words_are_labels() {
        let rows: &[&[&str]] = &[&["code", "n"], &["A1", "1"], &["B2", ""], &["3", "2"]];
        assert_eq!(series_names(rows), ["n"]);
        let reading = read_grid("the table", &Rows(rows)).unwrap();
        assert_eq!(reading.series[0].labels.as_deref().unwrap(), ["A1", "B2", "3"]);
        assert_eq!(reading.series[0].values, [Some(1.0), None, Some(2.0)]);
    }

    #[test]
    fn a_word_among_numbers_is_refused_with_its_place() {
        let bad = read_grid("t", &Rows(&[&["n"], &["1"], &["2"], &["oops"]])).unwrap_err();
        assert_eq!(bad.place, Place::Line(4));
        let bad = read_grid("t", &Rows(&[&["n"], &["1"], &["inf"]])).unwrap_err();
        assert_eq!(bad.place, Place::Line(3));
    }

    #[test]
    fn an_index_column_becomes_labels_unless_it_is_all_there_is() {
        assert_eq!(series_names(&[&["Year", "n"], &["2020", "5"], &["2021", "6"]]), ["n"]);
        assert_eq!(series_names(&[&["Year"], &["2020"], &["2021"]]), ["Year"]);
    }
}
