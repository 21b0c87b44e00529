//! `legation chat`: a conversation in one context. What the agent asks is answered in its task,
//! everything else begins a task of its own.

use std::path::PathBuf;

use legation_client::{Client, Events};
use legation_model::{
    CancelTaskRequest, ContextId, ErrorKind, GetTaskRequest, Message, Part, Role,
    SendMessageConfiguration, SendMessageRequest, StreamResponse, TaskId, TaskState,
};

use super::exit::{Exit, Failure};
use super::follow::{Ended, unless_interrupted};
use super::lines::{Heard, Lines};
use super::out::{Out, note};
use super::render::{self, Running};
use super::save::Shelf;
use super::target::Target;
use super::updates::HowTold;

/// How many earlier tasks a message refers to: agents that remember nothing find there what was
/// said before.
const REFERENCES: usize = 20;

/// With whom, and what becomes of what it makes.
#[derive(Debug, clap::Args)]
pub(crate) struct Chat {
    #[command(flatten)]
    target: Target,
    /// A context to go on with; a new one is begun otherwise
    #[arg(long, value_name = "ID", value_parser = ContextId::parse)]
    context: Option<ContextId>,
    #[command(flatten)]
    told: HowTold,
    /// Save artifacts into this directory
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Print each event as a line of A2A 1.0 JSON
    #[arg(long)]
    json: bool,
}

impl Chat {
    /// Talks until the input ends.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        let shelf = self.save.clone().map(Shelf::new).transpose()?;
        let client = self.target.connect_told(&self.told).await?;
        let mut lines = Lines::new()?;
        if lines.is_terminal() {
            let name = &client.card().name;
            note(&format!("Talking with {name}. Ctrl-C stops what it is doing, Ctrl-D leaves."));
        }
        let mut talk = Talk {
            client,
            target: &self.target,
            json: self.json,
            shelf,
            context: self.context.clone(),
            waiting: None,
            earlier: Vec::new(),
            last: Ended::Message,
        };
        loop {
            let prompt = if talk.waiting.is_some() { "answer> " } else { "you> " };
            let text = match lines.next(prompt).await? {
                Heard::End => break,
                Heard::Line(text) if text.trim().is_empty() => continue,
                Heard::Line(text) => text,
                Heard::Interrupted => {
                    note("Ctrl-D leaves");
                    continue;
                }
            };
            if !lines.is_terminal() && !self.json {
                // Nobody saw it being typed.
                let mut out = Out::new();
                render::said(&mut out, &text)?;
                out.flush()?;
            }
            match talk.say(text).await {
                Ok(Said::GoOn) => {}
                Ok(Said::Leave) => break,
                // A person can try again; a script must not talk on as if it had been heard.
                Err(failure) if lines.is_terminal() => {
                    failure.tell();
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(talk.last.conclude(&self.target))
    }
}

/// A conversation so far.
struct Talk<'c> {
    client: Client,
    target: &'c Target,
    json: bool,
    shelf: Option<Shelf>,
    context: Option<ContextId>,
    /// The task that waits for an answer.
    waiting: Option<TaskId>,
    /// The tasks before, newest last.
    earlier: Vec<TaskId>,
    /// How the last message ended.
    last: Ended,
}

/// What comes after a message.
enum Said {
    GoOn,
    Leave,
}

impl Talk<'_> {
    /// Says something and shows the answer.
    async fn say(&mut self, text: String) -> Result<Said, Failure> {
        let request = self.request(text);
        self.last = self.stream(request).await?;
        let (id, state) = match &self.last {
            Ended::Interrupted(_) => return Ok(Said::Leave),
            Ended::Message => return Ok(Said::GoOn),
            Ended::Task(id, state) => (id.clone(), *state),
        };
        self.waiting = state.is_interrupted().then(|| id.clone());
        if self.earlier.last() != Some(&id) {
            self.earlier.push(id.clone());
        }
        if state == TaskState::AuthRequired {
            note("The agent waits for an authorization. Give it, then say anything here.");
        }
        if let Some(shelf) = &mut self.shelf {
            let request = GetTaskRequest { tenant: None, id, history_length: Some(0) };
            let task = self.client.get_task(request).await;
            shelf.save(&task.map_err(|error| self.target.failure(&error))?)?;
        }
        Ok(Said::GoOn)
    }

    fn request(&self, text: String) -> SendMessageRequest {
        let mut message = Message::new(Role::User, vec![Part::text(text)]);
        message.context_id.clone_from(&self.context);
        message.task_id.clone_from(&self.waiting);
        if self.waiting.is_none() {
            let newest = self.earlier.len().saturating_sub(REFERENCES);
            message.reference_task_ids = self.earlier[newest..].to_vec();
        }
        let configuration = SendMessageConfiguration::default();
        SendMessageRequest { tenant: None, message, configuration, metadata: None }
    }

    async fn stream(&mut self, request: SendMessageRequest) -> Result<Ended, Failure> {
        let opened = unless_interrupted(self.client.stream(request), self.target).await?;
        let Some(mut events) = opened else { return Ok(Ended::Interrupted(None)) };
        let (mut out, mut running) = (Out::new(), Running::in_talk());
        let ended = self.follow(&mut events, &mut out, &mut running).await;
        running.close(&mut out)?;
        out.flush()?;
        ended
    }

    /// Shows events until the task settles. Ctrl-C cancels the task and waits for it to end; a
    /// second one leaves.
    async fn follow(
        &mut self,
        events: &mut Events,
        out: &mut Out,
        running: &mut Running,
    ) -> Result<Ended, Failure> {
        let mut cancelled = false;
        loop {
            let next = tokio::select! {
                next = events.next() => next,
                _ = tokio::signal::ctrl_c() => {
                    let task = events.task().cloned();
                    let Some(id) = task.clone().filter(|_| !cancelled) else {
                        return Ok(Ended::Interrupted(task));
                    };
                    cancelled = true;
                    note("\nstopping the task; Ctrl-C once more leaves");
                    if self.cancel(id).await?.is_none() {
                        return Ok(Ended::Interrupted(task));
                    }
                    continue;
                }
            };
            if let Some(event) = next {
                let (_, item) = event.map_err(|error| self.target.failure(&error))?;
                self.context = context_of(&item).cloned().or(self.context.take());
                if self.json {
                    out.json(&item)?;
                } else {
                    running.show(out, &item)?;
                }
                if !events.is_settled() {
                    continue;
                }
            }
            return Ok(match (events.task(), events.state()) {
                (Some(task), Some(state)) => Ended::Task(task.clone(), state),
                _ => Ended::Message,
            });
        }
    }

    /// Cancels a task; `None` when a second Ctrl-C came first. The stream tells what came of it.
    async fn cancel(&self, id: TaskId) -> Result<Option<()>, Failure> {
        let request = CancelTaskRequest { tenant: None, id, metadata: None };
        let cancelling = async {
            match self.client.cancel_task(request).await {
                Ok(_) => Ok(()),
                // It ended in the meantime.
                Err(error) if error.kind() == Some(ErrorKind::TaskNotCancelable) => Ok(()),
                Err(error) => Err(error),
            }
        };
        unless_interrupted(cancelling, self.target).await
    }
}

fn context_of(item: &StreamResponse) -> Option<&ContextId> {
    match item {
        StreamResponse::Task(task) => task.context_id.as_ref(),
        StreamResponse::Message(message) => message.context_id.as_ref(),
        StreamResponse::StatusUpdate(update) => Some(&update.context_id),
        StreamResponse::ArtifactUpdate(update) => Some(&update.context_id),
    }
}
