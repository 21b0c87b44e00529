//! Plan `kill`: killed again and again, at every named point and then at random moments, started again on
//! the same data.

use std::time::Duration;

use legation_store::crash;
use legation_testkit::history::Fault;

use super::Setup;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::server::{Launch, Server};
use crate::load::work::{begin_work, finish_work};
use crate::load::world::World;

/// How many clients are at work.
const CLIENTS: u32 = 6;

/// Milliseconds that the longest tasks take. Many outlive a server, few outlive three.
const LONGEST: u64 = 300;

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        let launch = setup.launch();
        for point in crash::OF_SQLITE {
            for nth in [1, random.of(2..50)] {
                let mut server = launch.spawn_to_end_at(point, nth)?;
                // It may come there before it takes calls.
                if let Ok(address) = server.address().await {
                    world.up(address);
                    world.fault(Fault::Kill);
                }
                server.ended_at(point, nth).await?;
                world.down(Fault::Kill);
            }
        }
        for _ in 0..setup.kills {
            if setup.late() {
                break;
            }
            live_for_a_while(&launch, &world, &mut random).await?;
        }
        let (server, address) = launch.start().await?;
        world.up(address);
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        drop(server);
        Ok(world.outcome())
    })
}

/// One life of the server, from its start to its violent end.
async fn live_for_a_while(
    launch: &Launch,
    world: &World,
    random: &mut Random,
) -> anyhow::Result<()> {
    let mut server = launch.spawn()?;
    if random.once_in(6) {
        // While it starts, and takes up what the last one left.
        tokio::time::sleep(Duration::from_millis(random.of(1..80))).await;
        return kill(server, world);
    }
    let address = server.address().await?;
    world.up(address);
    tokio::time::sleep(Duration::from_millis(random.of(10..501))).await;
    kill(server, world)
}

fn kill(server: Server, world: &World) -> anyhow::Result<()> {
    world.down(Fault::Kill);
    server.kill()
}
