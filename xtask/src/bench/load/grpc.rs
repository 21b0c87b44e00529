//! SendMessage and SendStreamingMessage over gRPC.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Context, ensure};
use prost::Message as _;

use super::{Done, Exchange};
use crate::{
    bench::{
        h2::{Channel, head},
        request::text,
    },
    contract::chunk_text,
    pb::{self, COMPLETED, SendMessageResponse, StreamResponse},
};

/// Sends messages and expects their echoes, so many at once on a connection.
#[derive(Clone)]
pub(in crate::bench) struct GrpcSends {
    head: Vec<u8>,
    text: String,
    at_once: usize,
    /// The calls that are not answered: their messages, and when they began.
    open: HashMap<u32, (String, Instant)>,
}

impl GrpcSends {
    pub(in crate::bench) fn new(token: &str, at_once: usize) -> Self {
        let head = head(&pb::path("SendMessage"), token);
        Self { head, text: text(), at_once, open: HashMap::new() }
    }

    fn check(&self, reply: &[u8], message_id: &str) -> anyhow::Result<()> {
        let task = SendMessageResponse::decode(reply)?.task.context("no task")?;
        ensure!(task.status.is_some_and(|status| status.state == COMPLETED), "not completed");
        let [artifact] = &task.artifacts[..] else { anyhow::bail!("not one artifact") };
        let said = artifact.parts.first().and_then(|part| part.text.as_deref());
        ensure!(said == Some(&*self.text), "the artifact is not the echo");
        let own = task.history.first().is_some_and(|first| first.message_id == message_id);
        ensure!(own, "another's echo");
        Ok(())
    }
}

impl Exchange for GrpcSends {
    type Connection = Channel;

    async fn once(&mut self, channel: &mut Channel) -> anyhow::Result<Done> {
        while self.open.len() < self.at_once {
            let (message_id, request) = pb::request(&self.text);
            let began = Instant::now();
            self.open.insert(channel.begin(&self.head, &request).await?, (message_id, began));
        }
        let call = channel.answered().await?;
        let (message_id, began) = self.open.remove(&call).context("an answer to no call")?;
        let mut answers = 0;
        let check = |reply: &[u8]| {
            answers += 1;
            self.check(reply, &message_id)
        };
        ensure!(channel.next(call, check).await?, "no answer");
        ensure!(answers == 1 && !channel.next(call, |_| Ok(())).await?, "more than one answer");
        Ok(Done { units: 1, took: Some(began.elapsed()), first: None })
    }
}

/// Starts a stream of chunks and checks every item of it.
#[derive(Clone)]
pub(in crate::bench) struct GrpcStreams {
    head: Vec<u8>,
    chunks: u64,
}

impl GrpcStreams {
    /// Streams of `chunks` chunks, which are what is counted.
    pub(in crate::bench) fn new(token: &str, chunks: u64) -> Self {
        Self { head: head(&pb::path("SendStreamingMessage"), token), chunks }
    }
}

impl Exchange for GrpcStreams {
    type Connection = Channel;

    async fn once(&mut self, channel: &mut Channel) -> anyhow::Result<Done> {
        let start = Instant::now();
        let (_, request) = pb::request(&format!("chunks {}", self.chunks));
        let call = channel.begin(&self.head, &request).await?;
        let (mut first, mut chunks, mut completed) = (None, 0, false);
        let mut check = |item: &[u8]| {
            ensure!(!completed, "an item after the end");
            let item = StreamResponse::decode(item)?;
            if first.is_none() {
                ensure!(item.task.is_some(), "the first item is no task");
                first = Some(start.elapsed());
            } else if let Some(update) = item.artifact_update {
                let parts = update.artifact.unwrap_or_default().parts;
                let said = parts.into_iter().next().and_then(|part| part.text);
                ensure!(said == Some(chunk_text(chunks)), "not chunk {chunks}: {said:?}");
                chunks += 1;
            } else {
                let status = item.status_update.and_then(|update| update.status);
                completed = status.is_some_and(|status| status.state == COMPLETED);
            }
            Ok(())
        };
        while channel.next(call, &mut check).await? {}
        ensure!(completed && chunks == self.chunks, "{chunks} of {} chunks", self.chunks);
        Ok(Done { units: chunks, took: None, first })
    }
}
