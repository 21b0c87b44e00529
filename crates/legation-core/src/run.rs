//! The run of an agent: supervised, cancellable, bounded in time, its panics contained.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::FutureExt as _;
use legation_model::{Message, Part, Role, TaskState};
use tokio_util::sync::CancellationToken;

use crate::live::{Live, Refusal, Waiting};
use crate::places::RunGuard;
use crate::queue::{Entrance, Place, Wait};
use crate::schema::Schema;
use crate::service::Core;
use crate::turn::{Ask, Asked};
use crate::{AgentError, Exposed, Turn, spread};

/// What a run works on.
pub(crate) struct Job {
    /// From [`Live::begin_run`] or [`Live::receive`], so that one run at most is at work.
    pub(crate) stop: CancellationToken,
    pub(crate) live: Arc<Live>,
    pub(crate) exposed: Exposed,
    pub(crate) message: Message,
    pub(crate) ask: Ask,
    pub(crate) attempt: u32,
    /// Its place before its agent, where it has one already.
    pub(crate) place: Option<Place>,
}

impl Job {
    /// A first attempt.
    pub(crate) fn new(live: &Arc<Live>, exposed: Exposed, waiting: Waiting) -> Self {
        let Waiting { message, ask, stop } = waiting;
        Self { stop, live: live.clone(), exposed, message, ask, attempt: 1, place: None }
    }
}

/// What came of the wait for a place.
enum Entered {
    /// The run begins here. It needs no place where its agent takes as many as there may be in all.
    Here(Job, Option<Place>),
    /// It has begun at another replica.
    Elsewhere,
    Stopped(Job, Outcome),
}

/// How a run ended.
enum Outcome {
    Returned(Result<(), AgentError>),
    Panicked,
    OutOfTime,
    /// The task was cancelled.
    Cancelled,
    /// The server stops; the task stays unfinished and is taken up at the next start.
    Halted,
}

/// Starts a run in a task of its own, which its caller may leave.
///
/// The agent is polled once here first: one that never waits is done then, without the price of a
/// task and of waking another thread. The waker is of no use, because the new task polls at once.
pub(crate) fn start(core: &Arc<Core>, job: Job, place: RunGuard) {
    let mut work = Box::pin(run(core.clone(), job, place));
    if work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        core.runs.spawn(work);
    }
}

async fn run(core: Arc<Core>, job: Job, mut own: RunGuard) {
    let (mut job, _place, mut stopped_early) = match enter(&core, job, &mut own).await {
        Entered::Here(job, place) => (job, place, None),
        Entered::Elsewhere => return,
        Entered::Stopped(job, outcome) => (job, None, Some(outcome)),
    };
    loop {
        let mut turn = Turn {
            live: job.live.clone(),
            message: job.message,
            ask: std::mem::take(&mut job.ask),
            attempt: job.attempt,
            stop: job.stop.clone(),
            core: core.clone(),
            refusal: None,
            answer_in: job.exposed.profile.answer_in,
            usage: None,
            renewed: Vec::new(),
        };
        let outcome = match stopped_early.take() {
            Some(outcome) => outcome,
            None => match find_schema(&core, &mut turn).await {
                Ok(()) => work(&core, &job.exposed, &mut turn).await,
                Err(reason) => Outcome::Returned(Err(AgentError::Failed(reason))),
            },
        };
        let halted = matches!(outcome, Outcome::Halted) || core.halt.is_cancelled();
        if let Some((state, text)) = ending(&core, &turn, outcome) {
            let message = text.map(|text| Message::new(Role::Agent, vec![Part::text(text)]));
            // Refused only when the task ended meanwhile or the store gave it up: both are known.
            let _ = job.live.emit(&turn.status_event(state, message));
        }
        if halted {
            // Before the end of the run, so that the store goes on taking it for lost.
            job.live.flush();
        }
        let next = job.live.end_run();
        if !halted {
            job.live.flush();
        }
        let Some(next) = next else { return };
        (job.message, job.ask) = next;
        job.attempt = 1;
    }
}

/// Waits for the run's turn where its caller may have a bounded number at work, or its agent works
/// on a bounded number of messages at once.
async fn enter(core: &Core, mut job: Job, own: &mut RunGuard) -> Entered {
    if own.is_waiting() {
        // The task is accepted, so it has to become durable while it waits.
        job.live.flush();
        tokio::select! {
            () = own.enter() => {}
            () = job.stop.cancelled() => return Entered::Stopped(job, stopped(core)),
        }
    }
    let Some(queue) = core.queues.of(&job.exposed.profile) else { return Entered::Here(job, None) };
    if let Some(place) = job.place.take().or_else(|| queue.try_enter()) {
        return Entered::Here(job, Some(place));
    }
    // As above.
    job.live.flush();
    let mut wait = spread::wait(core, &job);
    let mut returns = 0;
    loop {
        let entrance = tokio::select! {
            entrance = queue.enter(&job.live.scope, wait) => entrance,
            () = job.stop.cancelled() => return Entered::Stopped(job, stopped(core)),
        };
        match entrance {
            Entrance::Here(place) => return Entered::Here(job, Some(place)),
            Entrance::Elsewhere(replica) => match spread::hand_over(core, job, replica).await {
                Some(back) => {
                    job = back;
                    returns += 1;
                    let stays = returns >= spread::RETURNS;
                    wait = if stays { Wait::FirstHere } else { Wait::FirstAnywhere };
                }
                None => return Entered::Elsewhere,
            },
        }
    }
}

fn stopped(core: &Core) -> Outcome {
    if core.halt.is_cancelled() { Outcome::Halted } else { Outcome::Cancelled }
}

/// Looks for the schema that the task's messages ask for, when the run's own did not tell.
async fn find_schema(core: &Core, turn: &mut Turn) -> Result<(), String> {
    if let Asked::Unknown = turn.ask.schema {
        let history = turn.live.task().history;
        let schema = Schema::asked_in(&history, &core.limits).await;
        turn.ask.schema = Asked::Known(schema.map_err(|error| error.message)?);
    }
    Ok(())
}

async fn work(core: &Core, exposed: &Exposed, turn: &mut Turn) -> Outcome {
    let stop = turn.stop.clone();
    let grace = exposed.agent.stop_grace();
    let live = turn.live.clone();
    let agent = std::pin::pin!(execute(exposed, turn));
    let agent = AssertUnwindSafe(agent).catch_unwind();
    let agent = Flushing { live, agent };
    let stop_and_grace = async {
        stop.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        // The agent first: one that never waits costs no timer.
        biased;
        returned = agent => returned.map_or_else(panicked, Outcome::Returned),
        () = stop_and_grace => stopped(core),
        () = tokio::time::sleep(core.limits.run_time) => Outcome::OutOfTime,
    }
}

/// The agent's work; returning completes a task that is not settled, so that has to be in order.
async fn execute(exposed: &Exposed, turn: &mut Turn) -> Result<(), AgentError> {
    exposed.agent.execute(turn).await?;
    let open = !turn.live.current_state().is_settled() && !turn.live.has_next();
    let open = open && turn.refusal.is_none();
    if open && turn.schema().is_some() { turn.complete().await } else { Ok(()) }
}

fn panicked(panic: Box<dyn Any + Send>) -> Outcome {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of unknown cause"), "agent panicked");
    Outcome::Panicked
}

/// The state and text with which a run's end settles its task; `None` when nothing is to be said.
fn ending(core: &Core, turn: &Turn, outcome: Outcome) -> Option<(TaskState, Option<String>)> {
    let context = &turn.live.context_id;
    let fail = |reason: &str| {
        let text = format!("{reason} A new task in context {context} can go on from here.");
        Some((TaskState::Failed, Some(text)))
    };
    let state = turn.live.current_state();
    // A question is a good end for a run that returned; one that broke after asking has to say so.
    let asked = state.is_interrupted() && matches!(outcome, Outcome::Returned(Ok(())));
    if state.is_terminal() || asked || turn.live.has_next() {
        return None;
    }
    if let Some(Refusal::Bound(bound)) = &turn.refusal {
        return fail(&format!("The agent was stopped: {bound}."));
    }
    match outcome {
        Outcome::Halted => None,
        Outcome::Returned(Ok(())) => Some((TaskState::Completed, None)),
        Outcome::Returned(Err(error @ (AgentError::Failed(_) | AgentError::Unfit(_)))) => {
            fail(&sentence(&error.to_string()))
        }
        Outcome::Returned(Err(AgentError::Stopped)) if core.halt.is_cancelled() => None,
        Outcome::Returned(Err(AgentError::Stopped)) | Outcome::Cancelled => {
            Some((TaskState::Canceled, None))
        }
        Outcome::Panicked => fail("The agent crashed."),
        Outcome::OutOfTime => {
            fail(&format!("The agent took longer than {} s.", core.limits.run_time.as_secs()))
        }
    }
}

fn sentence(reason: &str) -> String {
    let ends = reason.ends_with(['.', '!', '?']);
    if ends { reason.to_owned() } else { format!("{reason}.") }
}

/// Drives an agent and hands its events to the store whenever it waits.
struct Flushing<F> {
    live: Arc<Live>,
    agent: F,
}

impl<F: Future + Unpin> Future for Flushing<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = Pin::new(&mut self.agent).poll(cx);
        if polled.is_pending() {
            // When it is ready, the run's end is about to be added: one append for both.
            self.live.flush();
        }
        polled
    }
}
