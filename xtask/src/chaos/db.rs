//! Plan `db`: the database crashes and comes back. Meanwhile calls are refused soon, and afterwards every
//! replica works as before.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hyper::StatusCode;
use legation_testkit::history::{Fault, Policy};
use tokio::time::timeout;

use super::Setup;
use super::figures::refusals;
use super::fleet::Fleet;
use crate::load::actor::Actor;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::rpc;
use crate::load::work::{begin_work, finish_work};

const REPLICAS: usize = 3;

const CLIENTS: u32 = 8;

const LONGEST: u64 = 600;

/// How long replicas may take to work again.
pub(super) const HEAL: Duration = Duration::from_secs(5);

/// How long it is tried whether they do.
const GIVE_UP: Duration = Duration::from_secs(60);

/// The clients that try whether a replica works.
const PROBES: u32 = 900;

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let mut fleet = Fleet::start_all(setup, &world, REPLICAS).await?;
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        let (mut faults, mut slowest) = (Vec::new(), Duration::ZERO);
        for _ in 0..setup.outages {
            if setup.late() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(random.of(500..1500))).await;
            world.fault(Fault::Sever);
            setup.with_cluster(|cluster| cluster.crash()).await?;
            tokio::time::sleep(setup.away / 2).await;
            still_there(&mut fleet, &mut faults).await?;
            tokio::time::sleep(setup.away / 2).await;
            setup.with_cluster(|cluster| cluster.start()).await?;
            let probe = |place| Actor::new(&world, PROBES + place as u32, random.fork()).at(place);
            let healed = heal((0..REPLICAS).map(probe).collect()).await?;
            slowest = slowest.max(healed);
            world.fault(Fault::Mend);
        }
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        let mut outcome = world.outcome();
        if slowest > setup.held_to(HEAL) {
            faults.push(format!("replicas work again after {slowest:?}"));
        }
        outcome.faults.extend(faults);
        outcome.counts.extend([("ms until all work again", slowest.as_millis() as u64)]);
        refusals(setup, &world, &mut outcome);
        Ok(outcome)
    })
}

/// A replica without a database lives and says that it is not ready.
async fn still_there(fleet: &mut Fleet, faults: &mut Vec<String>) -> anyhow::Result<()> {
    for place in 0..REPLICAS {
        let replica = fleet.at(place);
        if let Some(status) = replica.server()?.ended(Duration::ZERO).await? {
            bail!("without a database, replica {place} ended with {status}");
        }
        let address = replica.address()?;
        for (path, wanted) in
            [("/healthz", StatusCode::OK), ("/readyz", StatusCode::SERVICE_UNAVAILABLE)]
        {
            let status = rpc::status(address, path).await;
            if status.as_ref() != Ok(&wanted) {
                faults.push(format!("without a database, `{path}` answers {status:?}"));
            }
        }
    }
    Ok(())
}

/// Waits until a short task has gone well with each of these; tells how long that took.
pub(super) async fn heal(probes: Vec<Actor>) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let all = async {
        for probe in probes {
            let errand = probe.client.count(Policy::Resume, 1, 0, true);
            probe.send_until_answered(&errand).await.context("a replica refuses for good")?;
        }
        anyhow::Ok(())
    };
    timeout(GIVE_UP, all).await.context("a replica does not work again")??;
    Ok(begin.elapsed())
}
