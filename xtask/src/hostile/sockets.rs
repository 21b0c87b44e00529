//! Plan `sockets`: thousands of sockets of several kinds dawdle at once. Each is closed by its
//! deadline, honest callers hardly notice, and nothing of the sockets stays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use legation::Bounds;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::frames::{DATA, END_HEADERS, HEADERS, frame, has, preface, request};
use super::target::{Form, Target};
use super::{Outcome, Setup, honest};
use crate::tls::Stream;

/// What a deadline may be late by: what is noticed here is late by itself on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// What the wait of honest callers may grow by: to twice its base by the target, and what a busy
/// machine adds.
const TIMES: u32 = 2;
const NOISE: Duration = Duration::from_millis(25);

/// For how long honest callers are watched alone.
const BASE: Duration = Duration::from_secs(4);

/// How long the server may take to be as before.
const SETTLE: Duration = Duration::from_secs(15);

/// Sockets that are opened in a second, so that opening them is not the attack.
const A_SECOND: u32 = 1_000;

/// How a socket dawdles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Silent,
    HalfHandshake,
    SilentInTls,
    HalfPreface,
    HalfHead,
    SlowBody,
    HalfHeadOfHttp2,
    /// Its connection stays, because others may be at work there; its request ends.
    SlowBodyOfHttp2,
}

const PLAINTEXT: [Kind; 6] = [
    Kind::Silent,
    Kind::HalfPreface,
    Kind::HalfHead,
    Kind::SlowBody,
    Kind::HalfHeadOfHttp2,
    Kind::SlowBodyOfHttp2,
];

const TLS: [Kind; 8] = [
    Kind::Silent,
    Kind::HalfHandshake,
    Kind::SilentInTls,
    Kind::HalfPreface,
    Kind::HalfHead,
    Kind::SlowBody,
    Kind::HalfHeadOfHttp2,
    Kind::SlowBodyOfHttp2,
];

impl Kind {
    /// After how long the server ends it.
    fn deadline(self, bounds: &Bounds, form: Form) -> Duration {
        match self {
            Self::Silent => bounds.first_byte,
            Self::HalfHandshake => bounds.handshake,
            Self::HalfPreface if form != Form::Tls => bounds.first_byte,
            Self::SilentInTls | Self::HalfPreface | Self::HalfHead | Self::HalfHeadOfHttp2 => {
                bounds.header
            }
            Self::SlowBody | Self::SlowBodyOfHttp2 => bounds.body_grace,
        }
    }

    /// Opens a socket and does so; gives how long it was let.
    async fn dawdle(self, target: Arc<Target>) -> anyhow::Result<Duration> {
        let mut stream = match self {
            Self::Silent | Self::HalfHandshake => {
                Stream::Plain(TcpStream::connect(target.address).await?)
            }
            Self::SilentInTls | Self::HalfHead | Self::SlowBody => {
                target.connect("http/1.1").await?
            }
            Self::HalfPreface | Self::HalfHeadOfHttp2 | Self::SlowBodyOfHttp2 => {
                target.connect("h2").await?
            }
        };
        let begin = Instant::now();
        stream.write_all(&self.says(&target)).await?;
        stream.flush().await?;
        let drips = matches!(self, Self::SlowBody | Self::SlowBodyOfHttp2);
        let piece = if self == Self::SlowBody { b" ".to_vec() } else { frame(DATA, 0, 1, b" ") };
        let mut heard = Vec::new();
        loop {
            tokio::select! {
                read = stream.read_buf(&mut heard) => {
                    let is_answered = self == Self::SlowBodyOfHttp2 && has(&heard, HEADERS);
                    if read.is_ok_and(|count| count > 0) && !is_answered { continue }
                    return Ok(begin.elapsed());
                }
                () = tokio::time::sleep(Duration::from_secs(1)), if drips => {}
            }
            if stream.write_all(&piece).await.and(stream.flush().await).is_err() {
                return Ok(begin.elapsed());
            }
        }
    }

    /// What it says before it dawdles.
    fn says(self, target: &Target) -> Vec<u8> {
        match self {
            Self::Silent | Self::SilentInTls => Vec::new(),
            // The header of a TLS record, and of the message that it begins.
            Self::HalfHandshake => vec![22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3],
            Self::HalfPreface => b"PRI".to_vec(),
            Self::HalfHead => b"POST /a2a HTTP/1.1\r\nHost: loc".to_vec(),
            Self::SlowBody => {
                let head = target.head("POST", "/a2a/agents/echo");
                format!("{head}Content-Length: 1000\r\n\r\n").into_bytes()
            }
            Self::HalfHeadOfHttp2 => {
                let head = request("POST", "/a2a/agents/echo", &[]);
                [preface(), frame(HEADERS, 0, 1, &head)].concat()
            }
            Self::SlowBodyOfHttp2 => {
                let token = format!("Bearer {}", target.token);
                let more = [("authorization", &*token), ("content-length", "1000")];
                let head = request("POST", "/a2a/agents/echo", &more);
                [preface(), frame(HEADERS, END_HEADERS, 1, &head)].concat()
            }
        }
    }
}

pub(super) fn run(setup: &Setup, outcome: &mut Outcome) -> anyhow::Result<()> {
    setup.runtime.block_on(async {
        attack(setup, Form::Plaintext, &PLAINTEXT, outcome).await?;
        attack(setup, Form::Tls, &TLS, outcome).await
    })
}

async fn attack(
    setup: &Setup,
    form: Form,
    kinds: &[Kind],
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let target = Arc::new(setup.start(form).await?);
    // The first calls make what is made once.
    watch_for(&target, Duration::from_secs(1)).await?;
    let files = target.server.open_files()?;
    let base = honest::p99(&mut watch_for(&target, BASE).await?);
    let (stop, stopped) = watch::channel(false);
    let honest = tokio::spawn(honest::call(target.clone(), stopped));
    let mut sockets = JoinSet::new();
    for number in 0..setup.sockets {
        let (kind, target) = (kinds[number % kinds.len()], target.clone());
        sockets.spawn(async move { (kind, kind.dawdle(target).await) });
        tokio::time::sleep(Duration::from_secs(1) / A_SECOND).await;
    }
    let mut times = vec![(Duration::MAX, Duration::ZERO); kinds.len()];
    let bounds = Bounds::default();
    while let Some(done) = sockets.join_next().await {
        let (kind, took) = done?;
        let at = kinds.iter().position(|known| *known == kind).unwrap_or_default();
        match took {
            Ok(took) => times[at] = (times[at].0.min(took), times[at].1.max(took)),
            Err(error) => outcome.faults.push(format!("{kind:?}: cannot attack: {error:#}")),
        }
    }
    // Nobody waits for an answer any more.
    stop.send(true)?;
    let during = honest::p99(&mut honest.await??);
    let name = form.name();
    for (kind, (least, worst)) in kinds.iter().zip(times) {
        let deadline = kind.deadline(&bounds, form);
        outcome.says(format!("{name}: {kind:?} ended within {worst:.1?} of {deadline:?}"));
        // One that ends sooner was refused for something else.
        outcome.check(worst <= deadline + SLACK && least + SLACK >= deadline, || {
            format!("{name}: {kind:?} was let for {least:?} to {worst:?}, not {deadline:?}")
        });
    }
    let sockets = setup.sockets;
    outcome.says(format!(
        "{name}: {sockets} sockets; honest p99 {during:.2?}, {base:.2?} without them"
    ));
    outcome.check(during <= base * TIMES + NOISE, || {
        format!("{name}: honest callers wait {during:?}, {base:?} without the sockets")
    });
    let left = settle(&target, files).await?;
    outcome.check(left <= files, || format!("{name}: {left} files are open, {files} before"));
    outcome.check(target.is_alive().await, || format!("{name}: the server is gone"));
    Ok(())
}

async fn watch_for(target: &Arc<Target>, time: Duration) -> anyhow::Result<Vec<Duration>> {
    let (stop, stopped) = watch::channel(false);
    let honest = tokio::spawn(honest::call(target.clone(), stopped));
    tokio::time::sleep(time).await;
    stop.send(true)?;
    honest.await?
}

/// Waits until the server has no more files open than it had.
async fn settle(target: &Target, files: usize) -> anyhow::Result<usize> {
    let begin = Instant::now();
    loop {
        let open = target.server.open_files()?;
        if open <= files || begin.elapsed() > SETTLE {
            return Ok(open);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
