//! Plan `clock`: one replica's clock is ten minutes ahead, another's ten minutes behind. No task is taken
//! from a replica that is there, and none is given up early.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use legation_testkit::history::{Kind, Record, What};

use super::Setup;
use super::fleet::Fleet;
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::readback::read_back;
use crate::load::rpc;
use crate::load::work::{begin_work, finish_work};

const REPLICAS: usize = 3;

const CLIENTS: u32 = 8;

const LONGEST: u64 = 2000;

/// Where distributions have the library that tells another time.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let Some(library) = LIBRARIES.iter().find(|path| Path::new(path).exists()) else {
        return Ok(Outcome::skipped("libfaketime is not installed"));
    };
    setup.runtime.block_on(async {
        let world = setup.world()?;
        let mut random = Random::new(setup.seed);
        let mut fleet = Fleet::new(setup, &world, REPLICAS);
        for (place, minutes) in [10, -10, 0].into_iter().enumerate() {
            if minutes != 0 {
                let time = format!("{minutes:+}m");
                let variables = [("LD_PRELOAD", (*library).to_owned()), ("FAKETIME", time)];
                fleet.at(place).launch.variables.extend(variables);
            }
            fleet.start(place).await?;
            let ahead = ahead(fleet.at(place).address()?).await?;
            anyhow::ensure!((ahead - minutes * 60).abs() < 10, "its clock is {ahead} s ahead");
        }
        let mut clients = begin_work(&world, &mut random, CLIENTS, LONGEST);
        tokio::time::sleep(setup.calm.max(setup.lease * 3)).await;
        finish_work(&world, &mut clients).await?;
        read_back(&world).await?;
        let mut outcome = world.outcome();
        outcome.faults.extend(taken(&world.records()));
        Ok(outcome)
    })
}

/// How many seconds a server's clock is ahead of ours.
async fn ahead(address: SocketAddr) -> anyhow::Result<i64> {
    let answer = rpc::get(address, "/healthz").await;
    let answer = answer.map_err(|failure| anyhow::anyhow!("no health: {failure:?}"))?;
    let date = answer.headers().get("date").context("an answer without a date")?.to_str()?;
    let date = jiff::fmt::rfc2822::parse(date)?.timestamp();
    Ok(date.as_second() - Timestamp::now().as_second())
}

/// Tasks that were begun again, though nobody was gone.
fn taken(records: &[Record]) -> Vec<String> {
    let taken = records.iter().filter_map(|record| {
        let What::Event { event, .. } = &record.what else { return None };
        let is_restart = matches!(event.kind, Kind::Status { attempt: Some(_), .. });
        is_restart.then(|| format!("task {} was taken from a replica that is there", event.task))
    });
    let mut taken: Vec<_> = taken.collect();
    taken.sort_unstable();
    taken.dedup();
    taken
}
