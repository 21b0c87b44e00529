//! Plan `latency`: how soon events of one replica are known at another, with 500 of them in a second.

use std::time::Duration;

use super::Setup;
use super::figures::delays;
use super::fleet::Fleet;
use super::pairs::watch_each_other;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::work::finish_work;

const REPLICAS: usize = 2;

/// As many tasks and milliseconds between their events as make 500 in a second.
const TASKS: u32 = 25;
const PAUSE: u64 = 50;

const MEDIAN: Duration = Duration::from_millis(20);

const P99: Duration = Duration::from_millis(100);

/// What the short form looks for: that replicas tell each other, and need not look themselves, which they
/// do once a second.
const RINGS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let fleet = Fleet::start_all(setup, &world, REPLICAS).await?;
        let mut clients = watch_each_other(&world, &mut Random::new(setup.seed), TASKS, PAUSE);
        tokio::time::sleep(setup.calm).await;
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        drop(fleet);
        let mut outcome = world.outcome();
        let times = delays(&world.records());
        let (most_median, most_p99) = if setup.short { RINGS } else { (MEDIAN, P99) };
        if times.median > most_median || times.p99 > most_p99 {
            let (median, p99) = (times.median, times.p99);
            outcome.faults.push(format!("events come {median:?} late, {p99:?} at worst of 100"));
        }
        outcome.counts.extend(times.counts());
        Ok(outcome)
    })
}
