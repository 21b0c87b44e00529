//! Plan `idle`: thousands of streams stay open with nothing to say, and cost little.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::target::{Target, message};
use super::{Outcome, Setup};
use crate::contract::WAIT_TEXT;
use crate::tls::Stream;

/// Memory that a stream may cost the server over plaintext. TLS has buffers and keys on top.
const EACH: u64 = 48 << 10;
const EACH_IN_TLS: u64 = 96 << 10;

/// Streams that are opened at once.
const AT_ONCE: usize = 100;

pub(super) fn run(setup: &Setup, outcome: &mut Outcome) -> anyhow::Result<()> {
    setup.runtime.block_on(async {
        for has_tls in [false, true] {
            // The long form is for the plain one: TLS is below what keeps a stream open.
            let time = if has_tls { setup.idle.min(Duration::from_secs(60)) } else { setup.idle };
            stay(setup, has_tls, time, outcome).await?;
        }
        anyhow::Ok(())
    })
}

async fn stay(
    setup: &Setup,
    has_tls: bool,
    time: Duration,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let name = if has_tls { "TLS" } else { "plaintext" };
    let target = setup.start(has_tls).await?;
    open(&target).await?;
    let before = target.server.resident()?;
    let mut streams = Vec::new();
    while streams.len() < setup.streams {
        let more = AT_ONCE.min(setup.streams - streams.len());
        let opened = try_join_all((0..more).map(|_| open(&target))).await;
        streams.extend(opened.with_context(|| format!("after {} streams", streams.len()))?);
    }
    let cpu = target.cpu()?;
    let each = target.server.resident()?.saturating_sub(before) / setup.streams as u64;
    let most = if has_tls { EACH_IN_TLS } else { EACH };
    outcome.check(each <= most, || format!("{name}: a stream costs {} KiB", each >> 10));
    let begin = Instant::now();
    let readers: Vec<_> = streams.into_iter().map(|stream| read(stream, begin + time)).collect();
    let readers: Vec<_> = readers.into_iter().map(tokio::spawn).collect();
    let mut closed = 0;
    for reader in readers {
        closed += usize::from(reader.await?.is_err());
    }
    let cpu = target.cpu()? - cpu;
    outcome.check(closed == 0, || format!("{name}: {closed} streams were closed"));
    outcome.check(target.is_alive().await, || format!("{name}: the server is gone"));
    outcome.says(format!(
        "{name}: {} streams for {time:?}, {closed} closed; {} KiB and {:.2?} of processor time each",
        setup.streams,
        each >> 10,
        cpu / setup.streams as u32
    ));
    Ok(())
}

/// Opens a stream of a task that stays at work.
async fn open(target: &Target) -> anyhow::Result<Stream> {
    let mut stream = target.connect("http/1.1").await?;
    let body = message(WAIT_TEXT);
    let request = target.request("POST", "/a2a/agents/echo/message:stream", &body);
    stream.write_all(&request).await?;
    // TLS keeps what does not go out at once.
    stream.flush().await?;
    let mut heard = Vec::new();
    while !heard.windows(7).any(|window| window == b"WORKING") {
        let count = stream.read_buf(&mut heard).await?;
        ensure!(count > 0, "a stream ended at once: {}", String::from_utf8_lossy(&heard));
    }
    Ok(stream)
}

/// Reads a stream until then; it has to tell something now and then, and not to end.
async fn read(mut stream: Stream, until: Instant) -> anyhow::Result<()> {
    const SILENCE: Duration = Duration::from_secs(40);
    let mut buffer = [0; 1024];
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        match timeout(left.min(SILENCE), stream.read(&mut buffer)).await {
            Ok(read) => ensure!(read.context("broken")? > 0, "closed"),
            Err(_) => ensure!(left < SILENCE, "silent"),
        }
    }
    Ok(())
}
