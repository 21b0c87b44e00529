//! Plan `reconnect`: streams are dropped and resumed at random places while their tasks run, each time at
//! another replica and over another binding.

use futures::future::join_all;

use super::Setup;
use super::fleet::Fleet;
use crate::load::actor::Actor;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::work::{finish_work, read_pieces, run_tasks};

const REPLICAS: usize = 3;

/// How many readers break off and resume at once.
const READERS: u32 = 8;

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let fleet = Fleet::start_all(setup, &world, REPLICAS).await?;
        let writers = (1..=3).map(|number| run_tasks(Actor::new(&world, number, random.fork())));
        let mut writers = writers.collect();
        let pieces = setup.reconnects.div_ceil(READERS as usize);
        let readers = (10..10 + READERS).map(|number| {
            let actor = Actor::new(&world, number, random.fork());
            read_pieces(actor, pieces, || setup.late())
        });
        join_all(readers.collect::<Vec<_>>()).await;
        finish_work(&world, &mut writers).await?;
        read_back(&world).await?;
        drop(fleet);
        Ok(world.outcome())
    })
}
