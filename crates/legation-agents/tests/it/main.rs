//! The agents behind the service, on a real SQLite store.

mod conversation;
mod reference;
mod structured;
