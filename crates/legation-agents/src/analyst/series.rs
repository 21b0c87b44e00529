//! What reading yields: named series of numbers, and notes on how they were read.

use std::collections::HashSet;
use std::rc::Rc;

use super::bad_data::{BadData, excerpt};
use super::limits::{MAX_SERIES, MAX_VALUES};

/// A column of numbers in the order they were given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    /// The name the sender gave, if any.
    pub(crate) name: Option<String>,
    /// One entry per position; `None` where the value is missing, so that positions stay true.
    pub(crate) values: Vec<Option<f64>>,
    /// What the table calls each position ("Jan", "Feb"), shared by the series of that table.
    pub(crate) labels: Option<Rc<[String]>>,
}

/// The series found so far and what the reader should know about how they were read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) series: Vec<Series>,
    pub(crate) notes: Vec<String>,
}

impl Reading {
    /// Adds one series.
    pub(crate) fn push(&mut self, source: &str, series: Series) -> Result<(), BadData> {
        check_values(source, series.values.len())?;
        self.series.push(series);
        self.check_series(source)
    }

    /// Adds everything that `other`, read from `source`, holds.
    pub(crate) fn absorb(&mut self, source: &str, other: Self) -> Result<(), BadData> {
        self.series.extend(other.series);
        other.notes.into_iter().for_each(|note| self.note(note));
        self.check_series(source)
    }

    /// Adds a remark, once.
    pub(crate) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn check_series(&self, source: &str) -> Result<(), BadData> {
        let found = self.series.len();
        if found > MAX_SERIES {
            return Err(BadData::too_much(source, "series", found, MAX_SERIES));
        }
        Ok(())
    }
}

/// Refuses a series or table of more positions than we take.
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
    /// The series on one line, `_` for a missing value: what tests of readers compare.
    pub(crate) fn in_short(&self) -> String {
        let value = |value: &Option<f64>| value.map_or("_".to_owned(), |value| value.to_string());
        let series = |series: &Series| {
            let values: Vec<String> = series.values.iter().map(value).collect();
            format!("{}={}", series.name.as_deref().unwrap_or(""), values.join(" "))
        };
        self.series.iter().map(series).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: Option<&str>) -> Series {
        Series { name: name.map(str::to_owned), values: vec![Some(1.0)], labels: None }
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
    fn too_many_series_or_values_are_refused() {
        let mut reading = Reading::default();
        for _ in 0..MAX_SERIES {
            reading.push("the text", named(None)).unwrap();
        }
        assert!(reading.push("the text", named(None)).is_err());
        assert!(check_values("the text", MAX_VALUES).is_ok());
        assert!(check_values("the text", MAX_VALUES + 1).is_err());
    }
}
