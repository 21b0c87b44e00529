//! Homes of tasks that last: [`sqlite`] and [`postgres`].
//!
//! What a store promises is written at [`legation_core::TaskStore`]; that every store keeps it is
//! checked by one suite, `legation_testkit::store_contract`.

mod audit;
mod batch;
mod health;
mod kind;
mod log;
mod noted;
pub mod postgres;
mod scopes;
pub mod sqlite;
mod taken;
mod tokens;
mod transfer;
mod uses;

pub use audit::{AuditLimits, AuditQuery};
pub use kind::{Audit, Home, OpenError, Store, Tokens};
pub use transfer::{Counts, Step, Summary, TransferError, Watch, export, import};
