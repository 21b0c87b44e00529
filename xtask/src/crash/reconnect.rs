//! Plan `reconnect`: streams are dropped and resumed at random places while their tasks run.

use futures::future::join_all;

use super::Setup;
use crate::load::actor::Actor;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::work::{finish_work, read_pieces, run_tasks};

/// How many readers break off and resume at once.
const READERS: u32 = 8;

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let (server, address) = setup.launch().start().await?;
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
            read_pieces(actor, pieces, || setup.late())
        });
        join_all(readers.collect::<Vec<_>>()).await;
        finish_work(&world, &mut writers).await?;
        read_back(&world).await?;
        drop(server);
        Ok(world.outcome())
    })
}
