//! Taking up what was left unfinished: by a process that died, or by a store that was away.

use std::sync::Arc;

use legation_model::{ArtifactId, Effect, Event, Message, Metadata, Part, Role, TaskState, Update};

use tokio_util::sync::CancellationToken;

use crate::follow::READ_BYTES;
use crate::live::{Live, Waiting};
use crate::run::{self, Job};
use crate::service::Core;
use crate::store::{StoreError, Stored, TaskKey};
use crate::turn::Ask;
use crate::{Exposed, OnRestart};

/// How many unfinished tasks are read at once.
const PAGE: usize = 256;

/// The member of a restart's metadata that holds the number of the attempt.
const ATTEMPT: &str = "urn:legation:a2a:attempt";

/// Takes up every unfinished task by its agent's policy; gives how many there were.
pub(crate) async fn recover(core: &Arc<Core>) -> Result<usize, StoreError> {
    let (mut after, mut count) = (TaskKey(0), 0);
    loop {
        let page = core.store.unfinished(&core.deployment, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(count) };
        after = last.key;
        for stored in page {
            count += 1;
            take_up(core, stored).await;
        }
    }
}

/// Takes up the tasks that the store gave up on, once it takes appends again.
pub(crate) async fn mend(core: &Arc<Core>) {
    let abandoned = core.registry.take_abandoned();
    if core.store.ready().is_err() {
        return abandoned
            .into_iter()
            .for_each(|(scope, id)| core.registry.abandon_again(scope, id));
    }
    for (scope, id) in abandoned {
        match core.store.load(&scope, &id).await {
            // Where another replica was faster, it is that one's.
            Ok(Some(stored)) if stored.elsewhere.is_some() => {}
            Ok(Some(stored)) if !stored.state.is_settled() || stored.at_work => {
                take_up(core, stored).await
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(task = %id, error = &error as &dyn std::error::Error, "cannot mend");
                core.registry.abandon_again(scope, id);
            }
        }
    }
}

/// Takes up a task whose run was lost, unless somebody else has.
pub(crate) async fn take_up(core: &Arc<Core>, stored: Stored) {
    let (scope, id) = (stored.scope.clone(), stored.id.clone());
    let Err(error) = try_take_up(core, stored).await else { return };
    tracing::error!(task = %id, error = &error as &dyn std::error::Error, "cannot take up the task");
    if matches!(error, StoreError::Unavailable(_) | StoreError::Full) {
        core.registry.abandon_again(scope, id);
    }
}

async fn try_take_up(core: &Arc<Core>, stored: Stored) -> Result<(), StoreError> {
    let lost = Lost::of(core, &stored).await?;
    let (seq, scope) = (stored.seq, stored.scope.clone());
    let live = core.load(stored).await?;
    if live.committed().0 != seq && live.is_looking_on() {
        // Others have gone on with it; whether they still do is asked again.
        core.registry.abandon_again(scope, live.id.clone());
        return Ok(());
    }
    // Somebody's further message may have begun a run already.
    let Some(stop) = live.begin_run(&core.halt) else { return Ok(()) };
    let exposed = core.agent(live.scope.agent.as_deref());
    match policy(core, exposed.as_ref(), &lost) {
        Ok((exposed, policy)) => begin_again(core, &live, stop, exposed.clone(), policy, lost),
        Err(reason) => fail(&live, &reason),
    }
    Ok(())
}

/// The agent and what it wants, or why the task must fail.
fn policy<'a>(
    core: &Core,
    exposed: Option<&'a Exposed>,
    lost: &Lost,
) -> Result<(&'a Exposed, OnRestart), String> {
    let exposed = exposed.ok_or("The agent is no longer served here.")?;
    let policy = exposed.agent.on_restart();
    if policy == OnRestart::Fail {
        return Err("The server restarted while the agent was at work.".into());
    }
    if lost.attempt > core.limits.attempts {
        return Err(format!("The run was lost {} times.", lost.attempt - 1));
    }
    Ok((exposed, policy))
}

fn begin_again(
    core: &Arc<Core>,
    live: &Arc<Live>,
    stop: CancellationToken,
    exposed: Exposed,
    policy: OnRestart,
    lost: Lost,
) {
    let voided = if policy == OnRestart::Retry { lost.artifacts } else { Vec::new() };
    if live.emit(&restarted(live, lost.attempt, voided)).is_err() {
        return fail(live, "The server restarted, and the task is at its bounds.");
    }
    live.flush();
    let (message, attempt) = (lost.message, lost.attempt);
    let waiting = Waiting { message, ask: Ask::default(), stop };
    let job = Job { attempt, ..Job::new(live, exposed, waiting) };
    let place = core.places.take(&core.limits, &live.scope);
    run::start(core, job, place);
}

/// The event that an attempt begins, which makes artifacts of the lost one void.
pub(crate) fn restarted(live: &Live, attempt: u32, voided: Vec<ArtifactId>) -> Event {
    let mut event = live.status(TaskState::Working, None);
    if let Update::StatusUpdate(update) = &mut event.update {
        update.metadata = Metadata::single(ATTEMPT, &attempt).ok();
    }
    event.effect = Some(Effect::Restarted { attempt, voided });
    event
}

/// Ends a task whose run cannot be taken up.
fn fail(live: &Arc<Live>, reason: &str) {
    let context = &live.context_id;
    let text = format!("{reason} A new task in context {context} can go on from here.");
    let message = Message::new(Role::Agent, vec![Part::text(text)]);
    // Refused only when somebody ended the task meanwhile.
    let _ = live.emit(&live.status(TaskState::Failed, Some(message)));
    live.flush();
    live.end_run();
}

/// What the log tells of a lost run.
struct Lost {
    /// The message it worked on.
    message: Message,
    /// The number of the attempt that would follow.
    attempt: u32,
    /// The artifacts it touched.
    artifacts: Vec<ArtifactId>,
}

impl Lost {
    /// Reads the whole log: a snapshot does not tell which artifacts belong to the turn.
    async fn of(core: &Core, stored: &Stored) -> Result<Self, StoreError> {
        let (mut lost, mut state, mut seen) = (None::<Self>, TaskState::Unspecified, 0);
        while seen < stored.seq {
            let entries = core.store.entries(&stored.scope, stored.key, seen, READ_BYTES).await?;
            let Some((last, _)) = entries.last() else { break };
            seen = *last;
            for (_, entry) in &entries {
                let event = serde_json::from_slice(entry).map_err(StoreError::damaged)?;
                state = Self::read(&mut lost, state, event);
            }
        }
        lost.ok_or_else(|| StoreError::damaged("a log without a message of the caller"))
    }

    /// Takes an event in; gives the state after it.
    fn read(lost: &mut Option<Self>, before: TaskState, event: Event) -> TaskState {
        let begin = |message| Self { message, attempt: 2, artifacts: Vec::new() };
        match (event.effect, lost.as_mut()) {
            // The answer to a question begins a turn, with a count of its own. A message that came
            // while the agent was at work belongs to its turn.
            (Some(Effect::Received(message)), _) if before.is_interrupted() => {
                *lost = Some(begin(message));
            }
            (Some(Effect::Restarted { attempt, .. }), Some(lost)) => lost.attempt = attempt + 1,
            (_, _) => {}
        }
        match (event.update, lost.as_mut()) {
            (Update::Task(task), _) => {
                *lost = task.history.last().cloned().map(begin);
                task.status.state
            }
            (Update::StatusUpdate(update), _) => update.status.state,
            (Update::ArtifactUpdate(update), Some(lost)) => {
                let id = update.artifact.artifact_id;
                if !lost.artifacts.contains(&id) {
                    lost.artifacts.push(id);
                }
                before
            }
            (Update::ArtifactUpdate(_), None) => before,
        }
    }
}
