//! The Data Analyst and, later, the other agent runtimes.

pub mod analyst;
