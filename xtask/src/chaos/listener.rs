//! Plan `listener`: the connections over which replicas hear of each other's events are cut again and
//! again. Events come a little later, and all of them come.

use std::time::Duration;

use legation_testkit::history::Fault;

use super::Setup;
use super::figures::delays;
use super::fleet::Fleet;
use super::pairs::watch_each_other;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::work::finish_work;

const REPLICAS: usize = 2;

/// How many tasks run at once, and the milliseconds between their events.
const TASKS: u32 = 8;
const PAUSE: u64 = 50;

/// How much later than they were told events may be known elsewhere.
const DELAY: Duration = Duration::from_millis(1500);

/// How often connections are cut.
const EVERY: Duration = Duration::from_secs(2);

/// The sessions that listen, by what they said last: every other one reads or writes tables.
const LISTENERS: &str = "
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name = 'legation' AND datname = current_database()
        AND (query LIKE '%LISTEN%' OR query LIKE '%pg_notify%' OR query = '')";

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let fleet = Fleet::start_all(setup, &world, REPLICAS).await?;
        let mut clients = watch_each_other(&world, &mut random, TASKS, PAUSE);
        let mut cut = 0;
        for _ in 0..setup.cuts {
            if setup.late() {
                break;
            }
            tokio::time::sleep(EVERY).await;
            // Nothing is refused, whatever happens to the listeners.
            cut += setup.ask(LISTENERS)?.parse::<u64>()?;
        }
        world.fault(Fault::Mend);
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        drop(fleet);
        let mut outcome = world.outcome();
        let times = delays(&world.records());
        if times.p99 > setup.held_to(DELAY) {
            outcome.faults.push(format!("events come {:?} late", times.p99));
        }
        if cut == 0 {
            outcome.faults.push("no connection was found that listens".into());
        }
        outcome.counts.extend([("connections cut", cut)]);
        outcome.counts.extend(times.counts());
        Ok(outcome)
    })
}
