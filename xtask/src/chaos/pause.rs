//! Plan `pause`: replicas stand still for twice their lease and go on as if nothing had happened. Others have
//! taken their tasks over by then, and what they still write is refused.

use std::time::Duration;

use legation_testkit::history::Fault;

use super::Setup;
use super::db::{HEAL, heal};
use super::figures::takeovers;
use super::fleet::Fleet;
use crate::load::actor::Actor;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::work::{begin_work, finish_work};

const REPLICAS: usize = 3;

const CLIENTS: u32 = 12;

/// Milliseconds that the longest tasks take.
const LONGEST: u64 = 600;

/// How soon clients notice that a replica stands still, and call others.
const NOTICE: Duration = Duration::from_millis(100);

/// How long what is not yet over may still end, such as streams of tasks that were taken over. Calls that were
/// begun before have the pause for an excuse anyway.
const REST: Duration = Duration::from_millis(500);

/// The client that tries whether a replica works again.
const PROBE: u32 = 900;

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let mut fleet = Fleet::start_all(setup, &world, REPLICAS).await?;
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        let (mut pauses, mut slowest) = (0, Duration::ZERO);
        while pauses < setup.pauses && !setup.late() {
            pauses += 1;
            tokio::time::sleep(Duration::from_millis(random.of(100..501))).await;
            let place = random.of(0..fleet.size()) as usize;
            let address = fleet.at(place).address()?;
            world.fault(Fault::Sever);
            fleet.at(place).server()?.pause()?;
            tokio::time::sleep(NOTICE).await;
            world.leave(place);
            tokio::time::sleep(setup.lease * 2).await;
            fleet.at(place).server()?.resume()?;
            world.join(place, address);
            let probe = Actor::new(&world, PROBE, random.fork()).at(place);
            slowest = slowest.max(heal(vec![probe]).await?);
            tokio::time::sleep(REST).await;
            world.fault(Fault::Mend);
        }
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        let mut outcome = world.outcome();
        let times = takeovers(&world.records());
        if fleet.fenced() == 0 && pauses > 2 {
            outcome.faults.push("no write came too late, so nothing was shown".into());
        }
        if slowest > setup.held_to(HEAL) {
            outcome.faults.push(format!("a replica works again after {slowest:?}"));
        }
        outcome.counts.extend([
            ("pauses", pauses as u64),
            ("takeovers", times.count as u64),
            ("late writes refused", fleet.fenced()),
            ("ms until it works again", slowest.as_millis() as u64),
        ]);
        Ok(outcome)
    })
}
