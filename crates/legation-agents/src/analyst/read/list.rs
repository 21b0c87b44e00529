//! Lists of numbers in prose: in brackets, after a label, or simply in a row.
//!
//! The surer marks win: bracketed and labelled lists are all read, bare ones only when there is
//! nothing else. Numbers that merely occur in sentences ("in 2024 we had 3 shops") are no list.

use super::cell::Cell;
use super::label::label_before;
use super::row::{is_number, row, stands_alone};
use super::run::{Mark, Values, values};
use super::token::{Gap, Token, tokens};
use crate::analyst::bad_data::{BadData, Place, excerpt};
use crate::analyst::frame::{Frame, Numbers};
use crate::analyst::series::{Reading, check_values};

/// Reads the lists of a text; returns them and the text without them.
///
/// With `other_data` at hand, only brackets or a label before three numbers make a list: "compare
/// columns: 1, 2" speaks about that data and is none itself.
///
/// # Errors
///
/// A word or an infinity among the numbers of a list.
pub(crate) fn read_lists(text: &str, other_data: bool) -> Result<(Reading, String), BadData> {
    let (mut lists, prose) = bracketed(text);
    let rows: Vec<List> = prose.into_iter().flat_map(|part| rows(text, part)).collect();
    let least = if other_data { 3 } else { 2 };
    let labelled = |list: &List| list.mark == Mark::Label && list.numbers() >= least;
    lists.extend(rows.iter().filter(|list| labelled(list)).cloned());
    if lists.is_empty() && !other_data {
        lists.extend(rows.into_iter().filter(|list| list.mark == Mark::Bare && list.stands_alone));
    }
    lists.sort_by_key(|list| list.start);
    let mut reading = Reading::default();
    let mut instruction = String::new();
    let mut rest = 0;
    for list in lists {
        let label = label_before(text, rest, list.start);
        let start = label.as_ref().map_or(list.start, |label| label.start);
        instruction.push_str(&text[rest..start]);
        instruction.push(' ');
        rest = list.end;
        let name = label.map(|label| label.name.to_owned());
        list.read(text, name, &mut reading)?;
    }
    instruction.push_str(&text[rest..]);
    Ok((reading, instruction))
}

/// A stretch of text that reads as a list.
#[derive(Clone, Debug)]
struct List {
    start: usize,
    end: usize,
    mark: Mark,
    items: Vec<Token>,
    /// Whether a bare list is one beyond doubt, not numbers in a sentence.
    stands_alone: bool,
}

impl List {
    /// How many numbers stand in the list, before its commas are understood.
    fn numbers(&self) -> usize {
        self.items.iter().filter(|item| is_number(item)).count()
    }

    fn read(&self, text: &str, name: Option<String>, reading: &mut Reading) -> Result<(), BadData> {
        let source = match &name {
            Some(name) => format!("the list `{}`", excerpt(name)),
            None => "the list in the text".to_owned(),
        };
        let Values { cells, note } = values(text, &self.items, self.mark);
        check_values(&source, cells.len())?;
        let mut numbers = Numbers::default();
        for (index, cell) in cells.into_iter().enumerate() {
            let refuse = |bad: fn(&str, Place, &str) -> BadData, wanted: Cell| {
                let found = self.items.iter().find(|item| item.cell == wanted);
                let found = found.map_or("", |item| &text[item.start..item.end]);
                Err(bad(&source, Place::Item(index + 1), found))
            };
            match cell {
                Cell::Number(value) => numbers.push(Some(value)),
                Cell::Missing => numbers.push(None),
                Cell::NotFinite => return refuse(BadData::not_finite, cell),
                Cell::Word => return refuse(BadData::not_a_number, cell),
            }
        }
        if let Some(note) = note {
            reading.note(note.to_owned());
        }
        reading.frames.push(Frame::list(&source, name, numbers));
        Ok(())
    }
}

/// Finds the innermost brackets that hold at least two numbers, and the prose around them.
fn bracketed(text: &str) -> (Vec<List>, Vec<(usize, usize)>) {
    let mut lists = Vec::new();
    let mut prose = Vec::new();
    let mut rest = 0;
    let mut open = None;
    for (at, bracket) in text.match_indices(['[', ']']) {
        if bracket == "[" {
            open = Some(at);
            continue;
        }
        let Some(start) = open.take() else { continue };
        let items = shifted(tokens(&text[start + 1..at]), start + 1);
        if items.iter().filter(|item| is_number(item)).count() < 2 {
            continue;
        }
        lists.push(List { start, end: at + 1, mark: Mark::Brackets, items, stands_alone: true });
        prose.push((rest, start));
        rest = at + 1;
    }
    prose.push((rest, text.len()));
    (lists, prose)
}

/// Finds the rows of numbers in a part of the text.
fn rows(text: &str, (from, to): (usize, usize)) -> Vec<List> {
    let tokens = shifted(tokens(&text[from..to]), from);
    let mut rows = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !is_number(&tokens[at]) {
            at += 1;
            continue;
        }
        let mark = if tokens[at].gap == Gap::Colon { Mark::Label } else { Mark::Bare };
        let (items, next) = row(text, &tokens, at, mark);
        rows.push(List {
            start: items[0].start,
            end: items.last().map_or(items[0].end, |item| item.end),
            mark,
            stands_alone: stands_alone(text, &items, tokens.get(next)),
            items,
        });
        at = next;
    }
    rows
}

fn shifted(mut tokens: Vec<Token>, by: usize) -> Vec<Token> {
    for token in &mut tokens {
        token.start += by;
        token.end += by;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, other_data: bool) -> String {
        match read_lists(text, other_data) {
            Ok((reading, _)) => reading.in_short(),
            Err(bad) => bad.to_string().split(". ").next().unwrap_or_default().to_owned(),
        }
    }

    #[test]
    fn lists_are_found_in_prose() {
        let cases = [
            ("Analyze this: [100, 120, 95, 140, 160]", "=100 120 95 140 160"),
            ("sales: 1, 2, 3; costs: 4, 5, 6", "sales=1 2 3; costs=4 5 6"),
            ("sales: 1, 2, 3, costs: 4, 5, 6", "sales=1 2 3; costs=4 5 6"),
            ("sales: 1, 2 and costs: 3, 4", "sales=1 2; costs=3 4"),
            ("sales: [1, 2], costs = [3, 4] thanks", "sales=1 2; costs=3 4"),
            ("trend of 5, 6, 7 and 8 please", "=5 6 7 8"),
            ("what about 5, 6, and 7?", "=5 6 7"),
            ("1 2 3", "=1 2 3"),
            ("10\n20\n30", "=10 20 30"),
            ("- 10\n- 20", ""),
            ("Data:\n- 10\n- 20", "=10 20"),
            ("values: $1,200, $1,350", "=1200 1350"),
            ("sales: 100, n/a, 95", "sales=100 _ 95"),
            ("5%, 6%, 7%", "=5 6 7"),
            ("north: 1, 2, 3. South is better: 4, 5, 6.", "north=1 2 3; =4 5 6"),
            ("1, 2, 3 in spring and 4, 5, 6 in autumn", "=1 2 3; =4 5 6"),
            ("[1,,3]", "=1 _ 3"),
            ("(1, 2, 3)", "=1 2 3"),
            ("1, 2", "=1 2"),
            ("1, 2, 3\n5 shops are new", "=1 2 3"),
            ("1, 2, 3,\n4, 5", "=1 2 3 4 5"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text, false), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_in_sentences_are_no_list() {
        let cases = [
            "in 2024 we had 3 shops",
            "In 2024, 3 shops opened",
            "between 2019 and 2024 sales grew from 100 to 160",
            "see [1] and [2]",
            "on 2024-01-05 at 12:30 call 555-1234",
            "we sold 1,200 units",
            "the total: 5",
            "Q1, Q2, Q3",
            "",
        ];
        for text in cases {
            assert_eq!(read(text, false), "", "{text:?}");
        }
    }

    #[test]
    fn a_word_among_the_numbers_is_refused() {
        let cases = [
            (
                "[100, abc, 95]",
                "I cannot use item 2 of the list in the text: `abc` is not a number",
            ),
            (
                "sales: 100, abc, 95",
                "I cannot use item 2 of the list `sales`: `abc` is not a number",
            ),
            ("5, 6, x, 7", "I cannot use item 3 of the list in the text: `x` is not a number"),
            (
                "[1, 1e999]",
                "I cannot use item 2 of the list in the text: `1e999` is larger than any number \
                 I can calculate with",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text, false), expected, "{text:?}");
        }
    }

    #[test]
    fn other_data_needs_a_sure_mark() {
        assert_eq!(read("compare columns: 1, 2", true), "");
        assert_eq!(read("top 1, 2, 3", true), "");
        assert_eq!(read("with costs: 1, 2, 3", true), "=1 2 3");
        assert_eq!(read("and [1, 2]", true), "=1 2");
    }

    #[test]
    fn the_instruction_is_what_remains() {
        let (_, rest) = read_lists("Trend of sales: [1, 2], please", false).unwrap();
        assert_eq!(rest.split_whitespace().collect::<Vec<_>>(), [",", "please"]);
        let (_, rest) = read_lists("Analyze this: 1, 2, 3", false).unwrap();
        assert_eq!(rest, "Analyze this:  ");
    }
}
