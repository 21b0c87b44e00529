//! Homes of tasks that last: [`sqlite`].
//!
//! What a store promises is written at [`legation_core::TaskStore`]; that every store keeps it is
//! checked by one suite, `legation_testkit::store_contract`.

mod batch;
mod health;
mod log;
mod scopes;
pub mod sqlite;
mod taken;
