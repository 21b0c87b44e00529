//! Plan `pool`: the tables are locked, so that every connection of every replica waits. Calls are refused in
//! time, health is told as ever, and afterwards all works as before.

use std::process::Child;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use legation_testkit::history::Fault;

use super::Setup;
use super::db::{HEAL, heal};
use super::figures::{Times, refusals};
use super::fleet::Fleet;
use crate::load::actor::Actor;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::rpc;
use crate::load::work::{begin_work, finish_work};

const REPLICAS: usize = 2;

/// More clients than a replica has connections.
const CLIENTS: u32 = 40;

const LONGEST: u64 = 300;

/// How long the answer to a look at the health may take.
const HEALTH: Duration = Duration::from_millis(50);

/// The clients that try whether a replica works.
const PROBES: u32 = 900;

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let mut fleet = Fleet::start_all(setup, &world, REPLICAS).await?;
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.fault(Fault::Sever);
        let mut lock = lock(setup)?;
        let looks = look_at_health(&mut fleet, setup.away).await?;
        setup.ask(UNLOCK)?;
        lock.wait()?;
        let probe = |place| Actor::new(&world, PROBES + place as u32, random.fork()).at(place);
        let healed = heal((0..REPLICAS).map(probe).collect()).await?;
        world.fault(Fault::Mend);
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        let mut outcome = world.outcome();
        let health = Times::of(looks);
        if health.p99 > setup.held_to(HEALTH) {
            outcome.faults.push(format!("health is told after {:?}", health.p99));
        }
        if world.refusals().of_others.is_empty() {
            outcome.faults.push("nothing was refused, so nothing was locked".into());
        }
        if healed > setup.held_to(HEAL) {
            outcome.faults.push(format!("replicas work again after {healed:?}"));
        }
        outcome.counts.extend([
            ("us health p99", health.p99.as_micros() as u64),
            ("ms until all work again", healed.as_millis() as u64),
        ]);
        refusals(setup, &world, &mut outcome);
        Ok(outcome)
    })
}

/// Ends the session that has the lock, which would not notice that nobody waits for it.
const UNLOCK: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep%'";

/// Locks all that tasks are read from and written to, until the session is ended.
fn lock(setup: &Setup) -> anyhow::Result<Child> {
    let lock = "BEGIN; LOCK TABLE legation.tasks, legation.task_events, legation.idempotency;
                SELECT pg_sleep(3600)";
    Ok(setup.cluster.asking(&setup.database, lock).spawn()?)
}

/// Looks at the health of all replicas for some time; tells how long each look took.
async fn look_at_health(fleet: &mut Fleet, during: Duration) -> anyhow::Result<Vec<Duration>> {
    let (begin, mut looks) = (Instant::now(), Vec::new());
    while begin.elapsed() < during {
        for place in 0..REPLICAS {
            let address = fleet.at(place).address()?;
            let look = Instant::now();
            let status = rpc::status(address, "/healthz").await;
            anyhow::ensure!(status == Ok(StatusCode::OK), "health is told as {status:?}");
            looks.push(look.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(looks)
}
