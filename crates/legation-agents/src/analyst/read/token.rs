//! Prose cut into words and numbers, with what stands between them.
//!
//! Only numbers that stand alone are numbers: `Q1`, `3rd`, `12:30` and `2024-01-05` are words.

use super::cell::{Cell, Commas, read_cell};

/// A word or number and what stands before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token {
    /// Where it starts in the text, in bytes.
    pub(crate) start: usize,
    /// Where it ends, without the full stop after it.
    pub(crate) end: usize,
    /// What it is when read on its own.
    pub(crate) cell: Cell,
    /// What separates it from the token before.
    pub(crate) gap: Gap,
    /// How many commas and semicolons the gap holds; more than one leaves values out.
    pub(crate) commas: usize,
    /// Whether a full stop, question or exclamation mark follows.
    pub(crate) ends_sentence: bool,
}

/// What stands between two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// A comma and nothing else, which may group thousands.
    TightComma,
    /// A comma with space.
    Comma,
    /// A comma at the end of a line: where a list was wrapped.
    WrappedComma,
    /// A semicolon.
    Semicolon,
    /// A line break.
    Line,
    /// Space.
    Space,
    /// A colon or an equals sign: what is before is a label.
    Colon,
    /// A bracket, or the start of the text.
    Break,
}

const SEPARATORS: &str = ",;:=|()[]{}<>\"'`“”";
const BRACKETS: &str = "()[]{}<>";
const BULLETS: [&str; 3] = ["-", "*", "•"];

/// Cuts a text into tokens.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut gap_start = 0;
    for (start, end) in atoms(text) {
        let atom = &text[start..end];
        let gap = &text[gap_start..start];
        let after_break = gap.contains('\n') || tokens.is_empty();
        if after_break && BULLETS.contains(&atom) {
            continue;
        }
        let bare = atom.trim_end_matches(['.', '!', '?']);
        tokens.push(Token {
            start,
            end: start + bare.len(),
            cell: read_cell(bare, Commas::Thousands),
            gap: if tokens.is_empty() && !gap.contains([':', '=']) {
                Gap::Break
            } else {
                kind(gap)
            },
            commas: gap.matches([',', ';']).count(),
            ends_sentence: bare.len() < atom.len(),
        });
        gap_start = end;
    }
    tokens
}

fn kind(gap: &str) -> Gap {
    if gap.contains([':', '=']) {
        Gap::Colon
    } else if gap.contains(|c| BRACKETS.contains(c)) {
        Gap::Break
    } else if gap.contains(';') {
        Gap::Semicolon
    } else if gap == "," {
        Gap::TightComma
    } else if gap.contains(',') {
        if gap.contains('\n') { Gap::WrappedComma } else { Gap::Comma }
    } else if gap.contains('\n') {
        Gap::Line
    } else {
        Gap::Space
    }
}

/// Returns the start and end of everything between separators.
fn atoms(text: &str) -> Vec<(usize, usize)> {
    let mut atoms = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        if is_separator(text, at, c) {
            atoms.extend(start.take().map(|start| (start, at)));
        } else if start.is_none() {
            start = Some(at);
        }
    }
    atoms.extend(start.map(|start| (start, text.len())));
    atoms
}

/// A colon between digits separates nothing: it belongs to a time or a ratio.
fn is_separator(text: &str, at: usize, c: char) -> bool {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    if c == ':' && at > 0 && digit(bytes.get(at - 1)) && digit(bytes.get(at + 1)) {
        return false;
    }
    c.is_whitespace() || SEPARATORS.contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Renders tokens as `gap word` in short form, numbers in angle brackets.
    fn show(text: &str) -> String {
        let show = |token: &Token| {
            let gap = match token.gap {
                Gap::TightComma => ",",
                Gap::Comma => ", ",
                Gap::WrappedComma => ",/",
                Gap::Semicolon => ";",
                Gap::Line => "/",
                Gap::Space => " ",
                Gap::Colon => ":",
                Gap::Break => "|",
            };
            let word = &text[token.start..token.end];
            let stop = if token.ends_sentence { "." } else { "" };
            match token.cell {
                Cell::Number(value) => format!("{gap}<{value}>{stop}"),
                Cell::Missing | Cell::NotFinite | Cell::Word => format!("{gap}{word}{stop}"),
            }
        };
        tokens(text).iter().map(show).collect()
    }

    #[test]
    fn numbers_stand_alone_and_gaps_are_told_apart() {
        let cases = [
            ("a 1,2, 3;4\n5 6", "|a <1>,<2>, <3>;<4>/<5> <6>"),
            ("sales:100,120.", "|sales:<100>,<120>."),
            ("Q1 3rd 12:30 2024-01-05 v2", "|Q1 3rd 12:30 2024-01-05 v2"),
            ("in 2024 we had -3.5%.", "|in <2024> we had <-3.5>."),
            ("- 1\n- 2\n* 3", "|<1>/<2>/<3>"),
            ("f(1, 2) \"3\",\"4\"", "|f|<1>, <2>|<3>, <4>"),
            ("x = 5", "|x:<5>"),
            ("1,\n2", "|<1>,/<2>"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(show(text), expected, "{text:?}");
        }
    }
}
