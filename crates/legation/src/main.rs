//! The command `legation`: serves agents and calls them.

mod agents;
mod app;
mod cli;
mod config;
mod reload;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
