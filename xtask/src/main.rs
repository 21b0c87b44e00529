//! Project tasks: `cargo xtask <task>`. One row per task; the work is in the modules.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod allowed;
mod bench;
mod callers;
mod chaos;
mod contract;
mod crash;
mod floor;
mod fuzz;
mod hostile;
mod load;
mod pb;
mod peers;
mod tck;
mod test;
mod test_server;
mod tls;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "xtask", about = "Tasks of the Legation project")]
enum Task {
    /// Run every test: of the crates, the crash, chaos and hostile suites, foreign clients and servers.
    Test(test::TestArgs),
    /// Measure the product against its floors and the targets.
    Bench(bench::BenchArgs),
    /// Measure our client beside those of others.
    Callers(callers::CallersArgs),
    /// Fuzz the decoders, longer than the tests do.
    Fuzz(fuzz::FuzzArgs),
    /// Kill, stop, starve and cut the product off, and check that it keeps its word.
    Crash(crash::CrashArgs),
    /// Kill, pause, cut off and replace replicas that share a database, and check that they keep their word.
    Chaos(chaos::ChaosArgs),
    /// Attack the product's listener, and check that honest callers do not notice.
    Hostile(hostile::HostileArgs),
    /// Run clients of other projects against the product, and the product against their servers.
    Peers(peers::PeersArgs),
    /// Run an official compatibility kit against the product.
    Tck(tck::TckArgs),
    /// Serve one floor program (a child of `bench`).
    #[command(hide = true)]
    Floor(floor::FloorArgs),
    /// Call a server with our client (a child of `callers`).
    #[command(hide = true)]
    Call(callers::CallArgs),
    /// Serve the product with the echo agent (a child of `bench`).
    #[command(hide = true)]
    ServeEcho(contract::ServeArgs),
    /// Serve the product with scripted agents (a child of `crash`, `tck` and `peers`).
    #[command(hide = true)]
    ServeTest(test_server::TestServerArgs),
}

fn main() -> anyhow::Result<ExitCode> {
    match Task::parse() {
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(args),
        Task::Callers(args) => callers::run(&args),
        Task::Call(args) => callers::run_call(&args).map(|()| ExitCode::SUCCESS),
        Task::Fuzz(args) => {
            fuzz::run(&args);
            Ok(ExitCode::SUCCESS)
        }
        Task::Crash(args) => crash::run(&args),
        Task::Chaos(args) => chaos::run(&args),
        Task::Hostile(args) => hostile::run(&args),
        Task::Peers(args) => peers::run(&args),
        Task::Tck(args) => tck::run(&args),
        Task::Floor(args) => floor::run(args).map(|()| ExitCode::SUCCESS),
        Task::ServeEcho(args) => test_server::run_echo(&args).map(|()| ExitCode::SUCCESS),
        Task::ServeTest(args) => test_server::run(args).map(|()| ExitCode::SUCCESS),
    }
}
