//! Tests of rows in plain words: "where region is north", "sales above 100", "only north".

use serde_json::Value;

use super::Test;
use super::lexer::Lexeme;
use super::mentions::Mention;
use super::values::Values;
use crate::analyst::frame::{Column, Frame, is_date};
use crate::analyst::request::names_only_operations;

/// What a comparison sets of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Is,
    Not,
    From,
    To,
    Above,
    Below,
}

/// Comparisons in words, between the column and the value.
const COMPARISONS: [(Bound, &[&str]); 6] = [
    (
        Bound::Above,
        &["greater than", "more than", "larger than", "higher than", "above", "over", "after", ">"],
    ),
    (Bound::Below, &["less than", "smaller than", "lower than", "below", "under", "before", "<"]),
    (Bound::From, &["at least", "since", "from", "between", ">="]),
    (Bound::To, &["at most", "until", "<="]),
    (Bound::Not, &["!="]),
    (Bound::Is, &["="]),
];

/// Comparisons that may go on to a second value.
const RANGES: [(&str, &str); 2] = [("between", "and"), ("from", "to")];

impl Bound {
    fn of(self, test: &mut Test) -> &mut Option<Value> {
        match self {
            Self::Is => &mut test.is,
            Self::Not => &mut test.not,
            Self::From => &mut test.from,
            Self::To => &mut test.to,
            Self::Above => &mut test.above,
            Self::Below => &mut test.below,
        }
    }
}

/// Words before a value that stands for its column: "only north".
const ONLY: [&str; 8] = ["only", "just", "for", "in", "of", "from", "the", "rows"];

/// A test that was found, and the pieces it is made of.
pub(crate) struct Found {
    pub(crate) test: Test,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The tests of an instruction. An error is the question to ask.
pub(crate) fn tests(
    lexemes: &[Lexeme],
    mentions: &[Mention<'_>],
    frames: &[Frame],
    values: &Values<'_>,
) -> Result<Vec<Found>, String> {
    let after = |mention| after_column(lexemes, mention, values);
    let mut found: Vec<Found> = mentions.iter().filter_map(after).collect();
    let dates = only_dates(frames);
    for at in 0..lexemes.len() {
        let taken = found.iter().any(|it| (it.start..it.end).contains(&at))
            || mentions.iter().any(|it| (it.start..it.end).contains(&at));
        if !taken
            && let Some(dates) = dates
            && let Some(test) = in_time(lexemes, at, dates)?
        {
            found.push(test);
            continue;
        }
        let introduced = at > 0 && ONLY.contains(&&*lexemes[at - 1].plain);
        if !taken && (introduced || lexemes[at].quoted) {
            found.extend(bare_value(lexemes, at, values)?);
        }
    }
    Ok(found)
}

/// The test that follows the name of a column.
fn after_column(lexemes: &[Lexeme], mention: &Mention<'_>, values: &Values<'_>) -> Option<Found> {
    let mut at = mention.end;
    let says = |at: usize, word: &str| {
        lexemes.get(at).is_some_and(|it| it.plain == word || it.text == word)
    };
    let is = ["is", "are", "was", "equals"].iter().any(|word| says(at, word));
    at += usize::from(is);
    let not = says(at, "not") && !says(at + 1, "above");
    at += usize::from(is && not);
    let mut test = Test { column: mention.name.to_owned(), ..Test::default() };
    let mut phrases =
        COMPARISONS.iter().flat_map(|(bound, them)| them.iter().map(|it| (*bound, *it)));
    let said = |phrase: &str| phrase.split(' ').enumerate().all(|(n, word)| says(at + n, word));
    if let Some((bound, phrase)) = phrases.find(|(_, phrase)| said(phrase)) {
        let first = at + phrase.split(' ').count();
        let (value, mut end) = value(lexemes, first, mention.column, values)?;
        *bound.of(&mut test) = Some(value);
        let goes_on = RANGES.iter().any(|(first, then)| phrase == *first && says(end, then));
        let second =
            goes_on.then(|| self::value(lexemes, end + 1, mention.column, values)).flatten();
        if let Some((value, last)) = second {
            (test.to, end) = (Some(value), last);
        }
        return Some(Found { test, start: mention.start, end });
    }
    // "sales is high" says nothing about rows: the value has to be one of the column.
    let (value, end) = is.then(|| known_value(lexemes, at, mention.column, values))??;
    *(if not { Bound::Not } else { Bound::Is }).of(&mut test) = Some(value);
    Some(Found { test, start: mention.start, end })
}

/// A value for a comparison: a number in a column of numbers, else a word.
fn value(
    lexemes: &[Lexeme],
    at: usize,
    column: &Column,
    values: &Values<'_>,
) -> Option<(Value, usize)> {
    let lexeme = lexemes.get(at)?;
    if column.numbers().is_some() {
        return Some((lexeme.number?.into(), at + 1));
    }
    known_value(lexemes, at, column, values).or_else(|| Some((lexeme.text.as_str().into(), at + 1)))
}

/// A value that occurs in the column, or a number in a column of numbers.
fn known_value(
    lexemes: &[Lexeme],
    at: usize,
    column: &Column,
    values: &Values<'_>,
) -> Option<(Value, usize)> {
    if column.words().is_none() {
        return Some((lexemes.get(at)?.number?.into(), at + 1));
    }
    let mut found = values.at(lexemes, at).into_iter();
    let (_, value, end) = found.find(|(known, ..)| std::ptr::eq(*known, column))?;
    Some((value.into(), end))
}

/// Months, which are no dates without their year.
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The column of dates, when there is only one.
fn only_dates(frames: &[Frame]) -> Option<&Column> {
    let columns = frames.iter().flat_map(|frame| &frame.columns);
    let mut dates = columns.filter(|it| it.words().is_some_and(|words| words.are_dates()));
    dates.next().filter(|_| dates.next().is_none())
}

/// A time without its column, which is this one: "since 2024-03".
fn in_time(lexemes: &[Lexeme], at: usize, column: &Column) -> Result<Option<Found>, String> {
    const IN: [&str; 3] = ["in", "during", "on"];
    let word = |at: usize| lexemes.get(at).map_or("", |it| &*it.text);
    let date = |at: usize| {
        let year = word(at).len() == 4 && lexemes.get(at).is_some_and(|it| it.number.is_some());
        (year || is_date(word(at))).then(|| Value::from(word(at)))
    };
    let phrase = lexemes[at].plain.as_str();
    let bound = COMPARISONS.iter().find(|(_, phrases)| phrases.contains(&phrase));
    if bound.is_none() && !IN.contains(&phrase) {
        return Ok(None);
    }
    let name = column.name.clone().unwrap_or_default();
    let month = word(at + 1).to_lowercase();
    if bound.is_some() && MONTHS.iter().any(|it| month.starts_with(it)) {
        return Err(format!(
            "Which time do you mean by \"{phrase} {}\"? Write it as `{name}` has it, such as {}.",
            word(at + 1),
            column.words().map_or("", |words| words.get(0)),
        ));
    }
    let Some(value) = date(at + 1) else { return Ok(None) };
    let mut test = Test { column: name, ..Test::default() };
    let mut end = at + 2;
    match bound {
        Some((bound, _)) => *bound.of(&mut test) = Some(value),
        None => (test.from, test.to) = (Some(value.clone()), Some(value)),
    }
    let goes_on = RANGES.iter().any(|(first, then)| phrase == *first && word(end) == *then);
    if let Some(last) = goes_on.then(|| date(end + 1)).flatten() {
        (test.to, end) = (Some(last), end + 2);
    }
    Ok(Some(Found { test, start: at, end }))
}

/// A value without its column: "only north".
fn bare_value(lexemes: &[Lexeme], at: usize, values: &Values<'_>) -> Result<Option<Found>, String> {
    // A single letter, a number or a word for what to do is more likely part of the sentence.
    let one = &lexemes[at];
    let is_plain = one.plain.len() < 2 || one.number.is_some() || names_only_operations(&one.text);
    if is_plain && !one.quoted {
        return Ok(None);
    }
    let found: Vec<(&str, Value, usize)> = values
        .at(lexemes, at)
        .into_iter()
        .filter_map(|(column, value, end)| Some((column.name.as_deref()?, value.into(), end)))
        .collect();
    match &found[..] {
        [] => Ok(None),
        [(name, value, end)] => {
            let test =
                Test { column: (*name).to_owned(), is: Some(value.clone()), ..Test::default() };
            Ok(Some(Found { test, start: at, end: *end }))
        }
        [(name, value, _), (other, ..), ..] => Err(format!(
            "{value} is in the columns `{name}` and `{other}`. Which one do you mean? Say, for \
             example, \"{name} is {}\".",
            value.as_str().unwrap_or_default()
        )),
    }
}
