//! Plan `idle`: thousands of streams stay open with nothing to say, of events and of gRPC, and cost
//! little.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::grpc::{self, Caller};
use super::target::{Form, Target, message};
use super::{Outcome, Setup};
use crate::contract::WAIT_TEXT;
use crate::tls::Stream;

/// Streams that are opened at once.
const AT_ONCE: usize = 100;

/// What a stream is of. Each has a connection of its own, as each caller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Events over HTTP/1.1.
    Events,
    /// Messages of gRPC over HTTP/2.
    Messages,
}

/// An open stream.
enum Idle {
    Events(Stream),
    Messages(Incoming, Caller),
}

impl Kind {
    /// Memory that one may cost the server. The target is 48 KiB, which events keep over TLS as well.
    /// One of messages costs more, because here it pays alone for a connection of HTTP/2: its
    /// tables, and the state of its windows and pings.
    fn price(self, form: Form) -> u64 {
        let kilobytes = match (self, form == Form::Tls) {
            (Self::Events, false) => 40,
            (Self::Events, true) => 48,
            (Self::Messages, false) => 72,
            (Self::Messages, true) => 84,
        };
        kilobytes << 10
    }

    /// Opens a stream of a task that stays at work.
    async fn open(self, target: &Target) -> anyhow::Result<Idle> {
        match self {
            Self::Events => open_events(target).await.map(Idle::Events),
            Self::Messages => open_messages(target).await,
        }
    }
}

pub(super) fn run(setup: &Setup, outcome: &mut Outcome) -> anyhow::Result<()> {
    setup.runtime.block_on(async {
        for form in [Form::Plaintext, Form::Tls] {
            // The long form is for the plain one: TLS is below what keeps a stream open.
            let short = setup.idle.min(Duration::from_secs(60));
            let time = if form == Form::Tls { short } else { setup.idle };
            stay(setup, form, time, outcome).await?;
        }
        anyhow::Ok(())
    })
}

async fn stay(
    setup: &Setup,
    form: Form,
    time: Duration,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let name = form.name();
    let target = setup.start(form).await?;
    let mut streams = Vec::new();
    for (kind, count) in [(Kind::Events, setup.streams), (Kind::Messages, setup.grpc_streams)] {
        let each = open_all(&target, kind, count, &mut streams).await?;
        outcome.says(format!("{name}: {count} streams of {kind:?}, {} KiB each", each >> 10));
        outcome.check(each <= kind.price(form), || {
            format!("{name}: a stream of {kind:?} costs {} KiB", each >> 10)
        });
    }
    let (cpu, count) = (target.cpu()?, streams.len());
    let begin = Instant::now();
    let readers: Vec<_> = streams.into_iter().map(|stream| stream.read(begin + time)).collect();
    let readers: Vec<_> = readers.into_iter().map(tokio::spawn).collect();
    let mut closed = 0;
    for reader in readers {
        closed += usize::from(reader.await?.is_err());
    }
    let cpu = target.cpu()? - cpu;
    outcome.check(closed == 0, || format!("{name}: {closed} streams were closed"));
    outcome.check(target.is_alive().await, || format!("{name}: the server is gone"));
    outcome.says(format!(
        "{name}: {count} streams for {time:?}, {closed} closed; {:.2?} of processor time each",
        cpu / count as u32
    ));
    Ok(())
}

/// Opens so many more streams; gives what each costs the server.
async fn open_all(
    target: &Target,
    kind: Kind,
    count: usize,
    streams: &mut Vec<Idle>,
) -> anyhow::Result<u64> {
    // The first makes what is made once.
    kind.open(target).await?;
    let (before, begun) = (target.server.resident()?, streams.len());
    while streams.len() - begun < count {
        let more = AT_ONCE.min(count - (streams.len() - begun));
        let opened = try_join_all((0..more).map(|_| kind.open(target))).await;
        streams.extend(opened.with_context(|| format!("after {} streams", streams.len()))?);
    }
    Ok(target.server.resident()?.saturating_sub(before) / count.max(1) as u64)
}

async fn open_events(target: &Target) -> anyhow::Result<Stream> {
    let mut stream = target.connect("http/1.1").await?;
    let request = target.request("POST", "/a2a/agents/echo/message:stream", &message(WAIT_TEXT));
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

async fn open_messages(target: &Target) -> anyhow::Result<Idle> {
    let send = grpc::V1_0.send(&grpc::message(&grpc::part(WAIT_TEXT.as_bytes())));
    let body = [grpc::prefix(0, send.len()), send].concat();
    let mut caller = Caller::open(target).await?;
    let answer = caller.call(grpc::V1_0, "SendStreamingMessage", ("identity", body)).await?;
    let (head, mut body) = answer.into_parts();
    // The task, and that it is at work; a stream that is refused says so in its head.
    let first = body.frame().await.with_context(|| format!("ended at once: {head:?}"))?;
    ensure!(first?.is_data(), "ended at once");
    Ok(Idle::Messages(body, caller))
}

impl Idle {
    /// Reads until then; it has not to end.
    async fn read(self, until: Instant) -> anyhow::Result<()> {
        match self {
            Self::Events(stream) => read_events(stream, until).await,
            Self::Messages(body, caller) => {
                let read = read_messages(body, until).await;
                // The connection ends without it.
                drop(caller);
                read
            }
        }
    }
}

/// Events tell something now and then.
async fn read_events(mut stream: Stream, until: Instant) -> anyhow::Result<()> {
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

/// Messages do not: the connection has pings, to which the library answers.
async fn read_messages(mut body: Incoming, until: Instant) -> anyhow::Result<()> {
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        match timeout(left, body.frame()).await {
            Ok(frame) => ensure!(frame.context("ended")?.context("broken")?.is_data(), "ended"),
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}
