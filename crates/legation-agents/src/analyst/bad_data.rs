//! The answer when the data cannot be read: what is wrong, where, and what to do about it.

use std::error::Error;
use std::fmt;

/// Says why data could not be analyzed. Its `Display` is a message for the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadData {
    /// The data this is about: a file name in backticks, or words such as "the text".
    pub source: String,
    /// Where in the source the problem is.
    pub place: Place,
    /// What is wrong there, without a full stop.
    pub problem: String,
    /// What the sender can do, without a full stop.
    pub remedy: String,
}

/// A place in the data, as precise as its form allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The source as a whole.
    Whole,
    /// A line, counted from 1.
    Line(usize),
    /// A cell of a table.
    Cell {
        /// The line in the file, counted from 1.
        line: usize,
        /// The column's name in the header, or `column 2` when there is none.
        column: String,
    },
    /// An item of a list written in text, counted from 1.
    Item(usize),
    /// A JSON path such as `$[2].sales`.
    Path(String),
}

impl BadData {
    pub(crate) fn new(
        source: &str,
        place: Place,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { source: source.to_owned(), place, problem: problem.into(), remedy: remedy.into() }
    }

    /// The whole source is over one of the [limits](super::limits).
    pub(crate) fn too_much(source: &str, what: &str, found: usize, most: usize) -> Self {
        let problem = format!("it holds {found} {what}, and I can take at most {most}");
        Self::new(source, Place::Whole, problem, "Send less, or split it into several requests")
    }

    /// A cell or item that should be a number is something else.
    pub(crate) fn not_a_number(source: &str, place: Place, found: &str) -> Self {
        let found = excerpt(found);
        // Spreadsheets would calculate this; nothing that strangers write is calculated here.
        if found.starts_with(['=', '@']) {
            let problem = format!("`{found}` is a formula, and I calculate none");
            return Self::new(source, place, problem, "Put its value there");
        }
        let problem = format!("`{found}` is not a number");
        Self::new(source, place, problem, "Put a number there, or leave it empty")
    }

    /// A cell or item is infinite, or larger than a 64-bit float can hold.
    pub(crate) fn not_finite(source: &str, place: Place, found: &str) -> Self {
        let problem =
            format!("`{}` is larger than any number I can calculate with", excerpt(found));
        Self::new(source, place, problem, "Put a number below 1e308 there, or leave it empty")
    }
}

impl fmt::Display for BadData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, place, problem, remedy } = self;
        match place {
            Place::Whole => write!(f, "I cannot use {source}")?,
            Place::Line(line) => write!(f, "I cannot use line {line} of {source}")?,
            Place::Cell { line, column } => {
                write!(f, "I cannot use line {line}, column `{column}` of {source}")?;
            }
            Place::Item(position) => write!(f, "I cannot use item {position} of {source}")?,
            Place::Path(path) => write!(f, "I cannot use `{path}` in {source}")?,
        }
        write!(f, ": {problem}. {remedy}.")
    }
}

impl Error for BadData {}

/// Returns the start of a stranger's text, on one line and short enough for a message or a name.
pub(crate) fn excerpt(text: &str) -> String {
    const MOST: usize = 60;
    let mut kept: String = text.trim().chars().take(MOST).collect();
    if text.trim().chars().nth(MOST).is_some() {
        kept.push('…');
    }
    kept.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_where_what_and_what_to_do() {
        let cell = Place::Cell { line: 4, column: "revenue".to_owned() };
        let cases = [
            (
                BadData::not_a_number("`q1.csv`", cell, "abc"),
                "I cannot use line 4, column `revenue` of `q1.csv`: `abc` is not a number. \
                 Put a number there, or leave it empty.",
            ),
            (
                BadData::not_a_number("t", Place::Line(2), "=SUM(A1:A9)"),
                "I cannot use line 2 of t: `=SUM(A1:A9)` is a formula, and I calculate none. \
                 Put its value there.",
            ),
            (
                BadData::not_finite("the list", Place::Item(2), "1e999"),
                "I cannot use item 2 of the list: `1e999` is larger than any number I can \
                 calculate with. Put a number below 1e308 there, or leave it empty.",
            ),
            (
                BadData::too_much("the text", "bytes", 9, 8),
                "I cannot use the text: it holds 9 bytes, and I can take at most 8. \
                 Send less, or split it into several requests.",
            ),
        ];
        for (bad, message) in cases {
            assert_eq!(bad.to_string(), message);
        }
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(" a\nb "), "a b");
        assert_eq!(excerpt(&"é".repeat(100)).chars().count(), 61);
    }
}
