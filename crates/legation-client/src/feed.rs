//! One connection's part of a stream: numbered items until it ends or breaks.

use legation_model::StreamResponse;
use legation_net::Response;
use legation_wire::sse::{Event, Frame, Reader, TooLarge};
use tokio::time::Instant;

use crate::Error;
use crate::transport::{Endpoint, NoResult};

/// An item and its number in the task's log, when the agent numbers its events.
pub(crate) type Numbered = (Option<u64>, StreamResponse);

#[derive(Debug)]
pub(crate) struct Feed {
    operation: &'static str,
    endpoint: Endpoint,
    response: Response,
    reader: Reader,
    /// Told after the whole events before it.
    fault: Option<TooLarge>,
    /// When the connection stood.
    pub(crate) since: Instant,
}

impl Feed {
    pub(crate) fn new(
        operation: &'static str,
        endpoint: Endpoint,
        response: Response,
        event_bytes: usize,
    ) -> Self {
        let (reader, since) = (Reader::new(event_bytes), Instant::now());
        Self { operation, endpoint, response, reader, fault: None, since }
    }

    /// The next item; `None` when the agent ended the stream in due form.
    ///
    /// # Cancel safety
    /// Safe: what has arrived stays here.
    pub(crate) async fn next(&mut self) -> Result<Option<Numbered>, Error> {
        loop {
            if let Some(item) = self.take()? {
                return Ok(Some(item));
            }
            let piece = self.response.chunk().await;
            let piece = piece
                .map_err(|reason| Error::of_net(self.operation, &self.endpoint.url, reason))?;
            let Some(piece) = piece else { return Ok(None) };
            self.fault = self.reader.push(&piece).err();
        }
    }

    /// The next item that has arrived whole.
    fn take(&mut self) -> Result<Option<Numbered>, Error> {
        while let Some(frame) = self.reader.pop() {
            match frame {
                // Some servers' sign of life is an event without content.
                Frame::Event(event) if !event.data.is_empty() => {
                    return self.item(&event).map(Some);
                }
                Frame::Event(_) | Frame::Activity => {}
            }
        }
        match self.fault {
            Some(fault) => Err(self.bad(fault.to_string())),
            None => Ok(None),
        }
    }

    fn item(&self, event: &Event) -> Result<Numbered, Error> {
        let number = event.id.as_ref().and_then(|id| id.parse().ok());
        match self.endpoint.item(&event.data) {
            Ok(item) => Ok((number, item)),
            Err(NoResult::Error(error)) => Err(Error::Agent { operation: self.operation, error }),
            Err(NoResult::Nonsense(reason)) => Err(self.bad(reason)),
        }
    }

    fn bad(&self, reason: String) -> Error {
        Error::bad(self.operation, &self.endpoint.url, reason)
    }
}
