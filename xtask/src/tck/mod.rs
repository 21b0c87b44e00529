//! `xtask tck`: the official compatibility kit for A2A 1.0 against the test server.
//!
//! The kit is a checkout that somebody has; none of it is part of this project. It tests
//! version 1.0.0 of the specification, whose errors have other numbers than ours.
//! Failures we accept stand in `allowed.txt`, each with its reason.

mod allowed;
mod report;

use std::{
    fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use allowed::Allowed;
use anyhow::{Context, bail, ensure};
use report::{Case, Outcome};

use crate::peers::{
    Tally,
    python::{self, output_of},
    server::{Access, Server},
    target_directory,
};

/// Prints what the kit needs from its `pyproject.toml`, a requirement a line.
const REQUIREMENTS: &str = "\
import tomllib
with open('pyproject.toml', 'rb') as file:
    print('\\n'.join(tomllib.load(file)['project']['dependencies']))
";

/// Which kit to run, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct TckArgs {
    /// Checkout of a2aproject/a2a-tck, branch 1.0-dev
    #[arg(long)]
    kit: PathBuf,
    /// Bindings to test
    #[arg(long, value_enum, value_delimiter = ',', default_value = "jsonrpc,http_json")]
    transport: Vec<Transport>,
    /// Folder of the kit's Python packages; `tck-venv` in the build directory without it
    #[arg(long)]
    venv: Option<PathBuf>,
}

/// A binding, as the kit calls it.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Transport {
    Jsonrpc,
    HttpJson,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Jsonrpc => "jsonrpc",
            Self::HttpJson => "http_json",
        }
    }
}

/// Runs the kit, prints the failures that are not allowed and counts the rest.
///
/// # Errors
/// When the kit or its packages cannot be run; a failed test is not an error.
pub(crate) fn run(args: &TckArgs) -> anyhow::Result<ExitCode> {
    let target = target_directory()?;
    let venv = args.venv.clone().unwrap_or_else(|| target.join("tck-venv"));
    let python = install(&args.kit, &venv)?;
    let results = target.join("tck");
    fs::create_dir_all(&results)?;
    let cases = test(&python, args, &results)?;
    let tally = judge(&cases, &Allowed::read()?);
    println!("the kit's own words are in `{}`", results.display());
    println!("{tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn install(kit: &Path, venv: &Path) -> anyhow::Result<PathBuf> {
    let read = output_of(Command::new("python3").args(["-c", REQUIREMENTS]).current_dir(kit));
    let requirements = read.with_context(|| format!("cannot read the kit `{}`", kit.display()))?;
    python::environment(venv, &requirements)
}

/// Runs the kit's tests and returns what its report says.
fn test(python: &Path, args: &TckArgs, results: &Path) -> anyhow::Result<Vec<Case>> {
    let server = Server::start(Access::Everybody)?;
    let transports: Vec<_> = args.transport.iter().map(|transport| transport.name()).collect();
    let report = std::path::absolute(results.join("report.xml"))?;
    let log = File::create(results.join("log"))?;
    let status = Command::new(std::path::absolute(python)?)
        .args(["-m", "pytest", "tests/compatibility", "--tb=short", "-p", "no:cacheprovider"])
        .arg(format!("--sut-host={}", server.url()))
        .arg(format!("--transport={}", transports.join(",")))
        .arg(format!("--junitxml={}", report.display()))
        // The checkout is somebody else's: leave it as it was.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(&args.kit)
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .context("cannot start the kit")?;
    // 0 is all passed and 1 some failed; with anything else the report is not whole.
    if !matches!(status.code(), Some(0 | 1)) {
        bail!("the kit broke down, {status}: see `{}`", results.join("log").display());
    }
    let cases = report::read(&fs::read_to_string(&report)?)?;
    ensure!(!cases.is_empty(), "the kit ran no test");
    Ok(cases)
}

fn judge(cases: &[Case], allowed: &Allowed) -> Tally {
    let mut tally = Tally::default();
    let mut accepted = 0;
    for case in cases {
        match (case.outcome, allowed.reason(&case.id)) {
            (Outcome::Passed, None) => tally.passed += 1,
            (Outcome::Passed, Some(_)) => {
                println!("pass {}: no longer needs to be allowed", case.id);
                tally.passed += 1;
            }
            (Outcome::Skipped, _) => tally.skipped += 1,
            (Outcome::Failed, Some(_)) => accepted += 1,
            (Outcome::Failed, None) => {
                println!("fail {}: {}", case.id, case.message);
                tally.failed += 1;
            }
        }
    }
    println!("{accepted} more failed as allowed");
    tally
}
