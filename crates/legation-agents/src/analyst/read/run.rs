//! What the commas in a list of numbers mean.
//!
//! `1,200` may be one number or two. The list as a whole decides:
//!
//! - Only tight commas (`100,120,95`), line ends aside: they separate. But a bare `1,200` or `1,200,300` in prose,
//!   without brackets or label, is one number, hence no list.
//! - Tight commas and other separators, each tight piece a well-grouped number
//!   (`1,200, 1,350; 900`): the tight commas group thousands, and the report notes it.
//! - Tight commas and other separators except spaced commas, each tight piece a pair
//!   (`1,5; 2,25`): decimal commas, and the report notes it.
//! - Anything else: every comma separates.

use super::cell::{Cell, Commas, read_cell};
use super::token::{Gap, Token};

/// How a list was marked as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// `[1, 2]`
    Brackets,
    /// `sales: 1, 2`
    Label,
    /// `1, 2`
    Bare,
}

/// The values of a list and a note on how its commas were read, if that needs one.
#[derive(Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) cells: Vec<Cell>,
    pub(crate) note: Option<&'static str>,
}

/// Reads the tokens of one list as values.
pub(crate) fn values(text: &str, items: &[Token], mark: Mark) -> Values {
    let chains: Vec<&[Token]> =
        items.chunk_by(|_, next| next.gap == Gap::TightComma && next.commas == 1).collect();
    let Some((commas, note)) = joining(text, &chains, mark) else {
        return Values { cells: apart(items), note: None };
    };
    let mut cells = Vec::new();
    for (index, chain) in chains.iter().enumerate() {
        let left_out = if index == 0 { 0 } else { chain[0].commas.saturating_sub(1) };
        cells.extend(std::iter::repeat_n(Cell::Missing, left_out));
        cells.push(read_cell(whole(text, chain), commas));
    }
    Values { cells, note }
}

/// Every token is a value, and a second comma in a gap leaves one out.
fn apart(items: &[Token]) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let left_out = if index == 0 { 0 } else { item.commas.saturating_sub(1) };
        cells.extend(std::iter::repeat_n(Cell::Missing, left_out));
        cells.push(item.cell);
    }
    cells
}

/// Decides whether tight commas belong to the numbers, and as what.
fn joining(text: &str, chains: &[&[Token]], mark: Mark) -> Option<(Commas, Option<&'static str>)> {
    let has_tight = chains.iter().any(|chain| chain.len() > 1);
    let read_as = |commas| {
        chains.iter().all(|chain| {
            chain.len() == 1 || matches!(read_cell(whole(text, chain), commas), Cell::Number(_))
        })
    };
    if !has_tight {
        return None;
    }
    if let [only] = chains {
        let one_number = mark == Mark::Bare && only.len() <= 3 && read_as(Commas::Thousands);
        return one_number.then_some((Commas::Thousands, None));
    }
    let only_wrapped = chains.iter().skip(1).all(|chain| chain[0].gap == Gap::WrappedComma);
    if only_wrapped {
        return None;
    }
    if read_as(Commas::Thousands) {
        return Some((Commas::Thousands, Some("I read commas inside numbers as thousands.")));
    }
    let by_comma = |gap| matches!(gap, Gap::Comma | Gap::WrappedComma);
    let spaced_comma = chains.iter().skip(1).any(|chain| by_comma(chain[0].gap));
    if !spaced_comma && chains.iter().all(|chain| chain.len() <= 2) && read_as(Commas::Decimal) {
        return Some((Commas::Decimal, Some("I read commas inside numbers as decimal commas.")));
    }
    None
}

fn whole<'a>(text: &'a str, chain: &[Token]) -> &'a str {
    match chain {
        [first, .., last] => &text[first.start..last.end],
        [only] => &text[only.start..only.end],
        [] => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::tokens;
    use super::*;

    fn read(text: &str, mark: Mark) -> String {
        let show = |cell: &Cell| match cell {
            Cell::Number(value) => value.to_string(),
            Cell::Missing => "_".to_owned(),
            Cell::NotFinite | Cell::Word => "?".to_owned(),
        };
        let values = values(text, &tokens(text), mark);
        values.cells.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_list_as_a_whole_decides_what_its_commas_mean() {
        let cases = [
            ("100,120,95", Mark::Bare, "100 120 95"),
            ("1,200", Mark::Bare, "1200"),
            ("1,200,300", Mark::Bare, "1200300"),
            ("100,120,150,170", Mark::Bare, "100 120 150 170"),
            ("1,200", Mark::Brackets, "1 200"),
            ("100,120,150", Mark::Label, "100 120 150"),
            ("1,200, 1,350, 900", Mark::Label, "1200 1350 900"),
            ("$1,200.50; $1,350", Mark::Bare, "1200.5 1350"),
            ("1,200\n1,350\n1,100", Mark::Bare, "1200 1350 1100"),
            ("1,5; 2,25; 3", Mark::Bare, "1.5 2.25 3"),
            ("1,2, 3", Mark::Brackets, "1 2 3"),
            ("1, 20,3", Mark::Brackets, "1 20 3"),
            ("100,120,\n95,140,\n", Mark::Brackets, "100 120 95 140"),
            ("1,,3", Mark::Brackets, "1 _ 3"),
            ("1, , 3", Mark::Brackets, "1 _ 3"),
            ("1, null, 3", Mark::Brackets, "1 _ 3"),
            ("1 2 3", Mark::Brackets, "1 2 3"),
            ("", Mark::Brackets, ""),
        ];
        for (text, mark, expected) in cases {
            assert_eq!(read(text, mark), expected, "{text:?} {mark:?}");
        }
    }
}
