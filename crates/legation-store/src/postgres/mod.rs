//! The store of many replicas: one PostgreSQL database that they share.
//!
//! A few connections write. Each takes what has queued up for it, merges the appends of each task and
//! commits all of it in one transaction of two round trips: one that looks at what is there, under the
//! locks of the tasks, and one that writes and commits. The appends of a task go through the same
//! connection, so they keep their order. Reads run over connections of their own.
//!
//! Replicas know who is there by leases, which each renews in time. A task that is unfinished says which
//! replica is at work on it; when that one is gone, another takes it over. They ring for each other over
//! `NOTIFY`, beside the writers and never in their transactions, or over NATS.
//!
//! Everything is driven by one thread, so a store can be opened, used and closed from anywhere. Whatever
//! is wrong with the database is told within the bounds of [`Options::patience`], and heals by itself.

mod audit;
mod bell;
mod commit;
mod connect;
mod contexts;
mod deltas;
mod erase;
mod failure;
mod fold;
mod keys;
mod lease;
mod list;
mod look;
mod options;
mod place;
mod queue;
mod read;
mod readers;
mod remove;
mod results;
mod schema;
mod scopes;
mod session;
mod sharing;
mod store;
mod sweep;
mod sweeps;
mod text;
mod tls;
mod tokens;
mod transfer;
mod usage;
mod writer;

pub use audit::PostgresAudit;
pub use options::{Nats, OpenError, Options};
pub use store::PostgresStore;
pub use sweeps::PostgresSweeps;
pub use tokens::PostgresTokens;
pub(crate) use transfer::Transfer;

pub use crate::audit::{AuditLimits, AuditQuery};
