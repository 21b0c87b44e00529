//! One connection's part of a stream: numbered items until it ends or breaks.

use std::collections::VecDeque;

use http::HeaderMap;
use legation_model::StreamResponse;
use legation_net::Response;
use legation_wire::fault;
use legation_wire::grpc::frame;
use legation_wire::header::LAST_EVENT_ID;
use legation_wire::speech::NoResult;
use legation_wire::sse::{self, Frame, TooLarge};
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
    items: VecDeque<StreamResponse>,
    /// The number of that event, which has been seen when the last of its items has.
    number: Option<u64>,
    counter: Option<Counter>,
    /// When the connection stood.
    pub(crate) since: Instant,
}

#[derive(Debug)]
enum Reader {
    /// With a fault that is told after the whole events before it.
    Events(sse::Reader, Option<TooLarge>),
    Messages(frame::Reader),
}

/// Numbers messages, which have no numbers of their own: the agent says behind which event they begin,
/// and they follow one by one. The first one of a stream that goes on behind an event is a header, which
/// has none.
#[derive(Debug)]
struct Counter {
    last: u64,
    is_header: bool,
}

impl Counter {
    fn of(headers: &HeaderMap, after: Option<u64>) -> Option<Self> {
        let last = headers.get(LAST_EVENT_ID)?.to_str().ok()?.parse().ok()?;
        Some(Self { last, is_header: after == Some(last) })
    }

    fn next(&mut self) -> Option<u64> {
        if std::mem::take(&mut self.is_header) {
            return None;
        }
        self.last = self.last.saturating_add(1);
        Some(self.last)
    }
}

impl Feed {
    pub(crate) fn new(
        operation: &'static str,
        endpoint: Endpoint,
        response: Response,
        event_bytes: usize,
        after: Option<u64>,
    ) -> Self {
        let reader = match endpoint.binding() {
            Binding::Grpc => Reader::Messages(frame::Reader::new(event_bytes)),
            Binding::JsonRpc | Binding::HttpJson => {
                Reader::Events(sse::Reader::new(event_bytes), None)
            }
        };
        let counter = match reader {
            Reader::Messages(_) => Counter::of(response.headers(), after),
            Reader::Events(..) => None,
        };
        let (items, since) = (VecDeque::new(), Instant::now());
        Self { operation, endpoint, response, reader, items, number: None, counter, since }
    }

    /// The next item; `None` when the agent ended the stream in due form.
    ///
    /// # Cancel safety
    /// Safe: what has arrived stays here.
    pub(crate) async fn next(&mut self) -> Result<Option<Numbered>, Error> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some((self.number.filter(|_| self.items.is_empty()), item)));
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
                            let data = event.data.as_bytes();
                            let read = self.endpoint.speech.read_items(data, &mut self.items);
                            return self.took(read, number);
                        }
                        Frame::Event(_) | Frame::Activity => {}
                    }
                }
                fault.map_or(Ok(false), |fault| Err(self.bad(fault.to_string())))
            }
            Reader::Messages(reader) => match reader.pop() {
                Ok(Some(message)) => {
                    let read = self.endpoint.speech.read_items(message, &mut self.items);
                    let number = self.counter.as_mut().and_then(Counter::next);
                    self.took(read, number)
                }
                Ok(None) => Ok(false),
                Err(fault) => Err(self.bad(fault.to_string())),
            },
        }
    }

    fn took(&mut self, read: Result<(), NoResult>, number: Option<u64>) -> Result<bool, Error> {
        read.map_err(|fault| match fault {
            NoResult::Error(error) => Error::Agent { operation: self.operation, error },
            NoResult::Nonsense(reason) => self.bad(reason),
        })?;
        self.number = number;
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
