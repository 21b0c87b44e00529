//! Every test: those of the crates, then the suites that run the real binary.

use std::env;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

/// What is run.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Leave out the suites that install foreign clients and servers from package registries
    #[arg(long)]
    hermetic: bool,
    /// Go on after a step that failed. Without it the end of the output is what that step says
    #[arg(long)]
    keep_going: bool,
}

/// The program that runs a step.
enum Runner {
    Cargo,
    /// This very program.
    Xtask,
}

struct Step {
    name: &'static str,
    runner: Runner,
    arguments: &'static [&'static str],
    /// Whether it needs nothing but Rust and a C compiler.
    hermetic: bool,
}

const STEPS: &[Step] = &[
    Step {
        name: "examples in the documentation",
        runner: Runner::Cargo,
        arguments: &["test", "--workspace", "--doc", "--quiet", "--locked"],
        hermetic: true,
    },
    Step {
        name: "crash suite, short",
        runner: Runner::Xtask,
        arguments: &["crash", "--short"],
        hermetic: true,
    },
    Step {
        name: "chaos suite, short",
        runner: Runner::Xtask,
        arguments: &["chaos", "--short"],
        hermetic: true,
    },
    Step {
        name: "hostile suite, short",
        runner: Runner::Xtask,
        arguments: &["hostile", "--short"],
        hermetic: true,
    },
    Step {
        name: "foreign clients and servers",
        runner: Runner::Xtask,
        arguments: &["peers"],
        hermetic: false,
    },
];

/// The tests of the crates, one process each where the runner is installed.
const NEXTEST: &[&str] = &["nextest", "run", "--workspace", "--locked"];
const CARGO_TEST: &[&str] = &["test", "--workspace", "--lib", "--bins", "--tests", "--locked"];

/// Runs the steps, until one fails or all of them, and says which failed.
///
/// # Errors
/// When a step cannot be started.
pub(crate) fn run(args: &TestArgs) -> anyhow::Result<ExitCode> {
    let crates = Step {
        name: "tests of the crates",
        runner: Runner::Cargo,
        arguments: if has_nextest() { NEXTEST } else { CARGO_TEST },
        hermetic: true,
    };
    let mut failed = Vec::new();
    for step in std::iter::once(&crates).chain(STEPS) {
        if args.hermetic && !step.hermetic {
            println!("== {}: left out", step.name);
            continue;
        }
        println!("== {}", step.name);
        if !step.passes()? {
            failed.push(step.name);
            if !args.keep_going {
                break;
            }
        }
    }
    if failed.is_empty() {
        println!("== all passed");
        return Ok(ExitCode::SUCCESS);
    }
    println!("== failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

impl Step {
    fn passes(&self) -> anyhow::Result<bool> {
        let program = match self.runner {
            Runner::Cargo => cargo(),
            Runner::Xtask => {
                env::current_exe().context("cannot tell where this program is")?.into()
            }
        };
        let status = Command::new(&program).args(self.arguments).status();
        let status = status.with_context(|| format!("cannot start `{}`", self.name))?;
        Ok(status.success())
    }
}

fn has_nextest() -> bool {
    let output = Command::new(cargo()).args(["nextest", "--version"]).output();
    output.is_ok_and(|output| output.status.success())
}

fn cargo() -> std::ffi::OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
