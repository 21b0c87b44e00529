//! `legation stream`: says something and shows what happens as it happens.

use legation_client::Events;
use legation_model::{GetTaskRequest, SendMessageResponse, StreamResponse};

use super::exit::{Exit, Failure};
use super::follow::{Ended, Until, follow, unless_interrupted};
use super::message::Saying;
use super::out::Out;
use super::render::Running;
use super::target::Target;

/// Says it.
pub(crate) async fn run(saying: Saying) -> Result<Exit, Failure> {
    let Saying { target, words, told, json, .. } = &saying;
    let request = words.request()?;
    let client = target.connect_told(told).await?;
    let opened = unless_interrupted(client.stream(request), target).await?;
    let Some(mut events) = opened else {
        return Ok(Ended::Interrupted(None).conclude(target));
    };
    let ended = show(&mut events, Until::Settled, *json, target).await?;
    if let (true, Ended::Task(id, _)) = (saying.saves(), &ended) {
        let request = GetTaskRequest { tenant: None, id: id.clone(), history_length: Some(0) };
        let task = client.get_task(request).await.map_err(|error| target.failure(&error))?;
        saying.save(&SendMessageResponse::Task(task))?;
    }
    Ok(ended.conclude(target))
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
