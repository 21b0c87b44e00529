//! Workers that live on and serve many runs, each replaced when it is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use legation_core::Turn;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::process::House;
use super::protocol::Brief;
use super::worker::{Seat, Worker};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A worker that lived so long has started well.
const LIVED: Duration = Duration::from_secs(10);
/// After so many starts that went wrong nobody waits for the next one.
const HOPELESS: u32 = 3;

pub(super) struct Pool {
    slots: Mutex<Vec<Slot>>,
    /// Rung when a run may find a place that found none before.
    changed: Arc<Notify>,
}

#[derive(Clone)]
enum Slot {
    Starting,
    Serving(Arc<Worker>),
    /// It could not be started several times, for this reason.
    Down(String),
}

impl Pool {
    /// Starts the workers.
    pub(super) fn start(house: &House, workers: usize) -> Arc<Self> {
        let slots = Mutex::new(vec![Slot::Starting; workers]);
        let pool = Arc::new(Self { slots, changed: Arc::default() });
        for index in 0..workers {
            house.tasks.spawn(pool.clone().keep(house.clone(), index));
        }
        pool
    }

    /// Finds a worker with room for a run and begins it there. Waits while all are busy.
    ///
    /// # Errors
    /// When no worker can be started.
    pub(super) async fn begin(&self, turn: &Turn, brief: &Brief) -> Result<Seat, String> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.pick()? {
                Some(worker) => {
                    if let Some(seat) = worker.begin(turn, brief) {
                        return Ok(seat);
                    }
                }
                None => changed.await,
            }
        }
    }

    /// The worker with the fewest runs; `None` when none has room.
    fn pick(&self) -> Result<Option<Arc<Worker>>, String> {
        let slots = self.slots.lock();
        let serving = slots.iter().filter_map(|slot| match slot {
            Slot::Serving(worker) => Some((worker.load()?, worker)),
            Slot::Starting | Slot::Down(_) => None,
        });
        if let Some((_, worker)) = serving.min_by_key(|(load, _)| *load) {
            return Ok(Some(worker.clone()));
        }
        let mut reason = None;
        for slot in slots.iter() {
            match slot {
                Slot::Down(why) => reason = Some(why.clone()),
                Slot::Starting | Slot::Serving(_) => return Ok(None),
            }
        }
        reason.map_or(Ok(None), Err)
    }

    fn set(&self, index: usize, slot: Slot) {
        self.slots.lock()[index] = slot;
        self.changed.notify_waiters();
    }

    /// Keeps a slot served until the agent goes.
    async fn keep(self: Arc<Self>, house: House, index: usize) {
        let mut failures = 0;
        loop {
            let serve = self.serve(&house, index, &mut failures);
            tokio::select! {
                () = serve => {}
                () = house.closing.cancelled() => return,
            }
            if failures == 0 {
                continue;
            }
            let pause = FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_PAUSE);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = house.closing.cancelled() => return,
            }
        }
    }

    /// Starts a worker and waits until it serves no more.
    async fn serve(&self, house: &House, index: usize, failures: &mut u32) {
        let began = Instant::now();
        let (served, lost) = match self.greeted(house).await {
            Ok(worker) => {
                self.set(index, Slot::Serving(worker.clone()));
                (true, worker.out_of_service().await)
            }
            Err(reason) => (false, Some(reason)),
        };
        let Some(reason) = lost else {
            *failures = 0;
            return self.set(index, Slot::Starting);
        };
        *failures = if served && began.elapsed() > LIVED { 1 } else { *failures + 1 };
        tracing::warn!(worker = index, failures, "the program {reason}");
        // One that served may be lost to a message; the next message is not to suffer for that.
        let is_hopeless = !served && *failures >= HOPELESS;
        self.set(index, if is_hopeless { Slot::Down(reason) } else { Slot::Starting });
    }

    async fn greeted(&self, house: &House) -> Result<Arc<Worker>, String> {
        let worker = Worker::start(house, &self.changed)?;
        worker.ready().await?;
        Ok(worker)
    }
}
