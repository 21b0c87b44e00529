//! The client against scripted servers that answer well, badly and in pieces.

mod answers;
mod credentials;
mod oauth;
mod resuming;
mod server;
