//! The Data Analyst and the other agent runtimes.

pub mod analyst;
pub mod http;
