//! Where an instruction speaks of a column of the data.

use super::lexer::Lexeme;
use crate::analyst::frame::{Column, Frame, plain};
use crate::analyst::request::names_only_operations;

/// A column and where it is spoken of.
#[derive(Clone, Debug)]
pub(crate) struct Mention<'f> {
    /// The column.
    pub(crate) column: &'f Column,
    /// What it is called.
    pub(crate) name: &'f str,
    /// The first piece of the instruction that names it.
    pub(crate) start: usize,
    /// The piece after it.
    pub(crate) end: usize,
}

/// A column that has a name, and what is looked for of it.
struct Named<'f> {
    column: &'f Column,
    name: &'f str,
    plain: String,
    words: Vec<String>,
}

impl<'f> Named<'f> {
    fn of(column: &'f Column) -> Option<Self> {
        let name = column.name.as_deref()?;
        let words = name.split(|letter: char| !letter.is_alphanumeric()).map(singular).collect();
        Some(Self { column, name, plain: singular(name), words })
    }
}

/// The most words a name has that we look for.
const MOST_WORDS: usize = 6;

/// Words of any sentence, which speak of a column of that name only in quotes, at an end or before
/// a word that joins columns.
const COMMON: [&str; 20] = [
    "a", "an", "and", "as", "at", "by", "for", "i", "in", "is", "it", "me", "my", "no", "of", "on",
    "or", "the", "to", "with",
];

const JOINING: [&str; 7] = ["against", "and", "by", "over", "versus", "vs", "with"];

/// Words that make a name before them a word for all the data: "this sales data".
const AS_A_WHOLE: [&str; 7] = ["data", "dataset", "table", "file", "figures", "numbers", "report"];

/// Every mention in order; of two that overlap the longer one.
pub(crate) fn mentions<'f>(lexemes: &[Lexeme], frames: &'f [Frame]) -> Vec<Mention<'f>> {
    let columns = frames.iter().flat_map(|frame| &frame.columns);
    let columns: Vec<Named<'f>> =
        columns.filter_map(Named::of).filter(|it| !it.plain.is_empty()).collect();
    let mut found: Vec<Mention<'f>> = Vec::new();
    let mut start = 0;
    while start < lexemes.len() {
        let longest = lexemes.len().min(start + MOST_WORDS);
        let mention = (start + 1..=longest).rev().find_map(|end| {
            let is_common = |it: &Lexeme| !it.quoted && COMMON.contains(&&*it.plain);
            // "b against a" can only mean a column; "a trend" cannot.
            let next = lexemes.get(end).filter(|_| !lexemes[end - 1].ends);
            let is_last = next.is_none_or(|next| JOINING.contains(&&*next.plain));
            if !is_last && lexemes[start..end].iter().all(is_common) {
                return None;
            }
            let said = singular(&joined(&lexemes[start..end])?);
            let Named { column, name, .. } = columns.iter().find(|it| it.plain == said)?;
            Some(Mention { column, name, start, end })
        });
        let mention = mention.or_else(|| {
            let Named { column, name, .. } = by_a_word(&lexemes[start], &columns)?;
            Some(Mention { column, name, start, end: start + 1 })
        });
        let Some(mention) = mention else {
            start += 1;
            continue;
        };
        start = mention.end;
        let whole = lexemes.get(start).is_some_and(|next| AS_A_WHOLE.contains(&&*next.plain));
        if !whole {
            found.push(mention);
        }
    }
    found
}

/// The only column that has this word in its name, such as `Net Price` for "price".
fn by_a_word<'c, 'f>(lexeme: &Lexeme, columns: &'c [Named<'f>]) -> Option<&'c Named<'f>> {
    const LEAST: usize = 4;
    let said = singular(&lexeme.plain);
    let is_plain = said.len() < LEAST || AS_A_WHOLE.contains(&&*said);
    if is_plain || names_only_operations(&lexeme.text) {
        return None;
    }
    let mut found = columns.iter().filter(|column| column.words.contains(&said));
    found.next().filter(|_| found.next().is_none())
}

/// Pieces as one name; none when they end with a sign, which belongs to no name.
pub(crate) fn joined(lexemes: &[Lexeme]) -> Option<String> {
    let ends_well = lexemes.last().is_some_and(|last| !last.plain.is_empty());
    ends_well.then(|| lexemes.iter().map(|it| it.plain.as_str()).collect())
}

/// A name in small letters, without the ending of the plural.
fn singular(name: &str) -> String {
    let name = plain(name);
    if let Some(stem) = name.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    let bare = name.strip_suffix('s').filter(|bare| bare.len() > 2 && !bare.ends_with('s'));
    bare.map_or_else(|| name.clone(), str::to_owned)
}
