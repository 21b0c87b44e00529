//! SendMessage and SendStreamingMessage over gRPC.

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

/// Sends a message and expects its echo.
#[derive(Clone)]
pub(in crate::bench) struct GrpcSends {
    head: Vec<u8>,
    text: String,
}

impl GrpcSends {
    pub(in crate::bench) fn new(token: &str) -> Self {
        Self { head: head(&pb::path("SendMessage"), token), text: text() }
    }
}

impl Exchange for GrpcSends {
    type Connection = Channel;

    async fn once(&mut self, channel: &mut Channel) -> anyhow::Result<Done> {
        let (message_id, request) = pb::request(&self.text);
        channel.begin(&self.head, &request).await?;
        let reply = channel.next().await?.context("no answer")?;
        let reply = SendMessageResponse::decode(&*reply)?;
        let task = reply.task.context("no task")?;
        ensure!(task.status.is_some_and(|status| status.state == COMPLETED), "not completed");
        let [artifact] = &task.artifacts[..] else { anyhow::bail!("not one artifact") };
        let said = artifact.parts.first().and_then(|part| part.text.as_deref());
        ensure!(said == Some(&*self.text), "the artifact is not the echo");
        let own = task.history.first().is_some_and(|first| first.message_id == message_id);
        ensure!(own, "another's echo");
        ensure!(channel.next().await?.is_none(), "more than one answer");
        Ok(Done::ONE)
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
        channel.begin(&self.head, &request).await?;
        let first = channel.next().await?.context("no task")?;
        ensure!(StreamResponse::decode(&*first)?.task.is_some(), "the first item is no task");
        let first = Some(start.elapsed());
        let (mut chunks, mut completed) = (0, false);
        while let Some(item) = channel.next().await? {
            ensure!(!completed, "an item after the end");
            let item = StreamResponse::decode(&*item)?;
            if let Some(update) = item.artifact_update {
                let parts = update.artifact.unwrap_or_default().parts;
                let said = parts.into_iter().next().and_then(|part| part.text);
                ensure!(said == Some(chunk_text(chunks)), "not chunk {chunks}: {said:?}");
                chunks += 1;
            } else {
                let status = item.status_update.and_then(|update| update.status);
                completed = status.is_some_and(|status| status.state == COMPLETED);
            }
        }
        ensure!(completed && chunks == self.chunks, "{chunks} of {} chunks", self.chunks);
        Ok(Done { units: chunks, first })
    }
}
