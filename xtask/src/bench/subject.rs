//! One server of a case: how it is started, filled, and measured.

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use tempfile::TempDir;
use tokio_rustls::TlsConnector;

use super::{
    Bench,
    cases::{Bell, Case, Load, Program, Run, Stored},
    connection::Connection,
    issuer::Issuer,
    load::{
        Connect as _, Exchange, Gets, GrpcSends, GrpcStreams, Pages, Sends, Streams, closed_loop,
        elsewhere, open_streams, seed,
    },
    metric::{Metric, Sample, milliseconds},
    process::{LOG, Server},
    request,
};
use crate::{floor::Floor, tls::Material};

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
    servers: Vec<Server>,
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
        let (servers, ids) = (Vec::new(), Vec::new());
        let mut subject = Self { run, servers, ids, material, issuer, directory };
        let servers = match subject.start(bench) {
            Ok(servers) => servers,
            Err(error) if run.program.is_product() || run.program == Program::Floor(Floor::F3) => {
                println!("{}: {} skipped: {error:#}", case.name, run.label);
                return Ok(None);
            }
            Err(error) => return Err(error.context(run.label)),
        };
        subject.fill(bench, &servers).with_context(|| subject.told())?;
        if !matches!(run.load, Load::Start | Load::Idle { .. }) {
            subject.apply(bench, &servers, WARM_UP).with_context(|| subject.told())?;
            subject.servers = servers;
        }
        Ok(Some(subject))
    }

    pub(super) fn label(&self) -> &'static str {
        self.run.label
    }

    /// The label, and what the server said last, for the message of a failure.
    pub(super) fn told(&self) -> String {
        // That of the first replica where there are several.
        let logs = [self.directory.path().join(LOG), self.directory.path().join("0").join(LOG)];
        let log = logs.iter().find_map(|log| fs::read_to_string(log).ok()).unwrap_or_default();
        match log.lines().last() {
            Some(last) => format!("{} (its log ends with `{last}`)", self.run.label),
            None => self.run.label.to_owned(),
        }
    }

    /// Measures one round.
    pub(super) fn measure(&self, bench: &Bench) -> anyhow::Result<Sample> {
        match self.run.load {
            Load::Idle { streams } => self.measure_idle(bench, streams),
            Load::Start => self.measure_start(bench),
            Load::Send { .. }
            | Load::Get { .. }
            | Load::Echo { .. }
            | Load::Chunks { .. }
            | Load::GrpcSend { .. }
            | Load::GrpcChunks { .. }
            | Load::Pages
            | Load::Elsewhere { .. } => {
                let mut sample = self.apply(bench, &self.servers, bench.length)?;
                let resident = self.servers.iter().map(Server::resident).sum::<Result<u64, _>>()?;
                sample.insert(Metric::Resident, resident as f64 / MEGABYTE);
                Ok(sample)
            }
        }
    }

    /// Starts the servers, several where they are replicas.
    fn start(&self, bench: &Bench) -> anyhow::Result<Vec<Server>> {
        let Program::Replicas { count, held, .. } = self.run.program else {
            return Ok(vec![self.start_in(bench, self.directory.path())?]);
        };
        let start = |number: usize| {
            let directory = self.directory.path().join(number.to_string());
            fs::create_dir(&directory)?;
            let mut server = self.start_in(bench, &directory)?;
            held.map_or(Ok(()), |percent| server.hold(percent))?;
            Ok(server)
        };
        (0..count).map(start).collect()
    }

    fn start_in(&self, bench: &Bench, directory: &Path) -> anyhow::Result<Server> {
        let floor;
        let mut words: Vec<&OsStr> = match self.run.program {
            Program::Floor(kind) => {
                floor = kind.to_possible_value().context("a floor without a name")?;
                vec!["floor".as_ref(), floor.get_name().as_ref()]
            }
            Program::Product
            | Program::ProductOverTls
            | Program::ProductOfIssuer
            | Program::Replicas { .. } => vec!["serve-echo".as_ref()],
        };
        if let Some(Material { certificate, key, .. }) = &self.material {
            words.extend(["--tls-cert".as_ref(), certificate.as_os_str()]);
            words.extend(["--tls-key".as_ref(), key.as_os_str()]);
        }
        if let Some(Issuer { url, .. }) = &self.issuer {
            words.extend(["--issuer".as_ref(), url.as_ref() as &OsStr]);
        }
        // A schema of its own, so that it shares nothing with other subjects.
        let (database, schema);
        if self.run.program.is_on_postgres() {
            database = bench.database()?;
            let own = self.directory.path().file_name().unwrap_or_default().to_string_lossy();
            schema = format!("s_{}", own.trim_start_matches('.').to_lowercase());
            words.extend(["--store", &database, "--schema", &schema].map(OsStr::new));
        }
        let nats;
        if let Program::Replicas { bell: Bell::Nats, .. } = self.run.program {
            nats = bench.nats()?;
            words.extend(["--nats", &nats].map(OsStr::new));
        }
        let is_floor = matches!(self.run.program, Program::Floor(_));
        let program = if is_floor { &bench.itself } else { &bench.product };
        Server::start(program, &words, directory, &bench.token)
    }

    /// What callers of this one show.
    fn token<'s>(&'s self, bench: &'s Bench) -> &'s str {
        self.issuer.as_ref().map_or(&bench.token, |issuer| &issuer.token)
    }

    fn fill(&mut self, bench: &Bench, servers: &[Server]) -> anyhow::Result<()> {
        let count = self.run.stored.count(bench.full);
        // Slow is not hung: a thousand a second is less than any server that counts.
        let expected = Duration::from_millis(count as u64);
        self.ids =
            bench.wait(expected, seed(first(servers)?.address(), self.token(bench), count))?;
        Ok(())
    }

    fn apply(&self, bench: &Bench, servers: &[Server], length: Duration) -> anyhow::Result<Sample> {
        let token = self.token(bench);
        match self.run.load {
            Load::Send { connections, payload } => {
                let sends = Sends::new(token, payload);
                let connector = self.material.as_ref().map(|tls| tls.connector(&["http/1.1"]));
                closed(bench, servers, connector.transpose()?, (vec![sends; connections], length))
            }
            Load::Get { connections } => {
                let gets = Gets::spread(token, &self.ids, connections);
                closed(bench, servers, None, (gets, length))
            }
            Load::Echo { connections } => {
                let streams = vec![Streams::echo(token); connections];
                closed(bench, servers, None, (streams, length))
            }
            Load::Chunks { connections, chunks } => {
                let streams = vec![Streams::chunks(token, chunks); connections];
                closed(bench, servers, None, (streams, length))
            }
            Load::GrpcSend { connections, at_once } => {
                let sends = vec![GrpcSends::new(token, at_once); connections];
                closed(bench, servers, None, (sends, length))
            }
            Load::GrpcChunks { connections, chunks } => {
                let streams = vec![GrpcStreams::new(token, chunks); connections];
                closed(bench, servers, None, (streams, length))
            }
            Load::Pages => {
                let pages = Pages::new(token, self.run.stored.count(bench.full));
                closed(bench, servers, None, (vec![pages], length))
            }
            Load::Elsewhere { tasks, per_second } => {
                let [here, there] = servers else { bail!("events go from one replica to another") };
                let (addresses, rate) = ((here.address(), there.address()), (tasks, per_second));
                let tally = bench.wait(length, elsewhere(addresses, token, rate, length))?;
                Ok(tally.into_sample())
            }
            Load::Idle { .. } | Load::Start => unreachable!("no closed loop"),
        }
    }

    fn measure_idle(&self, bench: &Bench, streams: usize) -> anyhow::Result<Sample> {
        let servers = self.start(bench)?;
        let server = first(&servers)?;
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
        let servers = self.start(bench)?;
        let server = first(&servers)?;
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

fn first(servers: &[Server]) -> anyhow::Result<&Server> {
    servers.first().context("no server was started")
}

/// Runs a closed loop and adds what it cost the servers.
fn closed<E: Exchange>(
    bench: &Bench,
    servers: &[Server],
    connector: Option<TlsConnector>,
    (exchanges, length): (Vec<E>, Duration),
) -> anyhow::Result<Sample> {
    let spent = || servers.iter().map(Server::cpu).sum::<Result<Duration, _>>();
    let before = spent()?;
    let addresses = servers.iter().map(Server::address).collect();
    let work = closed_loop(addresses, connector, exchanges, length);
    let tally = bench.wait(length, work)?;
    let cpu = spent()? - before;
    let per_thousand = milliseconds(cpu) * 1000.0 / tally.units as f64;
    let mut sample = tally.into_sample();
    sample.insert(Metric::Cpu, per_thousand);
    Ok(sample)
}

impl Program {
    fn is_product(self) -> bool {
        !matches!(self, Self::Floor(_))
    }

    fn is_on_postgres(self) -> bool {
        matches!(self, Self::Replicas { .. } | Self::Floor(Floor::F3))
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
