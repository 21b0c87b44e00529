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
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use legation_testkit::postgres::Cluster;

use crate::load::Binding;
use crate::load::suite::{self, Ground, Plan, SuiteArgs};
use crate::load::world::World;

/// What to do to the replicas, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct ChaosArgs {
    /// What to do to them.
    #[arg(long, default_value = "all", value_parser = suite::names(PLANS))]
    plan: String,
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
    #[arg(long, default_value_t = 30.0)]
    calm: f64,
    /// Seconds after which the tasks of a replica that says nothing are taken over.
    #[arg(long, default_value_t = 3.0)]
    lease: f64,
    #[command(flatten)]
    suite: SuiteArgs,
}

const PLANS: &[Plan<Setup>] = &[
    Plan { name: "kill", run: kill::run },
    Plan { name: "pause", run: pause::run },
    Plan { name: "dup", run: dup::run },
    Plan { name: "db", run: db::run },
    Plan { name: "listener", run: listener::run },
    Plan { name: "partition", run: partition::run },
    Plan { name: "reconnect", run: reconnect::run },
    Plan { name: "drain", run: drain::run },
    Plan { name: "roll", run: drain::roll },
    Plan { name: "latency", run: latency::run },
    Plan { name: "pool", run: pool::run },
    Plan { name: "clock", run: clock::run },
];

/// What every plan needs to know.
struct Setup {
    ground: Ground,
    cluster: Arc<Cluster>,
    /// The name of the plan's database.
    database: String,
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
}

/// The token of every caller.
const TOKEN: &str = "chaos-1f0a4635f1c2d3e4b5a697888d2f7c1b";

/// Runs the chosen plans and prints what they did.
///
/// # Errors
/// When a plan cannot be run at all.
pub(crate) fn run(args: &ChaosArgs) -> anyhow::Result<ExitCode> {
    // Where it has to be there, this panics.
    let Some(cluster) = Cluster::private().map(Arc::new) else {
        println!("SKIPPED: PostgreSQL is not installed");
        return Ok(ExitCode::SUCCESS);
    };
    println!("a lease is {} s", args.lease);
    suite::run(("chaos", PLANS), (&args.plan, &args.suite), |plan, ground| {
        let database = format!("chaos_{}", plan.name);
        cluster.ask("postgres", &format!("CREATE DATABASE {database}"))?;
        let seconds = |number: f64, most: f64| {
            Duration::from_secs_f64(if ground.short { number.min(most) } else { number })
        };
        Ok(Setup {
            cluster: cluster.clone(),
            database,
            lease: Duration::from_secs_f64(args.lease),
            kills: ground.less(args.kills, 15),
            pauses: ground.less(args.pauses, 1),
            messages: ground.less(args.messages, 60),
            outages: ground.less(args.outages, 1),
            cuts: ground.less(args.cuts, 3),
            reconnects: ground.less(args.reconnects, 400),
            drains: ground.less(args.drains, 2),
            rolls: ground.less(args.rolls, 1),
            previous: args.previous.clone(),
            calm: seconds(args.calm, 4.0),
            away: seconds(args.away, 3.0),
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
}
