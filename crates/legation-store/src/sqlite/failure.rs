//! What a failure of SQLite means to a caller, and to the store itself.

use legation_core::store::StoreError;
use rusqlite::ffi;

/// Why a statement or a stored row was of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("{0}")]
    Unreadable(String),
}

/// What follows from a failed write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// Nothing was written; there may be room again later.
    Full,
    /// Nothing was written; another try may succeed.
    Unavailable,
    /// It is uncertain what the disk holds. After a failed sync the system may drop what it could
    /// not write and report the next sync as a success, so there is no second try.
    Fatal,
}

impl Failure {
    pub(super) fn unreadable(what: impl Into<String>) -> Self {
        Self::Unreadable(what.into())
    }

    /// What follows when this happened to a write.
    pub(super) fn consequence(&self) -> Consequence {
        match self {
            Self::Sqlite(error) => consequence(code(error)),
            Self::Unreadable(_) => Consequence::Fatal,
        }
    }
}

/// The extended result code; 0 when the failure is not SQLite's own.
fn code(error: &rusqlite::Error) -> i32 {
    error.sqlite_error().map_or(0, |error| error.extended_code)
}

fn consequence(code: i32) -> Consequence {
    match (code & 0xff, code) {
        // SQLite reports ENOSPC of a write as FULL; only the shared index has a code of its own.
        (ffi::SQLITE_FULL, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => Consequence::Full,
        (_, ffi::SQLITE_IOERR_NOMEM) => Consequence::Unavailable,
        (ffi::SQLITE_IOERR | ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB, _) => Consequence::Fatal,
        _ => Consequence::Unavailable,
    }
}

impl From<Failure> for StoreError {
    /// As it is told to who asked, be it for a read or a write.
    fn from(failure: Failure) -> Self {
        let damaged = match &failure {
            Failure::Unreadable(_) => true,
            Failure::Sqlite(error) => {
                matches!(code(error) & 0xff, ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB)
            }
        };
        match failure.consequence() {
            Consequence::Full => Self::Full,
            Consequence::Fatal if damaged => Self::damaged(failure),
            Consequence::Fatal | Consequence::Unavailable => Self::unavailable(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_ends_the_process_unless_it_only_lacked_room() {
        let cases = [
            (ffi::SQLITE_FULL, Consequence::Full),
            (ffi::SQLITE_IOERR_SHMSIZE, Consequence::Full),
            (ffi::SQLITE_IOERR_FSYNC, Consequence::Fatal),
            (ffi::SQLITE_IOERR_WRITE, Consequence::Fatal),
            (ffi::SQLITE_CORRUPT, Consequence::Fatal),
            (ffi::SQLITE_IOERR_NOMEM, Consequence::Unavailable),
            (ffi::SQLITE_BUSY, Consequence::Unavailable),
        ];
        for (code, expected) in cases {
            assert_eq!(consequence(code), expected, "{code}");
        }
    }
}
