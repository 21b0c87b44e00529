//! The engine of the Data Analyst: numbers in, a report, a question or an explanation out.
//!
//! It is a pure function over the contents of a message. It knows a fixed list of operations
//! (describe, trend, outliers), reads what is wanted from the words of the text, and runs no
//! code that anyone sends. It leaves out the protocol: an adapter turns parts into [`Input`]s and
//! the [`Outcome`] into parts.
//!
//! The way through: `read` finds series of numbers in text, CSV and JSON; `request` finds out
//! what to do with them; `figures` calculates; `narrative` and `data` write the [`Report`].

mod agent;
mod bad_data;
mod data;
pub mod figures;
mod format;
pub mod limits;
mod narrative;
mod read;
mod report;
mod request;
mod series;
mod trend_words;
mod wanted;

pub use agent::DataAnalyst;
pub use bad_data::{BadData, Place};
pub use report::{Report, SeriesReport};

use read::Material;
use request::{ABILITIES, Request};

/// One piece of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<'a> {
    /// Words, numbers, or both; several are read as one text, joined by line breaks.
    Text(&'a str),
    /// A table.
    Csv {
        /// What the sender calls it, such as a file name; error messages use it.
        name: Option<&'a str>,
        /// The contents.
        text: &'a str,
    },
    /// A JSON value.
    Json {
        /// What the sender calls it.
        name: Option<&'a str>,
        /// The contents.
        value: serde_json::Value,
    },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The analysis.
    Report(Report),
    /// Something is missing, and this is what to ask the sender.
    Question(String),
    /// There is data, but it cannot be read or is too much.
    BadData(BadData),
}

const EXAMPLE: &str = "Send numbers as a list, for example \"sales: [100, 120, 95, 140, 160]\", \
                       or attach a CSV table or JSON with lists of numbers.";

/// Analyzes what a message holds.
///
/// ```
/// use legation_agents::analyst::{Input, Outcome, analyze};
///
/// let outcome = analyze(&[Input::Text("What is the trend? [100, 120, 95, 140, 160]")]);
/// let Outcome::Report(report) = outcome else { panic!("this is data") };
/// assert!(report.to_text().starts_with("The values rise by 14 per step"));
/// assert_eq!(report.to_data()["series"][0]["trend"]["growthPercent"], 60);
/// ```
pub fn analyze(inputs: &[Input<'_>]) -> Outcome {
    match read::read(inputs) {
        Ok(material) => answer(material),
        Err(bad) => Outcome::BadData(bad),
    }
}

fn answer(Material { reading, instruction }: Material) -> Outcome {
    let request = Request::read(&instruction);
    let beyond = request.beyond.join(", nor ");
    let has_data = !reading.series.is_empty();
    if request.operations.is_empty() {
        let question = if has_data { "What shall I do with the data?" } else { EXAMPLE };
        return Outcome::Question(format!("I do not {beyond}. {ABILITIES}. {question}"));
    }
    if !has_data {
        return Outcome::Question(format!("What shall I analyze? {EXAMPLE}"));
    }
    let mut notes = reading.notes;
    if !beyond.is_empty() {
        notes.push(format!("I do not {beyond}."));
    }
    Outcome::Report(Report::new(&reading.series, &request, notes))
}

#[cfg(test)]
mod tests;
