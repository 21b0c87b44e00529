//! Programs as agents: good ones, bad ones, and what they leave behind.

mod bad;
mod house;
mod lines;
mod pool;
mod text;
