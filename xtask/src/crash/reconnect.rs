//! Plan `reconnect`: streams are dropped and resumed at random places while their tasks run.

use futures::future::join_all;
use legation_testkit::history::Policy;

use super::actor::Actor;
use super::client::POLICIES;
use super::kill::finish_work;
use super::random::Random;
use super::readback::read_back;
use super::server::Launch;
use super::world::World;
use super::{Outcome, Setup};

/// How many readers break off and resume at once.
const READERS: u32 = 8;

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = World::new(setup)?;
        let mut random = Random::new(setup.seed);
        let (server, address) = Launch::new(setup).start().await?;
        world.up(address);
        let mut writers = (1..=3_u32)
            .map(|client| {
                let actor = Actor::new(&world, client, random.fork());
                run_tasks(actor)
            })
            .collect();
        let pieces = setup.reconnects.div_ceil(READERS as usize);
        let readers = (10..10 + READERS).map(|client| {
            let actor = Actor::new(&world, client, random.fork());
            read_pieces(setup, actor, pieces)
        });
        join_all(readers.collect::<Vec<_>>()).await;
        finish_work(&world, &mut writers).await?;
        read_back(&world).await?;
        drop(server);
        Ok(world.outcome())
    })
}

async fn read_pieces(setup: &Setup, mut actor: Actor, pieces: usize) {
    for _ in 0..pieces {
        if setup.late() {
            return;
        }
        actor.listen_to_a_piece().await;
    }
}

/// Keeps tasks running: slow ones, whose readers wait, and fast ones, whose readers are behind.
async fn run_tasks(mut actor: Actor) {
    while !actor.is_done() {
        let policy: Policy = *actor.random.choose(&POLICIES);
        let (count, pause) = *actor.random.choose(&[(150, 3), (40, 20), (2000, 0)]);
        let errand = actor.client.count(policy, count, pause, true);
        actor.stream_to_the_end(&errand).await;
    }
}
