//! The command as a user has it: the real binary, in a process of its own.

mod audit;
mod calling;
mod configuration;
mod contexts;
mod doctor;
mod keys;
mod metrics;
mod outbound;
mod postgres;
mod profiles;
mod secrets;
mod security;
mod serving;
mod session;
mod signing;
mod skills;
mod talking;
mod tls;
mod transfer;
mod user;
mod web;
