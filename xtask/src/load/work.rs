//! Clients at work, and their end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use legation_testkit::history::Policy;
use tokio::task::JoinSet;

use super::actor::Actor;
use super::client::POLICIES;
use super::random::Random;
use super::world::World;

/// How long clients may take to finish what they began.
const FINISH: Duration = Duration::from_secs(60);

/// Lets clients work, each on its own.
pub(crate) fn begin_work(
    world: &Arc<World>,
    random: &mut Random,
    clients: u32,
    longest: u64,
) -> JoinSet<()> {
    (1..=clients).map(|client| Actor::new(world, client, random.fork()).work(longest)).collect()
}

/// Lets clients finish what they began.
pub(crate) async fn finish_work(
    world: &Arc<World>,
    clients: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    world.close();
    let all = async { while clients.join_next().await.is_some() {} };
    tokio::time::timeout(FINISH, all).await.context("the clients hang")
}

/// Listens to so many pieces of streams, unless it gets late.
pub(crate) async fn read_pieces(mut actor: Actor, pieces: usize, late: impl Fn() -> bool) {
    for _ in 0..pieces {
        if late() {
            return;
        }
        actor.listen_to_a_piece().await;
    }
}

/// Keeps tasks running: slow ones, whose readers wait, and fast ones, whose readers are behind.
pub(crate) async fn run_tasks(mut actor: Actor) {
    while !actor.is_done() {
        let policy: Policy = *actor.random.choose(&POLICIES);
        let (count, pause) = *actor.random.choose(&[(150, 3), (40, 20), (2000, 0)]);
        let errand = actor.client.count(policy, count, pause, true);
        actor.stream_to_the_end(&errand).await;
    }
}

/// Keeps a task running that outlasts the grace of a stop.
pub(crate) async fn stay(actor: Actor) {
    while !actor.is_done() {
        let errand = actor.client.count(Policy::Resume, 150, 30, true);
        actor.stream_to_the_end(&errand).await;
    }
}
