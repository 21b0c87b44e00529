//! Which character separates the cells of a table.

use super::cell::{Cell, Commas, read_cell};

/// The delimiters we know; the comma last, because it also occurs inside numbers and a tie
/// should go to the more telling one.
pub(crate) const DELIMITERS: [u8; 4] = [b'\t', b';', b'|', b','];

/// How many records are looked at.
const SAMPLE: usize = 20;

/// Opens a table: no header yet, rows of any width.
pub(crate) fn open(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
}

/// Finds the delimiter that gives the most rows of one width, then the most numbers.
///
/// The comma when none separates anything, which reads a single column as it should.
pub(crate) fn sniff(text: &str) -> u8 {
    let mut best = (b',', Score::default());
    for delimiter in DELIMITERS {
        let score = score(text, delimiter);
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}

/// How well a delimiter explains a table; compared field by field.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    rows_of_one_width: usize,
    percent_numeric: usize,
    width: usize,
}

fn score(text: &str, delimiter: u8) -> Score {
    let rows: Vec<csv::StringRecord> =
        open(text, delimiter).into_records().take(SAMPLE).filter_map(Result::ok).collect();
    let width = rows.first().map_or(0, csv::StringRecord::len);
    if width < 2 {
        return Score::default();
    }
    let commas = Commas::of(rows.iter().flatten());
    let is_number = |cell: &&str| matches!(read_cell(cell, commas), Cell::Number(_));
    let cells = rows.iter().map(csv::StringRecord::len).sum::<usize>().max(1);
    Score {
        rows_of_one_width: rows.iter().filter(|row| row.len() == width).count(),
        percent_numeric: rows.iter().flatten().filter(is_number).count() * 100 / cells,
        width,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_makes_a_table() {
        let cases = [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2,5\n", b';'),
            ("1,5;2,5\n3,5;4,5\n", b';'),
            ("a\tb\n1\t2\n", b'\t'),
            ("a|b\n1|2\n", b'|'),
            ("name,note\n\"a;b\",1\n\"c;d\",2\n", b','),
            ("Jan;1,5\nFeb;2,5\n", b';'),
            ("n\n1\n2\n", b','),
            ("", b','),
        ];
        for (text, delimiter) in cases {
            assert_eq!(sniff(text), delimiter, "{text:?}");
        }
    }
}
