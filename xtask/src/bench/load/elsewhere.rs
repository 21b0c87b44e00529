//! Streams of one replica that are read on another one as well.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;

use super::{Connect as _, Tally, stream::METHOD};
use crate::bench::{
    check::field,
    connection::Connection,
    request::{Message, call, text_part},
    sse::drain_events,
};

/// When each event came, by its id.
type Arrivals = Vec<(String, Instant)>;

/// Begins tasks on one replica that give so many events a second together, and measures how much later
/// each is read on another one than where it was made, which shows it when it is durable.
pub(in crate::bench) async fn elsewhere(
    (here, there): (SocketAddr, SocketAddr),
    token: &str,
    (tasks, per_second): (u32, u32),
    length: Duration,
) -> anyhow::Result<Tally> {
    let pause = Duration::from_secs(1) * tasks / per_second;
    let count = (length.as_secs_f64() / pause.as_secs_f64()).ceil();
    let script = text_part(&format!("chunks {count} every {}", pause.as_millis()));
    let begun = Instant::now();
    let mut reading = JoinSet::new();
    for _ in 0..tasks {
        let (token, mut message) = (token.to_owned(), Message::new(token, METHOD, &script));
        reading.spawn(async move {
            let mut made = Connection::open(here).await?;
            made.begin(message.renew()).await?;
            let task = first_task(&mut made).await?;
            let mut told = Connection::open(there).await?;
            let params = format!(r#"{{"id":"{task}"}}"#);
            told.begin(&call(&token, "SubscribeToTask", &params)).await?;
            tokio::try_join!(arrivals(made), arrivals(told))
        });
    }
    let mut tally = Tally::default();
    while let Some(arrivals) = reading.join_next().await {
        let (made, told) = arrivals??;
        let delays = delays(&made, &told)?;
        tally.units += delays.len() as u64;
        tally.times.extend(delays);
    }
    tally.elapsed = begun.elapsed();
    Ok(tally)
}

/// The task with which a stream begins.
async fn first_task(stream: &mut Connection) -> anyhow::Result<String> {
    loop {
        let mut task = None;
        drain_events(stream.body(), |event| {
            let id =
                event.data.split_once(r#""task":{"#).and_then(|(_, task)| field(task, r#""id":""#));
            task = task.take().or(id.map(str::to_owned));
            Ok(())
        })?;
        if let Some(task) = task {
            return Ok(task);
        }
        ensure!(stream.more().await?, "the stream ended at once");
    }
}

async fn arrivals(mut stream: Connection) -> anyhow::Result<Arrivals> {
    let mut arrivals = Vec::new();
    loop {
        let now = Instant::now();
        drain_events(stream.body(), |event| {
            arrivals.push((event.id.context("an event without an id")?.to_owned(), now));
            Ok(())
        })?;
        if !stream.more().await? {
            return Ok(arrivals);
        }
    }
}

/// How much later events were told than made. All that were made after the first that was told have to
/// be told, in order.
fn delays(made: &Arrivals, told: &Arrivals) -> anyhow::Result<Vec<Duration>> {
    // The subscription begins with the task as it is, under the id of its last event.
    let told = told.get(1..).unwrap_or_default();
    let (first, _) = told.first().context("nothing was told")?;
    let from = made.iter().position(|(id, _)| id == first);
    let made = &made[from.with_context(|| format!("event {first} was never made"))?..];
    let same = made.iter().map(|(id, _)| id).eq(told.iter().map(|(id, _)| id));
    ensure!(same, "{} events were made and {} told", made.len(), told.len());
    let later = |((_, made), (_, told)): (&(_, Instant), &(_, Instant))| {
        told.saturating_duration_since(*made)
    };
    Ok(made.iter().zip(told).map(later).collect())
}
