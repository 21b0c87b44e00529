//! Plan `partition`: one replica does not reach the database for longer than its lease, and then hears all
//! that was said meanwhile, or finds its connections cut. Callers of another one are cut off again and again.

use std::time::Duration;

use legation_testkit::history::Fault;

use super::Setup;
use super::db::{HEAL, heal};
use super::figures::{refusals, takeovers};
use super::fleet::Fleet;
use super::proxy::Proxy;
use crate::load::actor::Actor;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::work::{begin_work, finish_work};

const REPLICAS: usize = 3;

/// The replica that loses the database, and the one that loses its callers.
const ALONE: usize = 0;
const UNHEARD: usize = 1;

const CLIENTS: u32 = 12;

const LONGEST: u64 = 600;

/// The client that tries whether the replica works again.
const PROBE: u32 = 900;

/// How often callers are cut off.
const CUT_EVERY: Duration = Duration::from_millis(300);

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let mut fleet = Fleet::new(setup, &world, REPLICAS);
        let to_database = Proxy::before_socket(&setup.cluster.socket(), &setup.directory)?;
        fleet.at(ALONE).store_at(setup, &setup.directory);
        for place in 0..REPLICAS {
            fleet.start(place).await?;
        }
        let (callers, address) = Proxy::before(fleet.at(UNHEARD).address()?).await?;
        world.join(UNHEARD, address);
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        let (mut slowest, mut partitions, mut cuts) = (Duration::ZERO, 0, 0);
        while partitions < setup.outages && !setup.late() {
            partitions += 1;
            tokio::time::sleep(Duration::from_millis(random.of(500..1500))).await;
            world.fault(Fault::Sever);
            to_database.silence();
            let mut ticks = tokio::time::interval(CUT_EVERY);
            let over = tokio::time::Instant::now() + setup.away.max(setup.lease * 2);
            while ticks.tick().await < over {
                world.fault(Fault::Cut);
                callers.cut();
                cuts += 1;
            }
            if random.once_in(2) {
                to_database.cut();
            }
            to_database.restore();
            let probe = Actor::new(&world, PROBE, random.fork()).at(ALONE);
            slowest = slowest.max(heal(vec![probe]).await?);
            world.fault(Fault::Mend);
        }
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        let mut outcome = world.outcome();
        let times = takeovers(&world.records());
        if slowest > setup.held_to(HEAL) {
            outcome.faults.push(format!("the replica works again after {slowest:?}"));
        }
        outcome.counts.extend([
            ("partitions", partitions as u64),
            ("cuts of callers", cuts),
            ("takeovers", times.count as u64),
            ("late writes refused", fleet.fenced()),
            ("ms until it works again", slowest.as_millis() as u64),
        ]);
        refusals(setup, &world, &mut outcome);
        Ok(outcome)
    })
}
