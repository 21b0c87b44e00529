//! `xtask callers`: our client beside those of others, against the same server, in alternation.
//!
//! A client is a process of its own. It is told `URL BINDING LOAD AT_ONCE SECONDS`, does the work for
//! a moment, prints `begin`, does it for so long, prints how much it did, and ends with its standard
//! input. What it costs is read from outside, the same way for each.

mod call;

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;
use std::{env, fmt};

use anyhow::{Context as _, ensure};

pub(crate) use call::{CallArgs, run as run_call};

use crate::bench::process::{cpu, resident};
use crate::contract::TOKEN_VARIABLE;
use crate::peers::server::{Access, Server};
use crate::peers::{python, target_directory};

const TOKEN: &str = "the-token-of-the-callers-that-are-measured";

/// How long and how often.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CallersArgs {
    /// Seconds of one measurement
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Measurements of each client; medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// What the clients are measured by.
const LOADS: [(&str, &str, usize); 4] = [
    ("JSONRPC", "send", 16),
    ("GRPC", "send", 16),
    ("JSONRPC", "chunks", 4),
    ("GRPC", "chunks", 4),
];

/// A client that is installed.
struct Client {
    name: &'static str,
    words: Vec<OsString>,
}

/// What a client did, and at what price.
#[derive(Clone, Copy)]
struct Sample {
    /// Messages, or chunks, in a second.
    rate: f64,
    /// Processor time for 1,000 of them, in milliseconds.
    cpu: f64,
    /// Resident memory at the end, in MB.
    resident: f64,
}

/// Measures all clients that can be installed.
///
/// # Errors
/// When the server or a client does not do its work.
pub(crate) fn run(args: &CallersArgs) -> anyhow::Result<ExitCode> {
    let clients = installed()?;
    let server = Server::start(Access::Bearer(TOKEN), &["--agent", "echo"])?;
    for (binding, load, at_once) in LOADS {
        println!("{load} over {binding}, {at_once} at once");
        println!("  {:<24}{:>12}{:>12}{:>10}", "", "per s", "CPU ms/1k", "RSS MB");
        let mut samples = vec![Vec::new(); clients.len()];
        for _ in 0..args.rounds.max(1) {
            for (client, samples) in clients.iter().zip(&mut samples) {
                let work = [binding, load, &at_once.to_string(), &args.seconds.to_string()];
                let sample = client.measure(&server.url(), &work);
                samples.push(sample.with_context(|| client.name)?);
            }
        }
        for (client, samples) in clients.iter().zip(&samples) {
            println!("  {:<24}{}", client.name, Sample::median(samples));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn installed() -> anyhow::Result<Vec<Client>> {
    let cache = target_directory()?.join("peers");
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("peers");
    let mut clients = vec![Client {
        name: "legation-client",
        words: vec![env::current_exe()?.into(), "call".into()],
    }];
    match official_rust(&peers, &cache) {
        Ok(program) => clients.push(Client { name: "a2a-client-lf (Rust)", words: vec![program] }),
        Err(missing) => println!("skip a2a-client-lf: {missing:#}"),
    }
    let requirements = std::fs::read_to_string(peers.join("python").join("client_1_0.txt"))?;
    match python::environment(&cache.join("client_1_0"), &requirements) {
        Ok(python) => {
            let script = peers.join("python").join("call_1_0.py");
            clients.push(Client {
                name: "a2a-sdk 1.3 (Python)",
                words: vec![python.into(), script.into()],
            });
        }
        Err(missing) => println!("skip a2a-sdk: {missing:#}"),
    }
    Ok(clients)
}

/// Builds the client on the official Rust SDK, with all that the compiler can do.
fn official_rust(peers: &Path, cache: &Path) -> anyhow::Result<OsString> {
    let target = cache.join("rust");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--locked", "--bin", "call-a2a-client-lf"]);
    cargo.arg("--manifest-path").arg(peers.join("Cargo.toml")).arg("--target-dir").arg(&target);
    python::output_of(&mut cargo)?;
    Ok(target.join("release").join("call-a2a-client-lf").into())
}

impl Client {
    fn measure(&self, url: &str, work: &[&str]) -> anyhow::Result<Sample> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).arg(url).args(work).env(TOKEN_VARIABLE, TOKEN);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let sample = watch(&mut child);
        let _ = child.kill();
        let _ = child.wait();
        sample
    }
}

fn watch(child: &mut Child) -> anyhow::Result<Sample> {
    let mut said = BufReader::new(child.stdout.take().context("the output is piped")?);
    let mut line = String::new();
    said.read_line(&mut line)?;
    ensure!(line.trim() == "begin", "it said `{}` instead of `begin`", line.trim());
    let (began, before) = (Instant::now(), cpu(child.id())?);
    line.clear();
    said.read_line(&mut line)?;
    let (took, used) = (began.elapsed(), cpu(child.id())?.saturating_sub(before));
    let count: f64 =
        line.trim().parse().with_context(|| format!("no number: `{}`", line.trim()))?;
    ensure!(count > 0.0, "it did nothing");
    Ok(Sample {
        rate: count / took.as_secs_f64(),
        cpu: used.as_secs_f64() * 1e6 / count,
        resident: resident(child.id())? as f64 / (1 << 20) as f64,
    })
}

impl Sample {
    /// The median of each figure by itself.
    fn median(samples: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<_> = samples.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        Self {
            rate: middle(|it| it.rate),
            cpu: middle(|it| it.cpu),
            resident: middle(|it| it.resident),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.0}{:>12.2}{:>10.1}", self.rate, self.cpu, self.resident)
    }
}
