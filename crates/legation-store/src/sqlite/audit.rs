//! The audit log, by connections of its own.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use legation_core::store::StoreError;
use legation_core::{AuditAction, AuditEntry, AuditEvent, AuditLog};
use legation_model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::beside::{self, Beside};
use super::database::Database;
use super::directory::database_in;
use super::failure::Failure;
use super::open::OpenError;
use super::readers::Readers;
use crate::audit::{AuditLimits, AuditQuery, FORGET_STEP, Kept};
use crate::noted::Noted;

/// The audit log of a deployment in a directory.
pub struct SqliteAudit(Arc<Log>);

struct Log {
    deployment: Box<str>,
    limits: AuditLimits,
    readers: Readers,
    writer: Beside,
    noted: Noted,
}

impl fmt::Debug for SqliteAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (deployment, limits) = (&self.0.deployment, &self.0.limits);
        let mut audit = f.debug_struct("SqliteAudit");
        audit.field("deployment", deployment).field("limits", limits).finish_non_exhaustive()
    }
}

impl SqliteAudit {
    /// The log in a directory whose store is open, or will be before the first call.
    pub fn of_store(directory: impl AsRef<Path>, deployment: &str, limits: AuditLimits) -> Self {
        Self::of_database(Database::File(database_in(directory.as_ref())), deployment, limits)
    }

    pub(super) fn of_database(database: Database, deployment: &str, limits: AuditLimits) -> Self {
        Self(Arc::new(Log {
            deployment: deployment.into(),
            limits,
            readers: Readers::new(database.clone(), &beside::few_readers()),
            writer: Beside::new(database),
            noted: Noted::new(limits.distinct),
        }))
    }

    /// The log in a directory, whether or not a server has it. A database of an older release is
    /// brought up to date, unless a server has it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(directory: impl AsRef<Path>, deployment: &str) -> Result<Self, OpenError> {
        let directory = directory.as_ref();
        beside::prepare(directory)?;
        Ok(Self::of_store(directory, deployment, AuditLimits::default()))
    }

    /// Whether there is a database in a directory.
    pub fn exists_in(directory: impl AsRef<Path>) -> bool {
        database_in(directory.as_ref()).exists()
    }

    /// Entries with their numbers, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self, query: &AuditQuery) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        self.0.readers.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT id, at, tenant, subject, scheme, address, action, outcome, target, detail,
                     count
                 FROM audit
                 WHERE deployment = ?1 AND at >= ?2
                     AND (?3 IS NULL OR action = ?3) AND (?4 IS NULL OR tenant = ?4)
                     AND (?5 IS NULL OR subject = ?5)
                 ORDER BY id DESC LIMIT ?6",
            )?;
            let mut rows = select.query(params![
                self.0.deployment,
                query.since.map_or(i64::MIN, Timestamp::as_millis),
                query.action.map(AuditAction::name),
                query.tenant,
                query.subject,
                i64::try_from(query.limit).unwrap_or(i64::MAX),
            ])?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                entries.push(entry(row)?);
            }
            entries.reverse();
            Ok(entries)
        })
    }

    /// The newest entry about something.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last(&self, action: AuditAction) -> Result<Option<AuditEntry>, StoreError> {
        let query = AuditQuery { action: Some(action), limit: 1, ..AuditQuery::default() };
        Ok(self.list(&query)?.pop().map(|(_, entry)| entry))
    }

    /// Writes what was noted and is due. Blocks while it writes.
    ///
    /// # Errors
    /// When it cannot be written; it is kept for the next time.
    pub fn write_noted(&self, now: Timestamp) -> Result<(), StoreError> {
        self.0.write_noted(now, false)
    }

    /// Writes what was noted, and closes the connections.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(&self) -> Result<(), StoreError> {
        let written = self.0.write_noted(Timestamp::now(), true);
        self.0.readers.rest();
        self.0.writer.close();
        written
    }

    /// Removes the entries that are too old or too many; gives how many they were. Blocks while it
    /// writes.
    ///
    /// # Errors
    /// When they cannot be removed; some may be.
    pub fn forget(&self, now: Timestamp) -> Result<u64, StoreError> {
        let Log { limits, deployment, writer, readers, .. } = &*self.0;
        let keep = i64::try_from(limits.keep.as_millis()).unwrap_or(i64::MAX);
        let before = now.as_millis().saturating_sub(keep);
        let last = readers.read(|connection| last_to_go(connection, deployment, before, limits))?;
        let mut removed = 0;
        while let Some(last) = last {
            let step = writer.write(|connection| {
                // From the end, as the table lets them go.
                let mut delete = connection.prepare_cached(
                    "DELETE FROM audit WHERE id IN (
                         SELECT id FROM audit WHERE deployment = ?1 AND id <= ?2
                         ORDER BY id LIMIT ?3)",
                )?;
                delete.execute(params![deployment, last, FORGET_STEP])
            })?;
            removed += step as u64;
            if (step as i64) < FORGET_STEP {
                break;
            }
        }
        Ok(removed)
    }
}

/// The last of the entries that go: all before the first that is young enough, and those beyond the
/// number that is kept.
fn last_to_go(
    connection: &Connection,
    deployment: &str,
    before: i64,
    limits: &AuditLimits,
) -> Result<Option<i64>, Failure> {
    let number = |sql: &str, value: i64| -> rusqlite::Result<Option<i64>> {
        let mut select = connection.prepare_cached(sql)?;
        select.query_row(params![deployment, value], |row| row.get(0)).optional()
    };
    let newest = "SELECT id FROM audit WHERE deployment = ?1 AND id > ?2 ORDER BY id DESC LIMIT 1";
    let young = "SELECT id FROM audit WHERE deployment = ?1 AND at >= ?2 ORDER BY id LIMIT 1";
    let surplus = "SELECT id FROM audit WHERE deployment = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2";
    let old = match number(young, before)? {
        Some(first) => Some(first - 1),
        None => number(newest, 0)?,
    };
    let most = i64::try_from(limits.entries).unwrap_or(i64::MAX);
    Ok(old.max(number(surplus, most)?))
}

impl Log {
    fn write_noted(&self, now: Timestamp, all: bool) -> Result<(), StoreError> {
        let entries = self.noted.take(now, all);
        if entries.is_empty() {
            return Ok(());
        }
        let written = self.writer.write(|connection| {
            entries.iter().try_for_each(|entry| insert(connection, &self.deployment, entry))
        });
        written.map_err(|failure| {
            self.noted.put_back(entries);
            failure.into()
        })
    }
}

impl AuditLog for SqliteAudit {
    fn note(&self, event: AuditEvent) {
        self.0.noted.note(event, Timestamp::now());
    }

    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        let log = self.0.clone();
        let entry = AuditEntry { at: Timestamp::now(), event, count: 1 };
        let write = move || {
            log.writer.write(|connection| insert(connection, &log.deployment, &entry))?;
            Ok(())
        };
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(write).await;
            written.unwrap_or_else(|error| Err(StoreError::unavailable(error)))
        })
    }
}

/// Writes an entry, as part of what it tells of or by itself.
pub(super) fn insert(
    connection: &Connection,
    deployment: &str,
    entry: &AuditEntry,
) -> rusqlite::Result<()> {
    let AuditEntry { at, event, count } = entry;
    let AuditEvent { actor, action, outcome, target, detail } = event;
    let mut insert = connection.prepare_cached(
        "INSERT INTO audit (deployment, at, tenant, subject, scheme, address, action, outcome,
             target, detail, count)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    insert.execute(params![
        deployment,
        at.as_millis(),
        actor.tenant,
        actor.subject,
        actor.scheme,
        actor.address.map(|address| address.to_string()),
        action.name(),
        outcome.name(),
        target,
        detail,
        i64::try_from(*count).unwrap_or(i64::MAX),
    ])?;
    Ok(())
}

fn entry(row: &Row<'_>) -> Result<(i64, AuditEntry), Failure> {
    let kept = Kept {
        at: row.get(1)?,
        tenant: row.get(2)?,
        subject: row.get(3)?,
        scheme: row.get(4)?,
        address: row.get(5)?,
        action: row.get(6)?,
        outcome: row.get(7)?,
        target: row.get(8)?,
        detail: row.get(9)?,
        count: row.get(10)?,
    };
    Ok((row.get(0)?, kept.entry().map_err(Failure::unreadable)?))
}
