//! A kept-alive connection that sends prepared bytes and reads the answer.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::{
    http::{Framing, read_head},
    load::Connect,
};
use crate::tls::Stream;

/// Room for one read. Small enough for thousands of idle connections.
const READ: usize = 16 * 1024;

pub(super) struct Connection {
    stream: Stream,
    /// What has arrived and is not decoded yet.
    raw: Vec<u8>,
    framing: Framing,
    body: Vec<u8>,
}

impl Connect for Connection {
    async fn open_by(
        address: SocketAddr,
        connector: Option<&TlsConnector>,
    ) -> anyhow::Result<Self> {
        let stream = Stream::open(address, connector).await?;
        Ok(Self { stream, raw: Vec::new(), framing: Framing::Done, body: Vec::new() })
    }
}

impl Connection {
    /// Sends a request and returns the body of its answer, which has to be a 200.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<&str> {
        self.begin(request).await?;
        while self.more().await? {}
        std::str::from_utf8(&self.body).context("the reply is not UTF-8")
    }

    /// Sends a request and reads the head of its answer, which has to be a 200.
    pub(super) async fn begin(&mut self, request: &[u8]) -> anyhow::Result<()> {
        if self.framing != Framing::Done || !self.raw.is_empty() {
            bail!("more arrived than the last answer");
        }
        self.body.clear();
        self.stream.write_all(request).await.context("cannot send")?;
        self.stream.flush().await.context("cannot send")?;
        let head = loop {
            self.read().await?;
            if let Some(head) = read_head(&self.raw)? {
                break head;
            }
        };
        self.raw.drain(..head.length);
        self.framing = head.framing;
        self.decode()?;
        if head.status != 200 {
            while self.more().await? {}
            bail!("status {}: {}", head.status, String::from_utf8_lossy(&self.body));
        }
        Ok(())
    }

    /// Waits for more of the body; false when it has ended.
    pub(super) async fn more(&mut self) -> anyhow::Result<bool> {
        if self.framing == Framing::Done {
            return Ok(false);
        }
        self.read().await?;
        self.decode()?;
        Ok(true)
    }

    /// What has been decoded of the body and not been taken away by the reader.
    pub(super) fn body(&mut self) -> &mut Vec<u8> {
        &mut self.body
    }

    /// Tells whether the answer is still open. What has arrived meanwhile is dropped.
    pub(super) fn is_open(&mut self) -> bool {
        let mut scratch = [0; READ];
        loop {
            match self.stream.socket().try_read(&mut scratch) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        self.raw.reserve(READ);
        match self.stream.read_buf(&mut self.raw).await.context("cannot receive")? {
            0 => bail!("the server closed the connection"),
            _ => Ok(()),
        }
    }

    fn decode(&mut self) -> anyhow::Result<()> {
        let used = self.framing.decode(&self.raw, &mut self.body)?;
        self.raw.drain(..used);
        Ok(())
    }
}
