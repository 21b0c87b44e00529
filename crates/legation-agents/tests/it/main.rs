//! The agents behind the service, on a real SQLite store.

#[cfg(unix)]
mod exec;
mod http;
mod structured;
