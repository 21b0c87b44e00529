//! Short writes beside the store's thread.
//!
//! The command line writes while a server has the directory, so these rows are not written by the
//! store's thread but by short transactions of whoever asks; SQLite lets one of two writers wait.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rusqlite::Connection;

use super::database::Database;
use super::directory::database_in;
use super::failure::Failure;
use super::open::{self, OpenError};
use super::{Options, schema};

/// A connection for short writes.
pub(super) struct Beside {
    database: Database,
    /// Opened by the first write.
    writer: Mutex<Option<Connection>>,
}

impl Beside {
    pub(super) fn new(database: Database) -> Self {
        Self { database, writer: Mutex::default() }
    }

    /// Writes something, all of it or nothing.
    pub(super) fn write<T>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let mut writer = self.writer.lock();
        let connection = match &mut *writer {
            Some(connection) => connection,
            none => none.insert(connect(&self.database)?),
        };
        let transaction = connection.unchecked_transaction()?;
        let written = write(&transaction)?;
        transaction.commit()?;
        Ok(written)
    }

    pub(super) fn close(&self) {
        drop(self.writer.lock().take());
    }
}

/// Sees to it that a directory has a database of this release. One that is missing or older is made
/// or brought up to date, unless a server has it.
pub(super) fn prepare(directory: &Path) -> Result<(), OpenError> {
    if !is_current(database_in(directory))? {
        // Locks the directory, and lets go of it at the end of this statement.
        drop(open::open(directory, &Options::default())?);
    }
    Ok(())
}

/// Options for those who read a little beside the store.
pub(super) fn few_readers() -> Options {
    Options { cache_bytes: 1 << 20, idle_readers: 2, ..Options::default() }
}

/// Whether there is a database of this release.
fn is_current(path: PathBuf) -> Result<bool, OpenError> {
    if !path.exists() {
        return Ok(false);
    }
    let failed = |source| OpenError::Database { path: path.clone(), source };
    let connection = connect(&Database::File(path.clone())).map_err(failed)?;
    schema::check(&connection, &path)?;
    schema::is_newest(&connection).map_err(failed)
}

/// A connection that writes beside the store's. Writing the log back is left to the store.
fn connect(database: &Database) -> rusqlite::Result<Connection> {
    let connection = database.connect()?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")?;
    Ok(connection)
}
