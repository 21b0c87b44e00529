//! When contexts were swept, and who asks for it, by connections of their own.

use std::path::Path;
use std::time::Duration;

use legation_core::store::{StoreError, Swept};
use legation_model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::beside::{self, Beside};
use super::database::Database;
use super::directory::database_in;
use super::failure::Failure;
use super::open::OpenError;
use super::readers::Readers;
use crate::sweeps::{Told, is_due, read, written};

/// The sweeps of a directory.
pub struct SqliteSweeps {
    readers: Readers,
    writer: Beside,
}

impl SqliteSweeps {
    /// Those of a directory whose store is open, or will be before the first call.
    pub fn of_store(directory: impl AsRef<Path>) -> Self {
        Self::of_database(Database::File(database_in(directory.as_ref())))
    }

    pub(super) fn of_database(database: Database) -> Self {
        let readers = Readers::new(database.clone(), &beside::few_readers());
        Self { readers, writer: Beside::new(database) }
    }

    /// Those of a directory, whether or not a server has it. A database that is missing or of an older
    /// release is made or brought up to date, unless a server has it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, OpenError> {
        let directory = directory.as_ref();
        beside::prepare(directory)?;
        Ok(Self::of_store(directory))
    }

    /// Asks whoever has the store for a sweep of a deployment; gives by what to [look](Self::done) for
    /// it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn ask(&self, deployment: &str) -> Result<Timestamp, StoreError> {
        let now = Timestamp::now();
        let ask = "INSERT INTO sweeps (deployment, asked_at) VALUES (?1, ?2)
                   ON CONFLICT DO UPDATE SET asked_at = excluded.asked_at";
        self.write(|connection| connection.execute(ask, (deployment, now.as_millis())))?;
        Ok(now)
    }

    /// What the sweep did that was asked for, once it is done.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn done(&self, deployment: &str, asked: Timestamp) -> Result<Option<Swept>, StoreError> {
        Ok(self.told(deployment)?.and_then(|told| read(&told, asked)))
    }

    /// Begins a sweep if one is due; without a time, one always is.
    pub(super) fn begin(
        &self,
        deployment: &str,
        every: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let now = Timestamp::now();
        if let Some(every) = every
            && !is_due(self.told(deployment)?.as_ref(), every, now)
        {
            return Ok(None);
        }
        let begin = "INSERT INTO sweeps (deployment, began_at) VALUES (?1, ?2)
                     ON CONFLICT DO UPDATE SET began_at = excluded.began_at";
        self.write(|connection| connection.execute(begin, (deployment, now.as_millis())))?;
        Ok(Some(now))
    }

    pub(super) fn end(&self, deployment: &str, swept: Swept) -> Result<(), StoreError> {
        // Who asked for it after it began asks for the next one.
        let end = "UPDATE sweeps SET swept_at = max(?2, began_at), swept = ?3,
                       asked_at = iif(asked_at > began_at, asked_at, NULL) WHERE deployment = ?1";
        let now = Timestamp::now().as_millis();
        self.write(|connection| connection.execute(end, (deployment, now, written(swept))))?;
        Ok(())
    }

    pub(super) fn close(&self) {
        self.readers.rest();
        self.writer.close();
    }

    fn told(&self, deployment: &str) -> Result<Option<Told>, StoreError> {
        self.readers.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT asked_at, began_at, swept_at, swept FROM sweeps WHERE deployment = ?1",
            )?;
            let told = select.query_row([deployment], |row| {
                Ok(Told {
                    asked_at: row.get(0)?,
                    began_at: row.get(1)?,
                    swept_at: row.get(2)?,
                    swept: row.get(3)?,
                })
            });
            Ok::<_, Failure>(told.optional()?)
        })
    }

    fn write<T>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        Ok(self.writer.write(write)?)
    }
}
