//! Data in typed columns: what reading yields and what filters, groups and figures work on.
//!
//! Numbers take 8 bytes a cell and words 4, because words are kept once per column however often
//! they occur.

use std::collections::HashMap;
use std::rc::Rc;

use super::bad_data::excerpt;
use super::limits::MAX_CATEGORIES;

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame {
    /// What messages call it.
    pub(crate) source: String,
    /// Its columns, all of one length.
    pub(crate) columns: Vec<Column>,
    /// That length.
    pub(crate) rows: usize,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// The name the sender gave, if any.
    pub(crate) name: Option<String>,
    /// What is in it.
    pub(crate) cells: Cells,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cells {
    /// Something measured.
    Numbers(Rc<Numbers>),
    /// Categories, dates, names.
    Words(Rc<Words>),
}

/// Numbers, some of which may be missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(Vec<f64>);

impl Numbers {
    pub(crate) fn push(&mut self, value: Option<f64>) {
        // Infinities and NaN are refused by reading, so that NaN is free to stand for nothing.
        self.0.push(value.unwrap_or(f64::NAN));
    }

    pub(crate) fn get(&self, row: usize) -> Option<f64> {
        self.0.get(row).copied().filter(|value| !value.is_nan())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<f64>> + '_ {
        self.0.iter().map(|value| (!value.is_nan()).then_some(*value))
    }
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl FromIterator<Option<f64>> for Numbers {
    fn from_iter<I: IntoIterator<Item = Option<f64>>>(values: I) -> Self {
        Self(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }
}

/// Words by their number in a list of the different ones, in the order in which they first occur.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Words {
    codes: Vec<u32>,
    names: Vec<Box<str>>,
    known: HashMap<Box<str>, u32>,
    /// Whether there were too many different ones to keep.
    overflown: bool,
}

/// The code of an empty cell.
const EMPTY: u32 = u32::MAX;

impl Words {
    /// Adds a cell.
    pub(crate) fn push(&mut self, text: &str) {
        let text = text.trim();
        if self.overflown {
            return;
        }
        let code = match self.known.get(text) {
            _ if text.is_empty() => EMPTY,
            Some(code) => *code,
            None if self.names.len() == MAX_CATEGORIES => {
                *self = Self { overflown: true, ..Self::default() };
                return;
            }
            None => {
                let code = self.names.len() as u32;
                self.names.push(text.into());
                self.known.insert(text.into(), code);
                code
            }
        };
        self.codes.push(code);
    }

    /// The number of a row's word; `None` for an empty cell and in free text.
    pub(crate) fn code(&self, row: usize) -> Option<usize> {
        self.codes.get(row).filter(|code| **code != EMPTY).map(|code| *code as usize)
    }

    /// The word of a row; empty when there is none.
    pub(crate) fn get(&self, row: usize) -> &str {
        self.code(row).map_or("", |code| &self.names[code])
    }

    /// The different words.
    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// How many rows there are; none is counted in free text.
    pub(crate) fn rows(&self) -> usize {
        self.codes.len()
    }

    /// Whether the column is free text, whose cells are not kept.
    pub(crate) fn is_free_text(&self) -> bool {
        self.overflown
    }

    /// Whether every word is a date that sorts by its text.
    pub(crate) fn are_dates(&self) -> bool {
        !self.names.is_empty() && self.names.iter().all(|name| is_date(name))
    }

    /// A label for a row, short and on one line.
    pub(crate) fn label(&self, row: usize) -> Option<String> {
        (row < self.codes.len()).then(|| excerpt(self.get(row)))
    }
}

/// Whether this is `2024`, `2024-03`, `2024-03-01` or that with a time of day, all of which sort
/// as text.
pub(crate) fn is_date(text: &str) -> bool {
    let day = text.split(['T', ' ']).next().unwrap_or_default();
    let mut parts = day.split(['-', '/']);
    let year = parts.next().is_some_and(|year| year.len() == 4 && are_digits(year));
    let mut rest = parts.map(|part| part.len() == 2 && are_digits(part));
    year && day.len() > 4 && rest.clone().count() <= 2 && rest.all(|good| good)
}

fn are_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Frame {
    /// A list of numbers as a table of one column.
    pub(crate) fn list(source: &str, name: Option<String>, values: Numbers) -> Self {
        let rows = values.len();
        let cells = Cells::Numbers(Rc::new(values));
        Self { source: source.to_owned(), columns: vec![Column { name, cells }], rows }
    }

    /// The column of a name, whatever its case.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        let exact = self.columns.iter().find(|column| column.is_called(name));
        exact.or_else(|| self.columns.iter().find(|column| column.is_nearly_called(name)))
    }

    /// These rows alone.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|column| Column { name: column.name.clone(), cells: column.cells.select(rows) });
        Self { source: self.source.clone(), columns: columns.collect(), rows: rows.len() }
    }
}

impl Column {
    fn is_called(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }

    fn is_nearly_called(&self, name: &str) -> bool {
        self.name.as_ref().is_some_and(|own| plain(own) == plain(name))
    }

    /// The numbers, when it holds numbers.
    pub(crate) fn numbers(&self) -> Option<&Rc<Numbers>> {
        match &self.cells {
            Cells::Numbers(numbers) => Some(numbers),
            Cells::Words(_) => None,
        }
    }

    /// The words, when it holds words.
    pub(crate) fn words(&self) -> Option<&Rc<Words>> {
        match &self.cells {
            Cells::Words(words) => Some(words),
            Cells::Numbers(_) => None,
        }
    }

    /// What its cells are, in one word.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.cells {
            Cells::Numbers(_) => "numbers",
            Cells::Words(words) if words.is_free_text() => "text",
            Cells::Words(words) if words.are_dates() => "dates",
            Cells::Words(words) if words.names().is_empty() => "empty",
            Cells::Words(_) => "categories",
        }
    }
}

impl Cells {
    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => {
                Self::Numbers(Rc::new(rows.iter().map(|row| numbers.get(*row)).collect()))
            }
            Self::Words(words) if words.is_free_text() => Self::Words(Rc::clone(words)),
            Self::Words(words) => {
                let mut picked = Words::default();
                rows.iter().for_each(|row| picked.push(words.get(*row)));
                Self::Words(Rc::new(picked))
            }
        }
    }

    /// The cells as words, whatever they are: what rows are grouped by and labelled with.
    pub(crate) fn to_words(&self) -> Rc<Words> {
        match self {
            Self::Words(words) => Rc::clone(words),
            Self::Numbers(numbers) => {
                let mut words = Words::default();
                for value in numbers.iter() {
                    words.push(&value.map_or_else(String::new, |value| value.to_string()));
                }
                Rc::new(words)
            }
        }
    }
}

/// A name without what spellings differ in.
pub(crate) fn plain(name: &str) -> String {
    plain_letters(name).collect()
}

/// The same in a place that is used again.
pub(crate) fn plain_into(name: &str, place: &mut String) {
    place.clear();
    place.extend(plain_letters(name));
}

fn plain_letters(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_once_and_only_so_many() {
        let mut words = Words::default();
        ["a", "b", " a ", ""].iter().for_each(|word| words.push(word));
        let rows: Vec<&str> = (0..5).map(|row| words.get(row)).collect();
        assert_eq!((rows, words.names().len()), (vec!["a", "b", "a", "", ""], 2));
        (0..MAX_CATEGORIES).for_each(|n| words.push(&n.to_string()));
        assert!(words.is_free_text() && words.label(0).is_none());
    }

    #[test]
    fn dates_are_those_that_sort_as_text() {
        for good in ["2024-03", "2024-03-01", "2024/03/01", "2024-03-01T10:00:00Z", "2024-03-01 9"]
        {
            assert!(is_date(good), "{good}");
        }
        for bad in ["2024", "24-03-01", "1.3.2024", "2024-3", "March", "", "2024-03-01-02"] {
            assert!(!is_date(bad), "{bad}");
        }
    }

    #[test]
    fn columns_are_found_by_nearly_their_name() {
        let mut frame =
            Frame::list("t", Some("Net Sales".into()), [Some(1.0)].into_iter().collect());
        frame.columns.push(Column { name: Some("netsales".into()), ..frame.columns[0].clone() });
        let found = |name: &str| frame.column(name).and_then(|column| column.name.clone());
        assert_eq!(found("net_sales").as_deref(), Some("Net Sales"));
        assert_eq!(found("netsales").as_deref(), Some("netsales"));
        assert_eq!(found("sales"), None);
    }
}
