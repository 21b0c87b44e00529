//! Programs in any language as agents: they speak lines of JSON over their standard input and
//! output, or just read text and print text. `docs/exec.md` describes it for their authors.
//!
//! Each program is started without a shell, with a cleared environment, in a process group of its
//! own that is killed with it. What it says is bounded, and so is its time.

mod bounds;
mod converse;
mod lines;
mod pool;
mod process;
mod protocol;
mod settings;
mod stderr;
mod text;
mod worker;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use legation_core::{Agent, AgentError, OnRestart, Turn};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use bounds::Bounds;
use converse::{End, converse};
use pool::Pool;
use process::{House, Process};
use protocol::Brief;
pub use settings::{BadSettings, Mode, Settings};
use text::Speaks;
use worker::{Seat, Worker};

use crate::answer::Answer;
use crate::said::Unfit;

/// How long the kernel may take to end what was killed.
const KILLED: Duration = Duration::from_secs(1);

/// A program as an agent. Its processes end when this is dropped.
///
/// ```no_run
/// use legation_agents::exec::{Exec, Mode, Settings};
///
/// let mut settings = Settings::new(["python3", "my_agent.py"]);
/// settings.mode = Mode::Pool { workers: 2 };
/// let agent = Exec::new(settings)?;
/// # Ok::<_, legation_agents::exec::BadSettings>(())
/// ```
pub struct Exec {
    house: House,
    runner: Runner,
}

enum Runner {
    PerTask { places: Semaphore, speaks: Mutex<Option<Speaks>> },
    Pool { workers: usize, pool: OnceLock<Arc<Pool>> },
}

impl Exec {
    /// An agent of a program, which is started when it is needed.
    ///
    /// # Errors
    /// When it cannot be run as the settings say.
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        settings.check()?;
        let runner = match settings.mode {
            Mode::PerTask { processes } => Runner::PerTask {
                places: Semaphore::new(processes.min(Semaphore::MAX_PERMITS)),
                speaks: Mutex::default(),
            },
            Mode::Pool { workers } => Runner::Pool { workers, pool: OnceLock::new() },
        };
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        Ok(Self { house: House { settings: Arc::new(settings), tasks, closing }, runner })
    }

    /// Starts the workers of a pool, so that the first message does not wait for them. Needs a
    /// runtime around it.
    pub fn warm(&self) {
        if let Runner::Pool { workers, pool } = &self.runner {
            pool.get_or_init(|| Pool::start(&self.house, *workers));
        }
    }

    async fn run_per_task(
        &self,
        turn: &mut Turn,
        places: &Semaphore,
        speaks: &Mutex<Option<Speaks>>,
    ) -> Result<(), AgentError> {
        let _place = tokio::select! {
            () = turn.stopped() => return Err(AgentError::Stopped),
            place = places.acquire() => place.map_err(|_| AgentError::Stopped)?,
        };
        let mut bounds = Bounds::new(&self.house.settings);
        let mut known = *speaks.lock();
        if known.is_none() && text::may_command(turn.message()) {
            known = Some(text::probe(&self.house, turn, &mut bounds).await?);
        }
        if known != Some(Speaks::Protocol)
            && text::run(&self.house, turn, &mut bounds).await? == Speaks::Text
        {
            // A greeting that was once believed counts for more.
            speaks.lock().get_or_insert(Speaks::Text);
            return Ok(());
        }
        let worker = Worker::start(&self.house, &Arc::new(Notify::new()));
        let worker = worker.map_err(|reason| unusable(&reason))?;
        let outcome = self.run_on(&worker, turn, &mut bounds, speaks).await;
        worker.dismiss();
        if let Err(AgentError::Stopped) = outcome {
            worker.end();
            let patience = self.house.settings.stop_grace + KILLED;
            let _ = tokio::time::timeout(patience, worker.gone()).await;
        }
        outcome
    }

    async fn run_on(
        &self,
        worker: &Arc<Worker>,
        turn: &mut Turn,
        bounds: &mut Bounds,
        speaks: &Mutex<Option<Speaks>>,
    ) -> Result<(), AgentError> {
        tokio::select! {
            () = turn.stopped() => return Err(AgentError::Stopped),
            ready = worker.ready() => ready.map_err(|reason| unusable(&reason))?,
        }
        // It greeted before it was told anything, so it is not a caller's text that it repeats.
        *speaks.lock() = Some(Speaks::Protocol);
        let (mut brief, mut answer) = (self.brief(turn).await?, Answer::new());
        for attempt in 1.. {
            let seat = worker.begin(turn, &brief);
            let mut seat = seat.ok_or_else(|| unusable("has just ended"))?;
            match converse(&mut seat, turn, &mut answer, bounds).await? {
                End::Done => return Ok(()),
                End::Lost(how) => return Err(lost(&how)),
                End::Unfit(unfit) => brief.unfit = Some(self.refused(unfit, attempt, &seat)?),
            }
            turn.renew(answer.restart());
        }
        unreachable!("the last attempt returns")
    }

    async fn brief(&self, turn: &Turn) -> Result<Brief, AgentError> {
        let earlier = self.house.settings.history.of_others(turn).await?;
        Ok(Brief { earlier, unfit: None })
    }

    /// Gives the answer back for another attempt, if the program takes it.
    fn refused(&self, unfit: Unfit, attempt: u32, seat: &Seat) -> Result<Unfit, AgentError> {
        let is_last = attempt >= self.house.settings.schema_attempts;
        if is_last || !seat.takes_unfit() {
            return Err(AgentError::Unfit(unfit.reason));
        }
        Ok(unfit)
    }

    async fn run_in_pool(&self, turn: &mut Turn, pool: &Pool) -> Result<(), AgentError> {
        let (mut bounds, mut answer) = (Bounds::new(&self.house.settings), Answer::new());
        let (mut brief, mut attempt) = (self.brief(turn).await?, 1);
        loop {
            let mut seat = find_seat(turn, &brief, pool, &mut bounds).await?;
            let how = match converse(&mut seat, turn, &mut answer, &mut bounds).await? {
                End::Done => return Ok(()),
                End::Lost(how) => how,
                End::Unfit(unfit) => {
                    brief.unfit = Some(self.refused(unfit, attempt, &seat)?);
                    attempt += 1;
                    turn.renew(answer.restart());
                    continue;
                }
            };
            let given = answer.restart();
            match self.house.settings.on_restart {
                OnRestart::Fail => return Err(lost(&how)),
                OnRestart::Retry => turn.begin_again(given).await?,
                OnRestart::Resume => turn.begin_again(Vec::new()).await?,
            }
        }
    }
}

async fn find_seat(
    turn: &Turn,
    brief: &Brief,
    pool: &Pool,
    bounds: &mut Bounds,
) -> Result<Seat, AgentError> {
    tokio::select! {
        biased;
        () = turn.stopped() => Err(AgentError::Stopped),
        seat = pool.begin(turn, brief) => seat.map_err(|reason| unusable(&reason)),
        // The same bounds hold for the wait: nobody is served by waiting longer.
        late = bounds.passed() => Err(late),
    }
}

/// Ends a process whose run was stopped, and waits for that.
async fn stop<T>(process: Process) -> Result<T, AgentError> {
    process.end();
    process.ended().await;
    Err(AgentError::Stopped)
}

/// The failure of a task whose program does not work at all.
fn unusable(reason: &str) -> AgentError {
    AgentError::failed(format!("the program {reason}"))
}

fn lost(how: &str) -> AgentError {
    AgentError::failed(format!("the program {how} before it completed the task"))
}

#[async_trait]
impl Agent for Exec {
    async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
        turn.working(None).await?;
        match &self.runner {
            Runner::PerTask { places, speaks } => self.run_per_task(turn, places, speaks).await,
            Runner::Pool { workers, pool } => {
                let pool = pool.get_or_init(|| Pool::start(&self.house, *workers));
                self.run_in_pool(turn, pool).await
            }
        }
    }

    fn on_restart(&self) -> OnRestart {
        self.house.settings.on_restart
    }

    fn entrusted(&self) -> &[String] {
        &self.house.settings.credentials
    }

    /// What a process gets to end, and the kernel to end it.
    fn stop_grace(&self) -> Duration {
        self.house.settings.stop_grace + KILLED
    }

    /// Asks all processes to end and waits for that; they are killed when their grace is over.
    async fn close(&self) {
        self.house.closing.cancel();
        self.house.tasks.close();
        self.house.tasks.wait().await;
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        self.house.closing.cancel();
    }
}
