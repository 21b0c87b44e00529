//! Programs as agents: good ones, bad ones, and what they leave behind.

mod bad;
mod examples;
mod house;
mod lines;
mod pool;
mod text;
