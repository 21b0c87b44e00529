//! The name in front of a list: `sales: 1, 2, 3` or `costs = [4, 5, 6]`.

use super::super::request::names_only_operations;

/// A name and where it starts in the text, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Label<'a> {
    pub(crate) start: usize,
    pub(crate) name: &'a str,
}

const MOST_BYTES: usize = 60;
const MOST_WORDS: usize = 5;
const BOUNDARIES: &str = "\n;.,:=?![](){}";
const ORNAMENT: &str = "-*•#\"'`“”";

/// Words of a sentence that leads up to a list but does not name it.
const INSTRUCTION: &[&str] = &[
    "analyze",
    "analyse",
    "analysis",
    "calculate",
    "compute",
    "data",
    "describe",
    "detect",
    "evaluate",
    "examine",
    "figures",
    "find",
    "following",
    "for",
    "from",
    "give",
    "have",
    "here",
    "input",
    "is",
    "list",
    "me",
    "numbers",
    "please",
    "provide",
    "report",
    "series",
    "show",
    "summarise",
    "summarize",
    "tell",
    "that",
    "these",
    "this",
    "those",
    "values",
    "what",
    "with",
];

/// Returns the label that ends at `end`, where the list starts, and lies behind `from`, where the
/// list before it ended.
///
/// A lead such as "Analyze this data:" or "Trend:" is part of the instruction and no name.
pub(crate) fn label_before(text: &str, from: usize, end: usize) -> Option<Label<'_>> {
    let lead = text[..end].trim_end_matches(|c: char| c.is_whitespace() || "([\"'".contains(c));
    let lead = lead.strip_suffix([':', '='])?;
    let boundary = lead.get(from..)?.char_indices().rev().find(|(_, c)| BOUNDARIES.contains(*c));
    let from = from + boundary.map_or(0, |(at, c)| at + c.len_utf8());
    let unwanted = |c: char| c.is_whitespace() || ORNAMENT.contains(c);
    let name = lead[from..].trim_end_matches(unwanted);
    let start = from + name.len() - name.trim_start_matches(unwanted).len();
    let name = name.trim_start_matches(unwanted);
    // "sales: 1, 2 and costs: 3, 4": the word joins the lists.
    let name = name.strip_prefix("and ").map_or(name, str::trim_start);
    is_name(name).then_some(Label { start, name })
}

fn is_name(lead: &str) -> bool {
    let mut words = lead.split_whitespace();
    !lead.is_empty()
        && lead.len() <= MOST_BYTES
        && words.clone().count() <= MOST_WORDS
        && !words.any(|word| INSTRUCTION.iter().any(|known| word.eq_ignore_ascii_case(known)))
        && !names_only_operations(lead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_no_instruction() {
        let cases = [
            ("sales: ", Some("sales")),
            ("Look at these; net costs = ", Some("net costs")),
            ("[1, 2], \"b\": [", Some("b")),
            ("- Average price: ", Some("Average price")),
            ("Analyze this sales data and provide a trend analysis: ", None),
            ("Data: ", None),
            ("Trend: ", None),
            ("one two three four five six: ", None),
            ("sales ", None),
            (": ", None),
            ("", None),
        ];
        for (text, name) in cases {
            assert_eq!(label_before(text, 0, text.len()).map(|label| label.name), name, "{text:?}");
        }
    }
}
