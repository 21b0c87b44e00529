//! The agents behind the service, on a real SQLite store.

mod reference;
mod structured;
