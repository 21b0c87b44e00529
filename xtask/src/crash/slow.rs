//! Plan `slow`: some readers take a byte a second. The others notice nothing, the server's memory
//! stays bounded, and readers that stall for too long are cut.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::join_all;
use legation_testkit::history::{Policy, Record, What};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::{Setup, TOKEN};
use crate::load::actor::Actor;
use crate::load::client::agent;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::server::Server;
use crate::load::world::World;

/// How many readers are slow.
const SLOW: usize = 50;

/// How many are not, each on a task of its own.
const HONEST: u32 = 20;

/// Events of the long task that the slow ones read; some megabytes.
const LONG: usize = 20_000;

/// What a stream may hold in the server, and what may come on top for all of them.
const STREAM_BYTES: u64 = 256 << 10;
const SLACK_BYTES: u64 = 24 << 20;

/// What delays of others may grow by: 1.2 times by the target, and what a busy machine adds.
const SLACK: Duration = Duration::from_millis(25);

/// How long a response may wait for a reader that takes nothing: the default of the server, and
/// the time until it is noticed here.
const CUT: Duration = Duration::from_secs(60 + 30);

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let (server, address) = setup.launch().start().await?;
        world.up(address);
        let writer = Actor::new(&world, 1, random.fork());
        let errand = writer.client.count(Policy::Resume, LONG, 0, true);
        let long = writer.send_until_answered(&errand).await.context("no long task")?.task;
        let before = best_watch(&world, &mut random).await;
        let (resident, files) = (server.resident()?, server.open_files()?);
        let mut readers = JoinSet::new();
        for _ in 0..SLOW {
            let stream = open_slowly(address, TOKEN, &long).await?;
            readers.spawn(take_slowly(stream));
        }
        let during = best_watch(&world, &mut random).await;
        let grown = server.resident()?.saturating_sub(resident);
        let mut faults = Vec::new();
        if during > before.mul_f64(1.2) + SLACK {
            faults
                .push(format!("others wait {during:?} for an event, {before:?} without slow ones"));
        }
        if grown > SLOW as u64 * STREAM_BYTES + SLACK_BYTES {
            faults.push(format!("{SLOW} slow readers cost {} MiB", grown >> 20));
        }
        if !setup.short && !cut(&server, files + SLOW / 10).await? {
            faults.push(format!("slow readers are not cut after {CUT:?}"));
        }
        readers.shutdown().await;
        read_back(&world).await?;
        let mut outcome = world.outcome();
        outcome.faults.extend(faults);
        outcome.counts.extend([
            ("slow readers", SLOW as u64),
            ("KiB for each", (grown >> 10) / SLOW as u64),
            ("us delay p99 without them", before.as_micros() as u64),
            ("us with them", during.as_micros() as u64),
        ]);
        Ok(outcome)
    })
}

/// The best of some watches, because a busy machine only ever makes them worse.
async fn best_watch(world: &Arc<World>, random: &mut Random) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        best = best.min(watch(world, random).await);
    }
    best
}

/// Follows tasks that tell something every ten milliseconds; gives how late the 99th percentile of
/// their events is.
async fn watch(world: &Arc<World>, random: &mut Random) -> Duration {
    const PAUSE: Duration = Duration::from_millis(10);
    let first = world.records().len();
    let readers = (0..HONEST).map(|number| {
        let client = 100 + number;
        let actor = Actor::new(world, client, random.fork());
        async move {
            let errand = actor.client.count(Policy::Resume, 100, PAUSE.as_millis() as u64, true);
            actor.stream_to_the_end(&errand).await;
        }
    });
    join_all(readers.collect::<Vec<_>>()).await;
    let mut gaps = gaps(&world.records()[first..]);
    gaps.sort_unstable();
    let worst = gaps.get(gaps.len() * 99 / 100).copied().unwrap_or_default();
    Duration::from_micros(worst).saturating_sub(PAUSE)
}

/// The microseconds between the events of each client.
fn gaps(records: &[Record]) -> Vec<u64> {
    let mut last = std::collections::HashMap::new();
    let events = records.iter().filter(|record| matches!(record.what, What::Event { .. }));
    events.filter_map(|event| Some(event.at - last.insert(event.client, event.at)?)).collect()
}

/// Asks for the whole log of a task over a connection that takes little at a time.
async fn open_slowly(
    address: std::net::SocketAddr,
    token: &str,
    task: &str,
) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    let mut stream = socket.connect(address).await?;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"SubscribeToTask","params":{{"id":"{task}"}}}}"#
    );
    let head = format!(
        "POST /a2a/agents/{} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         A2A-Version: 1.0\r\nLast-Event-ID: 1\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n",
        agent(Policy::Resume),
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    Ok(stream)
}

/// Takes a byte a second until the connection is cut.
async fn take_slowly(mut stream: TcpStream) {
    let mut byte = [0];
    while stream.read(&mut byte).await.is_ok_and(|count| count > 0) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Waits until the server has closed the sockets of slow readers.
async fn cut(server: &Server, files: usize) -> anyhow::Result<bool> {
    let begin = Instant::now();
    while begin.elapsed() < CUT {
        if server.open_files()? <= files {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(false)
}
