//! Gives and takes all that a database holds; see [`crate::transfer`].

mod read;
mod write;

use std::path::Path;

use legation_core::store::{StoreError, TaskKey};
use read::read;
use rusqlite::Connection;

use super::beside;
use super::commit::{Counts, add_counts};
use super::database::Database;
use super::directory::{Directory, database_in};
use super::failure::Failure;
use super::readers::Readers;
use super::{OpenError, Options, open};
use crate::transfer::{Each, Place, Record, TransferError};

/// A database that is copied.
pub(crate) struct Transfer {
    connection: Connection,
    /// Of tasks that were written and are not counted yet.
    counts: Counts,
    /// The task that was written last, whose log follows.
    task: TaskKey,
    /// While it is written to, nobody else has the directory.
    _directory: Option<Directory>,
}

impl Transfer {
    /// The database in a directory, whether or not a server has it. One of an older release is brought
    /// up to date, unless a server has it.
    pub(crate) fn to_read(directory: &Path) -> Result<Self, TransferError> {
        let path = database_in(directory);
        if !path.exists() {
            return Err(TransferError::no_store_in(directory));
        }
        beside::prepare(directory)?;
        let database = Database::File(path.clone());
        let connection = Readers::new(database, &beside::few_readers()).open();
        let failed = |source| OpenError::Database { path, source };
        Ok(Self::new(connection.map_err(failed)?, None))
    }

    /// The database in a directory that no server has, made when it is missing.
    pub(crate) fn to_write(directory: &Path, options: &Options) -> Result<Self, TransferError> {
        let opened = open::open(directory, options)?;
        let failed = |source| OpenError::Database { path: database_in(directory), source };
        // No thread of a store is there that would write the log back.
        opened.writer.pragma_update(None, "wal_autocheckpoint", 1_000).map_err(failed)?;
        Ok(Self::new(opened.writer, opened.directory))
    }

    fn new(connection: Connection, directory: Option<Directory>) -> Self {
        Self { connection, counts: Counts::new(), task: TaskKey(0), _directory: directory }
    }
}

impl Place for Transfer {
    fn read(&mut self, each: Each<'_>) -> Result<(), TransferError> {
        read(&self.connection, each)
    }

    fn write(&mut self, records: &[Record]) -> Result<(), StoreError> {
        if self.connection.is_autocommit() {
            self.connection.execute_batch("BEGIN IMMEDIATE").map_err(Failure::from)?;
        }
        for record in records {
            self.put(record)?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        add_counts(&self.connection, &std::mem::take(&mut self.counts))?;
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("COMMIT").map_err(Failure::from)?;
        }
        Ok(())
    }

    /// What is used of quotas is counted by the next server that has quotas.
    fn finish(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl From<Failure> for TransferError {
    fn from(failure: Failure) -> Self {
        Self::Read(failure.into())
    }
}
