//! From the parts of a request to tables and the words of the instruction.

mod cell;
mod delimiter;
mod encoding;
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

pub(crate) use cell::{Cell, Commas, read_cell};
pub(crate) use encoding::decode;
#[cfg(test)]
pub(crate) use table::read_table;

use super::Input;
use super::bad_data::BadData;
use super::limits::MAX_INSTRUCTION_BYTES;
use super::series::Reading;
use super::watch::Watch;

/// Everything a request holds, read.
#[derive(Debug)]
pub(crate) struct Material {
    /// The tables and the notes on them.
    pub(crate) reading: Reading,
    /// The text without the data that was found in it.
    pub(crate) instruction: String,
}

/// Reads all inputs: attached data in the order given, then the text parts joined as one.
///
/// # Errors
///
/// The first piece of data that cannot be read, or that is over a limit.
pub(crate) fn read(inputs: &[Input<'_>], watch: &Watch) -> Result<Material, BadData> {
    let mut reading = Reading::default();
    let mut texts = Vec::new();
    for input in inputs {
        match input {
            Input::Text(text) => texts.push(*text),
            Input::Csv { name, text } => {
                let source = source(*name, "the CSV data");
                reading.absorb(table::read_table(&source, text, watch)?);
            }
            Input::Json { name, value } => {
                let source = source(*name, "the JSON data");
                reading.absorb(json::read_json(&source, value)?);
            }
        }
    }
    let attached = reading.has_data();
    let (found, mut instruction) = text::read_text(&texts.join("\n"), attached)?;
    reading.absorb(found);
    if instruction.len() > MAX_INSTRUCTION_BYTES {
        let fits = |at: &usize| instruction.is_char_boundary(*at);
        let end = (0..=MAX_INSTRUCTION_BYTES).rev().find(fits).unwrap_or_default();
        instruction.truncate(end);
        let most = MAX_INSTRUCTION_BYTES >> 10;
        reading.notes.push(format!("I looked for what to do in the first {most} KiB of words."));
    }
    Ok(Material { reading, instruction })
}

fn source(name: Option<&str>, otherwise: &str) -> String {
    match name {
        Some(name) => format!("`{}`", super::bad_data::excerpt(name)),
        None => otherwise.to_owned(),
    }
}
