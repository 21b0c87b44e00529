//! `legation context sweep`: asks the servers of a store to sweep its contexts now. Only they do it, by
//! their configuration, so that whoever hears of contexts hears of it from them.

use std::time::Duration;

use legation_core::DEPLOYMENT;
use legation_core::store::Swept;
use tokio::time::{Instant, sleep};

use super::exit::{Exit, Failure};
use super::out::{Out, Style};
use super::place::{Place, failed};
use super::tokens::time;

/// How often it is looked whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Which contexts to sweep.
#[derive(Debug, clap::Args)]
pub(crate) struct Sweep {
    #[command(flatten)]
    place: Place,
    /// How long to wait for a server that does it, such as 30s or 1h
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = time)]
    timeout: Duration,
    /// Print a JSON object with the numbers
    #[arg(long)]
    json: bool,
}

impl Sweep {
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let Some(sweeps) = self.place.sweeps().await? else {
            return Err(Failure::usage(format!("there is no store in {}", self.place.named())));
        };
        let asked = sweeps.kept.ask(DEPLOYMENT).await.map_err(failed)?;
        let begun = Instant::now();
        loop {
            if let Some(swept) = sweeps.kept.done(DEPLOYMENT, asked).await.map_err(failed)? {
                self.tell(&swept)?;
                return Ok(Exit::Done);
            }
            if begun.elapsed() >= self.timeout {
                return Err(Failure::of_command(format!(
                    "no server has swept {} within the --timeout; does one work on it? The next one \
                     that starts there does it",
                    self.place.named()
                )));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn tell(&self, swept: &Swept) -> Result<(), Failure> {
        let mut out = Out::new();
        if self.json {
            return Ok(out.json(swept)?);
        }
        let Swept { idle, expired, kept, tasks, contexts, keys, results } = swept;
        out.line(Style::Plain, &format!("contexts: {idle} went idle, {expired} expired"))?;
        let removed = format!(
            "removed: {tasks} tasks, {contexts} contexts, {results} results, {keys} idempotency keys"
        );
        out.line(Style::Plain, &removed)?;
        out.line(Style::Plain, &format!("kept: {kept} results"))?;
        Ok(out.flush()?)
    }
}
