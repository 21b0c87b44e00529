//! The bindings against a real service, store and socket.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test that gets another answer fails")]

mod bad_input;
mod callback;
mod calls;
mod cards;
mod client;
mod connections;
mod cors;
mod extended;
mod grpc;
mod grpc_client;
mod grpc_services;
mod identity;
mod matrix;
mod rates;
mod schemes;
mod server;
mod streams;
mod tenants;
mod tls;
