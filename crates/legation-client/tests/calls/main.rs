//! Calls, against a scripted server and against our own.

mod answers;
mod credentials;
mod discovery;
mod doctor;
mod hostile;
mod matrix;
mod oauth;
mod real;
mod reconnects;
mod resuming;
mod server;
mod updates;
