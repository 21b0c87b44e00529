//! Plan `disk`: the disk fills up. Writes are refused with an error that says so, reads and health
//! stay, nothing acknowledged is lost, and room that is made is used without a restart.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use hyper::StatusCode;
use legation_testkit::history::{Failure, Fault, Policy, Reason};

use super::Setup;
use crate::load::actor::Actor;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::rpc;
use crate::load::work::{begin_work, finish_work};
use crate::load::world::World;

/// Bytes of the disk, or of the database where no disk can be made.
const DISK: u64 = 24 << 20;

/// Bytes that are in the way and can be removed.
const BALLAST: usize = 10 << 20;

const CLIENTS: u32 = 3;

const LONGEST: u64 = 200;

/// How many tasks it takes at most to fill the disk.
const FILLERS: usize = 2_000;

/// How long the server may take to notice that there is room again.
const HEAL: Duration = Duration::from_secs(10);

/// The client that fills the disk, and its look at it from outside the history.
const FILLER: u32 = 60;

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let disk = SmallDisk::mount(setup.directory.join("data"))?;
    let mut launch = setup.launch();
    if disk.is_none() {
        launch.variables.push(("LEGATION_TEST_MAX_BYTES", DISK.to_string()));
    }
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        if disk.is_some() {
            put_ballast(&launch.data)?;
        }
        let (mut server, mut address) = launch.start().await?;
        world.up(address);
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let filler = Actor::new(&world, FILLER, random.fork());
        world.fault(Fault::Starve);
        let fillers = fill(&filler).await?;
        let mut faults = while_full(&world, &filler, address).await;
        if disk.is_some() {
            fs::remove_file(launch.data.join("ballast"))?;
        } else {
            // The bound of the database is the server's own, so more room takes a start.
            world.fault(Fault::Kill);
            server.kill()?;
            launch.variables.clear();
            (server, address) = launch.start().await?;
            world.up(address);
        }
        let healed = heal(&filler).await;
        if healed > HEAL {
            faults.push(format!("does not take messages {HEAL:?} after there was room again"));
        }
        world.fault(Fault::Relieve);
        tokio::time::sleep(Duration::from_millis(500)).await;
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        drop(server);
        let mut outcome = world.outcome();
        outcome.faults.extend(faults);
        outcome.counts.push(("tasks filled the disk", fillers as u64));
        outcome.counts.push(("ms to heal", healed.as_millis() as u64));
        Ok(outcome)
    })
}

/// A file system in memory; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Makes one at a path; `None` when this user may not.
    fn mount(path: PathBuf) -> anyhow::Result<Option<Self>> {
        fs::create_dir_all(&path)?;
        let size = format!("size={DISK}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
        Ok(mount.is_ok_and(|output| output.status.success()).then_some(Self(path)))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server is gone by now, so nothing holds it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn put_ballast(data: &Path) -> anyhow::Result<()> {
    let mut file = File::create(data.join("ballast"))?;
    file.write_all(&vec![0; BALLAST])?;
    Ok(())
}

/// Sends long tasks until one is refused; tells how many it took.
async fn fill(filler: &Actor) -> anyhow::Result<usize> {
    for number in 0..FILLERS {
        let errand = filler.client.count(Policy::Resume, 1500, 0, false);
        if filler.send_until_answered(&errand).await.is_none() {
            return Ok(number);
        }
    }
    bail!("{FILLERS} tasks do not fill the disk");
}

/// What must hold while the disk is full.
async fn while_full(world: &Arc<World>, filler: &Actor, address: SocketAddr) -> Vec<String> {
    let mut faults = Vec::new();
    let mut refusals = 0;
    for _ in 0..20 {
        let errand = filler.client.count(Policy::Resume, 1500, 0, false);
        let begin = Instant::now();
        match filler.client.send(&errand).await {
            Ok(_) => {}
            Err(Failure::Refused { reason: Reason::Full, .. }) => refusals += 1,
            Err(failure) => faults.push(format!("a send on a full disk: {failure:?}")),
        }
        if begin.elapsed() > Duration::from_secs(2) {
            faults.push(format!("a send on a full disk took {:?}", begin.elapsed()));
        }
    }
    if refusals == 0 {
        faults.push("no send was refused as the storage is full".into());
    }
    if rpc::status(address, "/healthz").await != Ok(StatusCode::OK) {
        faults.push("is not healthy while the disk is full".into());
    }
    for (task, known) in world.known() {
        if let Err(failure) = filler.client.read(&task, known.policy).await {
            faults.push(format!("task {task} cannot be read while the disk is full: {failure:?}"));
        }
    }
    faults
}

/// Waits until messages are taken again; tells how long that took.
async fn heal(filler: &Actor) -> Duration {
    let begin = Instant::now();
    while begin.elapsed() <= HEAL {
        let errand = filler.client.count(Policy::Fail, 3, 0, false);
        if filler.send_until_answered(&errand).await.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    begin.elapsed()
}
