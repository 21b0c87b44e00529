//! The records of a CSV text and the line each starts on.

use csv::StringRecord;

use super::delimiter::{open, sniff};
use crate::analyst::bad_data::{BadData, Place};
use crate::analyst::limits::MAX_VALUES;

/// Reads all records with their lines, counted from 1; blank lines are none.
pub(crate) fn records(source: &str, text: &str) -> Result<Vec<(usize, StringRecord)>, BadData> {
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    let mut rows = Vec::new();
    for record in open(text, sniff(text)).into_records() {
        let record = record.map_err(|error| {
            let remedy = "Check the quotes and send it again";
            BadData::new(source, Place::Whole, format!("it is not CSV: {error}"), remedy)
        })?;
        let start = record.position().map_or(0, csv::Position::byte);
        rows.push((lines.line_of(usize::try_from(start).unwrap_or(usize::MAX)), record));
        // One more than the most values is the header.
        if rows.len() > MAX_VALUES + 1 {
            return Err(BadData::too_much(source, "rows or more", rows.len(), MAX_VALUES));
        }
    }
    Ok(rows)
}

/// Counts lines up to a record. The reader's own count is of no use here: it gives a record the
/// line where the blank lines before it begin.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn line_of(&mut self, start: usize) -> usize {
        while let Some(&byte) = self.text.get(self.at) {
            if self.at >= start && byte != b'\n' && byte != b'\r' {
                break;
            }
            let ends_line = match byte {
                b'\n' => true,
                b'\r' => self.text.get(self.at + 1) != Some(&b'\n'),
                _ => false,
            };
            self.line += usize::from(ends_line);
            self.at += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_knows_its_line() {
        let cases: [(&str, &[usize]); 6] = [
            ("a,b\n1,2\n", &[1, 2]),
            ("a,b\r\n1,2\r\n3,4", &[1, 2, 3]),
            ("a,b\r1,2\r", &[1, 2]),
            ("\n\na,b\n\n1,2\n", &[3, 5]),
            ("a,b\n\"x\ny\",2\n3,4\n", &[1, 2, 4]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            let lines: Vec<usize> =
                records("t", text).unwrap().into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, expected, "{text:?}");
        }
    }
}
