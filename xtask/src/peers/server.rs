//! The test server as a child process, for programs that call it from outside.

use std::{
    ffi::OsStr,
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::contract::TOKEN_VARIABLE;

const START_LIMIT: Duration = Duration::from_secs(20);

/// Who the server lets in.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    Everybody,
    Bearer(&'static str),
}

/// A running server with a data directory of its own; gone when dropped.
pub(crate) struct Server {
    child: Child,
    directory: TempDir,
    port: u16,
}

impl Server {
    /// Starts this program as `serve-test`, with more flags of that, and waits until it listens.
    ///
    /// # Errors
    /// When the server does not start, with the first line it said.
    pub(crate) fn start(access: Access, flags: &[impl AsRef<OsStr>]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve-test").arg("--data-dir").arg(directory.path().join("data"));
        command.arg("--port-file").arg(directory.path().join("port")).args(flags);
        match access {
            Access::Everybody => command.arg("--no-auth"),
            Access::Bearer(token) => command.env(TOKEN_VARIABLE, token),
        };
        fs::create_dir(directory.path().join("data"))?;
        let log = fs::File::create(directory.path().join("log"))?;
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.context("cannot start the test server")?;
        let mut server = Self { child, directory, port: 0 };
        server.port = server.wait_for_port()?;
        Ok(server)
    }

    fn wait_for_port(&mut self) -> anyhow::Result<u16> {
        let start = Instant::now();
        while start.elapsed() < START_LIMIT {
            let written = fs::read_to_string(self.directory.path().join("port"));
            if let Some(port) = written.ok().as_deref().and_then(|text| text.strip_suffix('\n')) {
                return port.parse().with_context(|| format!("not a port: `{port}`"));
            }
            if let Some(status) = self.child.try_wait()? {
                let said = fs::read_to_string(self.directory.path().join("log"))?;
                bail!("test server, {status}: {}", said.lines().next().unwrap_or("said nothing"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("the test server has no port after {START_LIMIT:?}")
    }

    /// Returns the URL of its root.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
