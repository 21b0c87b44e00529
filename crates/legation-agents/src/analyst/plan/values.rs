//! The values of a table that an instruction speaks of.
//!
//! Both may be large: a text of thousands of words, columns of a hundred thousand different values.
//! So each value is looked at once, whatever the text repeats.

use std::collections::HashMap;

use super::lexer::Lexeme;
use super::mentions::joined;
use crate::analyst::frame::{Column, Frame, plain_into};
use crate::analyst::watch::Watch;

/// The most words that a value has which we look for.
const MOST_WORDS: usize = 5;

/// What of an instruction is a value of a column of words.
pub(crate) struct Values<'f> {
    /// By how they are written plainly: the columns that have them, with the first such value.
    known: HashMap<String, Vec<(&'f Column, &'f str)>>,
}

impl<'f> Values<'f> {
    /// Looks for all that is said among all values. An error says that nobody waits any more.
    pub(crate) fn said(
        lexemes: &[Lexeme],
        frames: &'f [Frame],
        watch: &Watch,
    ) -> Result<Self, String> {
        let mut known: HashMap<String, Vec<(&'f Column, &'f str)>> = HashMap::new();
        for at in 0..lexemes.len() {
            let said = (at + 1..=lexemes.len().min(at + MOST_WORDS))
                .filter_map(|end| joined(&lexemes[at..end]));
            known.extend(said.map(|said| (said, Vec::new())));
        }
        let mut name = String::new();
        for frame in frames {
            for column in &frame.columns {
                watch.go_on(&frame.source).map_err(|stopped| stopped.to_string())?;
                let Some(words) = column.words() else { continue };
                for word in words.names() {
                    plain_into(word, &mut name);
                    let Some(found) = known.get_mut(&name) else { continue };
                    let is_first =
                        found.last().is_none_or(|(last, _)| !std::ptr::eq(*last, column));
                    if is_first {
                        found.push((column, &**word));
                    }
                }
            }
        }
        known.retain(|_, found| !found.is_empty());
        Ok(Self { known })
    }

    /// The longest value of each column that begins here, in the order of their length, and the
    /// piece after it.
    pub(crate) fn at(&self, lexemes: &[Lexeme], at: usize) -> Vec<(&'f Column, &'f str, usize)> {
        let mut found: Vec<(&'f Column, &'f str, usize)> = Vec::new();
        for end in (at + 1..=lexemes.len().min(at + MOST_WORDS)).rev() {
            let said = joined(&lexemes[at..end]);
            for (column, value) in said.and_then(|said| self.known.get(&said)).into_iter().flatten()
            {
                if !found.iter().any(|(longer, ..)| std::ptr::eq(*longer, *column)) {
                    found.push((column, value, end));
                }
            }
        }
        found
    }
}
