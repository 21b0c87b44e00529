//! A caller with nothing bad in mind, and how long it waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::target::{Target, message};
use crate::tls::Stream;

/// How often it calls.
const EVERY: Duration = Duration::from_millis(5);

/// Connections that it calls by in turn, each for some time.
const CALLS_A_CONNECTION: usize = 200;

/// Sends messages until it is told to stop, by connections that it opens now and then; gives how long
/// each took.
pub(super) async fn call(
    target: Arc<Target>,
    mut stop: tokio::sync::watch::Receiver<bool>,
) -> anyhow::Result<Vec<Duration>> {
    let request = target.call("SendMessage", &message("hello"));
    let mut took = Vec::new();
    let mut stream = target.connect("http/1.1").await?;
    while !*stop.borrow_and_update() {
        if took.len() % CALLS_A_CONNECTION == CALLS_A_CONNECTION - 1 {
            stream = target.connect("http/1.1").await.context("an honest caller is kept out")?;
        }
        let begin = Instant::now();
        exchange(&mut stream, &request).await.context("an honest caller got no answer")?;
        took.push(begin.elapsed());
        tokio::time::sleep(EVERY).await;
    }
    Ok(took)
}

async fn exchange(stream: &mut Stream, request: &[u8]) -> anyhow::Result<()> {
    const END: &[u8] = b"\"TASK_STATE_COMPLETED\"";
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    // The answer is over when as much has come as its length says.
    loop {
        ensure!(stream.read_buf(&mut answer).await? > 0, "closed");
        if is_whole(&answer) {
            let is_good = answer.windows(END.len()).any(|window| window == END);
            ensure!(is_good, "{}", String::from_utf8_lossy(&answer));
            return Ok(());
        }
    }
}

/// Whether an answer with a length is there with all of its body.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse::<usize>().ok());
    length.is_some_and(|length| answer.len() >= head.len() + 4 + length)
}

/// The time that 99 of 100 took at most.
pub(super) fn p99(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took.get(took.len() * 99 / 100).copied().unwrap_or_default()
}
