//! The service with a real SQLite store and scripted agents.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test that gets another reply fails")]

mod bench;
mod cancel;
mod follow;
mod idempotency;
mod read;
mod restart;
mod send;
