//! Plans `drain` and `roll`: replicas are asked to stop, and others started in their places, behind clients
//! that call those only which call themselves ready. No send fails, and streams go on elsewhere.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use legation_testkit::history::{About, Fault, Record, What};

use super::Setup;
use super::fleet::Fleet;
use crate::load::actor::Actor;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::work::{begin_work, finish_work, stay};

const REPLICAS: usize = 3;

const CLIENTS: u32 = 8;

/// Milliseconds that the longest tasks take: less than the grace of a stop, and some outlast it.
const LONGEST: u64 = 400;

/// How long calls that were begun may take to be accepted.
const ACCEPT: Duration = Duration::from_millis(250);

/// How long a process may take to end.
const END: Duration = Duration::from_secs(20);

/// How long it may call itself ready after it was asked to stop.
const READY: Duration = Duration::from_millis(250);

/// Stops a random replica again and again.
pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let mut random = Random::new(setup.seed);
    let stops = (0..setup.drains).map(|_| Stop {
        place: random.of(0..REPLICAS as u64) as usize,
        lived: Duration::from_millis(random.of(100..600)),
        program: setup.program.clone(),
    });
    stop_all(setup, stops.collect())
}

/// Replaces all replicas one by one: by the program of the release before where there is one, and back.
pub(super) fn roll(setup: &Setup) -> anyhow::Result<Outcome> {
    let mut random = Random::new(setup.seed);
    let previous = setup.previous.as_ref().unwrap_or(&setup.program);
    let rounds = (0..setup.rolls).flat_map(|_| [previous, &setup.program]);
    let stops = rounds.flat_map(|program| (0..REPLICAS).map(move |place| (program, place)));
    let stops = stops.map(|(program, place)| Stop {
        place,
        lived: Duration::from_millis(random.of(100..600)),
        program: program.clone(),
    });
    stop_all(setup, stops.collect())
}

/// A replica that is replaced.
struct Stop {
    place: usize,
    /// How long all is well before.
    lived: Duration,
    /// What takes its place.
    program: PathBuf,
}

fn stop_all(setup: &Setup, stops: Vec<Stop>) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let mut fleet = Fleet::start_all(setup, &world, REPLICAS).await?;
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        clients.spawn(stay(Actor::new(&world, 50, random.fork())));
        let (mut faults, mut slowest) = (Vec::new(), Duration::ZERO);
        for stop in stops {
            if setup.late() {
                break;
            }
            tokio::time::sleep(stop.lived).await;
            world.leave(stop.place);
            world.fault(Fault::Stop);
            tokio::time::sleep(ACCEPT).await;
            slowest = slowest.max(end(setup, &mut fleet, stop.place, &mut faults).await?);
            fleet.at(stop.place).launch.program = stop.program;
            fleet.start(stop.place).await?;
        }
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        let mut outcome = world.outcome();
        outcome.faults.extend(faults);
        outcome.faults.extend(failed_sends(&world.records()));
        outcome.counts.push(("ms for the slowest stop", slowest.as_millis() as u64));
        Ok(outcome)
    })
}

/// Asks a replica to stop, and waits until it has; tells how long that took.
async fn end(
    setup: &Setup,
    fleet: &mut Fleet,
    place: usize,
    faults: &mut Vec<String>,
) -> anyhow::Result<Duration> {
    let address = fleet.at(place).address()?;
    let server = fleet.at(place).server()?;
    let begin = Instant::now();
    server.terminate()?;
    let ready = server.still_ready(address, END).await?;
    if ready > setup.held_to(READY) {
        faults.push(format!("called itself ready for {ready:?} after it was asked to stop"));
    }
    match server.ended(END).await? {
        Some(status) if status.success() => {}
        Some(status) => faults.push(format!("asked to stop, a replica ended with {status}")),
        None => faults.push(format!("asked to stop, a replica lives after {END:?}")),
    }
    Ok(begin.elapsed())
}

/// Sends that failed, though there was always a replica that takes them.
fn failed_sends(records: &[Record]) -> Vec<String> {
    let failed = records.iter().filter_map(|record| {
        let What::Failed { about: About::Send(send), failure, .. } = &record.what else {
            return None;
        };
        Some(format!("send {send} failed: {failure:?}"))
    });
    failed.collect()
}
