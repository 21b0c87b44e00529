//! Plan `drain`: asked to stop while clients are at work. Calls that were accepted are answered,
//! streams end in good order, and the process ends in time.

use std::time::{Duration, Instant};

use legation_testkit::history::Fault;

use super::Setup;
use crate::load::actor::Actor;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::server::Launch;
use crate::load::work::{begin_work, finish_work, stay};
use crate::load::world::World;

const CLIENTS: u32 = 6;

const LONGEST: u64 = 400;

/// How long calls that were begun may take to be accepted.
const ACCEPT: Duration = Duration::from_millis(50);

/// How long the process may take to end.
const END: Duration = Duration::from_secs(20);

/// How long it may take to end when it is asked twice.
const END_AT_ONCE: Duration = Duration::from_secs(1);

/// How long it may call itself ready after it was asked to stop.
const READY: Duration = Duration::from_millis(250);

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        clients.spawn(stay(Actor::new(&world, 50, random.fork())));
        let launch = setup.launch();
        let mut faults = Vec::new();
        let mut slowest = Duration::ZERO;
        for _ in 0..setup.drains {
            if setup.late() {
                break;
            }
            let lived = Duration::from_millis(random.of(100..900));
            let took = stop_once(&launch, &world, lived, &mut faults).await?;
            slowest = slowest.max(took);
        }
        stop_twice(&launch, &world, &mut faults).await?;
        let (server, address) = launch.start().await?;
        world.up(address);
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        drop(server);
        let mut outcome = world.outcome();
        outcome.faults.extend(faults);
        outcome.counts.push(("ms for the slowest stop", slowest.as_millis() as u64));
        Ok(outcome)
    })
}

/// Lets a server live for a while and asks it to stop; tells how long that took.
async fn stop_once(
    launch: &Launch,
    world: &World,
    lived: Duration,
    faults: &mut Vec<String>,
) -> anyhow::Result<Duration> {
    let (mut server, address) = launch.start().await?;
    world.up(address);
    tokio::time::sleep(lived).await;
    // As behind a proxy that sends nothing more: what was begun is accepted before the signal.
    world.down(Fault::Stop);
    tokio::time::sleep(ACCEPT).await;
    let begin = Instant::now();
    server.terminate()?;
    let ready = server.still_ready(address, END).await?;
    if ready > READY {
        faults.push(format!("called itself ready for {ready:?} after it was asked to stop"));
    }
    match server.ended(END).await? {
        Some(status) if status.success() => {}
        Some(status) => faults.push(format!("asked to stop, the process ended with {status}")),
        None => faults.push(format!("asked to stop, the process lives after {END:?}")),
    }
    Ok(begin.elapsed())
}

/// Asks a server with a long task to stop, and asks again at once.
async fn stop_twice(
    launch: &Launch,
    world: &World,
    faults: &mut Vec<String>,
) -> anyhow::Result<()> {
    let (mut server, address) = launch.start().await?;
    world.up(address);
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.down(Fault::Stop);
    server.terminate()?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    // From here on it is a kill, asked for politely.
    world.fault(Fault::Kill);
    // It may have ended already.
    let _ = server.terminate();
    if server.ended(END_AT_ONCE).await?.is_none() {
        faults.push(format!("asked to stop twice, the process lives after {END_AT_ONCE:?}"));
    }
    Ok(())
}
