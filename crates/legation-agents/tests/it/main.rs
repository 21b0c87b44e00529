//! The agents behind the service, on a real SQLite store.

mod conversation;
#[cfg(unix)]
mod exec;
mod http;
mod reference;
mod structured;
