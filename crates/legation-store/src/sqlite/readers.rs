//! Connections that only read, lent to the thread that asks.

use legation_core::store::StoreError;
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::Options;
use super::database::Database;
use super::failure::Failure;

/// A pool without waiting: who finds no idle connection opens one. A read holds its thread until
/// it is done, so there are never more connections than threads that read.
pub(super) struct Readers {
    database: Database,
    cache_kib: usize,
    most_idle: usize,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(database: Database, options: &Options) -> Self {
        Self {
            database,
            cache_kib: options.cache_kib(),
            most_idle: options.idle_readers,
            idle: Mutex::new(Vec::with_capacity(options.idle_readers)),
        }
    }

    /// Runs one statement, which by itself sees the database as of one moment.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().pop();
        let connection = idle.map_or_else(|| self.open(), Ok).map_err(Failure::from)?;
        // A connection that failed is not lent again.
        let answer = read(&connection)?;
        self.put_back(connection);
        Ok(answer)
    }

    /// Runs several statements that all see the database as of one moment.
    pub(super) fn read_consistently<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.read(|connection| {
            let moment = Transaction::new_unchecked(connection, TransactionBehavior::Deferred)?;
            let answer = read(&moment)?;
            moment.commit()?;
            Ok(answer)
        })
    }

    /// Closes the idle connections.
    pub(super) fn rest(&self) {
        self.idle.lock().clear();
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock();
        if idle.len() < self.most_idle {
            idle.push(connection);
        }
    }

    /// A connection that cannot write.
    pub(super) fn open(&self) -> rusqlite::Result<Connection> {
        let connection = self.database.connect_to_read()?;
        connection.execute_batch(&format!(
            "PRAGMA query_only = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -{};",
            self.cache_kib
        ))?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    }
}
