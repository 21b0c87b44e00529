//! Tasks of one replica that are watched at another.

use std::sync::Arc;

use futures::future::join;
use legation_testkit::history::Policy;
use tokio::task::JoinSet;

use crate::load::actor::Actor;
use crate::load::random::Random;
use crate::load::world::World;

/// The clients that watch tasks of other replicas have numbers from this on.
pub(super) const WATCHERS: u32 = 5000;

/// Numbers that a task counts.
const COUNT: usize = 40;

/// Keeps so many tasks running, half of them at replica 0 and watched at replica 1, half the other way.
pub(super) fn watch_each_other(
    world: &Arc<World>,
    random: &mut Random,
    tasks: u32,
    pause: u64,
) -> JoinSet<()> {
    let pairs = (1..=tasks).map(|number| {
        let place = number as usize % 2;
        let writer = Actor::new(world, number, random.fork()).at(place);
        let watcher = Actor::new(world, WATCHERS + number, random.fork()).at(1 - place);
        async move {
            while !writer.is_done() {
                let errand = writer.client.count(Policy::Resume, COUNT, pause, true);
                let watching = async {
                    watcher.follow(&errand.task().await, Policy::Resume, 0).await;
                };
                join(writer.stream_to_the_end(&errand), watching).await;
            }
        }
    });
    pairs.collect()
}
