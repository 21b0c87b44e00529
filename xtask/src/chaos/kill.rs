//! Plan `kill`: replicas are killed again and again, at every named point and then at random moments, one or
//! all of them, and others take their tasks over.

use std::time::Duration;

use legation_store::crash;

use super::Setup;
use super::figures::takeovers;
use super::fleet::Fleet;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::work::{begin_work, finish_work};

const REPLICAS: usize = 3;

/// How many clients are at work.
const CLIENTS: u32 = 12;

/// Milliseconds that the longest tasks take. Many outlive a replica, few outlive three.
const LONGEST: u64 = 600;

/// How often a kill is followed by a time without any.
const CALM_EVERY: usize = 6;

/// What a takeover may take beyond the lease.
const LOOK: Duration = Duration::from_secs(2);

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        // The first one leaves the tables half made.
        Fleet::new(setup, &world, 1).start_to_end_at(0, crash::MIGRATION, 3).await?;
        let mut fleet = Fleet::start_all(setup, &world, REPLICAS).await?;
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        for point in crash::OF_POSTGRES {
            for nth in [1, random.of(2..8)] {
                let place = random.of(0..fleet.size()) as usize;
                fleet.kill(place)?;
                fleet.start_to_end_at(place, point, nth).await?;
                fleet.start(place).await?;
            }
        }
        for kill in 1..=setup.kills {
            if setup.late() {
                break;
            }
            if kill % CALM_EVERY == 0 {
                // So that takeovers are seen that nobody disturbs.
                fleet.kill_and_start(random.of(0..fleet.size()) as usize).await?;
                tokio::time::sleep(setup.lease + LOOK).await;
            } else {
                kill_some(&mut fleet, &mut random).await?;
            }
        }
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        let mut outcome = world.outcome();
        let times = takeovers(&world.records());
        if times.p99 > setup.lease + setup.held_to(LOOK) {
            let (p99, lease) = (times.p99, setup.lease);
            outcome.faults.push(format!("a takeover takes {p99:?}, with a lease of {lease:?}"));
        }
        outcome.counts.extend([
            ("takeovers", times.count as u64),
            ("ms takeover p50", times.median.as_millis() as u64),
            ("ms p99", times.p99.as_millis() as u64),
            ("ms most", times.most.as_millis() as u64),
            ("late writes refused", fleet.fenced()),
        ]);
        Ok(outcome)
    })
}

/// Lets replicas live for a while, then kills one, or all, and starts others in their places.
async fn kill_some(fleet: &mut Fleet, random: &mut Random) -> anyhow::Result<()> {
    tokio::time::sleep(Duration::from_millis(random.of(10..501))).await;
    let one = random.of(0..fleet.size()) as usize;
    let places = if random.once_in(12) { 0..REPLICAS } else { one..one + 1 };
    for place in places.clone() {
        fleet.kill(place)?;
    }
    for place in places {
        if random.once_in(6) {
            // While it starts, and looks for what others have left.
            let after = Duration::from_millis(random.of(1..120));
            fleet.start_and_kill(place, after).await?;
        }
        fleet.start(place).await?;
    }
    Ok(())
}
