//! The Data Analyst and the other agent runtimes.

pub mod analyst;
mod answer;
#[cfg(unix)]
pub mod exec;
mod history;
pub mod http;
mod said;

pub use history::{History, HistoryOf};
