//! What is analyzed: named series of numbers, taken from the columns of tables.

use std::collections::HashSet;
use std::rc::Rc;

use super::bad_data::{BadData, excerpt};
use super::frame::{Column, Frame, Numbers, Words};
use super::limits::{MAX_SERIES, MAX_VALUES};

/// A column of numbers in the order they were given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    /// The name the sender gave, if any.
    pub(crate) name: Option<String>,
    /// One entry per position, the missing ones too, so that positions stay true.
    pub(crate) values: Rc<Numbers>,
    /// What the table calls each position ("Jan", "Feb"), shared by the series of that table.
    pub(crate) labels: Option<Rc<Words>>,
}

/// The tables found so far and what the reader should know about how they were read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) frames: Vec<Frame>,
    pub(crate) notes: Vec<String>,
}

impl Reading {
    /// A table and a remark on it, if any.
    pub(crate) fn of(frame: Frame, note: Option<&str>) -> Self {
        Self { frames: vec![frame], notes: note.map(str::to_owned).into_iter().collect() }
    }

    /// Adds everything that `other` holds.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.frames.extend(other.frames);
        other.notes.into_iter().for_each(|note| self.note(note));
    }

    /// Adds a remark, once.
    pub(crate) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Whether there is any number.
    pub(crate) fn has_data(&self) -> bool {
        self.frames.iter().flat_map(|frame| &frame.columns).any(|it| it.numbers().is_some())
    }
}

/// Columns of numbers that count the rows rather than measure something.
const INDEX_NAMES: [&str; 16] = [
    "id", "index", "row", "no", "no.", "nr", "#", "year", "quarter", "month", "week", "day",
    "date", "period", "step", "position",
];

/// The column that only counts the rows, when something else remains to analyze.
pub(crate) fn index_column(frame: &Frame) -> Option<usize> {
    let is_index = |column: &Column| {
        let name = column.name.as_deref().unwrap_or_default().trim();
        INDEX_NAMES.iter().any(|index| name.eq_ignore_ascii_case(index))
    };
    let numeric = || frame.columns.iter().enumerate().filter(|(_, it)| it.numbers().is_some());
    if numeric().count() < 2 {
        return None;
    }
    numeric().find(|(_, column)| is_index(column)).map(|(at, _)| at)
}

/// What names the rows: the first column of words, else one of numbers that counts them.
pub(crate) fn labels(frame: &Frame) -> Option<&Column> {
    let words = |column: &&Column| column.words().is_some_and(|it| !it.names().is_empty());
    let index = || index_column(frame).map(|at| &frame.columns[at]);
    frame.columns.iter().find(words).or_else(index)
}

/// The columns of numbers as series: those named in `picked`, or all when none is. A note goes to
/// `notes` when one of them is taken as labels.
pub(crate) fn series(frame: &Frame, picked: &[String], notes: &mut Vec<String>) -> Vec<Series> {
    let index = index_column(frame).filter(|_| picked.is_empty());
    if let Some(at) = index {
        let name = excerpt(frame.columns[at].name.as_deref().unwrap_or_default());
        let note = format!("I took `{name}` as the labels of the rows, not as data.");
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let labels = labels(frame).map(|column| column.cells.to_words());
    let is_picked = |column: &Column| {
        let same = |name: &String| frame.column(name).is_some_and(|it| std::ptr::eq(it, column));
        picked.is_empty() || picked.iter().any(same)
    };
    let columns = frame.columns.iter().enumerate();
    let columns = columns.filter(|(at, column)| Some(*at) != index && is_picked(column));
    let columns = columns.filter_map(|(_, column)| Some((column, column.numbers()?)));
    let series = columns.map(|(column, values)| Series {
        name: column.name.clone(),
        values: Rc::clone(values),
        labels: labels.clone(),
    });
    series.collect()
}

/// Refuses more series than we take.
pub(crate) fn check_series(source: &str, found: usize) -> Result<(), BadData> {
    if found > MAX_SERIES {
        return Err(BadData::too_much(source, "columns of numbers", found, MAX_SERIES));
    }
    Ok(())
}

/// Refuses a list or an array of more positions than we take.
pub(crate) fn check_values(source: &str, found: usize) -> Result<(), BadData> {
    if found > MAX_VALUES {
        return Err(BadData::too_much(source, "values in a row", found, MAX_VALUES));
    }
    Ok(())
}

/// Returns one distinct name per series: its own, else "values", or "series 2" among several.
pub(crate) fn names(series: &[Series]) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut names = Vec::with_capacity(series.len());
    for (index, one) in series.iter().enumerate() {
        let wanted = match &one.name {
            Some(name) => excerpt(name),
            None if series.len() == 1 => UNNAMED.to_owned(),
            None => format!("series {}", index + 1),
        };
        let mut name = wanted.clone();
        let mut copy = 1;
        while !taken.insert(name.clone()) {
            copy += 1;
            name = format!("{wanted} ({copy})");
        }
        names.push(name);
    }
    names
}

/// What the only series is called when the sender gave no name.
pub(crate) const UNNAMED: &str = "values";

#[cfg(test)]
impl Reading {
    /// All series: what tests of readers compare.
    pub(crate) fn series(&mut self) -> Vec<Series> {
        let frames = std::mem::take(&mut self.frames);
        frames.iter().flat_map(|frame| series(frame, &[], &mut self.notes)).collect()
    }

    /// The series on one line, `_` for a missing value.
    pub(crate) fn in_short(mut self) -> String {
        let value = |value: Option<f64>| value.map_or("_".to_owned(), |value| value.to_string());
        let series = |series: &Series| {
            let values: Vec<String> = series.values.iter().map(value).collect();
            format!("{}={}", series.name.as_deref().unwrap_or(""), values.join(" "))
        };
        self.series().iter().map(series).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: Option<&str>) -> Series {
        let values = Rc::new([Some(1.0)].into_iter().collect());
        Series { name: name.map(str::to_owned), values, labels: None }
    }

    #[test]
    fn names_are_distinct() {
        let cases: [(&[Option<&str>], &[&str]); 4] = [
            (&[None], &["values"]),
            (&[Some("a")], &["a"]),
            (&[None, Some("a"), None], &["series 1", "a", "series 3"]),
            (&[Some("a"), Some("a"), Some("a (2)")], &["a", "a (2)", "a (2) (2)"]),
        ];
        for (given, expected) in cases {
            let series: Vec<Series> = given.iter().map(|name| named(*name)).collect();
            assert_eq!(names(&series), expected, "{given:?}");
        }
    }

    #[test]
    fn too_many_values_are_refused() {
        assert!(check_values("the text", MAX_VALUES).is_ok());
        assert!(check_values("the text", MAX_VALUES + 1).is_err());
        assert!(check_series("the text", MAX_SERIES + 1).is_err());
    }
}
