//! `xtask hostile`: what the network may do to the product's listener. Sockets that dawdle, bombs of
//! many kinds, and many streams that say nothing; over plaintext and over TLS.
//!
//! The product is a process of its own with its default bounds. Every plan says what it saw and what
//! it should have seen.

mod bombs;
mod frames;
mod grpc;
mod honest;
mod idle;
mod sockets;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::bench::limits::raise_open_files;
use crate::tls::Material;
use target::{Form, Target};

/// What to do to the product, and how much of it.
#[derive(Debug, clap::Args)]
pub(crate) struct HostileArgs {
    /// What to do to it.
    #[arg(long, value_enum, default_value = "all")]
    plan: Choice,
    /// How many sockets dawdle, over plaintext and again over TLS.
    #[arg(long, default_value_t = 2_000)]
    sockets: usize,
    /// How many streams of events say nothing.
    #[arg(long, default_value_t = 5_000)]
    streams: usize,
    /// How many streams of gRPC do so beside them, each on a connection of its own.
    #[arg(long, default_value_t = 1_000)]
    grpc_streams: usize,
    /// For how many seconds they stay.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// One bomb alone, by its name.
    #[arg(long)]
    bomb: Option<String>,
    /// Do less of everything, for every commit.
    #[arg(long)]
    short: bool,
    /// Program that serves the product as `serve-test`; this one without it.
    #[arg(long)]
    server: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    All,
    Sockets,
    Bombs,
    Idle,
}

type Plan = fn(&Setup, &mut Outcome) -> anyhow::Result<()>;

const PLANS: [(Choice, &str, Plan); 3] = [
    (Choice::Sockets, "sockets", sockets::run),
    (Choice::Bombs, "bombs", bombs::run),
    (Choice::Idle, "idle", idle::run),
];

/// What every plan needs to know.
struct Setup {
    program: PathBuf,
    /// Where the plan may write.
    directory: tempfile::TempDir,
    token: String,
    material: Material,
    sockets: usize,
    streams: usize,
    grpc_streams: usize,
    idle: Duration,
    bomb: Option<String>,
    short: bool,
    runtime: tokio::runtime::Runtime,
}

/// What a plan did and found.
#[derive(Default)]
struct Outcome {
    lines: Vec<String>,
    faults: Vec<String>,
}

impl Outcome {
    fn says(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn check(&mut self, is_good: bool, fault: impl FnOnce() -> String) {
        if !is_good {
            self.faults.push(fault());
        }
    }
}

/// Runs the chosen plans and prints what they saw.
///
/// # Errors
/// When a plan cannot be run at all.
pub(crate) fn run(args: &HostileArgs) -> anyhow::Result<ExitCode> {
    raise_open_files();
    let mut failed = false;
    for (choice, name, plan) in PLANS {
        if args.plan != choice && args.plan != Choice::All {
            continue;
        }
        let begin = Instant::now();
        let setup = Setup::new(args)?;
        let mut outcome = Outcome::default();
        if let Err(error) = plan(&setup, &mut outcome) {
            outcome.faults.push(format!("the plan broke off: {error:#}"));
        }
        let seconds = begin.elapsed().as_secs_f64();
        println!("{name}: {} violations ({seconds:.1} s)", outcome.faults.len());
        outcome.lines.iter().for_each(|line| println!("  {line}"));
        outcome.faults.iter().for_each(|fault| println!("  FAULT: {fault}"));
        failed |= !outcome.faults.is_empty();
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Setup {
    fn new(args: &HostileArgs) -> anyhow::Result<Self> {
        let itself = std::env::current_exe().context("cannot find this program")?;
        let beside = itself.parent().context("this program is in no directory")?;
        let directory = tempfile::Builder::new().prefix("hostile-").tempdir_in(beside)?;
        let material = Material::new(directory.path())?;
        let less = |number: usize, most: usize| if args.short { number.min(most) } else { number };
        Ok(Self {
            program: args.server.clone().unwrap_or(itself),
            token: "hostile-7a1e9c04d3b852f6608af1c2e97b4d35".into(),
            material,
            directory,
            sockets: less(args.sockets, 200),
            streams: less(args.streams, 500),
            grpc_streams: less(args.grpc_streams, 100),
            idle: Duration::from_secs(if args.short { args.seconds.min(20) } else { args.seconds }),
            bomb: args.bomb.clone(),
            short: args.short,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?,
        })
    }

    /// Starts the product in a form.
    async fn start(&self, form: Form) -> anyhow::Result<Target> {
        Target::start(self, form).await
    }
}
