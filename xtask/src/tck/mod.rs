//! `xtask tck`: the official compatibility kits for A2A 1.0 and 0.3 against the test server.
//!
//! A kit is a checkout that somebody has; none of it is part of this project. The one for 1.0
//! tests version 1.0.0 of the specification, so the server is told to be as that says.
//! Failures we accept stand in `allowed_1_0.txt` and `allowed_0_3.txt`, each with its reason.

mod report;

use std::{
    fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use crate::allowed::Allowed;
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
    /// Checkout of a2aproject/a2a-tck, branch 1.0-dev or 0.3.x
    #[arg(long)]
    kit: PathBuf,
    /// The version of the protocol that the kit tests
    #[arg(long, value_enum, default_value = "1.0")]
    protocol: Protocol,
    /// Bindings to test
    #[arg(long, value_enum, value_delimiter = ',', default_value = "jsonrpc,http_json,grpc")]
    transport: Vec<Transport>,
    /// Address of a server that is there already, such as a proxy before replicas; each is one
    /// `serve-test --no-auth`, with `--as-1-0-0` for the kit of 1.0 and `--agent tck-0.3` for that of 0.3
    #[arg(long)]
    sut: Option<String>,
    /// Folder of the kit's Python packages; beside the results in the build directory without it
    #[arg(long)]
    venv: Option<PathBuf>,
}

/// A version of the protocol that has a kit.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Protocol {
    #[value(name = "1.0")]
    V1_0,
    #[value(name = "0.3")]
    V0_3,
}

/// A binding, as the kit for 1.0 calls it.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Transport {
    Jsonrpc,
    HttpJson,
    Grpc,
}

/// Runs the kit, prints the failures that are not allowed and counts the rest.
///
/// # Errors
/// When the kit or its packages cannot be run; a failed test is not an error.
pub(crate) fn run(args: &TckArgs) -> anyhow::Result<ExitCode> {
    let results = target_directory()?.join("tck").join(args.protocol.name());
    fs::create_dir_all(&results)?;
    let results = std::path::absolute(results)?;
    let venv = args.venv.clone().unwrap_or_else(|| results.join("venv"));
    let python = install(&args.kit, &venv)?;
    let sut = args.sut.as_deref();
    let kit = Kit { python, checkout: &args.kit, results: &results, sut };
    let cases = match args.protocol {
        Protocol::V1_0 => kit.test_1_0(&args.transport)?,
        Protocol::V0_3 => kit.test_0_3(&args.transport)?,
    };
    let tally = judge(&cases, &args.protocol.allowed()?);
    println!("the kit's own words are in `{}`", results.display());
    println!("{tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V0_3 => "0.3",
        }
    }

    fn allowed(self) -> anyhow::Result<Allowed> {
        Allowed::parse(match self {
            Self::V1_0 => include_str!("allowed_1_0.txt"),
            Self::V0_3 => include_str!("allowed_0_3.txt"),
        })
    }
}

fn install(kit: &Path, venv: &Path) -> anyhow::Result<PathBuf> {
    let read = output_of(Command::new("python3").args(["-c", REQUIREMENTS]).current_dir(kit));
    let requirements = read.with_context(|| format!("cannot read the kit `{}`", kit.display()))?;
    Ok(std::path::absolute(python::environment(venv, &requirements)?)?)
}

/// What is mandatory on every binding of 0.3; the rest is about JSON-RPC's envelope.
const OF_ANY_BINDING: &[&str] = &["tests/mandatory", "--ignore=tests/mandatory/jsonrpc"];

/// A kit that is ready to run.
struct Kit<'a> {
    python: PathBuf,
    checkout: &'a Path,
    results: &'a Path,
    sut: Option<&'a str>,
}

impl Kit<'_> {
    /// Runs all transports at once, as the kit for 1.0 does by itself.
    fn test_1_0(&self, transports: &[Transport]) -> anyhow::Result<Vec<Case>> {
        let names = transports.iter().map(|transport| match transport {
            Transport::Jsonrpc => "jsonrpc",
            Transport::HttpJson => "http_json",
            Transport::Grpc => "grpc",
        });
        let names = names.collect::<Vec<_>>().join(",");
        let (host, _server) = self.server(&["--as-1-0-0"])?;
        let transport = format!("--transport={names}");
        self.pytest("all", &["tests/compatibility", &format!("--sut-host={host}"), &transport])
    }

    /// Runs one transport after the other, each against a server of its own.
    fn test_0_3(&self, transports: &[Transport]) -> anyhow::Result<Vec<Case>> {
        let mut cases = Vec::new();
        for transport in transports {
            let (name, transport, mandatory): (_, _, &[&str]) = match transport {
                Transport::Jsonrpc => ("jsonrpc", "--transports=jsonrpc", &["tests/mandatory"]),
                Transport::HttpJson => ("rest", "--transports=rest", OF_ANY_BINDING),
                Transport::Grpc => ("grpc", "--transports=grpc", OF_ANY_BINDING),
            };
            let (url, _server) = self.server(&["--agent", "tck-0.3"])?;
            let url = format!("--sut-url={url}");
            let how = ["tests/optional", "--test-scope=all", &url, transport];
            let mut tested = self.pytest(name, &[mandatory, &how].concat())?;
            tested.iter_mut().for_each(|case| case.id.insert_str(0, &format!("{name} ")));
            cases.append(&mut tested);
        }
        Ok(cases)
    }

    /// The address of what is tested: one that is there, or a server with these flags.
    fn server(&self, flags: &[&str]) -> anyhow::Result<(String, Option<Server>)> {
        if let Some(url) = self.sut {
            return Ok((url.to_owned(), None));
        }
        let server = Server::start(Access::Everybody, flags)?;
        Ok((server.url(), Some(server)))
    }

    /// Runs tests of the kit and returns what its report says.
    fn pytest(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Vec<Case>> {
        let report = self.results.join(name).with_extension("xml");
        let words = self.results.join(name).with_extension("log");
        let log = File::create(&words)?;
        let status = Command::new(&self.python)
            .args(["-m", "pytest", "--tb=short", "-p", "no:cacheprovider"])
            .args(arguments)
            .arg(format!("--junitxml={}", report.display()))
            // The checkout is somebody else's: leave it as it was.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(self.checkout)
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()
            .context("cannot start the kit")?;
        // 0 is all passed and 1 some failed; with anything else the report is not whole.
        if !matches!(status.code(), Some(0 | 1)) {
            bail!("the kit broke down, {status}: see `{}`", words.display());
        }
        let cases = report::read(&fs::read_to_string(&report)?)?;
        ensure!(!cases.is_empty(), "the kit ran no test");
        Ok(cases)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_this_program_are_well_formed() {
        for protocol in [Protocol::V1_0, Protocol::V0_3] {
            protocol.allowed().unwrap();
        }
    }
}
