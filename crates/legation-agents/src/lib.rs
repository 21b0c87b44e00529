//! The Data Analyst, programs and, later, the other agent runtimes.

pub mod analyst;
#[cfg(unix)]
pub mod exec;
