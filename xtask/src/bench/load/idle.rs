//! Streams that stay open.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use tokio::task::JoinSet;

use super::{Connect as _, stream::METHOD};
use crate::{
    bench::{
        connection::Connection,
        request::{Message, text_part},
        sse::drain_events,
    },
    contract::WAIT_TEXT,
};

/// Streams opened at a time.
const OPENERS: usize = 50;

/// Open streams.
pub(in crate::bench) struct Open(Vec<Connection>);

impl Open {
    /// Returns how many of them the server has closed.
    pub(in crate::bench) fn closed(&mut self) -> usize {
        self.0.iter_mut().map(|connection| usize::from(!connection.is_open())).sum()
    }
}

/// Opens about `count` streams and waits for the first event of each.
pub(in crate::bench) async fn open_streams(
    address: SocketAddr,
    token: &str,
    count: usize,
) -> anyhow::Result<Open> {
    let mut openers = JoinSet::new();
    for _ in 0..OPENERS {
        let mut message = Message::new(token, METHOD, &text_part(WAIT_TEXT));
        openers.spawn(async move {
            let mut open = Vec::new();
            for _ in 0..count.div_ceil(OPENERS) {
                open.push(open_stream(address, message.renew()).await?);
            }
            anyhow::Ok(open)
        });
    }
    let mut open = Vec::new();
    while let Some(more) = openers.join_next().await {
        open.extend(more?.context("cannot open a stream")?);
    }
    Ok(Open(open))
}

async fn open_stream(address: SocketAddr, request: &[u8]) -> anyhow::Result<Connection> {
    let mut connection = Connection::open(address).await?;
    connection.begin(request).await?;
    let mut events = 0;
    loop {
        drain_events(connection.body(), |_| {
            events += 1;
            Ok(())
        })?;
        if events > 0 {
            return Ok(connection);
        }
        ensure!(connection.more().await?, "the stream ended at once");
    }
}
