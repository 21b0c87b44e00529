//! The bindings against a real service, store and socket.

mod bad_input;
mod calls;
mod cards;
mod client;
mod connections;
mod identity;
mod server;
mod streams;
