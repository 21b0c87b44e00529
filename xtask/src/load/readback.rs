//! The end of a plan: every task that anybody was told of is read back, with its whole log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use futures::stream::{self, StreamExt as _};
use legation_testkit::history::What;

use super::client::{Client, POLICIES};
use super::world::World;

/// The clients that read back; no other client has a number as high.
const READERS: u32 = 1_000_000;

/// How many of them there are.
const AT_ONCE: usize = 8;

/// How long tasks may take to end once nothing more happens to the server.
const SETTLE: Duration = Duration::from_secs(60);

/// Waits until all tasks have ended, then reads them back.
pub(crate) async fn read_back(world: &Arc<World>) -> anyhow::Result<()> {
    settle(world).await;
    world.record(READERS, What::Final);
    let readers = world.known().into_iter().enumerate().map(|(number, (task, known))| async move {
        let reader = reader(world, number);
        // A failure is in the history, where the check finds it.
        let _ = reader.read(&task, known.policy).await;
        reader.resume(&task, known.policy, Some(0), u64::MAX).await;
    });
    stream::iter(readers).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    for policy in POLICIES {
        let listed = reader(world, 0).list(policy).await;
        listed.map_err(|failure| anyhow!("cannot list the tasks: {failure:?}"))?;
    }
    Ok(())
}

async fn settle(world: &Arc<World>) {
    let begin = Instant::now();
    for (number, (task, known)) in world.known().into_iter().enumerate() {
        if known.ended {
            continue;
        }
        let reader = reader(world, number);
        while begin.elapsed() < SETTLE
            && reader.read(&task, known.policy).await.is_ok_and(|seen| !seen.state.is_terminal())
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Each task has a reader of its own.
fn reader(world: &Arc<World>, number: usize) -> Client {
    Client { world: world.clone(), number: READERS + number as u32, place: None, copies: false }
}
