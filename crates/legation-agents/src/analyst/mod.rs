//! The engine of the Data Analyst: numbers in, a report, a question or an explanation out.
//!
//! It is a pure function over the contents of a message. It knows a fixed list of operations, takes
//! them from a small declarative object or from the words of the text, and runs no code that anyone
//! sends or writes. It leaves out the protocol: an adapter turns parts into [`Input`]s and
//! the [`Outcome`] into parts.
//!
//! The way through: `read` finds tables in text, CSV and JSON; `plan` finds out what to do with
//! them; `answer` does it with `rows`, `figures` and `draw`, which `chart` makes SVG of; `narrative`
//! and `data` write the [`Report`].

mod agent;
mod answer;
mod bad_data;
mod chart;
mod data;
mod draw;
mod fetch;
pub mod figures;
mod format;
mod frame;
pub mod limits;
mod listing;
mod narrative;
mod parts;
mod plan;
mod read;
mod report;
mod request;
mod rows;
mod series;
mod trend_words;
mod wanted;
mod watch;

pub use agent::{DataAnalyst, FetchingAnalyst};
pub use bad_data::{BadData, Place};
pub use draw::Picture;
pub use report::{Report, SeriesReport};

use answer::{Stop, carry_out};
use plan::Plan;
use read::Material;
use request::ABILITIES;
use watch::Watch;

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
    match read::read(inputs, &Watch::default()) {
        Ok(material) => answer(material, None, &Watch::default()),
        Err(bad) => Outcome::BadData(bad),
    }
}

/// Does with the data what the plan says, or else the words that came with them.
fn answer(material: Material, plan: Option<Plan>, watch: &Watch) -> Outcome {
    let Material { reading, instruction } = material;
    let plan = match plan.map_or_else(|| plan::read(&instruction, &reading.frames, watch), Ok) {
        Ok(plan) => plan,
        Err(question) if reading.has_data() => return Outcome::Question(question),
        Err(_) => Plan::default(),
    };
    if plan.says_nothing() && !plan.beyond.is_empty() {
        let beyond = plan.beyond.join(", nor ");
        let question = if reading.has_data() { "What shall I do with the data?" } else { EXAMPLE };
        return Outcome::Question(format!("I do not {beyond}. {ABILITIES}. {question}"));
    }
    if !reading.has_data() {
        return Outcome::Question(format!("What shall I analyze? {EXAMPLE}"));
    }
    match carry_out(reading.frames, plan, reading.notes, watch) {
        Ok(report) => Outcome::Report(report),
        Err(stop) => stop.into(),
    }
}

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Ask(question) => Self::Question(question),
            Stop::Bad(bad) => Self::BadData(bad),
        }
    }
}

#[cfg(test)]
mod tests;
