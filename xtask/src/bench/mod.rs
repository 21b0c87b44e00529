//! `xtask bench`: the product against its floors and the targets, in alternation.
//!
//! A case starts every server it compares, stores what they need, and then measures
//! them in turn, round after round, so that a slow minute of the machine hits all of
//! them. Medians over the rounds are compared; every answer is checked.

mod cases;
mod check;
mod connection;
mod h2;
mod hold;
mod http;
mod issuer;
pub(crate) mod limits;
mod load;
mod metric;
pub(crate) mod process;
mod report;
mod request;
pub(crate) mod sse;
mod subject;
mod watch;

use std::{cell::OnceCell, fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use cases::{CASES, Case};
use legation_testkit::{nats::Nats, postgres::Cluster};
use report::{CaseReport, RunReport};
use subject::Subject;
use tempfile::TempDir;

use crate::contract::TOKEN_VARIABLE;

/// What to measure and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Cases to run, by name; all without it.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Measurements of each server; medians are reported.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Program that serves the product as `serve-echo`; this one without it.
    #[arg(long)]
    server: Option<PathBuf>,
    /// Measure the floors alone.
    #[arg(long)]
    floors_only: bool,
    /// Store 1,000,000 tasks where a case needs many, instead of 100,000.
    #[arg(long)]
    full: bool,
    /// Fail when a must of the targets is missed or cannot be judged.
    #[arg(long, conflicts_with = "floors_only")]
    gate: bool,
    /// File for the result as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What every part of a run needs to know.
pub(crate) struct Bench {
    itself: PathBuf,
    product: PathBuf,
    with_product: bool,
    token: String,
    length: Duration,
    full: bool,
    directory: TempDir,
    runtime: tokio::runtime::Runtime,
    /// A server of PostgreSQL that keeps what it promises, once a case needs it.
    postgres: OnceCell<Option<Cluster>>,
    nats: OnceCell<Option<Nats>>,
}

/// Runs the chosen cases and prints their tables.
///
/// # Errors
/// When a case does not exist, a check failed, or with `--gate` a must was missed.
pub(crate) fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let chosen = choose(&args.only)?;
    limits::raise_open_files();
    let bench = Bench::new(&args)?;
    let mut reports = Vec::new();
    let mut failed = false;
    for case in chosen {
        match run_case(&bench, case, args.rounds.max(1)) {
            Ok(report) => {
                report.print();
                failed |= args.gate && report.misses_a_must();
                reports.push(report);
            }
            Err(error) => {
                println!("{}: FAILED: {error:#}\n", case.name);
                failed = true;
            }
        }
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&reports)?;
        fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn choose(names: &[String]) -> anyhow::Result<Vec<&'static Case>> {
    if names.is_empty() {
        return Ok(CASES.iter().collect());
    }
    let find = |name: &String| {
        let case = CASES.iter().find(|case| case.name == *name);
        case.with_context(|| {
            let known: Vec<_> = CASES.iter().map(|case| case.name).collect();
            format!("no case `{name}`; there are {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

impl Bench {
    fn new(args: &BenchArgs) -> anyhow::Result<Self> {
        if !(args.seconds > 0.0 && args.seconds < 3600.0) {
            bail!("--seconds {}: not between 0 and 3600", args.seconds);
        }
        let itself = std::env::current_exe().context("cannot find this program")?;
        // Beside the program, because the system's temporary directory may be in
        // memory, where a commit costs nothing.
        let beside = itself.parent().context("this program is in no directory")?;
        let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(beside)?;
        Ok(Self {
            product: args.server.clone().unwrap_or_else(|| itself.clone()),
            itself,
            with_product: !args.floors_only,
            token: std::env::var(TOKEN_VARIABLE)
                .unwrap_or_else(|_| "bench-5c0de7719ab84f23e61d0f9a2b7c4488".into()),
            length: Duration::from_secs_f64(args.seconds),
            full: args.full,
            directory,
            // One thread: the other core is the server's.
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            postgres: OnceCell::new(),
            nats: OnceCell::new(),
        })
    }

    /// The address of a database.
    fn database(&self) -> anyhow::Result<String> {
        let cluster = self.postgres.get_or_init(Cluster::private);
        cluster.as_ref().map(Cluster::url).context("PostgreSQL is not installed")
    }

    /// The address of a NATS.
    fn nats(&self) -> anyhow::Result<String> {
        let nats = self.nats.get_or_init(Nats::private);
        nats.as_ref().map(Nats::url).context("nats-server is not installed")
    }

    /// Runs `work` to its end. A server that makes it last this much longer hangs.
    fn wait<T>(
        &self,
        expected: Duration,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let limited = async { tokio::time::timeout(expected + PATIENCE, work).await };
        self.runtime.block_on(limited).context("the server hangs")?
    }
}

fn run_case(bench: &Bench, case: &'static Case, rounds: usize) -> anyhow::Result<CaseReport> {
    let mut subjects = Vec::new();
    for run in case.runs {
        subjects.extend(Subject::prepare(bench, case, run)?);
    }
    let mut samples = vec![Vec::new(); subjects.len()];
    for round in 0..rounds {
        let mut turns: Vec<_> = subjects.iter().zip(&mut samples).collect();
        // Whoever writes much leaves the system less for the next, so that is not always the same.
        if round % 2 == 1 {
            turns.reverse();
        }
        for (subject, samples) in turns {
            samples.push(subject.measure(bench).with_context(|| subject.told())?);
        }
    }
    let runs = subjects
        .iter()
        .zip(samples)
        .map(|(subject, rounds)| RunReport::new(subject.label(), rounds))
        .collect();
    Ok(CaseReport::new(case, runs))
}
