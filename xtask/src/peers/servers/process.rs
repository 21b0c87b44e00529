//! A foreign server as a process, and the wires that lead to it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use legation_testkit::wire::Wire;
use serde::Deserialize;

use super::super::{cargo_run, node, peers_directory, python};

/// How a server ends by itself when its standard input does; then it is killed.
const END_LIMIT: Duration = Duration::from_secs(2);

/// What serves.
pub(super) enum Program {
    /// `peers/python/NAME.py` with the packages of `NAME.txt`.
    Python(&'static str),
    /// `peers/js/server.js` with a release of the SDK.
    Node(&'static str),
    /// A package of the workspace `peers`.
    Rust(&'static str),
}

impl Program {
    /// Installs what the server needs and returns the command that runs it.
    ///
    /// # Errors
    /// When it cannot be installed.
    pub(super) fn prepare(&self, cache: &Path) -> anyhow::Result<Command> {
        match self {
            Self::Python(name) => python::script(&peers_directory(), cache, name),
            Self::Node(sdk) => {
                let scripts = node::install(&peers_directory().join("js"), &cache.join("js"))?;
                let mut command = Command::new("node");
                command.arg(scripts.join("server.js")).arg(sdk);
                Ok(command)
            }
            Self::Rust(package) => cargo_run(&peers_directory(), cache, package),
        }
    }
}

/// A running server. Its card names the wires; gone when dropped.
pub(super) struct Running {
    child: Child,
    log: File,
    /// To JSON-RPC, HTTP+JSON and the card.
    pub(super) http: Wire,
    pub(super) grpc: Wire,
}

/// What a server says when it listens.
#[derive(Deserialize)]
struct Ports {
    http: u16,
    grpc: u16,
}

impl Running {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it does not, with the last line it said.
    pub(super) async fn start(mut command: Command) -> anyhow::Result<Self> {
        let (http, grpc) = (Wire::open().await?, Wire::open().await?);
        command.arg(format!("http://{}", http.address())).arg(grpc.address().to_string());
        let log = tempfile::tempfile()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log.try_clone()?);
        let mut child = command.spawn().context("cannot start it")?;
        let output = child.stdout.take().expect("the output is piped");
        let mut output = BufReader::new(output);
        let mut rest = log.try_clone()?;
        let mut running = Self { child, log, http, grpc };
        let first = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            output.read_line(&mut line).map(|_| (line, output))
        });
        let (line, mut output) = first.await??;
        // Those who go on talking must not find the pipe closed.
        thread::spawn(move || io::copy(&mut output, &mut rest));
        let Ok(ports) = serde_json::from_str::<Ports>(&line) else {
            anyhow::bail!("it does not listen: {}", running.last_words()?);
        };
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        running.http.lead_to(at(ports.http));
        running.grpc.lead_to(at(ports.grpc));
        Ok(running)
    }

    /// Whether it is there still.
    ///
    /// # Errors
    /// When it has ended, with the last line it said.
    pub(super) fn stands(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        anyhow::bail!("{status}: {}", self.last_words()?)
    }

    fn last_words(&mut self) -> anyhow::Result<String> {
        let mut said = String::new();
        self.log.rewind()?;
        self.log.read_to_string(&mut said)?;
        Ok(said.lines().last().unwrap_or("nothing said").to_owned())
    }

    /// Where its card is looked for.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.http.address())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let step = Duration::from_millis(20);
        for _ in 0..END_LIMIT.as_millis() / step.as_millis() {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            thread::sleep(step);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
