//! `xtask chaos`: replicas that share a PostgreSQL database are killed, paused, cut off, drained and
//! replaced under load over every binding, and whatever a client was shown has to be there afterwards, on
//! every replica.
//!
//! A plan has a database of its own on a server that all plans share, and as many processes of the product
//! as it needs. Clients and the check of what they saw are those of `crash`.

mod clock;
mod db;
mod drain;
mod dup;
mod figures;
mod fleet;
mod kill;
mod latency;
mod listener;
mod pairs;
mod partition;
mod pause;
mod pool;
mod proxy;
mod reconnect;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use legation_testkit::postgres::Cluster;

use crate::load::Binding;
use crate::load::outcome::{self, Outcome};
use crate::load::world::World;

/// What to do to the replicas, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct ChaosArgs {
    /// What to do to them.
    #[arg(long, value_enum, default_value = "all")]
    plan: Choice,
    /// How often replicas are killed.
    #[arg(long, default_value_t = 100)]
    kills: usize,
    /// How often one stands still, for twice its lease.
    #[arg(long, default_value_t = 20)]
    pauses: usize,
    /// How many messages are sent many times at once.
    #[arg(long, default_value_t = 1000)]
    messages: usize,
    /// How often the database is away, or out of reach.
    #[arg(long, default_value_t = 3)]
    outages: usize,
    /// Seconds that it is away.
    #[arg(long, default_value_t = 10.0)]
    away: f64,
    /// How often the connections are cut over which replicas hear of each other.
    #[arg(long, default_value_t = 30)]
    cuts: usize,
    /// How many pieces of streams are read.
    #[arg(long, default_value_t = 2000)]
    reconnects: usize,
    /// How often a replica is asked to stop.
    #[arg(long, default_value_t = 20)]
    drains: usize,
    /// How often all of them are replaced one by one, and replaced again.
    #[arg(long, default_value_t = 2)]
    rolls: usize,
    /// Program of the release before that serves it as `serve-test`, for the plan `roll`
    #[arg(long)]
    previous: Option<PathBuf>,
    /// Seconds that the plans last which only look.
    #[arg(long, default_value_t = 30)]
    calm: u64,
    /// Seconds after which the tasks of a replica that says nothing are taken over.
    #[arg(long, default_value_t = 3.0)]
    lease: f64,
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
    Pause,
    Dup,
    Db,
    Listener,
    Partition,
    Reconnect,
    Drain,
    Roll,
    Latency,
    Pool,
    Clock,
}

impl Choice {
    /// Whether the plan is to be run.
    fn is_meant(self, args: &ChaosArgs) -> bool {
        args.plan == self || args.plan == Self::All
    }
}

/// A kind of harm: its name, and what does it.
struct Plan {
    choice: Choice,
    run: fn(&Setup) -> anyhow::Result<Outcome>,
}

const PLANS: [Plan; 12] = [
    Plan { choice: Choice::Kill, run: kill::run },
    Plan { choice: Choice::Pause, run: pause::run },
    Plan { choice: Choice::Dup, run: dup::run },
    Plan { choice: Choice::Db, run: db::run },
    Plan { choice: Choice::Listener, run: listener::run },
    Plan { choice: Choice::Partition, run: partition::run },
    Plan { choice: Choice::Reconnect, run: reconnect::run },
    Plan { choice: Choice::Drain, run: drain::run },
    Plan { choice: Choice::Roll, run: drain::roll },
    Plan { choice: Choice::Latency, run: latency::run },
    Plan { choice: Choice::Pool, run: pool::run },
    Plan { choice: Choice::Clock, run: clock::run },
];

/// What every plan needs to know.
struct Setup {
    program: PathBuf,
    /// Where the plan may write. It is kept when the plan finds a fault.
    directory: PathBuf,
    cluster: Arc<Cluster>,
    /// The name of the plan's database.
    database: String,
    seed: u64,
    short: bool,
    lease: Duration,
    kills: usize,
    pauses: usize,
    messages: usize,
    outages: usize,
    cuts: usize,
    reconnects: usize,
    drains: usize,
    rolls: usize,
    /// The product's release before, as a program that serves it.
    previous: Option<PathBuf>,
    /// How long a plan without harm lasts.
    calm: Duration,
    /// How long what is away stays away.
    away: Duration,
    deadline: Option<Instant>,
    runtime: tokio::runtime::Runtime,
}

/// The token of every caller.
const TOKEN: &str = "chaos-1f0a4635f1c2d3e4b5a697888d2f7c1b";

/// Runs the chosen plans and prints what they did.
///
/// # Errors
/// When a plan cannot be run at all.
pub(crate) fn run(args: ChaosArgs) -> anyhow::Result<ExitCode> {
    let clock = || SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
    let seed = args.seed.unwrap_or_else(clock);
    println!("chaos suite, seed {seed}, lease of {} s", args.lease);
    // Where it has to be there, this panics.
    let Some(cluster) = Cluster::private().map(Arc::new) else {
        println!("SKIPPED: PostgreSQL is not installed");
        return Ok(ExitCode::SUCCESS);
    };
    let deadline = args.seconds_max.map(|most| Instant::now() + Duration::from_secs(most));
    let mut failed = false;
    for plan in PLANS {
        if plan.choice.is_meant(&args) {
            failed |= run_plan(&args, &plan, &cluster, seed, deadline)?;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs a plan and prints what it did; tells whether it failed.
fn run_plan(
    args: &ChaosArgs,
    plan: &Plan,
    cluster: &Arc<Cluster>,
    seed: u64,
    deadline: Option<Instant>,
) -> anyhow::Result<bool> {
    let begin = Instant::now();
    let name = format!("{:?}", plan.choice).to_lowercase();
    let itself = std::env::current_exe().context("cannot find this program")?;
    let directory = outcome::directory("chaos", &name, &itself)?;
    let database = format!("chaos_{name}");
    cluster.ask("postgres", &format!("CREATE DATABASE {database}"))?;
    let less = |number: usize, most: usize| if args.short { number.min(most) } else { number };
    let setup = Setup {
        program: args.server.clone().unwrap_or(itself),
        directory: directory.path().to_owned(),
        cluster: cluster.clone(),
        database,
        seed,
        short: args.short,
        lease: Duration::from_secs_f64(args.lease),
        kills: less(args.kills, 15),
        pauses: less(args.pauses, 1),
        messages: less(args.messages, 60),
        outages: less(args.outages, 1),
        cuts: less(args.cuts, 3),
        reconnects: less(args.reconnects, 400),
        drains: less(args.drains, 2),
        rolls: less(args.rolls, 1),
        previous: args.previous.clone(),
        calm: Duration::from_secs(if args.short { args.calm.min(4) } else { args.calm }),
        away: Duration::from_secs_f64(if args.short { args.away.min(3.0) } else { args.away }),
        deadline,
        // One thread: the other core is the replicas'.
        runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
    };
    let outcome = (plan.run)(&setup).unwrap_or_else(|error| Outcome::broken_off(&error));
    Ok(outcome.tell(&name, begin, directory))
}

impl Setup {
    /// A world in which nothing has happened yet.
    fn world(&self) -> anyhow::Result<Arc<World>> {
        World::new(&self.directory, TOKEN, &Binding::ALL)
    }

    /// The plan's database, on a server whose socket is in this directory.
    fn store(&self, socket: &Path) -> String {
        Cluster::url_at(socket, &self.database)
    }

    /// What the plan's database answers.
    fn ask(&self, sql: &str) -> anyhow::Result<String> {
        Ok(self.cluster.ask(&self.database, sql)?)
    }

    /// Does something to the server of the databases, while clients go on.
    async fn with_cluster(
        &self,
        act: impl FnOnce(&Cluster) -> io::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let cluster = self.cluster.clone();
        Ok(tokio::task::spawn_blocking(move || act(&cluster)).await??)
    }

    /// What a time is held to that other work on the machine makes longer: in the short form, which runs
    /// beside anything, to ten times as much.
    fn held_to(&self, target: Duration) -> Duration {
        if self.short { target * 10 } else { target }
    }

    /// Whether the time for further rounds is over.
    fn late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() > deadline)
    }
}
