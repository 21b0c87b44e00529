//! The loads: a closed loop on kept-alive connections, and what it repeats.

mod elsewhere;
mod grpc;
mod idle;
mod page;
mod stream;
mod unary;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

pub(super) use self::{
    elsewhere::elsewhere,
    grpc::{GrpcSends, GrpcStreams},
    idle::open_streams,
    page::Pages,
    stream::Streams,
    unary::{Gets, Sends, seed},
};
use super::metric::{Metric, Sample, percentile};

/// Something a connection does again and again.
pub(super) trait Exchange: Send + 'static {
    /// What it is done on.
    type Connection: Connect;

    /// Does it once and checks the answer.
    fn once(
        &mut self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = anyhow::Result<Done>> + Send;
}

/// A connection to a server.
pub(super) trait Connect: Sized + Send + 'static {
    /// Opens one in plain text.
    fn open(address: SocketAddr) -> impl Future<Output = anyhow::Result<Self>> + Send {
        Self::open_by(address, None)
    }

    /// Opens one, over TLS when there is a connector for it.
    fn open_by(
        address: SocketAddr,
        connector: Option<&TlsConnector>,
    ) -> impl Future<Output = anyhow::Result<Self>> + Send;
}

/// What one exchange brought.
pub(super) struct Done {
    /// Requests, pages or chunks: what the rate counts.
    pub(super) units: u64,
    /// The time it took, when that is not all of the exchange's.
    pub(super) took: Option<Duration>,
    /// The time to the first event, of a stream.
    pub(super) first: Option<Duration>,
}

impl Done {
    /// One request, answered at once.
    pub(super) const ONE: Self = Self { units: 1, took: None, first: None };
}

/// What a closed loop brought.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) units: u64,
    pub(super) elapsed: Duration,
    times: Vec<Duration>,
    firsts: Vec<Duration>,
}

/// Repeats each of `exchanges` on a connection of its own for `length`, over TLS when there is a
/// connector for it. Where there are several servers they take turns.
pub(super) async fn closed_loop<E: Exchange>(
    addresses: Vec<SocketAddr>,
    connector: Option<TlsConnector>,
    exchanges: Vec<E>,
    length: Duration,
) -> anyhow::Result<Tally> {
    let mut connections = Vec::new();
    for (exchange, address) in exchanges.into_iter().zip(addresses.into_iter().cycle()) {
        connections.push((E::Connection::open_by(address, connector.as_ref()).await?, exchange));
    }
    let start = Instant::now();
    let mut loops = JoinSet::new();
    for (connection, exchange) in connections {
        loops.spawn(repeat(connection, exchange, start + length));
    }
    let mut total = Tally::default();
    while let Some(tally) = loops.join_next().await {
        total.add(tally??);
    }
    total.elapsed = start.elapsed();
    Ok(total)
}

async fn repeat<E: Exchange>(
    mut connection: E::Connection,
    mut exchange: E,
    end: Instant,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut start = Instant::now();
    while start < end {
        let done = exchange.once(&mut connection).await?;
        let now = Instant::now();
        tally.units += done.units;
        tally.times.push(done.took.unwrap_or(now - start));
        tally.firsts.extend(done.first);
        start = now;
    }
    Ok(tally)
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.units += other.units;
        self.times.extend(other.times);
        self.firsts.extend(other.firsts);
    }

    /// Returns the figures the load itself can tell.
    pub(super) fn into_sample(mut self) -> Sample {
        let mut sample = Sample::new();
        sample.insert(Metric::Rate, self.units as f64 / self.elapsed.as_secs_f64());
        let shares = [
            (Metric::P50, percentile(&mut self.times, 0.5)),
            (Metric::P99, percentile(&mut self.times, 0.99)),
            (Metric::First, percentile(&mut self.firsts, 0.5)),
        ];
        sample.extend(shares.into_iter().filter_map(|(metric, value)| Some((metric, value?))));
        sample
    }
}
