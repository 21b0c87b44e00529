//! The database's settings and the steps that led to its present shape.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{OpenError, Options};

/// Forward-only: a step that was released is never changed, only followed by another.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/sqlite/1_tasks.sql"),
    include_str!("../../migrations/sqlite/2_answers.sql"),
    include_str!("../../migrations/sqlite/3_names.sql"),
    include_str!("../../migrations/sqlite/4_integration_tokens.sql"),
    include_str!("../../migrations/sqlite/5_audit.sql"),
    include_str!("../../migrations/sqlite/6_usage.sql"),
    include_str!("../../migrations/sqlite/7_lifecycle.sql"),
];

/// Marks the file as ours: "Lega".
const APPLICATION_ID: i64 = 0x4c65_6761;

/// Bytes of a page. A short task's log with its snapshot fills most of 4 KiB, which would leave
/// the rest of such a page empty.
pub(super) const PAGE_BYTES: u64 = 8192;

/// Sets what every write relies on. Page size and vacuum mode count for a new file only.
pub(super) fn configure(writer: &Connection, options: &Options) -> rusqlite::Result<()> {
    writer.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = {};
         PRAGMA cache_size = -{};",
        // Above the usual size, because a log that keeps its length is synced faster.
        options.checkpoint_bytes * 2,
        options.cache_kib(),
    ))?;
    if let Some(bytes) = options.max_bytes {
        let pages = i64::try_from(bytes / PAGE_BYTES).unwrap_or(i64::MAX);
        writer.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    writer.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Looks, without changing anything, whether the database is one that this release can use.
pub(super) fn check(writer: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    let ours = pragma(writer, "application_id").map_err(failed)? == APPLICATION_ID;
    if !ours && has_tables(writer).map_err(failed)? {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let (found, known) = (pragma(writer, "user_version").map_err(failed)?, MIGRATIONS.len() as i64);
    if !(0..=known).contains(&found) {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
}

/// Whether the database has the newest shape already.
pub(super) fn is_newest(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(pragma(connection, "user_version")? == MIGRATIONS.len() as i64)
}

/// Brings the database to the newest shape, each step in a transaction of its own.
pub(super) fn migrate(writer: &mut Connection) -> rusqlite::Result<()> {
    let found = pragma(writer, "user_version")?;
    for (step, sql) in (1..).zip(MIGRATIONS).filter(|(step, _)| *step > found) {
        let taken = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        taken.execute_batch(sql)?;
        taken.pragma_update(None, "application_id", APPLICATION_ID)?;
        taken.pragma_update(None, "user_version", step)?;
        taken.commit()?;
    }
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn has_tables(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) > 0 FROM sqlite_schema", [], |row| row.get(0))
}
