//! Homes of tasks that last: [`sqlite`] and [`postgres`].
//!
//! What a store promises is written at [`legation_core::TaskStore`]; that every store keeps it is
//! checked by one suite, `legation_testkit::store_contract`.

mod audit;
mod batch;
mod bell;
mod health;
mod kind;
mod log;
mod metric;
#[cfg(feature = "nats")]
mod nats;
mod noted;
pub mod postgres;
mod scopes;
pub mod sqlite;
mod sweeps;
mod taken;
mod tokens;
mod transfer;
mod uses;

pub use audit::{AuditLimits, AuditQuery};
pub use kind::{Audit, Home, OpenError, Store, Sweeps, Tokens};
pub use metric::STORE as METRICS;
pub use transfer::{Counts, Step, Summary, TransferError, Watch, export, import};
