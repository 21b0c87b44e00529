//! Plan `fsync`: a sync fails. Nothing may be acknowledged after that, because nobody knows what
//! the disk holds; the process has to end, and say that it failed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use legation_testkit::history::{Fault, Record, What};

use super::{Setup, has_program};
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::work::{begin_work, finish_work};
use crate::load::world::World;

const CLIENTS: u32 = 4;

const LONGEST: u64 = 100;

/// Syncs before which none fails, so that the server has started.
const FIRST: u64 = 40;

/// How long it may take until a failed sync ends the process.
const END: Duration = Duration::from_secs(1);

/// How long the syncs may take to come to the one that fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an answer may be under way that was given before the failure.
const UNDER_WAY: Duration = Duration::from_millis(100);

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    if !has_program("strace") {
        return Ok(Outcome::skipped("strace is not installed"));
    }
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        let mut faults = Vec::new();
        for round in 0..if setup.short { 2 } else { 10 } {
            if setup.late() {
                break;
            }
            let trace = setup.directory.join(format!("trace-{round}"));
            let failing = random.of(FIRST..FIRST + 100);
            faults.extend(fail_a_sync(setup, &world, &trace, failing).await?);
        }
        let (server, address) = setup.launch().start().await?;
        world.up(address);
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        drop(server);
        let mut outcome = world.outcome();
        outcome.faults.extend(faults);
        Ok(outcome)
    })
}

/// Lets a sync of the server fail; gives what is wrong with what it did then.
async fn fail_a_sync(
    setup: &Setup,
    world: &World,
    trace: &Path,
    failing: u64,
) -> anyhow::Result<Vec<String>> {
    let mut launch = setup.launch();
    let inject = format!("inject=fdatasync,fsync:error=EIO:when={failing}");
    let words = ["strace", "-D", "-f", "-q", "-ttt", "-e", "trace=fdatasync,fsync", "-e", &inject];
    launch.tracer = words.into_iter().map(Into::into).collect();
    launch.tracer.extend(["-o".into(), PathBuf::from(trace).into()]);
    let (mut server, address) = launch.start().await?;
    world.up(address);
    // It will refuse for a moment and then end by itself, which looks like a kill.
    world.fault(Fault::Starve);
    world.fault(Fault::Kill);
    let ended = server.ended(PATIENCE).await?;
    let end = micros_now();
    world.down(Fault::Kill);
    let Some(status) = ended else {
        server.kill()?;
        return Ok(vec![format!("sync {failing} failed and the process lived on")]);
    };
    let failed = failure(trace)?;
    let mut faults = Vec::new();
    if status.success() || status.code().is_none() {
        faults.push(format!("after a failed sync the process ended with {status}"));
    }
    let took = Duration::from_micros(end.saturating_sub(failed));
    if took > END {
        faults.push(format!("the process ended {took:?} after a failed sync"));
    }
    faults.extend(acknowledged_after(failed, &world.records()));
    Ok(faults)
}

/// When the sync failed, in microseconds.
fn failure(trace: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(trace)?;
    let line = text.lines().find(|line| line.ends_with("(INJECTED)"));
    let line = line.context("the process ended before a sync failed")?;
    let time = line.split_whitespace().nth(1).context("a line without a time")?;
    let seconds: f64 = time.parse().with_context(|| format!("not a time: `{time}`"))?;
    Ok((seconds * 1e6) as u64)
}

/// Finds answers that were given after the failure.
fn acknowledged_after(failed: u64, records: &[Record]) -> Vec<String> {
    let under_way = failed + UNDER_WAY.as_micros() as u64;
    let late = records
        .iter()
        .filter(|record| record.at > under_way)
        .filter(|record| matches!(record.what, What::Answer { .. } | What::Event { .. }));
    late.map(|record| format!("acknowledged after a failed sync: {:?}", record.what)).collect()
}

fn micros_now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64
}
