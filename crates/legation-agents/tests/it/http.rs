//! Agents behind HTTP, with a real server behind them.

mod openai;
mod plain;
mod world;
