//! Integration tokens, by connections of their own.
//!
//! The store itself neither reads nor writes this table. What the operator does to a token is in the
//! audit log, by the same transaction.

use std::path::Path;
use std::sync::Arc;

use legation_core::store::StoreError;
use legation_core::{AuditAction, IntegrationToken, IntegrationTokens, Scopes, TokenDigest};
use legation_model::Timestamp;
use rusqlite::{Connection, Row, ffi, params};

use super::audit;
use super::beside::{self, Beside};
use super::database::Database;
use super::directory::database_in;
use super::failure::Failure;
use super::open::OpenError;
use super::readers::Readers;
use crate::tokens::{act, lines, names, words};
use crate::uses::Uses;

const COLUMNS: &str = "id, name, tenant, subject, scopes, agents, created_at, expires_at, \
                       revoked_at, last_used_at, digest, earlier_digest, earlier_until";

/// The integration tokens of a deployment in a directory.
pub struct SqliteTokens {
    deployment: Box<str>,
    readers: Readers,
    writer: Beside,
    uses: Uses,
}

impl SqliteTokens {
    /// The tokens in a directory whose store is open, or will be before the first call.
    pub fn of_store(directory: impl AsRef<Path>, deployment: &str) -> Self {
        Self::of_database(Database::File(database_in(directory.as_ref())), deployment)
    }

    pub(super) fn of_database(database: Database, deployment: &str) -> Self {
        Self {
            readers: Readers::new(database.clone(), &beside::few_readers()),
            writer: Beside::new(database),
            deployment: deployment.into(),
            uses: Uses::default(),
        }
    }

    /// The tokens in a directory, whether or not a server has it. A database that is missing or of
    /// an older release is made or brought up to date, unless a server has it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(directory: impl AsRef<Path>, deployment: &str) -> Result<Self, OpenError> {
        let directory = directory.as_ref();
        beside::prepare(directory)?;
        Ok(Self::of_store(directory, deployment))
    }

    /// Whether there is a database in a directory.
    pub fn exist_in(directory: impl AsRef<Path>) -> bool {
        database_in(directory.as_ref()).exists()
    }

    /// Keeps a new token; `false` when one of its name is there that is not revoked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&self, token: &IntegrationToken) -> Result<bool, StoreError> {
        let scopes = match &token.scopes {
            Scopes::All => None,
            Scopes::Only(names) => Some(lines(names)),
        };
        let detail = words(token);
        let written = self.change((AuditAction::CreateKey, &token.id, &detail), |connection| {
            connection.execute(
                "INSERT INTO integration_tokens (deployment, id, name, tenant, subject, scopes,
                     agents, digest, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    self.deployment,
                    token.id,
                    token.name,
                    token.tenant,
                    token.subject,
                    scopes,
                    token.agents.as_ref().map(lines),
                    token.digest,
                    token.created_at.as_millis(),
                    token.expires_at.map(Timestamp::as_millis),
                ],
            )
        });
        match written {
            Ok(written) => Ok(written),
            Err(Failure::Sqlite(error)) if is_taken(&error) => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }

    /// All tokens, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self) -> Result<Vec<IntegrationToken>, StoreError> {
        self.readers.read(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM integration_tokens WHERE deployment = ?1
                 ORDER BY created_at, id"
            );
            let mut select = connection.prepare_cached(&sql)?;
            let mut rows = select.query([&self.deployment])?;
            let mut tokens = Vec::new();
            while let Some(row) = rows.next()? {
                tokens.push(token(row)?);
            }
            Ok(tokens)
        })
    }

    /// Takes a token back; `false` when there is none of this id that is not revoked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn revoke(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        // What an earlier digest was is of no use any more.
        let changed = self.change((AuditAction::RevokeKey, id, ""), |connection| {
            connection.execute(
                "UPDATE integration_tokens
                 SET revoked_at = ?3, earlier_digest = NULL, earlier_until = NULL
                 WHERE deployment = ?1 AND id = ?2 AND revoked_at IS NULL",
                params![self.deployment, id, at.as_millis()],
            )
        });
        Ok(changed?)
    }

    /// Gives a token another digest; the present one counts until a moment. `false` when there is
    /// none of this id that is not revoked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn rotate(
        &self,
        id: &str,
        digest: &TokenDigest,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let detail = format!("the one before counts until {until}");
        let changed = self.change((AuditAction::RotateKey, id, &detail), |connection| {
            connection.execute(
                "UPDATE integration_tokens
                 SET earlier_digest = digest, earlier_until = ?4, digest = ?3
                 WHERE deployment = ?1 AND id = ?2 AND revoked_at IS NULL",
                params![self.deployment, id, digest, until.as_millis()],
            )
        });
        Ok(changed?)
    }

    /// Writes when tokens were last used: of each at once when it is the first use, else once a
    /// minute. Blocks while it writes.
    ///
    /// # Errors
    /// When they cannot be written; they are kept for the next time.
    pub fn write_uses(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write_due(&self.uses.due(now, false))
    }

    /// Writes the uses that were held back, and closes the connections.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn close(&self) -> Result<(), StoreError> {
        let written = self.write_due(&self.uses.due(Timestamp::now(), true));
        self.readers.rest();
        self.writer.close();
        written
    }

    fn write_due(&self, due: &[(Arc<str>, Timestamp)]) -> Result<(), StoreError> {
        if due.is_empty() {
            return Ok(());
        }
        self.writer.write(|connection| {
            for (id, at) in due {
                connection.execute(
                    "UPDATE integration_tokens SET last_used_at = max(coalesce(last_used_at, 0), ?3)
                     WHERE deployment = ?1 AND id = ?2",
                    params![self.deployment, id, at.as_millis()],
                )?;
            }
            Ok(())
        })?;
        self.uses.written(due);
        Ok(())
    }

    /// Does something to a token; if there was one, the log tells of it.
    fn change(
        &self,
        (action, id, detail): (AuditAction, &str, &str),
        change: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
    ) -> Result<bool, Failure> {
        self.writer.write(|connection| {
            if change(connection)? == 0 {
                return Ok(false);
            }
            audit::insert(connection, &self.deployment, &act(action, id, detail))?;
            Ok(true)
        })
    }
}

impl IntegrationTokens for SqliteTokens {
    fn find(&self, id: &str) -> Result<Option<IntegrationToken>, StoreError> {
        self.readers.read(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM integration_tokens WHERE deployment = ?1 AND id = ?2"
            );
            let mut select = connection.prepare_cached(&sql)?;
            let mut rows = select.query((&self.deployment, id))?;
            rows.next()?.map(token).transpose()
        })
    }

    fn note_use(&self, id: &Arc<str>, at: Timestamp) {
        self.uses.note(id, at);
    }
}

fn is_taken(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map_or(0, |error| error.extended_code);
    [ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_PRIMARYKEY].contains(&code)
}

fn token(row: &Row<'_>) -> Result<IntegrationToken, Failure> {
    let earlier: (Option<TokenDigest>, _) = (row.get(11)?, moment(row, 12)?);
    Ok(IntegrationToken {
        id: row.get(0)?,
        name: row.get(1)?,
        tenant: row.get(2)?,
        subject: row.get(3)?,
        scopes: row
            .get::<_, Option<String>>(4)?
            .map_or(Scopes::All, |lines| Scopes::Only(names(&lines))),
        agents: row.get::<_, Option<String>>(5)?.map(|lines| names(&lines)),
        created_at: moment(row, 6)?
            .ok_or_else(|| Failure::unreadable("a token without a beginning"))?,
        expires_at: moment(row, 7)?,
        revoked_at: moment(row, 8)?,
        last_used_at: moment(row, 9)?,
        digest: row.get(10)?,
        earlier: earlier.0.zip(earlier.1),
    })
}

fn moment(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Failure> {
    let millis: Option<i64> = row.get(column)?;
    let read = |millis| {
        Timestamp::from_millis(millis)
            .ok_or_else(|| Failure::unreadable(format!("{millis} is no moment")))
    };
    millis.map(read).transpose()
}
