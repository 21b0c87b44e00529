//! Plan `dup`: messages that arrive many times at once, at all replicas and over all bindings, also while
//! replicas are killed. Each begins one task, and all its answers are equal.

use std::cell::Cell;
use std::time::Duration;

use futures::future::join_all;
use legation_testkit::history::Policy;

use super::Setup;
use super::fleet::Fleet;
use crate::load::actor::Actor;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;

const REPLICAS: usize = 3;

/// How many messages are on their way at once, each of them as often as an actor copies it.
const AT_ONCE: u32 = 4;

/// The most time between two kills.
const KILL_EVERY: u64 = 1500;

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let mut fleet = Fleet::start_all(setup, &world, REPLICAS).await?;
        let sent = Cell::new(0);
        let mut actors: Vec<_> =
            (1..=AT_ONCE).map(|number| Actor::new(&world, number, random.fork())).collect();
        // While all is well, nothing may break off either.
        send_all(setup, &mut actors, setup.messages * 3 / 4, &sent).await;
        tokio::select! {
            () = send_all(setup, &mut actors, setup.messages, &sent) => {}
            failed = kill_and_start(&mut fleet, &mut random) => failed?,
        }
        for place in 0..REPLICAS {
            if fleet.at(place).server().is_err() {
                fleet.start(place).await?;
            }
        }
        read_back(&world).await?;
        let mut outcome = world.outcome();
        let stored = setup.ask("SELECT count(*) FROM legation.tasks")?;
        if stored != sent.get().to_string() {
            outcome.faults.push(format!("{} messages have led to {stored} tasks", sent.get()));
        }
        outcome.counts.push(("messages", sent.get() as u64));
        Ok(outcome)
    })
}

/// Sends messages until there were so many.
async fn send_all(setup: &Setup, actors: &mut [Actor], most: usize, sent: &Cell<usize>) {
    let sending = actors.iter_mut().map(|actor| async move {
        while sent.get() < most && !setup.late() {
            sent.set(sent.get() + 1);
            let (count, pause) = (actor.random.of(1..6) as usize, actor.random.of(0..4));
            let errand = actor.client.count(Policy::Resume, count, pause, true);
            actor.send_copies(&errand).await;
        }
    });
    join_all(sending.collect::<Vec<_>>()).await;
}

/// Kills replicas again and again; ends when that fails.
async fn kill_and_start(fleet: &mut Fleet, random: &mut Random) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(Duration::from_millis(random.of(200..KILL_EVERY))).await;
        let place = random.of(0..fleet.size()) as usize;
        fleet.kill_and_start(place).await?;
    }
}
