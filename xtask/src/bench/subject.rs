//! One server of a case: how it is started, filled, and measured.

use std::{
    ffi::OsStr,
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use tempfile::TempDir;
use tokio_rustls::TlsConnector;

use super::{
    Bench,
    cases::{Case, Load, Program, Run, Stored},
    connection::Connection,
    issuer::Issuer,
    load::{
        Connect as _, Exchange, Gets, GrpcSends, GrpcStreams, Pages, Sends, Streams, closed_loop,
        open_streams, seed,
    },
    metric::{Metric, Sample, milliseconds},
    process::{LOG, Server},
    request,
};
use crate::tls::Material;

/// How long a server is left alone before its memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// Load before the first measurement: connections, caches, statements.
const WARM_UP: Duration = Duration::from_millis(300);

/// Streams opened before the counted ones, so that what is made once is not counted.
const WARM_STREAMS: usize = 100;

const MEGABYTE: f64 = 1024.0 * 1024.0;

pub(super) struct Subject {
    run: &'static Run,
    /// None where every round has a server of its own.
    server: Option<Server>,
    ids: Vec<String>,
    material: Option<Material>,
    issuer: Option<Issuer>,
    /// After the server, so that it goes when nobody writes to it any more.
    directory: TempDir,
}

impl Subject {
    /// Starts and fills the server of `run`. None when it is the product's and that
    /// cannot start; then it says so.
    pub(super) fn prepare(
        bench: &Bench,
        case: &Case,
        run: &'static Run,
    ) -> anyhow::Result<Option<Self>> {
        if run.program.is_product() && !bench.with_product {
            return Ok(None);
        }
        let directory = tempfile::tempdir_in(bench.directory.path())?;
        let is_tls = run.program == Program::ProductOverTls;
        let material = is_tls.then(|| Material::new(directory.path())).transpose()?;
        let is_signed = run.program == Program::ProductOfIssuer;
        let issuer = is_signed.then(Issuer::start).transpose()?;
        let mut subject = Self { run, server: None, ids: Vec::new(), material, issuer, directory };
        let server = match subject.start(bench) {
            Ok(server) => server,
            Err(error) if run.program.is_product() => {
                println!("{}: {} skipped: {error:#}", case.name, run.label);
                return Ok(None);
            }
            Err(error) => return Err(error.context(run.label)),
        };
        subject.fill(bench, &server).with_context(|| subject.told())?;
        if !matches!(run.load, Load::Start | Load::Idle { .. }) {
            subject.apply(bench, &server, WARM_UP).with_context(|| subject.told())?;
            subject.server = Some(server);
        }
        Ok(Some(subject))
    }

    pub(super) fn label(&self) -> &'static str {
        self.run.label
    }

    /// The label, and what the server said last, for the message of a failure.
    pub(super) fn told(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join(LOG)).unwrap_or_default();
        match log.lines().last() {
            Some(last) => format!("{} (its log ends with `{last}`)", self.run.label),
            None => self.run.label.to_owned(),
        }
    }

    /// Measures one round.
    pub(super) fn measure(&self, bench: &Bench) -> anyhow::Result<Sample> {
        match (&self.server, self.run.load) {
            (Some(server), _) => {
                let mut sample = self.apply(bench, server, bench.length)?;
                sample.insert(Metric::Resident, server.resident()? as f64 / MEGABYTE);
                Ok(sample)
            }
            (None, Load::Idle { streams }) => self.measure_idle(bench, streams),
            (None, _) => self.measure_start(bench),
        }
    }

    fn start(&self, bench: &Bench) -> anyhow::Result<Server> {
        let floor;
        let mut echo: Vec<&OsStr> = vec!["serve-echo".as_ref()];
        if let Some(Material { certificate, key, .. }) = &self.material {
            echo.extend(["--tls-cert".as_ref(), certificate.as_os_str()]);
            echo.extend(["--tls-key".as_ref(), key.as_os_str()]);
        }
        if let Some(Issuer { url, .. }) = &self.issuer {
            echo.extend(["--issuer".as_ref(), url.as_ref() as &OsStr]);
        }
        let (program, words): (_, &[&OsStr]) = match self.run.program {
            Program::Product | Program::ProductOverTls | Program::ProductOfIssuer => {
                (&bench.product, &echo)
            }
            Program::Floor(kind) => {
                floor = kind.to_possible_value().context("a floor without a name")?;
                (&bench.itself, &["floor".as_ref(), floor.get_name().as_ref()])
            }
        };
        Server::start(program, words, self.directory.path(), &bench.token)
    }

    /// What callers of this one show.
    fn token<'s>(&'s self, bench: &'s Bench) -> &'s str {
        self.issuer.as_ref().map_or(&bench.token, |issuer| &issuer.token)
    }

    fn fill(&mut self, bench: &Bench, server: &Server) -> anyhow::Result<()> {
        let count = self.run.stored.count(bench.full);
        // Slow is not hung: a thousand a second is less than any server that counts.
        let expected = Duration::from_millis(count as u64);
        self.ids = bench.wait(expected, seed(server.address(), self.token(bench), count))?;
        Ok(())
    }

    fn apply(&self, bench: &Bench, server: &Server, length: Duration) -> anyhow::Result<Sample> {
        let token = self.token(bench);
        match self.run.load {
            Load::Send { connections, payload } => {
                let sends = Sends::new(token, payload);
                let connector = self.material.as_ref().map(|tls| tls.connector(&["http/1.1"]));
                closed(bench, server, connector.transpose()?, (vec![sends; connections], length))
            }
            Load::Get { connections } => {
                let gets = Gets::spread(token, &self.ids, connections);
                closed(bench, server, None, (gets, length))
            }
            Load::Echo { connections } => {
                let streams = vec![Streams::echo(token); connections];
                closed(bench, server, None, (streams, length))
            }
            Load::Chunks { connections, chunks } => {
                let streams = vec![Streams::chunks(token, chunks); connections];
                closed(bench, server, None, (streams, length))
            }
            Load::GrpcSend { connections, at_once } => {
                let sends = vec![GrpcSends::new(token, at_once); connections];
                closed(bench, server, None, (sends, length))
            }
            Load::GrpcChunks { connections, chunks } => {
                let streams = vec![GrpcStreams::new(token, chunks); connections];
                closed(bench, server, None, (streams, length))
            }
            Load::Pages => {
                let pages = Pages::new(token, self.run.stored.count(bench.full));
                closed(bench, server, None, (vec![pages], length))
            }
            Load::Idle { .. } | Load::Start => unreachable!("no closed loop"),
        }
    }

    fn measure_idle(&self, bench: &Bench, streams: usize) -> anyhow::Result<Sample> {
        let server = self.start(bench)?;
        let open = |count| {
            bench.wait(Duration::ZERO, open_streams(server.address(), self.token(bench), count))
        };
        let mut warm = open(WARM_STREAMS)?;
        thread::sleep(SETTLE);
        let before = server.resident()?;
        let mut counted = open(streams)?;
        thread::sleep(SETTLE);
        let after = server.resident()?;
        let closed = warm.closed() + counted.closed();
        ensure!(closed == 0, "the server closed {closed} idle streams");
        Ok(Sample::from([
            (Metric::Resident, after as f64 / MEGABYTE),
            (Metric::MemoryEach, after.saturating_sub(before) as f64 / 1024.0 / streams as f64),
        ]))
    }

    fn measure_start(&self, bench: &Bench) -> anyhow::Result<Sample> {
        let start = Instant::now();
        let server = self.start(bench)?;
        bench.wait(Duration::ZERO, async {
            let mut connection = Connection::open(server.address()).await?;
            let card = connection.exchange(&request::card()).await?;
            ensure!(card.contains(r#""name":"#), "not a card: `{card}`");
            Ok(())
        })?;
        let start_up = milliseconds(start.elapsed());
        thread::sleep(SETTLE);
        Ok(Sample::from([
            (Metric::StartUp, start_up),
            (Metric::Resident, server.resident()? as f64 / MEGABYTE),
        ]))
    }
}

/// Runs a closed loop and adds what it cost the server.
fn closed<E: Exchange>(
    bench: &Bench,
    server: &Server,
    connector: Option<TlsConnector>,
    (exchanges, length): (Vec<E>, Duration),
) -> anyhow::Result<Sample> {
    let before = server.cpu()?;
    let work = closed_loop(server.address(), connector, exchanges, length);
    let tally = bench.wait(length, work)?;
    let cpu = server.cpu()? - before;
    let per_thousand = milliseconds(cpu) * 1000.0 / tally.units as f64;
    let mut sample = tally.into_sample();
    sample.insert(Metric::Cpu, per_thousand);
    Ok(sample)
}

impl Program {
    fn is_product(self) -> bool {
        matches!(self, Self::Product | Self::ProductOverTls | Self::ProductOfIssuer)
    }
}

impl Stored {
    fn count(self, full: bool) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Few => 100,
            Self::Thousand => 1_000,
            Self::Many if full => 1_000_000,
            Self::Many => 100_000,
        }
    }
}
