//! Plan `kill`: killed again and again at random moments, started again on the same data.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use legation_testkit::history::Fault;
use tokio::task::JoinSet;

use super::actor::Actor;
use super::random::Random;
use super::readback::read_back;
use super::server::{Launch, Server};
use super::world::World;
use super::{Outcome, Setup};

/// How many clients are at work.
const CLIENTS: u32 = 6;

/// Milliseconds that the longest tasks take. Many outlive a server, few outlive three.
const LONGEST: u64 = 300;

/// How long clients may take to finish what they began.
const FINISH: Duration = Duration::from_secs(60);

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = World::new(setup)?;
        let mut random = Random::new(setup.seed);
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        let launch = Launch::new(setup);
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

/// Lets clients work, each on its own.
pub(super) fn begin_work(
    world: &Arc<World>,
    random: &mut Random,
    clients: u32,
    longest: u64,
) -> JoinSet<()> {
    (1..=clients).map(|client| Actor::new(world, client, random.fork()).work(longest)).collect()
}

/// Lets clients finish what they began.
pub(super) async fn finish_work(
    world: &Arc<World>,
    clients: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    world.close();
    let all = async { while clients.join_next().await.is_some() {} };
    tokio::time::timeout(FINISH, all).await.context("the clients hang")
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
