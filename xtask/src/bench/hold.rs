//! Holds a process to a share of a core, by a control group of the kernel.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The time over which the share is counted, in microseconds.
const PERIOD: u32 = 20_000;

/// A group with one process in it. It goes when that has ended and this is dropped.
pub(super) struct Hold(PathBuf);

impl Hold {
    /// Holds a process, with all its threads, to so many percent of a core.
    ///
    /// # Errors
    /// When there are no control groups, or this process may not make one.
    pub(super) fn new(process: u32, percent: u32) -> anyhow::Result<Self> {
        let quota = PERIOD / 100 * percent;
        let name = format!("legation-bench-{process}");
        let hold = || -> io::Result<Self> {
            // The first version of groups has a hierarchy for each resource, the second one for all.
            let first = Path::new("/sys/fs/cgroup/cpu");
            let group = if first.is_dir() { first } else { Path::new("/sys/fs/cgroup") }.join(name);
            fs::create_dir(&group)?;
            let hold = Self(group);
            if first.is_dir() {
                fs::write(hold.0.join("cpu.cfs_period_us"), PERIOD.to_string())?;
                fs::write(hold.0.join("cpu.cfs_quota_us"), quota.to_string())?;
            } else {
                fs::write(hold.0.join("cpu.max"), format!("{quota} {PERIOD}"))?;
            }
            fs::write(hold.0.join("cgroup.procs"), process.to_string())?;
            Ok(hold)
        };
        hold().context("cannot hold a process to a share of a core by a control group")
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
