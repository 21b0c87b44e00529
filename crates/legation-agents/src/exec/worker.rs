//! A process that speaks the protocol, and the runs that it serves.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use legation_core::Turn;
use legation_model::TaskId;
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::lines::{Found, Lines};
use super::process::{House, Process};
use super::protocol::{self, Brief, Line, Told};
use super::stderr::{self, Writer};
use crate::answer::printable;
use crate::said::Said;

/// Runs that a worker gets at once when it does not say how many it wants.
const CONCURRENCY: usize = 32;
/// Batches of lines that wait for a run before the program has to.
const BATCHES: usize = 16;
/// A line that cannot be read tells in its head which run it is of, or not at all.
const HEAD: usize = 256;

/// Numbers for workers and runs; they are never used again while the server is up.
static NUMBERS: AtomicU64 = AtomicU64::new(1);

fn number() -> u64 {
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// A process that speaks the protocol.
pub(super) struct Worker {
    number: u64,
    house: House,
    /// Asks the process to end.
    ending: CancellationToken,
    /// Closes its input, upon which a program ends by itself.
    dismissed: CancellationToken,
    state: Mutex<State>,
    stage: watch::Sender<Stage>,
    /// Lines for the program, which one task writes.
    outbox: Mutex<Vec<u8>>,
    filled: Notify,
    /// Rung when there is room for another run.
    freed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    routes: HashMap<u64, Route>,
    capacity: usize,
    takes_unfit: bool,
    retired: bool,
}

/// Where the lines of a run go.
struct Route {
    task: TaskId,
    /// `None` when nobody listens any more and the program has not noticed yet.
    to: Option<mpsc::Sender<Batch>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Starting,
    Ready,
    /// It takes no new runs.
    Retired,
    /// It is no more, for this reason.
    Gone(String),
}

/// What was said at once about a run.
pub(super) struct Batch {
    pub(super) said: Vec<protocol::Heard>,
    pub(super) bytes: u64,
}

/// The place of a run in a worker. The program hears of it when this is dropped before the end.
pub(super) struct Seat {
    worker: Arc<Worker>,
    run: u64,
    said: mpsc::Receiver<Batch>,
    done: bool,
}

impl Worker {
    /// Starts one.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(super) fn start(house: &House, freed: &Arc<Notify>) -> Result<Arc<Self>, String> {
        let (process, pipes) = Process::start(house, None)?;
        let worker = Arc::new(Self {
            number: number(),
            house: house.clone(),
            ending: process.ending(),
            dismissed: process.ending().child_token(),
            state: Mutex::default(),
            stage: watch::Sender::new(Stage::Starting),
            outbox: Mutex::default(),
            filled: Notify::new(),
            freed: freed.clone(),
        });
        let grace = house.settings.stop_grace;
        let errors = Writer::Worker(Arc::downgrade(&worker));
        house.tasks.spawn(stderr::log(pipes.stderr, errors, process.silence(grace)));
        let writing = worker.clone().write(pipes.stdin);
        house.tasks.spawn(async move {
            // An error means that the program does not listen; its reader finds out what that is.
            let _ = writing.await;
        });
        house.tasks.spawn(worker.clone().live(process, pipes.stdout));
        Ok(worker)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The task of the only run, when there is one.
    pub(super) fn only_task(&self) -> Option<TaskId> {
        let state = self.state.lock();
        let mut routes = state.routes.values();
        routes.next().filter(|_| routes.next().is_none()).map(|route| route.task.clone())
    }

    /// Waits for the program to greet.
    ///
    /// # Errors
    /// With the reason when it does not.
    pub(super) async fn ready(&self) -> Result<(), String> {
        let mut stage = self.stage.subscribe();
        let time = self.house.settings.idle_time;
        let greeted = stage.wait_for(|stage| *stage != Stage::Starting);
        match tokio::time::timeout(time, greeted).await {
            Err(_) => {
                self.ending.cancel();
                Err(format!("did not say `ready` within {} s", time.as_secs_f64()))
            }
            Ok(Err(_)) => Err("ended with the server".into()),
            Ok(Ok(stage)) => match &*stage {
                Stage::Gone(how) => Err(format!("{how} before it said `ready`")),
                Stage::Starting | Stage::Ready | Stage::Retired => Ok(()),
            },
        }
    }

    /// Waits until it takes no more runs; tells how it ended unless it was retired.
    pub(super) async fn out_of_service(&self) -> Option<String> {
        let mut stage = self.stage.subscribe();
        let out = stage.wait_for(|stage| matches!(stage, Stage::Retired | Stage::Gone(_))).await;
        match out.as_deref() {
            Ok(Stage::Gone(how)) => Some(how.clone()),
            Ok(Stage::Starting | Stage::Ready | Stage::Retired) | Err(_) => None,
        }
    }

    /// Waits until the process has ended, and tells how.
    pub(super) async fn gone(&self) -> String {
        let mut stage = self.stage.subscribe();
        let gone = stage.wait_for(|stage| matches!(stage, Stage::Gone(_))).await;
        match gone.as_deref() {
            Ok(Stage::Gone(how)) => how.clone(),
            Ok(Stage::Starting | Stage::Ready | Stage::Retired) | Err(_) => "ended".into(),
        }
    }

    /// How many runs it has, unless it takes no more.
    pub(super) fn load(&self) -> Option<usize> {
        let state = self.state.lock();
        let load = state.routes.len();
        (!state.retired && load < state.capacity).then_some(load)
    }

    /// Begins a run on the turn's message; `None` when there is no room.
    pub(super) fn begin(self: &Arc<Self>, turn: &Turn, brief: &Brief) -> Option<Seat> {
        let (to, said) = mpsc::channel(BATCHES);
        let run = number();
        let task = turn.message().task_id.clone().unwrap_or_else(|| turn.task().id);
        {
            let mut state = self.state.lock();
            if state.retired || state.routes.len() >= state.capacity {
                return None;
            }
            state.routes.insert(run, Route { task, to: Some(to) });
        }
        protocol::begin(run, turn, brief, &mut self.outbox.lock());
        self.filled.notify_one();
        Some(Seat { worker: self.clone(), run, said, done: false })
    }

    /// Lets the process end once its runs have.
    pub(super) fn retire(&self) {
        let is_idle = {
            let mut state = self.state.lock();
            state.retired = true;
            state.routes.values().all(|route| route.to.is_none())
        };
        self.stage.send_if_modified(|stage| {
            let serves = matches!(stage, Stage::Starting | Stage::Ready);
            if serves {
                *stage = Stage::Retired;
            }
            serves
        });
        if is_idle {
            self.dismiss();
        }
    }

    /// Lets the process end by itself, and ends it when it does not.
    pub(super) fn dismiss(&self) {
        if self.dismissed.is_cancelled() {
            return;
        }
        self.dismissed.cancel();
        let (ending, grace) = (self.ending.clone(), self.house.settings.stop_grace);
        self.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(grace) => ending.cancel(),
                () = ending.cancelled() => {}
            }
        });
    }

    /// Asks the process to end now.
    pub(super) fn end(&self) {
        self.ending.cancel();
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        // There is none when the runs go with their runtime, and then the process goes too.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.house.tasks.spawn_on(work, &runtime);
        }
    }

    fn tell(&self, told: &Told<'_>) {
        told.write(&mut self.outbox.lock());
        self.filled.notify_one();
    }

    /// Writes what is in the outbox, all that has come together at once.
    async fn write(self: Arc<Self>, mut stdin: ChildStdin) -> std::io::Result<()> {
        let mut lines = Vec::new();
        loop {
            tokio::select! {
                () = self.filled.notified() => {}
                () = self.dismissed.cancelled() => {}
            }
            lines.clear();
            std::mem::swap(&mut lines, &mut *self.outbox.lock());
            tokio::select! {
                // The input first: what was said last, that the run is cancelled, has to arrive.
                biased;
                written = stdin.write_all(&lines) => written?,
                () = self.ending.cancelled() => return Ok(()),
            }
            if self.dismissed.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// Follows the process to its end.
    async fn live(self: Arc<Self>, process: Process, stdout: ChildStdout) {
        let silence = process.silence(self.house.settings.stop_grace);
        tokio::select! {
            () = self.read(stdout) => {}
            () = silence => {}
        }
        // Without an output it can serve nobody.
        process.end();
        let how = process.ended().await.how;
        let runs = {
            let mut state = self.state.lock();
            state.retired = true;
            std::mem::take(&mut state.routes).len()
        };
        tracing::debug!(worker = self.number, runs, "the program {how}");
        self.stage.send_replace(Stage::Gone(how));
        self.freed.notify_waiters();
    }

    async fn read(&self, stdout: ChildStdout) {
        let mut lines = Lines::new(stdout, self.house.settings.line_bytes);
        let mut strays = 0;
        while lines.fill().await.is_ok_and(|more| more) {
            let mut heard = Heard::default();
            while let Some(found) = lines.next() {
                strays += self.hear(found, &mut heard);
            }
            for (run, batch) in heard.0 {
                self.deliver(run, batch).await;
            }
            // Nobody can be asked to stop a program that floods us with what is of no run.
            if strays > self.house.settings.output_bytes {
                tracing::warn!(worker = self.number, "a program says too much that is of no run");
                return;
            }
        }
        // The last line may lack its end. Half a line only says that the process was lost.
        let mut heard = Heard::default();
        if let Some(line) = lines.rest().filter(|line| protocol::read(line).is_ok()) {
            self.hear(Found::Line(line), &mut heard);
        }
        for (run, batch) in heard.0 {
            self.deliver(run, batch).await;
        }
    }

    /// Finds out which run a line is of. Gives the bytes that are of none.
    fn hear(&self, found: Found<'_>, heard: &mut Heard) -> u64 {
        let (line, read) = match found {
            Found::Line(line) => (line, protocol::read(line)),
            Found::TooLong(head) => {
                let most = self.house.settings.line_bytes;
                (head, Err(format!("wrote a line of more than {most} bytes")))
            }
        };
        let bytes = line.len() as u64;
        match read {
            Ok(Line::Ready { concurrency, unfit }) => self.greeted(concurrency, unfit),
            Ok(Line::Of(Some(run), said)) => heard.add(run, said, bytes),
            Ok(Line::Of(None, said)) => match self.only_run() {
                Some(run) => heard.add(run, said, bytes),
                None => return self.stray(line),
            },
            Err(fault) => match self.run_in(line) {
                Some(run) => heard.add(run, Err(fault), bytes),
                None => return self.stray(line),
            },
        }
        0
    }

    fn greeted(&self, concurrency: Option<usize>, takes_unfit: bool) {
        {
            let mut state = self.state.lock();
            state.capacity = concurrency.unwrap_or(CONCURRENCY).max(1);
            state.takes_unfit = takes_unfit;
        }
        self.stage.send_if_modified(|stage| {
            let starting = *stage == Stage::Starting;
            if starting {
                *stage = Stage::Ready;
            }
            starting
        });
    }

    fn only_run(&self) -> Option<u64> {
        let state = self.state.lock();
        let mut runs = state.routes.keys();
        runs.next().copied().filter(|_| runs.next().is_none())
    }

    /// The run that a line which cannot be read is of: the one that it names, or the only one.
    fn run_in(&self, line: &[u8]) -> Option<u64> {
        let head = String::from_utf8_lossy(&line[..line.len().min(HEAD)]);
        let named = head.split_once("\"run\":").and_then(|(_, rest)| {
            let rest = rest.trim_start();
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..digits].parse().ok()
        });
        named.filter(|run| self.state.lock().routes.contains_key(run)).or_else(|| self.only_run())
    }

    /// Logs what is of no run, such as what a library prints.
    fn stray(&self, line: &[u8]) -> u64 {
        // What it was told may hold a caller's credentials.
        if line.starts_with(protocol::MESSAGE) {
            tracing::debug!(worker = self.number, "a program repeats what it was told");
        } else {
            let head = printable(&String::from_utf8_lossy(&line[..line.len().min(HEAD)]));
            tracing::debug!(worker = self.number, "a program says of no run: {head}");
        }
        line.len() as u64 + 1
    }

    async fn deliver(&self, run: u64, batch: Batch) {
        let is_last = batch.said.iter().flatten().any(Said::is_last);
        let to = {
            let mut state = self.state.lock();
            let to = state.routes.get(&run).map(|route| route.to.clone());
            if is_last {
                state.routes.remove(&run);
            }
            to
        };
        match to {
            // A run that has just gone does not need it.
            Some(Some(to)) => drop(to.send(batch).await),
            Some(None) => {}
            None => tracing::debug!(worker = self.number, run, "a program speaks of another's run"),
        }
        if is_last {
            self.free();
        }
    }

    /// Somebody's run ended here.
    fn free(&self) {
        let done = {
            let state = self.state.lock();
            state.retired && state.routes.values().all(|route| route.to.is_none())
        };
        if done {
            self.dismiss();
        }
        self.freed.notify_one();
    }

    /// Gives a run up. A program that does not stop its work in time is replaced.
    fn abandon(self: &Arc<Self>, run: u64) {
        let known = self.state.lock().routes.get_mut(&run).map(|route| route.to = None).is_some();
        if !known {
            return;
        }
        self.tell(&Told::Cancel { run });
        let (worker, grace) = (self.clone(), self.house.settings.stop_grace);
        self.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(grace) => {}
                () = worker.ending.cancelled() => return,
            }
            if worker.state.lock().routes.contains_key(&run) {
                tracing::warn!(worker = worker.number, run, "a program goes on with what ended");
                worker.retire();
            }
        });
    }
}

impl Seat {
    /// Waits for what the program says; `None` when the process is lost.
    pub(super) async fn hear(&mut self) -> Option<Batch> {
        self.said.recv().await
    }

    /// Tells the program what the caller said further.
    pub(super) fn further(&self, message: &legation_model::Message) {
        self.worker.tell(&Told::Further { run: self.run, text: message.text(), message });
    }

    /// Whether the program takes an answer back that did not do, for another try.
    pub(super) fn takes_unfit(&self) -> bool {
        self.worker.state.lock().takes_unfit
    }

    /// How the process ended that the run is lost with.
    pub(super) async fn lost(&self) -> String {
        self.worker.gone().await
    }

    /// Notes that the program has said its last word about the run.
    pub(super) fn done(&mut self) {
        self.done = true;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.done {
            self.worker.abandon(self.run);
        }
    }
}

/// What one read brought, by run and in order.
#[derive(Default)]
struct Heard(Vec<(u64, Batch)>);

impl Heard {
    fn add(&mut self, run: u64, said: protocol::Heard, bytes: u64) {
        // Lines of a run come together mostly.
        match self.0.last_mut() {
            Some((last, batch)) if *last == run => {
                batch.said.push(said);
                batch.bytes += bytes;
            }
            _ => self.0.push((run, Batch { said: vec![said], bytes })),
        }
    }
}
