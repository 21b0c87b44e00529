//! How many, and in which order: "top 3 regions by sales", "the five lowest", "sorted by sales".

use super::Order;
use super::lexer::Lexeme;
use super::mentions::Mention;

/// Words for the greatest, and for the least.
const GREATEST: &[&str] = &["top", "best", "highest", "largest", "biggest", "greatest", "most"];
const LEAST: &[&str] = &["bottom", "worst", "lowest", "smallest", "least", "fewest"];

/// Of these, the words that ask for an order without a number, too: "top regions".
const ALONE: [&str; 2] = ["top", "bottom"];

const ASCENDING: [&str; 3] = ["ascending", "asc", "ascendingly"];
const DESCENDING: [&str; 3] = ["descending", "desc", "descendingly"];

/// Small numbers in words, from one.
const NUMBERS: [&str; 10] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// The most that is taken for a number of rows, and not for a year or a value.
const MOST: f64 = 1_000.0;

/// An order that was found.
pub(super) struct Found {
    pub(super) order: Order,
    /// The piece behind "top 3", where it may say of what.
    pub(super) of: Option<usize>,
}

/// The order that an instruction asks for.
pub(super) fn order(lexemes: &[Lexeme], mentions: &[Mention<'_>]) -> Option<Found> {
    let counted = counted(lexemes, mentions);
    let sorted = sorted(lexemes, mentions);
    match (counted, sorted) {
        // "the top 3, sorted by sales"
        (Some(counted), Some(sorted)) => {
            Some(Found { order: Order { by: sorted.by, ..counted.order }, ..counted })
        }
        (Some(counted), None) => Some(counted),
        (None, Some(order)) => Some(Found { order, of: None }),
        (None, None) => None,
    }
}

/// "top 3", "3 highest" or "bottom".
fn counted(lexemes: &[Lexeme], mentions: &[Mention<'_>]) -> Option<Found> {
    (0..lexemes.len()).find_map(|at| {
        let word = free(lexemes, mentions, at)?;
        let ascending = LEAST.contains(&word);
        if !ascending && !GREATEST.contains(&word) {
            return None;
        }
        let after = lexemes.get(at + 1).and_then(number);
        let before = || at.checked_sub(1).and_then(|at| number(&lexemes[at]));
        let most = after.or_else(before);
        if most.is_none() && !ALONE.contains(&word) {
            return None;
        }
        let of = at + 1 + usize::from(after.is_some());
        Some(Found { order: Order { by: None, ascending, most }, of: Some(of) })
    })
}

/// "sort", "ranked", "ordered by" or "descending", with the column behind "by".
fn sorted(lexemes: &[Lexeme], mentions: &[Mention<'_>]) -> Option<Order> {
    let word = |at| free(lexemes, mentions, at);
    let (at, ranks) = (0..lexemes.len()).find_map(|at| {
        let here = word(at)?;
        let orders = matches!(here, "order" | "ordered") && word(at + 1) == Some("by");
        let ranks = matches!(here, "rank" | "ranked" | "ranking");
        let sorts = matches!(here, "sort" | "sorted" | "sorting");
        let directs = ASCENDING.contains(&here) || DESCENDING.contains(&here);
        (orders || ranks || sorts || directs).then_some((at, ranks))
    })?;
    let by = (at..lexemes.len()).find(|at| word(*at) == Some("by"));
    let by = by.and_then(|by| mentions.iter().find(|mention| mention.start == by + 1));
    let says = |words: &[&str]| {
        (0..lexemes.len()).any(|at| word(at).is_some_and(|it| words.contains(&it)))
    };
    let first = |words: &[&str]| {
        let is_first = |at: &usize| word(at + 1) == Some("first");
        (0..lexemes.len()).filter(is_first).any(|at| word(at).is_some_and(|it| words.contains(&it)))
    };
    let ascends = says(&ASCENDING) || first(LEAST);
    let descends = says(&DESCENDING) || first(GREATEST);
    let ascending = ascends || !(descends || ranks);
    Some(Order { by: by.map(|mention| mention.name.to_owned()), ascending, most: None })
}

/// A word that is no part of a column's name.
fn free<'l>(lexemes: &'l [Lexeme], mentions: &[Mention<'_>], at: usize) -> Option<&'l str> {
    let lexeme = lexemes.get(at).filter(|lexeme| !lexeme.quoted)?;
    let named = mentions.iter().any(|mention| (mention.start..mention.end).contains(&at));
    (!named).then_some(&*lexeme.plain)
}

fn number(lexeme: &Lexeme) -> Option<usize> {
    let said = NUMBERS.iter().position(|word| *word == lexeme.plain).map(|at| at + 1);
    let is_count = |value: &f64| *value >= 1.0 && value.fract() == 0.0 && *value <= MOST;
    said.or_else(|| lexeme.number.filter(is_count).map(|value| value as usize))
}
