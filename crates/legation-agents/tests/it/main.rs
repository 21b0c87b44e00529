//! The agents behind the service, on a real SQLite store.

mod http;
mod structured;
