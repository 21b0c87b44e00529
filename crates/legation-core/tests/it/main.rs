//! The service with a real SQLite store and scripted agents.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test that gets another reply fails")]

mod audit;
mod authorization;
mod bench;
mod cancel;
mod erase;
mod extension;
mod follow;
mod idempotency;
mod lifecycle;
mod manners;
mod quota;
mod rates;
mod read;
mod replace;
mod restart;
mod schema;
mod send;
mod sight;
mod standing;
