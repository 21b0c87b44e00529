//! The product as a child process that can be killed, asked to stop and traced.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hyper::StatusCode;

use super::rpc;
use crate::bench::process::resident;
use crate::contract::{END_AT_VARIABLE, TOKEN_VARIABLE};

/// How long a start may take; long, because a traced server is slow.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How long it may take until a server comes to the point at which it ends.
const END_LIMIT: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(1);

/// How the product is started.
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    token: String,
    /// Where the log and the port file go.
    directory: PathBuf,
    /// Its data.
    pub(crate) data: PathBuf,
    /// The program and arguments under which it runs.
    pub(crate) tracer: Vec<OsString>,
    /// Further words of its command line.
    pub(crate) words: Vec<OsString>,
    /// Variables of its environment.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    port_file: PathBuf,
    log: PathBuf,
}

impl Launch {
    /// How a program is started that keeps everything in a directory.
    pub(crate) fn of(program: &Path, token: &str, directory: &Path) -> Self {
        Self {
            program: program.to_owned(),
            token: token.to_owned(),
            directory: directory.to_owned(),
            data: directory.join("data"),
            tracer: Vec::new(),
            words: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// Where its processes write what they have to say.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// Starts a process and does not wait for it.
    pub(crate) fn spawn(&self) -> anyhow::Result<Server> {
        self.spawn_with(None)
    }

    /// Starts a process that ends when it comes to a point for the nth time.
    pub(crate) fn spawn_to_end_at(&self, point: &str, nth: u64) -> anyhow::Result<Server> {
        self.spawn_with(Some((END_AT_VARIABLE, format!("{point}:{nth}"))))
    }

    fn spawn_with(&self, variable: Option<(&'static str, String)>) -> anyhow::Result<Server> {
        let port_file = self.directory.join("port");
        let log = self.log();
        // A file of an earlier start would be taken for this one's.
        let _ = fs::remove_file(&port_file);
        fs::create_dir_all(&self.data)?;
        let mut words = self.tracer.clone();
        words.push(self.program.clone().into());
        let (program, words) = words.split_first().context("no program")?;
        let child = Command::new(program)
            .args(words)
            .arg("serve-test")
            .arg("--data-dir")
            .arg(&self.data)
            .arg("--port-file")
            .arg(&port_file)
            .args(&self.words)
            .env(TOKEN_VARIABLE, &self.token)
            .envs(self.variables.iter().chain(&variable).map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(&log)?)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.display()))?;
        Ok(Server { child, port_file, log })
    }

    /// Starts a process and waits until it accepts connections.
    pub(crate) async fn start(&self) -> anyhow::Result<(Server, SocketAddr)> {
        let mut server = self.spawn()?;
        let address = server.address().await?;
        Ok((server, address))
    }
}

impl Server {
    /// Waits until it accepts connections; tells where.
    pub(crate) async fn address(&mut self) -> anyhow::Result<SocketAddr> {
        let begin = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(&self.port_file)
                && let Some(port) = text.strip_suffix('\n')
            {
                let port = port.parse().with_context(|| format!("not a port: `{port}`"))?;
                return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{status}: {}", last_line(&self.log));
            }
            if begin.elapsed() > START_LIMIT {
                bail!("no port after {START_LIMIT:?}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().context("cannot kill the server")?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) -> anyhow::Result<()> {
        self.signal("-TERM")
    }

    /// Lets it stand still.
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        self.signal("-STOP")
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) -> anyhow::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status()?;
        if !status.success() {
            bail!("cannot send a signal to process {id}");
        }
        Ok(())
    }

    /// Waits until it has ended by itself; `None` when it has not by then.
    pub(crate) async fn ended(&mut self, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if begin.elapsed() > limit {
                return Ok(None);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until it has come to the point at which it ends.
    pub(crate) async fn ended_at(&mut self, point: &str, nth: u64) -> anyhow::Result<()> {
        let ended = self.ended(END_LIMIT).await?;
        let status =
            ended.with_context(|| format!("it has not come to `{point}` for the {nth}th time"))?;
        // What ends there is aborted.
        ensure!(status.code().is_none(), "{status} before `{point}`: {}", last_line(&self.log));
        Ok(())
    }

    /// How long it calls itself ready, as far as the limit.
    pub(crate) async fn still_ready(
        &mut self,
        address: SocketAddr,
        limit: Duration,
    ) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        while begin.elapsed() < limit
            && rpc::status(address, "/readyz").await == Ok(StatusCode::OK)
            && self.ended(Duration::ZERO).await?.is_none()
        {}
        Ok(begin.elapsed())
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        resident(self.child.id())
    }

    /// How many files and sockets it has open.
    pub(crate) fn open_files(&self) -> anyhow::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn last_line(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    said.lines().next_back().unwrap_or("said nothing").to_owned()
}
