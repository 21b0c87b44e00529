//! A server under test as a child process, and what the kernel says about it.

use std::{
    ffi::OsStr,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::hold::Hold;
use crate::contract::TOKEN_VARIABLE;

/// The kernel's clock ticks in a second, as /proc counts; 100 on every Linux we use.
const TICKS: u64 = 100;

/// The file in a server's directory that gets its standard error.
pub(super) const LOG: &str = "log";

const START_LIMIT: Duration = Duration::from_secs(20);

/// A running server; killed when dropped.
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    /// After the child, which has to have ended first.
    hold: Option<Hold>,
}

impl Server {
    /// Starts `program` with `words`, its data in `directory`, and waits for its port.
    pub(super) fn start(
        program: &Path,
        words: &[&OsStr],
        directory: &Path,
        token: &str,
    ) -> anyhow::Result<Self> {
        let port_file = directory.join("port");
        let log = directory.join(LOG);
        // A file of an earlier start would be taken for this one's.
        let _ = fs::remove_file(&port_file);
        let child = Command::new(program)
            .args(words)
            .arg("--data-dir")
            .arg(directory)
            .arg("--port-file")
            .arg(&port_file)
            .env(TOKEN_VARIABLE, token)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.display()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut server = Self { child, address, hold: None };
        let port = server.wait_for_port(&port_file, &log)?;
        server.address.set_port(port);
        Ok(server)
    }

    fn wait_for_port(&mut self, port_file: &Path, log: &Path) -> anyhow::Result<u16> {
        let start = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(port_file)
                && let Some(port) = text.strip_suffix('\n')
            {
                return port.parse().with_context(|| format!("not a port: `{port}`"));
            }
            if let Some(status) = self.child.try_wait()? {
                let said = fs::read_to_string(log).unwrap_or_default();
                bail!("{status}: {}", said.lines().next().unwrap_or("said nothing"));
            }
            if start.elapsed() > START_LIMIT {
                bail!("no port after {START_LIMIT:?}");
            }
            // Short, because the start itself is one of the things measured.
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// Lets it have so many percent of a core from now on.
    pub(super) fn hold(&mut self, percent: u32) -> anyhow::Result<()> {
        self.hold = Some(Hold::new(self.child.id(), percent)?);
        Ok(())
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the processor time used so far, by all its threads, those that ended too.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu(self.child.id())
    }

    /// Returns its resident memory in bytes.
    pub(super) fn resident(&self) -> anyhow::Result<u64> {
        resident(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the processor time a process has used, by all its threads, those that ended too.
pub(crate) fn cpu(process: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    let ticks = ticks(&stat).with_context(|| format!("`{path}` is not as expected"))?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// Returns the resident memory of a process in bytes.
pub(crate) fn resident(process: u32) -> anyhow::Result<u64> {
    // Not `statm`, whose counts lag behind by some pages for each thread.
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB")?.parse().ok());
    let kilobytes: u64 = kilobytes.with_context(|| format!("`{path}` has no `Rss`"))?;
    Ok(kilobytes * 1024)
}

/// Returns user and system time of a /proc/PID/stat line: fields 14 and 15, counted
/// after the name in brackets, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_user_and_system_time() {
        let stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 70 8 0 0 20 0";
        assert_eq!(ticks(stat), Some(78));
        assert_eq!(ticks("42 (x"), None);
    }
}
