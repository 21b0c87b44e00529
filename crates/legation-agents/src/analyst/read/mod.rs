//! From the parts of a request to series of numbers and the words of the instruction.

mod cell;
mod delimiter;
mod grid;
mod header;
mod json;
mod label;
mod list;
mod records;
mod row;
mod run;
mod table;
mod text;
mod token;

use super::Input;
use super::bad_data::BadData;
use super::series::Reading;

/// Everything a request holds, read.
#[derive(Debug)]
pub(crate) struct Material {
    /// The series and the notes on them.
    pub(crate) reading: Reading,
    /// The text without the data that was found in it.
    pub(crate) instruction: String,
}

/// Reads all inputs: attached data in the order given, then the text parts joined as one.
///
/// # Errors
///
/// The first piece of data that cannot be read, or that is over a limit.
pub(crate) fn read(inputs: &[Input<'_>]) -> Result<Material, BadData> {
    let mut reading = Reading::default();
    let mut texts = Vec::new();
    for input in inputs {
        match input {
            Input::Text(text) => texts.push(*text),
            Input::Csv { name, text } => {
                let source = source(*name, "the CSV data");
                reading.absorb(&source, table::read_table(&source, text)?)?;
            }
            Input::Json { name, value } => {
                let source = source(*name, "the JSON data");
                reading.absorb(&source, json::read_json(&source, value)?)?;
            }
        }
    }
    let attached = !reading.series.is_empty();
    let (found, instruction) = text::read_text(&texts.join("\n"), attached)?;
    reading.absorb(text::SOURCE, found)?;
    Ok(Material { reading, instruction })
}

fn source(name: Option<&str>, otherwise: &str) -> String {
    match name {
        Some(name) => format!("`{}`", super::bad_data::excerpt(name)),
        None => otherwise.to_owned(),
    }
}
