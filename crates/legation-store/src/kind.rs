//! A store of any kind, and what is kept beside its tasks.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use legation_core::store::{StoreError, Swept};
use legation_core::{
    AuditAction, AuditEntry, AuditEvent, AuditLog, Bell, IntegrationToken, IntegrationTokens,
    TaskStore, TokenDigest,
};
use legation_model::Timestamp;

use crate::audit::{AuditLimits, AuditQuery};
use crate::postgres::{self, PostgresAudit, PostgresStore, PostgresSweeps, PostgresTokens};
use crate::sqlite::{self, Memory, SqliteAudit, SqliteStore, SqliteSweeps, SqliteTokens};

/// Where a store is, and how it behaves. It is not for printing: an address may hold a password.
pub enum Home {
    /// A directory of this machine, which one process has at a time.
    Sqlite(PathBuf, sqlite::Options),
    /// The memory of this process, which holds nothing yet and whose end it does not outlive.
    Memory(sqlite::Options),
    /// A database that many processes share, by its address.
    Postgres(String, postgres::Options),
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The one in a directory or in memory.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// The one in a PostgreSQL database.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
}

/// An open store.
#[derive(Clone)]
pub enum Store {
    /// In a directory or in memory.
    Sqlite(Arc<SqliteStore>),
    /// In a PostgreSQL database.
    Postgres(Arc<PostgresStore>),
}

impl Store {
    /// Opens a store. Blocks until it is open.
    ///
    /// # Errors
    /// See [`OpenError`]; its messages say what to do.
    pub fn open(home: Home) -> Result<Self, OpenError> {
        Ok(match home {
            Home::Sqlite(directory, options) => {
                Self::Sqlite(SqliteStore::open(directory, options)?)
            }
            Home::Memory(options) => {
                tracing::warn!("all tasks are in memory, and are gone when this process ends");
                Self::Sqlite(SqliteStore::in_memory(&Memory::new()?, options)?)
            }
            Home::Postgres(url, options) => Self::Postgres(PostgresStore::open(&url, options)?),
        })
    }

    /// The tasks.
    pub fn tasks(&self) -> Arc<dyn TaskStore> {
        match self {
            Self::Sqlite(store) => store.clone(),
            Self::Postgres(store) => store.clone(),
        }
    }

    /// By which its replicas hear of each other, where there may be several.
    pub fn bell(&self) -> Option<Arc<dyn Bell>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(store) => Some(store.bell()),
        }
    }

    /// The integration tokens of a deployment.
    pub fn tokens(&self, deployment: &str) -> Tokens {
        match self {
            Self::Sqlite(store) => Tokens::Sqlite(store.tokens(deployment).into()),
            Self::Postgres(store) => Tokens::Postgres(store.tokens(deployment).into()),
        }
    }

    /// The audit log of a deployment.
    pub fn audit(&self, deployment: &str, limits: AuditLimits) -> Audit {
        match self {
            Self::Sqlite(store) => Audit::Sqlite(store.audit(deployment, limits).into()),
            Self::Postgres(store) => Audit::Postgres(store.audit(deployment, limits).into()),
        }
    }

    /// The sweeps, for who asks for one.
    pub fn sweeps(&self) -> Sweeps {
        match self {
            Self::Sqlite(store) => Sweeps::Sqlite(store.sweeps()),
            Self::Postgres(store) => Sweeps::Postgres(store.sweeps().into()),
        }
    }

    /// Writes what is queued, and closes. Blocks until it is done.
    pub fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close(),
            Self::Postgres(store) => store.close(),
        }
    }
}

/// The integration tokens of a deployment.
#[derive(Clone)]
pub enum Tokens {
    /// In a directory.
    Sqlite(Arc<SqliteTokens>),
    /// In a PostgreSQL database, which has to be open.
    Postgres(Arc<PostgresTokens>),
}

/// Does what blocks where that hinders nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let stopped = |_| Err(StoreError::unavailable("the work on the store was stopped"));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(stopped)
}

/// Calls a method of either kind: SQLite's blocks, PostgreSQL's waits.
macro_rules! either {
    ($self:ident, $kept:ident => $call:expr) => {
        match $self {
            Self::Sqlite(kept) => {
                let $kept = kept.clone();
                blocking(move || $call).await
            }
            Self::Postgres($kept) => $call.await,
        }
    };
}

impl Tokens {
    /// Keeps a new token; `false` when one of its name is there that is not revoked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn add(&self, token: IntegrationToken) -> Result<bool, StoreError> {
        either!(self, tokens => tokens.add(&token))
    }

    /// All tokens, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn list(&self) -> Result<Vec<IntegrationToken>, StoreError> {
        either!(self, tokens => tokens.list())
    }

    /// Takes a token back; `false` when there is none of this id that is not revoked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn revoke(&self, id: Arc<str>, at: Timestamp) -> Result<bool, StoreError> {
        either!(self, tokens => tokens.revoke(&id, at))
    }

    /// Gives a token another digest; the present one counts until a moment. `false` when there is none of
    /// this id that is not revoked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn rotate(
        &self,
        id: Arc<str>,
        digest: TokenDigest,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        either!(self, tokens => tokens.rotate(&id, &digest, until))
    }

    /// Writes when tokens were last used.
    ///
    /// # Errors
    /// When it cannot be written; it is kept for the next time.
    pub async fn write_uses(&self, now: Timestamp) -> Result<(), StoreError> {
        either!(self, tokens => tokens.write_uses(now))
    }

    /// Writes the uses that were held back. The store must be open still.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        either!(self, tokens => tokens.close())
    }

    /// As who looks tokens up.
    pub fn lookup(&self) -> Arc<dyn IntegrationTokens> {
        match self {
            Self::Sqlite(tokens) => tokens.clone(),
            Self::Postgres(tokens) => tokens.clone(),
        }
    }
}

/// The sweeps of a store, which its servers do and anybody may ask for.
#[derive(Clone)]
pub enum Sweeps {
    /// Of a directory.
    Sqlite(Arc<SqliteSweeps>),
    /// Of a PostgreSQL database, which has to be open.
    Postgres(Arc<PostgresSweeps>),
}

impl Sweeps {
    /// Asks the servers for a sweep of a deployment; gives by what to [look](Self::done) for it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn ask(&self, deployment: &'static str) -> Result<Timestamp, StoreError> {
        either!(self, sweeps => sweeps.ask(deployment))
    }

    /// What the sweep did that was asked for, once it is done.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn done(
        &self,
        deployment: &'static str,
        asked: Timestamp,
    ) -> Result<Option<Swept>, StoreError> {
        either!(self, sweeps => sweeps.done(deployment, asked))
    }
}

/// The audit log of a deployment.
#[derive(Clone, Debug)]
pub enum Audit {
    /// In a directory.
    Sqlite(Arc<SqliteAudit>),
    /// In a PostgreSQL database, which has to be open.
    Postgres(Arc<PostgresAudit>),
}

impl Audit {
    /// Entries with their numbers, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn list(&self, query: AuditQuery) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        either!(self, audit => audit.list(&query))
    }

    /// The newest entry about something.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn last(&self, action: AuditAction) -> Result<Option<AuditEntry>, StoreError> {
        either!(self, audit => audit.last(action))
    }

    /// Writes what was noted and is due.
    ///
    /// # Errors
    /// When it cannot be written; it is kept for the next time.
    pub async fn write_noted(&self, now: Timestamp) -> Result<(), StoreError> {
        either!(self, audit => audit.write_noted(now))
    }

    /// Removes the entries that are too old or too many; gives how many they were.
    ///
    /// # Errors
    /// When they cannot be removed; some may be.
    pub async fn forget(&self, now: Timestamp) -> Result<u64, StoreError> {
        either!(self, audit => audit.forget(now))
    }

    /// Writes all that was noted. The store must be open still.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        either!(self, audit => audit.close())
    }
}

impl AuditLog for Audit {
    fn note(&self, event: AuditEvent) {
        match self {
            Self::Sqlite(audit) => audit.note(event),
            Self::Postgres(audit) => audit.note(event),
        }
    }

    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        match self {
            Self::Sqlite(audit) => audit.record(event),
            Self::Postgres(audit) => audit.record(event),
        }
    }
}
