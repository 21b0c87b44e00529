//! `xtask crash`: the product is killed, stopped, starved and cut off under load, and whatever a
//! client was shown has to be there afterwards.
//!
//! Every plan starts the product as a process of its own, lets clients write down what they see,
//! does one kind of harm to it and has the history checked by `legation_testkit::history`.

mod disk;
mod drain;
mod fsync;
mod kill;
mod power;
mod reconnect;
mod slow;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;

use crate::load::Binding;
use crate::load::outcome::{self, Outcome};
use crate::load::server::Launch;
use crate::load::world::World;

/// What to do to the product, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct CrashArgs {
    /// What to do to it.
    #[arg(long, value_enum, default_value = "all")]
    plan: Choice,
    /// How often it is killed.
    #[arg(long, default_value_t = 200)]
    kills: usize,
    /// How many pieces of streams are read.
    #[arg(long, default_value_t = 2000)]
    reconnects: usize,
    /// How often it is asked to stop.
    #[arg(long, default_value_t = 20)]
    drains: usize,
    /// How many power cuts are simulated.
    #[arg(long, default_value_t = 400)]
    cuts: usize,
    /// What all that is random comes from; from the clock without it.
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds after which no plan begins another round.
    #[arg(long)]
    seconds_max: Option<u64>,
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
    Kill,
    Reconnect,
    Slow,
    Drain,
    Disk,
    Fsync,
    Power,
}

/// A kind of harm: its name, and what does it.
struct Plan {
    choice: Choice,
    run: fn(&Setup) -> anyhow::Result<Outcome>,
}

const PLANS: [Plan; 7] = [
    Plan { choice: Choice::Kill, run: kill::run },
    Plan { choice: Choice::Reconnect, run: reconnect::run },
    Plan { choice: Choice::Slow, run: slow::run },
    Plan { choice: Choice::Drain, run: drain::run },
    Plan { choice: Choice::Disk, run: disk::run },
    Plan { choice: Choice::Fsync, run: fsync::run },
    Plan { choice: Choice::Power, run: power::run },
];

/// What every plan needs to know.
struct Setup {
    program: PathBuf,
    /// Where the plan may write. It is kept when the plan finds a fault.
    directory: PathBuf,
    token: String,
    seed: u64,
    short: bool,
    kills: usize,
    reconnects: usize,
    drains: usize,
    cuts: usize,
    deadline: Option<Instant>,
    runtime: tokio::runtime::Runtime,
}

/// Runs the chosen plans and prints what they did.
///
/// # Errors
/// When a plan cannot be run at all.
pub(crate) fn run(args: CrashArgs) -> anyhow::Result<ExitCode> {
    let clock = || SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
    let seed = args.seed.unwrap_or_else(clock);
    let mut failed = false;
    println!("crash suite, seed {seed}");
    let deadline = args.seconds_max.map(|most| Instant::now() + Duration::from_secs(most));
    for plan in PLANS {
        if args.plan == plan.choice || args.plan == Choice::All {
            failed |= run_plan(&args, &plan, seed, deadline)?;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs a plan and prints what it did; tells whether it failed.
fn run_plan(
    args: &CrashArgs,
    plan: &Plan,
    seed: u64,
    deadline: Option<Instant>,
) -> anyhow::Result<bool> {
    let begin = Instant::now();
    let name = format!("{:?}", plan.choice).to_lowercase();
    let itself = std::env::current_exe().context("cannot find this program")?;
    let directory = outcome::directory("crash", &name, &itself)?;
    let setup = Setup::new(args, seed, deadline, directory.path(), itself)?;
    let outcome = (plan.run)(&setup).unwrap_or_else(|error| Outcome::broken_off(&error));
    Ok(outcome.tell(&name, begin, directory))
}

impl Setup {
    fn new(
        args: &CrashArgs,
        seed: u64,
        deadline: Option<Instant>,
        directory: &Path,
        itself: PathBuf,
    ) -> anyhow::Result<Self> {
        let less = |number: usize, most: usize| if args.short { number.min(most) } else { number };
        Ok(Self {
            program: args.server.clone().unwrap_or(itself),
            directory: directory.to_owned(),
            token: "crash-8d2f7c1b9e0a4635f1c2d3e4b5a69788".into(),
            seed,
            short: args.short,
            kills: less(args.kills, 40),
            reconnects: less(args.reconnects, 400),
            drains: less(args.drains, 3),
            cuts: less(args.cuts, 100),
            deadline,
            // One thread: the other core is the server's.
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        })
    }

    /// A world in which nothing has happened yet.
    fn world(&self) -> anyhow::Result<Arc<World>> {
        World::new(&self.directory, &self.token, &[Binding::JsonRpc])
    }

    /// How the product is started.
    fn launch(&self) -> Launch {
        Launch::of(&self.program, &self.token, &self.directory)
    }

    /// Whether the time for further rounds is over.
    fn late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }
}

/// Whether a program is on the path.
fn has_program(name: &str) -> bool {
    Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
}
