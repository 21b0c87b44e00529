//! Where a row of numbers in prose ends, and whether it is a list at all.

use super::cell::Cell;
use super::run::{Mark, values};
use super::token::{Gap, Token};

/// Collects the numbers in a row from `at` on; returns them and where the row ended.
pub(crate) fn row(text: &str, tokens: &[Token], at: usize, mark: Mark) -> (Vec<Token>, usize) {
    let mut items = vec![tokens[at]];
    let mut next = at + 1;
    loop {
        match step(text, &tokens[next - 1..], &items, mark) {
            Step::Take => items.push(tokens[next]),
            Step::Skip => {}
            Step::End => return (items, next),
        }
        next += 1;
    }
}

enum Step {
    /// The token is an item of the list.
    Take,
    /// The token joins two items.
    Skip,
    /// The list ended before the token.
    End,
}

/// Decides on the second token, knowing the one before it and the ones after it.
fn step(text: &str, tokens: &[Token], items: &[Token], mark: Mark) -> Step {
    let [last, token, after @ ..] = tokens else { return Step::End };
    if last.ends_sentence || matches!(token.gap, Gap::Colon | Gap::Break) {
        return Step::End;
    }
    let next_number = after.first().filter(|next| is_number(next) && !token.ends_sentence);
    let in_a_list =
        token.gap != Gap::Space && next_number.is_some_and(|next| alike(next.gap, token.gap));
    let go_on_or_end = |goes_on: bool| if goes_on { Step::Take } else { Step::End };
    match token.cell {
        Cell::Number(_) => go_on_or_end(!starts_a_sentence(items, token, after.first())),
        Cell::NotFinite => go_on_or_end(token.gap != Gap::Space),
        Cell::Missing => go_on_or_end(token.gap != Gap::Space && (in_a_list || after.is_empty())),
        Cell::Word if matches!(&text[token.start..token.end], "and" | "&") => match next_number {
            Some(next) if next.gap == Gap::Space => Step::Skip,
            Some(_) | None => Step::End,
        },
        // A word where a number belongs is taken, so that it is refused by name later on; ending
        // the list there would drop the rest of it in silence.
        Cell::Word => go_on_or_end(in_a_list && is_under_way(items, mark, token.gap)),
    }
}

/// Whether a number on a new line below a list by commas begins a sentence: "1, 2, 3\n5 shops ..".
fn starts_a_sentence(items: &[Token], token: &Token, after: Option<&Token>) -> bool {
    let by_comma = items.last().is_some_and(|last| last.gap != Gap::Line) && items.len() > 1;
    let goes_on = |next: &Token| next.cell == Cell::Word && next.gap == Gap::Space;
    token.gap == Gap::Line && by_comma && after.is_some_and(goes_on)
}

/// Whether enough of a list stands before a word to say that the word is an error in it.
fn is_under_way(items: &[Token], mark: Mark, gap: Gap) -> bool {
    match items {
        [_] => mark == Mark::Label,
        [.., last] => alike(last.gap, gap),
        [] => false,
    }
}

fn alike(one: Gap, other: Gap) -> bool {
    let plain = |gap| match gap {
        Gap::TightComma | Gap::WrappedComma => Gap::Comma,
        Gap::Comma | Gap::Semicolon | Gap::Line | Gap::Space | Gap::Colon | Gap::Break => gap,
    };
    plain(one) == plain(other)
}

/// Three numbers in a row are a list; two only between commas and not as part of a sentence, as
/// in "in 2024, 3 shops opened".
pub(crate) fn stands_alone(text: &str, items: &[Token], next: Option<&Token>) -> bool {
    let cells = values(text, items, Mark::Bare).cells;
    let by_comma = items[1..].iter().all(|item| item.commas > 0);
    let goes_on = next.is_some_and(|next| next.gap == Gap::Space)
        && items.last().is_some_and(|last| !last.ends_sentence);
    match cells.iter().filter(|cell| matches!(cell, Cell::Number(_) | Cell::NotFinite)).count() {
        0 | 1 => false,
        2 => by_comma && !goes_on,
        _ => true,
    }
}

/// Whether a token is a number, be it too large to use.
pub(crate) fn is_number(token: &Token) -> bool {
    matches!(token.cell, Cell::Number(_) | Cell::NotFinite)
}
