//! An instruction as words, numbers and comparisons, with punctuation only where it matters.

use super::super::frame::plain;
use crate::analyst::read::{Cell, Commas, read_cell};

/// One word, number or sign.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lexeme {
    /// As it was written, without quotes and punctuation around it.
    pub(crate) text: String,
    /// In lower case, letters and digits only; empty for signs.
    pub(crate) plain: String,
    /// Its value, when it is a number.
    pub(crate) number: Option<f64>,
    /// Whether it stood in quotes.
    pub(crate) quoted: bool,
    /// Whether a comma, a colon or the end of a sentence follows.
    pub(crate) ends: bool,
}

const QUOTES: [(char, char); 5] = [('"', '"'), ('`', '`'), ('“', '”'), ('\'', '\''), ('‘', '’')];
const ENDS: [char; 6] = [',', ';', ':', '?', '!', '.'];
const SIGNS: [char; 4] = ['<', '>', '=', '≠'];

/// Cuts an instruction into pieces.
pub(crate) fn lex(text: &str) -> Vec<Lexeme> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length;
        if let Some((inner, whole)) = quoted(rest) {
            found.push(lexeme(inner, true, false));
            length = whole;
        } else if SIGNS.contains(&first) || rest.starts_with("!=") {
            length = rest.find(|c| !SIGNS.contains(&c) && c != '!').unwrap_or(rest.len());
            found.push(lexeme(&rest[..length], false, false));
        } else {
            let stops = |c: char| c.is_whitespace() || SIGNS.contains(&c) || "()[]{}\"".contains(c);
            let stop = rest.find(stops).unwrap_or(rest.len());
            // A word ends before "!=", too, of which the second sign has stopped it.
            let is_not = rest[..stop].ends_with('!') && rest[stop..].starts_with('=');
            length = (stop - usize::from(is_not)).max(first.len_utf8());
            let word = &rest[..length];
            let bare = word.trim_matches(|c| ENDS.contains(&c) || "()[]{}\"".contains(c));
            if !bare.is_empty() {
                found.push(lexeme(bare, false, word.ends_with(ENDS)));
            } else if let Some(last) = found.last_mut() {
                last.ends = true;
            }
        }
        rest = rest[length..].trim_start();
    }
    found
}

/// The text in quotes at the beginning, and how long it is with them.
fn quoted(text: &str) -> Option<(&str, usize)> {
    let first = text.chars().next()?;
    let (_, close) = QUOTES.iter().find(|(open, _)| *open == first)?;
    let inner = &text[first.len_utf8()..];
    // An apostrophe that is far away closes nothing.
    let mut near = inner.char_indices().take_while(|(at, _)| *at <= 100);
    let (end, _) = near.find(|(_, letter)| letter == close)?;
    let inner = inner.get(..end).filter(|inner| !inner.is_empty())?;
    Some((inner, first.len_utf8() + end + close.len_utf8()))
}

fn lexeme(text: &str, quoted: bool, ends: bool) -> Lexeme {
    let number = match read_cell(text, Commas::Thousands) {
        Cell::Number(value) => Some(value),
        Cell::Missing | Cell::NotFinite | Cell::Word => None,
    };
    Lexeme { text: text.to_owned(), plain: plain(text), number, quoted, ends }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_cut_into_pieces() {
        let cases = [
            ("Where region is \"North East\", please.", "Where|region|is|North East.|please."),
            ("sales>=1,200 and x!=3", "sales|>=|1,200|and|x|!=|3"),
            ("from 2024-01-01 (incl.) on", "from|2024-01-01.|incl.|on"),
            ("don't , stop 'now", "don't,|stop|'now"),
            ("a!b!=3! =4 `é`", "a!b|!=|3.|=|4|é"),
            ("", ""),
        ];
        for (text, expected) in cases {
            let show = |it: Lexeme| {
                let end = if !it.ends {
                    ""
                } else if it.text == "don't" {
                    ","
                } else {
                    "."
                };
                format!("{}{end}", it.text)
            };
            let found: Vec<String> = lex(text).into_iter().map(show).collect();
            assert_eq!(found.join("|"), expected, "{text:?}");
        }
    }
}
