//! The audit log, beside the tasks.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use legation_core::store::StoreError;
use legation_core::{AuditAction, AuditEntry, AuditEvent, AuditLog};
use legation_model::Timestamp;
use tokio_postgres::Row;

use super::failure::Failure;
use super::readers::{Readers, reading};
use super::session::{Parameters, Session};
use super::text::{read, written};
use crate::audit::{AuditLimits, AuditQuery, FORGET_STEP, Kept};
use crate::noted::Noted;

/// The audit log of a deployment, in the database of an open store.
pub struct PostgresAudit {
    deployment: Box<str>,
    limits: AuditLimits,
    readers: Arc<Readers>,
    noted: Noted,
}

impl fmt::Debug for PostgresAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut audit = f.debug_struct("PostgresAudit");
        audit.field("deployment", &self.deployment).field("limits", &self.limits);
        audit.finish_non_exhaustive()
    }
}

impl PostgresAudit {
    pub(super) fn new(readers: Arc<Readers>, deployment: &str, limits: AuditLimits) -> Self {
        let deployment = written(deployment).into();
        Self { deployment, limits, readers, noted: Noted::new(limits.distinct) }
    }

    /// Entries with their numbers, the oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn list(&self, query: &AuditQuery) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        reading!(self.readers, |session| list(&session, &self.deployment, query))
    }

    /// The newest entry about something.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn last(&self, action: AuditAction) -> Result<Option<AuditEntry>, StoreError> {
        let query = AuditQuery { action: Some(action), limit: 1, ..AuditQuery::default() };
        Ok(self.list(&query).await?.pop().map(|(_, entry)| entry))
    }

    /// Writes what was noted and is due.
    ///
    /// # Errors
    /// When it cannot be written; it is kept for the next time.
    ///
    /// # Cancel safety
    /// Dropped midway, it may lose what it was about to write.
    pub async fn write_noted(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(self.noted.take(now, false)).await
    }

    /// Writes all that was noted. The store must be open still.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.write(self.noted.take(Timestamp::now(), true)).await
    }

    async fn write(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let written =
            reading!(self.readers, |session| insert_all(&session, &self.deployment, &entries));
        if written.is_err() {
            self.noted.put_back(entries);
        }
        written
    }

    /// Removes the entries that are too old or too many; gives how many they were.
    ///
    /// # Errors
    /// When they cannot be removed; some may be.
    pub async fn forget(&self, now: Timestamp) -> Result<u64, StoreError> {
        let keep = i64::try_from(self.limits.keep.as_millis()).unwrap_or(i64::MAX);
        let before = now.as_millis().saturating_sub(keep);
        let most = i64::try_from(self.limits.entries).unwrap_or(i64::MAX);
        let last =
            reading!(self.readers, |session| last_to_go(&session, &self.deployment, before, most))?;
        let mut removed = 0;
        while let Some(last) = last {
            let delete = "
                DELETE FROM audit WHERE id IN (
                    SELECT id FROM audit WHERE deployment = $1 AND id <= $2 ORDER BY id LIMIT $3)";
            let parameters: Parameters<'_> = &[&self.deployment, &last, &FORGET_STEP];
            let step = reading!(self.readers, |session| session.execute(delete, parameters))?;
            removed += step;
            if step < FORGET_STEP.unsigned_abs() {
                break;
            }
        }
        Ok(removed)
    }
}

impl AuditLog for PostgresAudit {
    fn note(&self, event: AuditEvent) {
        self.noted.note(event, Timestamp::now());
    }

    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        let entry = AuditEntry { at: Timestamp::now(), event, count: 1 };
        Box::pin(async move {
            reading!(self.readers, |session| insert(&session, &self.deployment, &entry))
        })
    }
}

async fn list(
    session: &Session,
    deployment: &str,
    query: &AuditQuery,
) -> Result<Vec<(i64, AuditEntry)>, Failure> {
    let select = "
        SELECT id, at, tenant, subject, scheme, address, action, outcome, target, detail, count
        FROM audit
        WHERE deployment = $1 AND at >= $2 AND ($3::text IS NULL OR action = $3)
            AND ($4::text IS NULL OR tenant = $4) AND ($5::text IS NULL OR subject = $5)
        ORDER BY id DESC LIMIT $6";
    let since = query.since.map_or(i64::MIN, Timestamp::as_millis);
    let action = query.action.map(AuditAction::name);
    let (tenant, subject) =
        (query.tenant.as_deref().map(written), query.subject.as_deref().map(written));
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let rows =
        session.query(select, &[&deployment, &since, &action, &tenant, &subject, &limit]).await?;
    rows.iter().rev().map(entry).collect()
}

/// The last of the entries that go: all before the first that is young enough, and those beyond the
/// number that is kept.
async fn last_to_go(
    session: &Session,
    deployment: &str,
    before: i64,
    most: i64,
) -> Result<Option<i64>, Failure> {
    let select = "
        SELECT greatest(
            coalesce(
                (SELECT id - 1 FROM audit WHERE deployment = $1 AND at >= $2 ORDER BY id LIMIT 1),
                (SELECT id FROM audit WHERE deployment = $1 ORDER BY id DESC LIMIT 1)),
            (SELECT id FROM audit WHERE deployment = $1 ORDER BY id DESC LIMIT 1 OFFSET $3))";
    let row = session.first(select, &[&deployment, &before, &most]).await?;
    row.map_or(Ok(None), |row| Ok(row.try_get(0)?))
}

/// Writes entries, all of them or none.
async fn insert_all(
    session: &Session,
    deployment: &str,
    entries: &[AuditEntry],
) -> Result<(), Failure> {
    session.run("BEGIN").await?;
    for entry in entries {
        insert(session, deployment, entry).await?;
    }
    session.run("COMMIT").await
}

/// Writes an entry, as part of what it tells of or by itself.
pub(super) async fn insert(
    session: &Session,
    deployment: &str,
    entry: &AuditEntry,
) -> Result<(), Failure> {
    let AuditEntry { at, event, count } = entry;
    let AuditEvent { actor, action, outcome, target, detail } = event;
    let insert = "
        INSERT INTO audit (deployment, at, tenant, subject, scheme, address, action, outcome, target,
            detail, count)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let address = actor.address.map(|address| address.to_string());
    let count = i64::try_from(*count).unwrap_or(i64::MAX);
    session
        .execute(
            insert,
            &[
                &deployment,
                &at.as_millis(),
                &written(&actor.tenant),
                &written(&actor.subject),
                &written(&actor.scheme),
                &address,
                &action.name(),
                &outcome.name(),
                &written(target),
                &written(detail),
                &count,
            ],
        )
        .await?;
    Ok(())
}

fn entry(row: &Row) -> Result<(i64, AuditEntry), Failure> {
    let text = |column| -> Result<String, Failure> { Ok(read(row.try_get(column)?).into_owned()) };
    let kept = Kept {
        at: row.try_get(1)?,
        tenant: text(2)?,
        subject: text(3)?,
        scheme: text(4)?,
        address: row.try_get(5)?,
        action: text(6)?,
        outcome: text(7)?,
        target: text(8)?,
        detail: text(9)?,
        count: row.try_get(10)?,
    };
    Ok((row.try_get(0)?, kept.entry().map_err(Failure::unreadable)?))
}
