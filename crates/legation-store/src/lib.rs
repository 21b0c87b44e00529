//! Homes of tasks that last: [`sqlite`] and [`postgres`].
//!
//! What a store promises is written at [`legation_core::TaskStore`]; that every store keeps it is
//! checked by one suite, `legation_testkit::store_contract`.

/// Marks a moment at which tests may end the process.
macro_rules! crash_point {
    ($point:ident) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($crate::crash::$point);
    };
}

mod audit;
mod batch;
mod bell;
#[cfg(feature = "failpoints")]
pub mod crash;
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
