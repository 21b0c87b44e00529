//! Taking up what was left unfinished: by a process that died, or by a store that was away.

use std::sync::Arc;

use legation_model::{ArtifactId, Effect, Event, Message, Metadata, Part, Role, TaskState, Update};

use crate::live::Live;
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
            take_up(core, stored);
        }
    }
}

/// Takes up the tasks that the store gave up on, once it takes appends again.
pub(crate) async fn mend(core: &Arc<Core>) {
    if core.store.ready().is_err() {
        return;
    }
    for (scope, id) in core.registry.take_abandoned() {
        match core.store.load(&scope, &id).await {
            Ok(Some(stored)) if !stored.state.is_settled() => take_up(core, stored),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(task = %id, error = &error as &dyn std::error::Error, "cannot mend");
                core.registry.abandon_again(scope, id);
            }
        }
    }
}

fn take_up(core: &Arc<Core>, stored: Stored) {
    let id = stored.id.clone();
    let lost = match Lost::of(&stored) {
        Ok(lost) => lost,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            return tracing::error!(task = %id, error, "cannot take up the task");
        }
    };
    let live = match Live::load(core.home(), stored) {
        Ok(live) => core.registry.insert(Arc::new(live)),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            return tracing::error!(task = %id, error, "cannot take up the task");
        }
    };
    let exposed = core.agent(live.scope.agent.as_deref()).cloned();
    match policy(core, exposed.as_ref(), &lost) {
        Ok((exposed, policy)) => begin_again(core, &live, exposed.clone(), policy, lost),
        Err(reason) => fail(&live, &reason),
    }
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
    exposed: Exposed,
    policy: OnRestart,
    lost: Lost,
) {
    let Some(stop) = live.begin_run(&core.halt) else { return };
    let voided = if policy == OnRestart::Retry { lost.artifacts } else { Vec::new() };
    let mut event = live.status(TaskState::Working, None);
    if let Update::StatusUpdate(update) = &mut event.update {
        update.metadata = Metadata::single(ATTEMPT, &lost.attempt).ok();
    }
    event.effect = Some(Effect::Restarted { attempt: lost.attempt, voided });
    if live.emit(&event).is_err() {
        return;
    }
    live.flush();
    let (message, attempt) = (lost.message, lost.attempt);
    let job = Job { stop, live: live.clone(), exposed, message, ask: Ask::default(), attempt };
    run::start(core, job, core.count_run());
}

fn fail(live: &Arc<Live>, reason: &str) {
    let context = &live.context_id;
    let text = format!("{reason} A new task in context {context} can go on from here.");
    let message = Message::new(Role::Agent, vec![Part::text(text)]);
    // Refused only when somebody ended the task meanwhile.
    let _ = live.emit(&live.status(TaskState::Failed, Some(message)));
    live.flush();
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
    fn of(stored: &Stored) -> Result<Self, StoreError> {
        let mut lost = Self { message: last_message(stored)?, attempt: 2, artifacts: Vec::new() };
        for event in stored.events()? {
            lost.read(event);
        }
        Ok(lost)
    }

    fn read(&mut self, event: Event) {
        match event.effect {
            // A further message begins a turn of its own, with a count of its own.
            Some(Effect::Received(message)) => {
                *self = Self { message, attempt: 2, artifacts: Vec::new() };
            }
            Some(Effect::Restarted { attempt, .. }) => self.attempt = attempt + 1,
            None => {}
        }
        if let Update::ArtifactUpdate(update) = event.update {
            let id = update.artifact.artifact_id;
            if !self.artifacts.contains(&id) {
                self.artifacts.push(id);
            }
        }
    }
}

fn last_message(stored: &Stored) -> Result<Message, StoreError> {
    let said = |message: &&Message| message.role != Role::Agent;
    let task = stored.task()?;
    let message = task.history.iter().rev().find(said).cloned();
    message.ok_or_else(|| StoreError::damaged("a task without a message of its caller"))
}
