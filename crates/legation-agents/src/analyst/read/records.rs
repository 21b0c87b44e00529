//! The records of a CSV text, one at a time, and the line each starts on.

use csv::StringRecord;

use super::delimiter::open;
use crate::analyst::bad_data::{BadData, Place};
use crate::analyst::watch::Watch;

/// How many records are read between two looks at the watch.
const STRIDE: usize = 1 << 16;

/// A CSV text that is read more than once, each time record by record.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// What messages call it.
    pub(crate) name: &'a str,
    /// All of it.
    pub(crate) text: &'a str,
    /// What separates its cells.
    pub(crate) delimiter: u8,
    /// Who waits for it.
    pub(crate) watch: &'a Watch,
}

/// A record and where it begins.
pub(crate) struct Record<'r> {
    /// Its cells, not trimmed.
    pub(crate) cells: &'r StringRecord,
    /// Its first byte in the text, blank lines before it included.
    start: usize,
}

impl Source<'_> {
    /// Shows every record but blank lines to `visit`, in order. `doing` says in a note what for.
    pub(crate) fn each(
        self,
        doing: &str,
        mut visit: impl FnMut(&Record<'_>) -> Result<(), BadData>,
    ) -> Result<(), BadData> {
        let mut reader = open(self.text, self.delimiter);
        // One record serves for all: a table of a million rows must not cost a million of them.
        let mut cells = StringRecord::new();
        let (mut count, mut tenths) = (0_usize, 0);
        loop {
            let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
            let more = reader.read_record(&mut cells).map_err(|error| {
                let remedy = "Check the quotes and send it again";
                BadData::new(self.name, Place::Whole, format!("it is not CSV: {error}"), remedy)
            })?;
            if !more {
                return Ok(());
            }
            visit(&Record { cells: &cells, start })?;
            count += 1;
            if count.is_multiple_of(STRIDE) {
                self.watch.go_on(self.name)?;
                let now = start.saturating_mul(10) / self.text.len().max(1);
                // Each note is an event that is stored: ten of a reading are enough.
                if std::mem::replace(&mut tenths, now) < now {
                    self.watch.note(|| format!("{doing} {}: {now}0 %", self.name));
                }
            }
        }
    }

    /// The line a record starts on, counted from 1. The reader's own count is of no use here: it
    /// gives a record the line where the blank lines before it begin.
    pub(crate) fn line(self, record: &Record<'_>) -> usize {
        let text = self.text.as_bytes();
        let mut line = 1;
        for (at, byte) in text.iter().enumerate() {
            if at >= record.start && !matches!(byte, b'\n' | b'\r') {
                break;
            }
            let ends_line = match byte {
                b'\n' => true,
                b'\r' => text.get(at + 1) != Some(&b'\n'),
                _ => false,
            };
            line += usize::from(ends_line);
        }
        line
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
            let watch = Watch::default();
            let source = Source { name: "t", text, delimiter: b',', watch: &watch };
            let mut lines = Vec::new();
            let visit = |record: &Record<'_>| {
                lines.push(source.line(record));
                Ok(())
            };
            source.each("reading", visit).unwrap();
            assert_eq!(lines, expected, "{text:?}");
        }
    }

    #[test]
    fn work_that_nobody_waits_for_stops() {
        let (watch, notes) = Watch::new();
        drop(notes);
        let text = "1\n".repeat(STRIDE + 1);
        let source = Source { name: "t", text: &text, delimiter: b',', watch: &watch };
        assert!(source.each("reading", |_| Ok(())).is_err());
    }
}
