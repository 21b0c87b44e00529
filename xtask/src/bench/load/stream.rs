//! SendStreamingMessage, read to its end.

use std::time::Instant;

use super::{Done, Exchange};
use crate::bench::{
    cases::Payload,
    connection::Connection,
    request::{Message, text_part},
    sse::drain_events,
    watch::{Artifacts, Watch},
};

/// The method every stream starts with.
pub(super) const METHOD: &str = "SendStreamingMessage";

/// Starts a stream and checks every event of it.
#[derive(Clone)]
pub(in crate::bench) struct Streams {
    message: Message,
    artifacts: Artifacts,
}

impl Streams {
    /// Streams that echo the text.
    pub(in crate::bench) fn echo(token: &str) -> Self {
        let payload = Payload::Text;
        Self {
            message: Message::new(token, METHOD, &payload.part()),
            artifacts: Artifacts::Echo(payload.content()),
        }
    }

    /// Streams of `count` chunks, which are what is counted.
    pub(in crate::bench) fn chunks(token: &str, count: u64) -> Self {
        Self {
            message: Message::new(token, METHOD, &text_part(&format!("chunks {count}"))),
            artifacts: Artifacts::Chunks(count),
        }
    }
}

impl Exchange for Streams {
    type Connection = Connection;

    async fn once(&mut self, connection: &mut Connection) -> anyhow::Result<Done> {
        let start = Instant::now();
        connection.begin(self.message.renew()).await?;
        let mut watch = Watch::new(&self.artifacts);
        let mut first = None;
        loop {
            drain_events(connection.body(), |event| watch.event(&event))?;
            if watch.events() > 0 && first.is_none() {
                first = Some(start.elapsed());
            }
            if !connection.more().await? {
                break;
            }
        }
        // An echo's one artifact counts the stream itself.
        Ok(Done { units: watch.finish()?, took: None, first })
    }
}
