//! One connection's part of a stream: numbered items until it ends or breaks.

use std::collections::VecDeque;

use legation_model::{CURSOR_EXTENSION, Metadata, StreamResponse};
use legation_net::Response;
use legation_wire::fault;
use legation_wire::grpc::frame;
use legation_wire::speech::NoResult;
use legation_wire::sse::{self, Frame, TooLarge};
use serde::Deserialize;
use tokio::time::Instant;

use crate::transport::{Endpoint, grpc_status};
use crate::{Binding, Error};

/// An item and its number in the task's log, when the agent numbers its events.
pub(crate) type Numbered = (Option<u64>, StreamResponse);

#[derive(Debug)]
pub(crate) struct Feed {
    operation: &'static str,
    endpoint: Endpoint,
    response: Response,
    reader: Reader,
    /// Items that arrived in one event.
    items: VecDeque<Numbered>,
    /// Whether numbers stand in the metadata of items.
    counts: bool,
    /// When the connection stood.
    pub(crate) since: Instant,
}

#[derive(Debug)]
enum Reader {
    /// With a fault that is told after the whole events before it.
    Events(sse::Reader, Option<TooLarge>),
    Messages(frame::Reader),
}

impl Feed {
    pub(crate) fn new(
        operation: &'static str,
        endpoint: Endpoint,
        response: Response,
        event_bytes: usize,
        counts: bool,
    ) -> Self {
        let reader = match endpoint.binding() {
            Binding::Grpc => Reader::Messages(frame::Reader::new(event_bytes)),
            Binding::JsonRpc | Binding::HttpJson => {
                Reader::Events(sse::Reader::new(event_bytes), None)
            }
        };
        let counts = counts && endpoint.binding() == Binding::Grpc;
        let (items, since) = (VecDeque::new(), Instant::now());
        Self { operation, endpoint, response, reader, items, counts, since }
    }

    /// The next item; `None` when the agent ended the stream in due form.
    ///
    /// # Cancel safety
    /// Safe: what has arrived stays here.
    pub(crate) async fn next(&mut self) -> Result<Option<Numbered>, Error> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some(item));
            }
            if self.take()? {
                continue;
            }
            let piece = self.response.chunk().await;
            let piece = piece
                .map_err(|reason| Error::of_net(self.operation, &self.endpoint.url, reason))?;
            let Some(piece) = piece else { return self.end() };
            match &mut self.reader {
                Reader::Events(reader, fault) => *fault = reader.push(&piece).err(),
                Reader::Messages(reader) => reader.push(&piece),
            }
        }
    }

    /// Takes the items of the next event that has arrived whole; false when there is none.
    fn take(&mut self) -> Result<bool, Error> {
        match &mut self.reader {
            Reader::Events(reader, fault) => {
                let fault = *fault;
                while let Some(frame) = reader.pop() {
                    match frame {
                        // Some servers' sign of life is an event without content.
                        Frame::Event(event) if !event.data.trim().is_empty() => {
                            let number = event.id.as_ref().and_then(|id| id.parse().ok());
                            return self.read(event.data.as_bytes(), number);
                        }
                        Frame::Event(_) | Frame::Activity => {}
                    }
                }
                fault.map_or(Ok(false), |fault| Err(self.bad(fault.to_string())))
            }
            Reader::Messages(reader) => match reader.pop() {
                Ok(Some(message)) => self.read(&message, None),
                Ok(None) => Ok(false),
                Err(fault) => Err(self.bad(fault.to_string())),
            },
        }
    }

    fn read(&mut self, data: &[u8], number: Option<u64>) -> Result<bool, Error> {
        let items = self.endpoint.speech.read_items(data).map_err(|fault| match fault {
            NoResult::Error(error) => Error::Agent { operation: self.operation, error },
            NoResult::Nonsense(reason) => self.bad(reason),
        })?;
        let last = items.len().saturating_sub(1);
        for (index, mut item) in items.into_iter().enumerate() {
            let counted = if self.counts { take_number(&mut item) } else { None };
            // An event has been seen when the last of its items has.
            let number = counted.or(number).filter(|_| index == last);
            self.items.push_back((number, item));
        }
        Ok(true)
    }

    /// The end of the body. That of gRPC says how the call went; when it does not, it was cut off, and
    /// what the items said of the task decides whether anything is missing.
    fn end(&self) -> Result<Option<Numbered>, Error> {
        let Reader::Messages(_) = &self.reader else { return Ok(None) };
        let trailers = self.response.trailers();
        match trailers.and_then(grpc_status).filter(|status| status.code != 0) {
            Some(status) => {
                let error = fault::read_grpc(self.endpoint.version(), &status);
                Err(Error::Agent { operation: self.operation, error })
            }
            None => Ok(None),
        }
    }

    fn bad(&self, reason: String) -> Error {
        Error::bad(self.operation, &self.endpoint.url, reason)
    }
}

/// Takes the number out of an item's metadata. The caller of this client did not ask for it.
fn take_number(item: &mut StreamResponse) -> Option<u64> {
    /// Protobuf has no whole numbers there.
    #[derive(Deserialize)]
    struct Number {
        seq: f64,
    }
    let metadata: &mut Option<Metadata> = match item {
        StreamResponse::Task(task) => &mut task.metadata,
        StreamResponse::Message(message) => &mut message.metadata,
        StreamResponse::StatusUpdate(update) => &mut update.metadata,
        StreamResponse::ArtifactUpdate(update) => &mut update.metadata,
    };
    let known = metadata.as_ref()?;
    // Nearly always the number is all there is.
    let text =
        known.as_str().strip_prefix("{\"").and_then(|text| text.strip_prefix(CURSOR_EXTENSION));
    let text = text.and_then(|text| text.strip_prefix("\":")?.strip_suffix('}'));
    let only = text.and_then(|text| serde_json::from_str(text).ok());
    let rest = if only.is_some() { None } else { known.without(CURSOR_EXTENSION) };
    let Number { seq } = match only {
        Some(number) => number,
        None => known.get(CURSOR_EXTENSION)?.read().ok()?,
    };
    *metadata = rest;
    (seq >= 0.0 && seq.fract() == 0.0).then_some(seq as u64)
}
