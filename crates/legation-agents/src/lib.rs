//! The Data Analyst and the other agent runtimes.

pub mod analyst;
#[cfg(unix)]
pub mod exec;
pub mod http;
mod said;
