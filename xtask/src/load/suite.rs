//! A suite: plans that each do one kind of harm, one after another.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;
use tokio::runtime::{Builder, Runtime};

use super::outcome::{self, Outcome};

/// The name that stands for all plans.
const ALL: &str = "all";

/// What every suite is told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SuiteArgs {
    /// What all that is random comes from; from the clock without it.
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds after which no plan begins another round.
    #[arg(long)]
    seconds_max: Option<u64>,
    /// Do less of everything, for every commit.
    #[arg(long)]
    pub(crate) short: bool,
    /// Program that serves the product as `serve-test`; this one without it.
    #[arg(long)]
    server: Option<PathBuf>,
}

/// A kind of harm: its name, and what does it.
pub(crate) struct Plan<S> {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&S) -> anyhow::Result<Outcome>,
}

/// What a plan of any suite needs to know.
pub(crate) struct Ground {
    pub(crate) program: PathBuf,
    /// Where the plan may write. It is kept when the plan finds a fault.
    pub(crate) directory: PathBuf,
    pub(crate) seed: u64,
    pub(crate) short: bool,
    deadline: Option<Instant>,
    pub(crate) runtime: Runtime,
}

/// The names by which plans are chosen.
pub(crate) fn names<S>(plans: &[Plan<S>]) -> PossibleValuesParser {
    PossibleValuesParser::new([ALL].into_iter().chain(plans.iter().map(|plan| plan.name)))
}

/// Runs the wanted plans, each with a setup of its own, and prints what they did.
///
/// # Errors
/// When a plan cannot be run at all.
pub(crate) fn run<S>(
    (suite, plans): (&str, &[Plan<S>]),
    (wanted, args): (&str, &SuiteArgs),
    setup: impl Fn(&Plan<S>, Ground) -> anyhow::Result<S>,
) -> anyhow::Result<ExitCode> {
    let clock = || SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
    let seed = args.seed.unwrap_or_else(clock);
    println!("{suite} suite, seed {seed}");
    let deadline = args.seconds_max.map(|most| Instant::now() + Duration::from_secs(most));
    let itself = std::env::current_exe().context("cannot find this program")?;
    let mut failed = false;
    for plan in plans.iter().filter(|plan| [ALL, plan.name].contains(&wanted)) {
        let begin = Instant::now();
        let directory = outcome::directory(suite, plan.name, &itself)?;
        let ground = Ground {
            program: args.server.clone().unwrap_or_else(|| itself.clone()),
            directory: directory.path().to_owned(),
            seed,
            short: args.short,
            deadline,
            // One thread: the other core is the servers'.
            runtime: Builder::new_current_thread().enable_all().build()?,
        };
        let setup = setup(plan, ground)?;
        let outcome = (plan.run)(&setup).unwrap_or_else(|error| Outcome::broken_off(&error));
        failed |= outcome.tell(plan.name, begin, directory);
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Ground {
    /// How often something is done: no more than so often in the short form.
    pub(crate) fn less(&self, number: usize, most: usize) -> usize {
        if self.short { number.min(most) } else { number }
    }

    /// Whether the time for further rounds is over.
    pub(crate) fn late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }
}
