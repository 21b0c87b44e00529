//! The file: a first line that says what it is, a line for each record, and a last line by which to
//! know that all of it is there and as it was written.
//!
//! It says nothing of where or when it was made, so stores that hold the same make the same file.

use std::io::{BufRead, Write};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::TransferError;
use super::record::{Counts, Digest, Record};

/// The shape of records. A release reads its own and those before.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct First {
    legation_export: u32,
}

#[derive(Serialize, Deserialize)]
struct Last {
    end: Summary,
}

/// How the last line begins.
const END: &[u8] = br#"{"end":"#;

/// What there is in a file, or in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The records of each kind.
    pub counts: Counts,
    /// SHA-256 of all lines before the last.
    pub sha256: String,
}

/// Sums up lines, whether they are written or read.
struct Sum {
    digest: Context,
    counts: Counts,
}

impl Sum {
    fn new() -> Self {
        Self { digest: Context::new(&SHA256), counts: Counts::default() }
    }

    fn end(self) -> Summary {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.digest.finish().as_ref());
        Summary { counts: self.counts, sha256: Digest(bytes).into() }
    }
}

/// Writes a file.
pub(super) struct Pen<W> {
    to: W,
    sum: Sum,
    line: Vec<u8>,
}

impl<W: Write> Pen<W> {
    pub(super) fn new(to: W) -> Result<Self, TransferError> {
        Self::of_version(VERSION, to)
    }

    /// As an earlier release would write what it can hold. What an earlier one did not know is not in
    /// records that came from it.
    pub(super) fn of_version(version: u32, to: W) -> Result<Self, TransferError> {
        let mut pen = Self { to, sum: Sum::new(), line: Vec::new() };
        pen.write(&First { legation_export: version })?;
        Ok(pen)
    }

    /// Writes a record; gives how many there are by now.
    pub(super) fn put(&mut self, record: &Record) -> Result<Counts, TransferError> {
        self.write(record)?;
        self.sum.counts.count(record);
        Ok(self.sum.counts)
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), TransferError> {
        render(line, &mut self.line)?;
        self.sum.digest.update(&self.line);
        self.to.write_all(&self.line).map_err(TransferError::File)
    }

    pub(super) fn end(mut self) -> Result<Summary, TransferError> {
        let summary = self.sum.end();
        render(&Last { end: summary.clone() }, &mut self.line)?;
        self.to.write_all(&self.line).map_err(TransferError::File)?;
        self.to.flush().map_err(TransferError::File)?;
        Ok(summary)
    }
}

/// Writes a line into a buffer.
pub(super) fn render(line: &impl Serialize, buffer: &mut Vec<u8>) -> Result<(), TransferError> {
    buffer.clear();
    serde_json::to_writer(&mut *buffer, line).map_err(|error| TransferError::File(error.into()))?;
    buffer.push(b'\n');
    Ok(())
}

/// Reads a file.
pub(super) struct Lines<R> {
    from: R,
    version: u32,
    sum: Sum,
    line: Vec<u8>,
    number: u64,
    /// Once the last line was there.
    end: Option<Summary>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Result<Self, TransferError> {
        let (sum, line) = (Sum::new(), Vec::new());
        let mut lines = Self { from, version: VERSION, sum, line, number: 0, end: None };
        lines.read()?;
        let First { legation_export } = serde_json::from_slice(&lines.line)
            .map_err(|_| lines.damaged("does not say that this is a file of `legation export`"))?;
        if legation_export > VERSION {
            let what = format!("says version {legation_export}, and this release knows {VERSION}");
            return Err(lines.damaged(what));
        }
        lines.version = legation_export;
        lines.sum.digest.update(&lines.line);
        Ok(lines)
    }

    /// The next record; none at the end, which is as it should be then.
    pub(super) fn next(&mut self) -> Result<Option<Record>, TransferError> {
        if self.end.is_some() {
            return Ok(None);
        }
        self.read()?;
        if self.line.starts_with(END) {
            self.end()?;
            return Ok(None);
        }
        let record = serde_json::from_slice(&self.line)
            .map_err(|error| self.damaged(format!("is no record: {error}")))?;
        self.sum.digest.update(&self.line);
        self.sum.counts.count(&record);
        Ok(Some(record))
    }

    /// The version that the file says.
    pub(super) fn version(&self) -> u32 {
        self.version
    }

    /// The line of the record, as it stands there.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// The number of that line.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn counts(&self) -> Counts {
        self.sum.counts
    }

    /// Reads what is left; gives what there was in all.
    pub(super) fn finish(
        mut self,
        mut watch: impl FnMut(&Counts),
    ) -> Result<Summary, TransferError> {
        while self.next()?.is_some() {
            watch(&self.sum.counts);
        }
        self.end.take().ok_or_else(|| self.damaged("is not the end"))
    }

    fn read(&mut self) -> Result<(), TransferError> {
        self.number += 1;
        self.line.clear();
        self.from.read_until(b'\n', &mut self.line).map_err(TransferError::File)?;
        match self.line.ends_with(b"\n") {
            true => Ok(()),
            false => Err(self.damaged("is cut off")),
        }
    }

    fn end(&mut self) -> Result<(), TransferError> {
        let Last { end } = serde_json::from_slice(&self.line)
            .map_err(|error| self.damaged(format!("is no end: {error}")))?;
        if std::mem::replace(&mut self.sum, Sum::new()).end() != end {
            return Err(
                self.damaged("says another digest or other numbers than those of the lines")
            );
        }
        if !self.from.fill_buf().map_err(TransferError::File)?.is_empty() {
            return Err(self.damaged("is the end, and more follows"));
        }
        self.end = Some(end);
        Ok(())
    }

    fn damaged(&self, what: impl Into<String>) -> TransferError {
        TransferError::Damaged { line: self.number, what: what.into() }
    }
}
