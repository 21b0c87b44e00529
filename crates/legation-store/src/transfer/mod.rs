//! Copies of whole stores: into a file, and from a file into a store of either kind.
//!
//! A store gives its records in one order, whichever kind it is, so equal stores make equal files. An
//! import writes in that order and commits between tasks, so one that was interrupted has left the
//! beginning of the file behind: the next one compares that and goes on behind it. At the end the whole
//! store is read back and has to come to the digest of the file.

mod file;
mod record;

use std::io::{self, BufRead, Seek, Write};
use std::path::Path;

use legation_core::store::StoreError;

pub use file::Summary;
use file::{Lines, Pen, render};
pub use record::Counts;
pub(crate) use record::{Audit, Context, Digest, Key, Log, Outcome, Record, Task, Token};

use crate::kind::{Home, OpenError};
use crate::{postgres, sqlite};

/// Why a store was not copied.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no store to copy.
    #[error("there is no store in {0}")]
    Missing(String),
    /// Somebody works in the store.
    #[error("{0}")]
    InUse(&'static str),
    /// The file cannot be read or written.
    #[error("cannot use the file")]
    File(#[source] io::Error),
    /// The file is not as it was written; nothing was imported.
    #[error("the file is damaged, and nothing was imported: line {line} {what}")]
    Damaged {
        /// The line.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The store holds something else than the file.
    #[error(
        "the store has {found} where the file has {expected}, line {line}; import into a store that has \
         nothing, or only what an import of this file has left"
    )]
    Differs {
        /// What the store has.
        found: String,
        /// What the file has.
        expected: String,
        /// The line of the file.
        line: u64,
    },
    /// The store was read back, and is not what the file says.
    #[error("the store was read back and is not what the file says; do not use it")]
    Unequal,
    /// The store cannot be read.
    #[error("cannot read the store")]
    Read(#[source] StoreError),
    /// The store did not take a record.
    #[error("cannot write to the store what is in the file up to line {line}")]
    Write {
        /// The last line that was to be written.
        line: u64,
        /// What the store said.
        #[source]
        source: StoreError,
    },
}

/// Takes records as they come.
pub(crate) type Each<'a> = &'a mut dyn FnMut(Record) -> Result<(), TransferError>;

/// A store that is copied.
pub(crate) trait Place {
    /// Gives all records, in their order, as of one moment.
    fn read(&mut self, each: Each<'_>) -> Result<(), TransferError>;

    /// Writes records, which are committed by and by.
    fn write(&mut self, records: &[Record]) -> Result<(), StoreError>;

    /// Commits what was written.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Puts in order what only the whole tells.
    fn finish(&mut self) -> Result<(), StoreError>;
}

/// What a copy is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It writes the file.
    Export,
    /// It checks the file.
    Check,
    /// It compares what the store has already.
    Compare,
    /// It writes to the store.
    Import,
    /// It reads the store back.
    ReadBack,
}

/// Hears how far a copy is, after each record.
pub type Watch<'a> = &'a mut dyn FnMut(Step, &Counts);

/// Bytes of lines that are written at once.
const CHUNK_BYTES: usize = 4 << 20;

/// Records after which an import commits, between tasks.
const COMMIT_AFTER: usize = 2_000;

/// Writes all that a store holds, as of one moment. Servers may work in it meanwhile.
///
/// # Errors
/// See [`TransferError`].
pub fn export(from: Home, to: impl Write, watch: Watch<'_>) -> Result<Summary, TransferError> {
    let mut place: Box<dyn Place> = match from {
        Home::Sqlite(directory, _) => Box::new(sqlite::Transfer::to_read(&directory)?),
        Home::Memory(_) => return Err(TransferError::Missing("memory".to_owned())),
        Home::Postgres(url, options) => Box::new(postgres::Transfer::to_read(&url, &options)?),
    };
    let mut pen = Pen::new(to)?;
    place.read(&mut |record| {
        watch(Step::Export, &pen.put(&record)?);
        Ok(())
    })?;
    pen.end()
}

/// Puts all that a file holds into a store that has nothing, or what an import of the same file has left
/// that was interrupted. No server may have it. The file is checked before, and the store afterwards.
///
/// # Errors
/// See [`TransferError`].
pub fn import(
    mut file: impl BufRead + Seek,
    into: Home,
    watch: Watch<'_>,
) -> Result<Summary, TransferError> {
    let lines = Lines::new(&mut file)?;
    let version = lines.version();
    let expected = lines.finish(|counts| watch(Step::Check, counts))?;
    let mut place: Box<dyn Place> = match into {
        Home::Sqlite(directory, options) => {
            Box::new(sqlite::Transfer::to_write(&directory, &options)?)
        }
        Home::Memory(_) => return Err(TransferError::Missing("memory".to_owned())),
        Home::Postgres(url, options) => Box::new(postgres::Transfer::to_write(&url, &options)?),
    };
    file.rewind().map_err(TransferError::File)?;
    let mut lines = Lines::new(&mut file)?;
    pass_over(&mut *place, &mut lines, watch)?;
    write(&mut *place, &mut lines, watch)?;
    let mut pen = Pen::of_version(version, io::sink())?;
    place.read(&mut |record| {
        watch(Step::ReadBack, &pen.put(&record)?);
        Ok(())
    })?;
    match pen.end()? == expected {
        true => Ok(expected),
        false => Err(TransferError::Unequal),
    }
}

/// Compares what the store has with the beginning of the file.
fn pass_over(
    place: &mut dyn Place,
    lines: &mut Lines<impl BufRead>,
    watch: Watch<'_>,
) -> Result<(), TransferError> {
    let mut found = Vec::new();
    place.read(&mut |record| {
        render(&record, &mut found)?;
        let expected = lines.next()?;
        if expected.is_some() && lines.line() == found {
            watch(Step::Compare, &lines.counts());
            return Ok(());
        }
        let expected = expected.as_ref().map_or_else(|| "its end".to_owned(), Record::named);
        let found = match record.named() {
            found if found == expected => format!("another {found}"),
            found => found,
        };
        Err(TransferError::Differs { found, expected, line: lines.number() })
    })
}

/// Writes what is left of the file.
fn write(
    place: &mut dyn Place,
    lines: &mut Lines<impl BufRead>,
    watch: Watch<'_>,
) -> Result<(), TransferError> {
    let (mut chunk, mut bytes, mut uncommitted) = (Vec::new(), 0, 0);
    while let Some(record) = lines.next()? {
        let failed = |source| TransferError::Write { line: lines.number() - 1, source };
        // A task and its log are committed together, however long it is.
        let is_between = !matches!(record, Record::Log(_));
        if bytes >= CHUNK_BYTES || (is_between && uncommitted >= COMMIT_AFTER) {
            place.write(&std::mem::take(&mut chunk)).map_err(failed)?;
            bytes = 0;
        }
        if is_between && uncommitted >= COMMIT_AFTER {
            place.commit().map_err(failed)?;
            uncommitted = 0;
        }
        bytes += lines.line().len();
        uncommitted += 1;
        chunk.push(record);
        watch(Step::Import, &lines.counts());
    }
    let failed = |source| TransferError::Write { line: lines.number(), source };
    place.write(&chunk).and_then(|()| place.commit()).map_err(failed)?;
    place.finish().map_err(failed)
}

impl From<sqlite::OpenError> for TransferError {
    fn from(error: sqlite::OpenError) -> Self {
        Self::Open(error.into())
    }
}

impl From<postgres::OpenError> for TransferError {
    fn from(error: postgres::OpenError) -> Self {
        Self::Open(error.into())
    }
}

impl TransferError {
    /// There is no store in a directory.
    pub(crate) fn no_store_in(directory: &Path) -> Self {
        Self::Missing(format!("`{}`", directory.display()))
    }
}
