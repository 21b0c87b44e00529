//! `legation send`: says something and shows the outcome.
//!
//! The task is followed rather than waited for by one long call: that shows progress, it survives a
//! restart of the server, and Ctrl-C can say which task it leaves.

use legation_client::{Client, Schema, Unfit};
use legation_model::{
    GetTaskRequest, Message, SendMessageRequest, SendMessageResponse, StreamResponse, Task, TaskId,
};

use super::exit::{Exit, Failure};
use super::follow::{Ended, Until, follow, unless_interrupted};
use super::json::pretty;
use super::message::Saying;
use super::out::{Out, Style, progress};
use super::target::Target;
use super::text::one_line;
use super::{render, stream};

/// What to say to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Send {
    #[command(flatten)]
    saying: Saying,
    /// Show what happens as it happens, as `legation stream` does
    #[arg(long)]
    follow: bool,
}

impl Send {
    /// Says it.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        if self.follow {
            return stream::run(self.saying).await;
        }
        let Saying { target, words, told, .. } = &self.saying;
        let (request, schema) = (words.request()?, words.schema()?);
        let client = target.connect_told(told).await?;
        let (ended, reply) = self.stream(&client, request).await?;
        if let Some(reply) = reply {
            self.saying.save(&reply)?;
            self.show(&reply, schema.as_ref())?;
        }
        Ok(ended.conclude(target))
    }

    async fn stream(
        &self,
        client: &Client,
        request: SendMessageRequest,
    ) -> Result<Outcome, Failure> {
        let opened = unless_interrupted(client.stream(request), &self.saying.target).await?;
        let Some(mut events) = opened else { return Ok((Ended::Interrupted(None), None)) };
        let mut message: Option<Message> = None;
        let show = |item: &StreamResponse| {
            tell(item);
            if let StreamResponse::Message(answer) = item {
                message = Some(answer.clone());
            }
            Ok(())
        };
        let ended = follow(&mut events, Until::Settled, show, &self.saying.target).await?;
        match &ended {
            Ended::Message => Ok((ended, message.map(SendMessageResponse::Message))),
            Ended::Task(id, _) => look(client, id, &self.saying.target).await,
            Ended::Interrupted(_) => Ok((ended, None)),
        }
    }

    fn show(&self, reply: &SendMessageResponse, schema: Option<&Schema>) -> Result<(), Failure> {
        let mut out = Out::new();
        if self.saying.json {
            return Ok(out.json(reply)?);
        }
        if let Some(schema) = schema {
            return match schema.data(reply) {
                Ok(data) => {
                    out.line(Style::Plain, &pretty(data.as_str()))?;
                    Ok(out.flush()?)
                }
                // It says by itself why there is no answer.
                Err(Unfit::Incomplete) => self.render(&mut out, reply),
                Err(unfit) => Err(Failure::of_command(unfit.to_string())),
            };
        }
        self.render(&mut out, reply)
    }

    fn render(&self, out: &mut Out, reply: &SendMessageResponse) -> Result<(), Failure> {
        match reply {
            SendMessageResponse::Task(task) => render::task(out, task)?,
            SendMessageResponse::Message(message) => render::message(out, message)?,
        }
        Ok(())
    }
}

async fn look(client: &Client, id: &TaskId, target: &Target) -> Result<Outcome, Failure> {
    let request = GetTaskRequest { tenant: None, id: id.clone(), history_length: None };
    let task = unless_interrupted(client.get_task(request), target).await?;
    Ok(task.map_or_else(|| (Ended::Interrupted(Some(id.clone())), None), of_task))
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
