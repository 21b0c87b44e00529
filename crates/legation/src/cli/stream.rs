//! `legation stream`: says something and shows what happens as it happens.

use legation_client::Events;
use legation_model::StreamResponse;

use super::exit::{Exit, Failure};
use super::follow::{Ended, Until, follow, unless_interrupted};
use super::message::Words;
use super::out::Out;
use super::render::Running;
use super::target::Target;

/// What to say to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Stream {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    words: Words,
    /// Print each event as a line of A2A 1.0 JSON
    #[arg(long)]
    json: bool,
}

impl Stream {
    /// Says it.
    pub(crate) async fn run(self) -> Result<Exit, Failure> {
        let request = self.words.request()?;
        let client = self.target.connect().await?;
        let opened = unless_interrupted(client.stream(request), &self.target).await?;
        let Some(mut events) = opened else {
            return Ok(Ended::Interrupted(None).conclude(&self.target));
        };
        let ended = show(&mut events, Until::Settled, self.json, &self.target).await?;
        Ok(ended.conclude(&self.target))
    }
}

/// Shows the events of a task as they come.
pub(super) async fn show(
    events: &mut Events,
    until: Until,
    json: bool,
    target: &Target,
) -> Result<Ended, Failure> {
    let (mut out, mut running) = (Out::new(), Running::default());
    let item = |item: &StreamResponse| {
        if json {
            out.json(item)?
        } else {
            running.show(&mut out, item)?
        }
        Ok(())
    };
    let ended = follow(events, until, item, target).await;
    running.close(&mut out)?;
    out.flush()?;
    ended
}
