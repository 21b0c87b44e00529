//! `legation send`: says something and shows the outcome.
//!
//! Where the agent can stream, the task is followed by a stream rather than by one long wait: it
//! shows progress, it survives a restart of the server, and Ctrl-C can say which task it leaves.

use std::time::Duration;

use legation_client::Client;
use legation_model::{
    GetTaskRequest, Message, SendMessageRequest, SendMessageResponse, StreamResponse, Task, TaskId,
};

use super::exit::{Exit, Failure};
use super::follow::{Ended, Until, follow, unless_interrupted};
use super::message::Words;
use super::out::{Out, progress};
use super::render;
use super::target::Target;
use super::text::one_line;

/// Between two looks at a task of an agent that cannot stream.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What to say to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Send {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    words: Words,
    /// Print the reply as A2A 1.0 JSON
    #[arg(long)]
    json: bool,
}

impl Send {
    /// Says it.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        let request = self.words.request()?;
        let client = self.target.connect().await?;
        let (ended, reply) = match client.card().capabilities.streaming {
            Some(true) => self.stream(&client, request).await?,
            Some(false) | None => self.wait(&client, request).await?,
        };
        if let Some(reply) = reply {
            self.show(&reply)?;
        }
        Ok(ended.conclude(&self.target))
    }

    async fn stream(
        &self,
        client: &Client,
        request: SendMessageRequest,
    ) -> Result<Outcome, Failure> {
        let opened = unless_interrupted(client.stream(request), &self.target).await?;
        let Some(mut events) = opened else { return Ok((Ended::Interrupted(None), None)) };
        let mut message: Option<Message> = None;
        let show = |item: &StreamResponse| {
            tell(item);
            if let StreamResponse::Message(answer) = item {
                message = Some(answer.clone());
            }
            Ok(())
        };
        let ended = follow(&mut events, Until::Settled, show, &self.target).await?;
        match &ended {
            Ended::Message => Ok((ended, message.map(SendMessageResponse::Message))),
            Ended::Task(id, _) => self.look(client, id).await,
            Ended::Interrupted(_) => Ok((ended, None)),
        }
    }

    async fn wait(&self, client: &Client, request: SendMessageRequest) -> Result<Outcome, Failure> {
        let reply = unless_interrupted(client.send(request), &self.target).await?;
        let mut reply = match reply {
            None => return Ok((Ended::Interrupted(None), None)),
            Some(SendMessageResponse::Task(task)) => of_task(task),
            Some(message) => return Ok((Ended::Message, Some(message))),
        };
        // Agents need not wait to the end.
        while let (Ended::Task(id, state), _) = &reply
            && !state.is_settled()
        {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = tokio::signal::ctrl_c() => return Ok((Ended::Interrupted(Some(id.clone())), None)),
            }
            reply = self.look(client, id).await?;
        }
        Ok(reply)
    }

    async fn look(&self, client: &Client, id: &TaskId) -> Result<Outcome, Failure> {
        let request = GetTaskRequest { tenant: None, id: id.clone(), history_length: None };
        let task = unless_interrupted(client.get_task(request), &self.target).await?;
        Ok(task.map_or_else(|| (Ended::Interrupted(Some(id.clone())), None), of_task))
    }

    fn show(&self, reply: &SendMessageResponse) -> Result<(), Failure> {
        let mut out = Out::new();
        if self.json {
            return Ok(out.json(reply)?);
        }
        match reply {
            SendMessageResponse::Task(task) => render::task(&mut out, task)?,
            SendMessageResponse::Message(message) => render::message(&mut out, message)?,
        }
        Ok(())
    }
}

/// Why the wait ended, and what there is to show.
type Outcome = (Ended, Option<SendMessageResponse>);

fn of_task(task: Task) -> Outcome {
    let ended = Ended::Task(task.id.clone(), task.status.state);
    (ended, Some(SendMessageResponse::Task(task)))
}

/// Says what is going on while the outcome is awaited.
fn tell(item: &StreamResponse) {
    const MOST: usize = 100;
    match item {
        StreamResponse::Task(task) => progress(&format!("task {}", task.id)),
        StreamResponse::StatusUpdate(update) if !update.status.state.is_settled() => {
            let (words, _) = render::state_words(update.status.state);
            let text = update.status.message.as_ref().map(Message::text).unwrap_or_default();
            let separator = if text.is_empty() { "" } else { ": " };
            progress(&format!("{words}{separator}{}", one_line(&text, MOST)));
        }
        StreamResponse::StatusUpdate(_)
        | StreamResponse::ArtifactUpdate(_)
        | StreamResponse::Message(_) => {}
    }
}
