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

use std::ops::Deref;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use crate::load::Binding;
use crate::load::server::Launch;
use crate::load::suite::{self, Ground, Plan, SuiteArgs};
use crate::load::world::World;

/// What to do to the product, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct CrashArgs {
    /// What to do to it.
    #[arg(long, default_value = "all", value_parser = suite::names(PLANS))]
    plan: String,
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
    #[command(flatten)]
    suite: SuiteArgs,
}

const PLANS: &[Plan<Setup>] = &[
    Plan { name: "kill", run: kill::run },
    Plan { name: "reconnect", run: reconnect::run },
    Plan { name: "slow", run: slow::run },
    Plan { name: "drain", run: drain::run },
    Plan { name: "disk", run: disk::run },
    Plan { name: "fsync", run: fsync::run },
    Plan { name: "power", run: power::run },
];

/// What every plan needs to know.
struct Setup {
    ground: Ground,
    kills: usize,
    reconnects: usize,
    drains: usize,
    cuts: usize,
}

/// The token of every caller.
const TOKEN: &str = "crash-8d2f7c1b9e0a4635f1c2d3e4b5a69788";

/// Runs the chosen plans and prints what they did.
///
/// # Errors
/// When a plan cannot be run at all.
pub(crate) fn run(args: &CrashArgs) -> anyhow::Result<ExitCode> {
    suite::run(("crash", PLANS), (&args.plan, &args.suite), |_, ground| {
        Ok(Setup {
            kills: ground.less(args.kills, 40),
            reconnects: ground.less(args.reconnects, 400),
            drains: ground.less(args.drains, 3),
            cuts: ground.less(args.cuts, 100),
            ground,
        })
    })
}

impl Deref for Setup {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl Setup {
    /// A world in which nothing has happened yet.
    fn world(&self) -> anyhow::Result<Arc<World>> {
        World::new(&self.directory, TOKEN, &[Binding::JsonRpc])
    }

    /// How the product is started.
    fn launch(&self) -> Launch {
        Launch::of(&self.program, TOKEN, &self.directory)
    }
}

/// Whether a program is on the path.
fn has_program(name: &str) -> bool {
    Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
}
