//! The embedded store: one SQLite database in a directory of its own, or in memory.
//!
//! One thread writes. It takes what has queued up, merges the appends of each task, commits all of
//! it in one transaction and reports each append after that commit. Reads run on the thread that
//! asks, over connections that cannot write. Another replica cannot share the database: the
//! directory is locked as long as the store is open. Only the integration tokens, the audit log and
//! the wish for a sweep are written by others beside it ([`SqliteTokens`], [`SqliteAudit`],
//! [`SqliteSweeps`]).

mod audit;
mod beside;
mod commit;
mod contexts;
mod database;
mod directory;
mod erase;
mod failure;
mod keys;
mod list;
mod open;
mod options;
mod queue;
mod read;
mod readers;
mod results;
mod schema;
mod scopes;
mod store;
mod sweep;
mod sweeps;
mod tokens;
mod transfer;
mod usage;
mod writer;

pub use audit::SqliteAudit;
pub use database::Memory;
pub use open::OpenError;
pub use options::Options;
pub use store::SqliteStore;
pub use sweeps::SqliteSweeps;
pub use tokens::SqliteTokens;
pub(crate) use transfer::Transfer;

pub use crate::audit::{AuditLimits, AuditQuery};
