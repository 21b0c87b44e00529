//! Rows and columns of a JSON document, turned into a table of typed columns.
//!
//! A column is numeric when at least half of what it holds is numbers; anything else in it is
//! then an error with its place, because dropping it would give wrong figures in silence.

use std::borrow::Cow;
use std::rc::Rc;

use super::cell::Cell;
use crate::analyst::bad_data::{BadData, Place};
use crate::analyst::frame::{Cells, Column, Frame, Numbers, Words};
use crate::analyst::limits::MAX_COLUMNS;
use crate::analyst::series::check_values;

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

/// How many cells of each kind a column holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    numbers: usize,
    words: usize,
}

impl Tally {
    /// Counts a cell.
    pub(crate) fn count(&mut self, cell: Cell) {
        match cell {
            Cell::Number(_) | Cell::NotFinite => self.numbers += 1,
            Cell::Word => self.words += 1,
            Cell::Missing => {}
        }
    }

    /// Whether the column measures something, rather than naming it.
    pub(crate) fn is_numeric(self) -> bool {
        self.numbers > 0 && self.numbers >= self.words
    }
}

/// A cell of a numeric column, where only numbers belong.
pub(crate) fn number(
    source: &str,
    cell: Cell,
    place: impl FnOnce() -> Place,
    text: &str,
) -> Result<Option<f64>, BadData> {
    match cell {
        Cell::Number(value) => Ok(Some(value)),
        Cell::Missing => Ok(None),
        Cell::NotFinite => Err(BadData::not_finite(source, place(), text)),
        Cell::Word => Err(BadData::not_a_number(source, place(), text)),
    }
}

/// Reads the columns; none of numbers is no error here.
pub(crate) fn read_grid(source: &str, grid: &impl Grid) -> Result<Frame, BadData> {
    check_values(source, grid.rows())?;
    if grid.columns() > MAX_COLUMNS {
        return Err(BadData::too_much(source, "columns", grid.columns(), MAX_COLUMNS));
    }
    let mut columns = Vec::with_capacity(grid.columns());
    for column in 0..grid.columns() {
        columns.push(Column { name: grid.name(column), cells: cells(source, grid, column)? });
    }
    Ok(Frame { source: source.to_owned(), columns, rows: grid.rows() })
}

fn cells(source: &str, grid: &impl Grid, column: usize) -> Result<Cells, BadData> {
    let mut tally = Tally::default();
    (0..grid.rows()).for_each(|row| tally.count(grid.cell(column, row)));
    if !tally.is_numeric() {
        let mut words = Words::default();
        (0..grid.rows()).for_each(|row| words.push(&grid.text(column, row)));
        return Ok(Cells::Words(Rc::new(words)));
    }
    let mut numbers = Numbers::default();
    for row in 0..grid.rows() {
        let place = || grid.place(column, row);
        numbers.push(number(source, grid.cell(column, row), place, &grid.text(column, row))?);
    }
    Ok(Cells::Numbers(Rc::new(numbers)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyst::read::cell::{Commas, read_cell};
    use crate::analyst::series::Reading;

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

    fn read(rows: &[&[&str]]) -> Reading {
        Reading::of(read_grid("the table", &Rows(rows)).unwrap(), None)
    }

    fn series_names(rows: &[&[&str]]) -> Vec<String> {
        read(rows).series().into_iter().filter_map(|series| series.name).collect()
    }

    #[test]
    fn columns_of_mostly_words_are_labels() {
        let rows: &[&[&str]] = &[&["code", "n"], &["A1", "1"], &["B2", ""], &["3", "2"]];
        assert_eq!(series_names(rows), ["n"]);
        let series = read(rows).series().remove(0);
        let label = |row| series.labels.as_ref().and_then(|labels| labels.label(row));
        let labels: Vec<String> = (0..4).filter_map(label).collect();
        assert_eq!(labels, ["A1", "B2", "3"]);
        assert!(series.values.iter().eq([Some(1.0), None, Some(2.0)]));
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
