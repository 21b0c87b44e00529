//! Plan `power`: what the real product writes is recorded, and the power cut at hundreds of places
//! of that record. What a client had been shown before the cut has to be in the database.

mod disk;
mod trace;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use legation_model::TaskState;
use legation_testkit::history::{Kind, Record, Seen, What};
use rusqlite::Connection;

use super::{Setup, has_program};
use crate::load::outcome::Outcome;
use crate::load::random::Random;
use crate::load::work::begin_work;
use disk::{Disk, Files};
use trace::Step;

/// How many clients are at work. Enough that several tasks are in one commit.
const CLIENTS: u32 = 8;

const LONGEST: u64 = 200;

/// Cuts of a disk that ignores syncs. Some must lose something, else the plan proves nothing.
const CONTROLS: usize = 40;

pub(super) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    if !has_program("strace") {
        return Ok(Outcome::skipped("strace is not installed"));
    }
    let traces = setup.directory.join("trace");
    fs::create_dir(&traces)?;
    let records = setup.runtime.block_on(record(setup, &traces))?;
    let steps = trace::read(&traces)?;
    let cuts = Cuts { directory: setup.directory.join("cut"), steps: &steps, records: &records };
    let mut random = Random::new(setup.seed);
    let found = cuts.simulate(setup, Disk::honest(), setup.cuts, &mut random)?;
    let control = cuts.simulate(setup, Disk::forgetful(), CONTROLS, &mut random)?;
    let mut faults = found.faults;
    if control.faults.is_empty() {
        faults.push("a disk that ignores syncs lost nothing: the simulation proves nothing".into());
    }
    let syncs = steps.iter().filter(|step| step.change == trace::Change::Sync).count();
    let counts = vec![
        ("cuts", found.cuts),
        ("writes", steps.len() as u64),
        ("syncs", syncs as u64),
        ("promises checked", found.promises),
        ("controls that lost something", control.faults.len() as u64),
    ];
    Ok(Outcome { counts, faults, skipped: None })
}

/// Lets clients work on a traced server; gives what they saw.
async fn record(setup: &Setup, traces: &Path) -> anyhow::Result<Vec<Record>> {
    let mut launch = setup.launch();
    launch.tracer = trace::tracer(&launch.data, traces);
    let world = setup.world()?;
    let (server, address) = launch.start().await?;
    world.up(address);
    let mut clients = begin_work(&world, &mut Random::new(setup.seed), CLIENTS, LONGEST);
    let seconds = if setup.short { 4 } else { 12 };
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    // All that clients saw by now was shown by a server that lived.
    clients.shutdown().await;
    server.kill()?;
    for _ in 0..1000 {
        if trace::is_complete(traces)? {
            return Ok(world.records());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("strace does not end")
}

/// The places at which the power may go, and what was promised by then.
struct Cuts<'a> {
    directory: std::path::PathBuf,
    steps: &'a [Step],
    records: &'a [Record],
}

/// What a task's readers were shown of it.
#[derive(Clone, Copy, Default)]
struct Promise {
    seq: u64,
    end: Option<TaskState>,
}

#[derive(Default)]
struct Found {
    cuts: u64,
    promises: u64,
    faults: Vec<String>,
}

impl Cuts<'_> {
    /// Cuts the power at random places.
    fn simulate(
        &self,
        setup: &Setup,
        mut disk: Disk,
        cuts: usize,
        random: &mut Random,
    ) -> anyhow::Result<Found> {
        if self.steps.len() < 2 {
            bail!("the server was not seen to write");
        }
        let mut places: Vec<_> =
            (0..cuts).map(|_| random.of(1..self.steps.len() as u64) as usize).collect();
        places.sort_unstable();
        let mut records = self.records.iter().peekable();
        let mut promises: BTreeMap<&str, Promise> = BTreeMap::new();
        let (mut found, mut done) = (Found::default(), 0);
        for place in places {
            if setup.late() {
                break;
            }
            self.steps[done..place].iter().for_each(|step| disk.take(step));
            done = place;
            // Until the next step begins, the disk is as the steps before it left it.
            let now = self.steps[place].begin;
            while let Some(record) = records.next_if(|record| record.at <= now) {
                promise(&mut promises, record);
            }
            found.cuts += 1;
            found.promises += promises.len() as u64;
            if let Err(error) = self.check(&disk.cut(random), &promises) {
                found.faults.push(format!("power cut before step {place}: {error:#}"));
            }
        }
        Ok(found)
    }

    /// Opens what the disk holds, as the product would, and looks for what was promised.
    fn check(&self, files: &Files, promises: &BTreeMap<&str, Promise>) -> anyhow::Result<()> {
        let _ = fs::remove_dir_all(&self.directory);
        fs::create_dir(&self.directory)?;
        for (name, bytes) in files {
            fs::write(self.directory.join(name), bytes)?;
        }
        if promises.is_empty() {
            return Ok(());
        }
        let database = Connection::open(self.directory.join("legation.db"))?;
        let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if verdict != "ok" {
            bail!("the database is damaged: {verdict}");
        }
        let stored = stored(&database)?;
        for (task, promise) in promises {
            let Some((seq, state)) = stored.get(*task) else {
                bail!("task {task} was acknowledged and is not there");
            };
            if *seq < promise.seq {
                bail!("event {} of task {task} was shown, {seq} are there", promise.seq);
            }
            if promise.end.is_some_and(|end| end != *state) {
                bail!("task {task} was shown as {:?} and is {state:?}", promise.end);
            }
        }
        Ok(())
    }
}

/// The last number and the state of every task in the database.
fn stored(database: &Connection) -> anyhow::Result<BTreeMap<String, (u64, TaskState)>> {
    let mut select = database.prepare(
        "SELECT t.id, t.state,
                (SELECT max(e.id) & 0xffffff FROM task_events e
                 WHERE e.id BETWEEN t.key << 24 AND (t.key + 1 << 24) - 1)
         FROM tasks t",
    )?;
    let mut rows = select.query([])?;
    let mut stored = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let state = TaskState::from_number(row.get(1)?).context("a state that does not exist")?;
        stored.insert(row.get(0)?, (row.get::<_, i64>(2)?.unsigned_abs(), state));
    }
    Ok(stored)
}

/// Notes what a record showed of a task.
fn promise<'a>(promises: &mut BTreeMap<&'a str, Promise>, record: &'a Record) {
    let (task, seq, state) = match &record.what {
        What::Answer { task, .. } | What::Read(task) => {
            let Seen { task, state, .. } = task;
            (task, 1, Some(*state))
        }
        What::Event { event, .. } => {
            let state = match &event.kind {
                Kind::Task { state } | Kind::Status { state, .. } => Some(*state),
                Kind::Chunk { .. } => None,
            };
            (&event.task, event.seq.unwrap_or(1), state)
        }
        What::Send(_)
        | What::Listed { .. }
        | What::Open { .. }
        | What::End { .. }
        | What::Failed { .. }
        | What::Fault(_)
        | What::Final => return,
    };
    let promise = promises.entry(task).or_default();
    promise.seq = promise.seq.max(seq);
    promise.end = promise.end.or(state.filter(|state| state.is_terminal()));
}
