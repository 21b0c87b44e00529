//! The replicas of a plan, each in a place of its own.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use legation_testkit::history::Fault;

use super::{Setup, TOKEN};
use crate::load::server::{Launch, Server};
use crate::load::world::World;

/// What a replica says of a write that came too late.
const FENCED: &str = "another run owns the task";

pub(super) struct Fleet {
    world: Arc<World>,
    replicas: Vec<Replica>,
}

/// A place, and the process that is there.
pub(super) struct Replica {
    pub(super) launch: Launch,
    server: Option<Server>,
    address: Option<SocketAddr>,
}

impl Fleet {
    /// Places for replicas, none of which is started.
    pub(super) fn new(setup: &Setup, world: &Arc<World>, size: usize) -> Self {
        let replicas = (0..size).map(|place| Replica::new(setup, place)).collect();
        Self { world: world.clone(), replicas }
    }

    /// As many replicas as that, which take calls.
    pub(super) async fn start_all(
        setup: &Setup,
        world: &Arc<World>,
        size: usize,
    ) -> anyhow::Result<Self> {
        let mut fleet = Self::new(setup, world, size);
        for place in 0..size {
            fleet.start(place).await?;
        }
        Ok(fleet)
    }

    /// How many places there are.
    pub(super) fn size(&self) -> u64 {
        self.replicas.len() as u64
    }

    /// The replica of a place.
    pub(super) fn at(&mut self, place: usize) -> &mut Replica {
        &mut self.replicas[place]
    }

    /// Starts the replica of a place, and lets clients call it.
    pub(super) async fn start(&mut self, place: usize) -> anyhow::Result<()> {
        let replica = &mut self.replicas[place];
        let (server, address) = replica.launch.start().await?;
        (replica.server, replica.address) = (Some(server), Some(address));
        self.world.up_at(place, address);
        Ok(())
    }

    /// Kills the replica of a place.
    pub(super) fn kill(&mut self, place: usize) -> anyhow::Result<()> {
        self.world.down_at(place, Fault::Kill);
        self.replicas[place].server.take().context("nobody is there")?.kill()
    }

    /// Kills the replica of a place and starts another one there.
    pub(super) async fn kill_and_start(&mut self, place: usize) -> anyhow::Result<()> {
        self.kill(place)?;
        self.start(place).await
    }

    /// Starts the replica of a place and kills it on its way.
    pub(super) async fn start_and_kill(
        &mut self,
        place: usize,
        after: Duration,
    ) -> anyhow::Result<()> {
        let server = self.replicas[place].launch.spawn()?;
        tokio::time::sleep(after).await;
        self.world.down_at(place, Fault::Kill);
        server.kill()
    }

    /// Starts the replica of a place so that it ends at a point, and waits until it has.
    pub(super) async fn start_to_end_at(
        &mut self,
        place: usize,
        point: &str,
        nth: u64,
    ) -> anyhow::Result<()> {
        let mut server = self.replicas[place].launch.spawn_to_end_at(point, nth)?;
        // It may come there before it takes calls.
        if let Ok(address) = server.address().await {
            self.world.up_at(place, address);
            self.world.fault(Fault::Kill);
        }
        server.ended_at(point, nth).await?;
        self.world.down_at(place, Fault::Kill);
        Ok(())
    }

    /// How many writes were refused because they came too late.
    pub(super) fn fenced(&self) -> u64 {
        let logs = self.replicas.iter().map(|replica| replica.launch.log());
        let logs = logs.map(|log| fs::read_to_string(log).unwrap_or_default());
        logs.map(|log| log.lines().filter(|line| line.contains(FENCED)).count() as u64).sum()
    }
}

impl Replica {
    fn new(setup: &Setup, place: usize) -> Self {
        let directory = setup.directory.join(format!("replica-{place}"));
        let launch = Launch::of(&setup.program, TOKEN, &directory);
        let mut replica = Self { launch, server: None, address: None };
        let socket = setup.cluster.socket();
        replica.store_at(setup, socket.parent().unwrap_or(Path::new("/")));
        replica
    }

    /// Lets it find the database by a socket in this directory.
    pub(super) fn store_at(&mut self, setup: &Setup, socket: &Path) {
        let lease = setup.lease.as_secs_f64().to_string();
        let words = ["--lease", &lease, "--store", &setup.store(socket)];
        self.launch.words = words.map(OsString::from).to_vec();
    }

    /// Where it takes calls.
    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        self.address.context("nobody is there")
    }

    /// The process.
    pub(super) fn server(&mut self) -> anyhow::Result<&mut Server> {
        self.server.as_mut().context("nobody is there")
    }
}
