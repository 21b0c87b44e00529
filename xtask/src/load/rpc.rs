//! Calls and their streams over one connection to a call, so that nothing survives a kill.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use legation_testkit::history::Failure;
use legation_wire::grpc::frame;
use legation_wire::operation::Verb;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Binding;
use super::wire::{self, other};
use crate::bench::sse::drain_events;

/// How long nothing may come. Streams are told every 15 s that they live.
const PATIENCE: Duration = Duration::from_secs(40);

/// Says behind which event a stream begins.
const LAST_EVENT_ID: &str = "last-event-id";

/// A call that goes to the mount of an agent.
pub(crate) struct Rpc<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) binding: Binding,
    pub(crate) token: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) method: &'static str,
    pub(crate) params: Value,
    /// The value of `Idempotency-Key`.
    pub(crate) key: Option<&'a str>,
    /// The value of `Last-Event-ID`.
    pub(crate) after: Option<u64>,
}

/// The events of a stream.
pub(crate) struct Events {
    binding: Binding,
    body: Incoming,
    /// Drives the connection; ends with this.
    _connection: JoinSet<()>,
    arrived: Arrived,
    ready: VecDeque<Numbered>,
}

/// What has arrived of events that are not whole.
enum Arrived {
    Text(Vec<u8>),
    /// With the number of the last message, which counts unless it is a header.
    Messages(frame::Reader, u64, bool),
}

/// One event: its number, and the result or error in it.
type Numbered = (Option<u64>, Result<Value, Failure>);

impl Rpc<'_> {
    /// Makes the call and waits for its result.
    pub(crate) async fn call(self) -> Result<Value, Failure> {
        let (binding, method) = (self.binding, self.method);
        let (response, _connection) = self.send().await?;
        result(binding, method, response).await
    }

    /// Makes the call and gives the stream that answers it.
    pub(crate) async fn open(self) -> Result<Events, Failure> {
        let (binding, method, after) = (self.binding, self.method, self.after);
        let (response, connection) = self.send().await?;
        let headers = response.headers();
        let kind = headers.get("content-type").map_or(&b""[..], |kind| kind.as_bytes());
        let is_stream = match binding {
            // A refusal has its status among the headers.
            Binding::Grpc => !headers.contains_key("grpc-status"),
            Binding::JsonRpc | Binding::HttpJson => kind.starts_with(b"text/event-stream"),
        };
        if !is_stream {
            let result = result(binding, method, response).await?;
            return Err(other(format!("no stream: {result}")));
        }
        let arrived = match binding {
            Binding::Grpc => {
                let last = number(headers).ok_or_else(|| other("a stream without a number"))?;
                Arrived::Messages(frame::Reader::new(usize::MAX), last, after == Some(last))
            }
            Binding::JsonRpc | Binding::HttpJson => Arrived::Text(Vec::new()),
        };
        let body = response.into_body();
        Ok(Events { binding, body, _connection: connection, arrived, ready: VecDeque::new() })
    }

    async fn send(self) -> Result<(Response<Incoming>, JoinSet<()>), Failure> {
        let (address, binding) = (self.address, self.binding);
        let request = self.request()?;
        let exchange = async {
            if binding == Binding::Grpc {
                let (mut sender, connection) = connect_http2(address).await?;
                return Ok((sender.send_request(request).await.map_err(lost)?, connection));
            }
            let (mut sender, connection) = connect(address).await?;
            Ok((sender.send_request(request).await.map_err(lost)?, connection))
        };
        limited(exchange).await
    }

    fn request(self) -> Result<Request<Full<Bytes>>, Failure> {
        let said = wire::say(self.binding, self.method, self.params)?;
        let query = if said.query.is_empty() { String::new() } else { format!("?{}", said.query) };
        let path = format!("/a2a/agents/{}{}{query}", self.agent, said.path);
        let mut request = Request::builder()
            .method(match said.verb {
                Verb::Get => Method::GET,
                Verb::Post => Method::POST,
                Verb::Delete => Method::DELETE,
            })
            .header("content-type", said.media_type)
            .header("a2a-version", "1.0")
            .header("authorization", format!("Bearer {}", self.token));
        request = match self.binding {
            Binding::Grpc => {
                let uri = format!("http://{}{path}", self.address);
                request.uri(uri).header("te", "trailers")
            }
            Binding::JsonRpc | Binding::HttpJson => {
                request.uri(path).header("host", self.address.to_string())
            }
        };
        if let Some(key) = self.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(after) = self.after {
            request = request.header(LAST_EVENT_ID, after);
        }
        let body = Full::new(Bytes::from(said.body));
        Ok(request.body(body).expect("names and values are plain ASCII"))
    }
}

impl Events {
    /// Waits for the next event; `None` when the stream has ended in good order.
    pub(crate) async fn next(&mut self) -> Result<Option<(Option<u64>, Value)>, Failure> {
        loop {
            if let Some((id, result)) = self.ready.pop_front() {
                return result.map(|result| Some((id, result)));
            }
            match limited(async { Ok(self.body.frame().await) }).await? {
                None => return self.end(),
                Some(frame) => match frame.map_err(lost)?.into_data().map_err(Frame::into_trailers)
                {
                    Ok(data) => self.take(&data)?,
                    Err(Ok(trailers)) => return self.end_by(&trailers),
                    Err(Err(_)) => {}
                },
            }
        }
    }

    fn take(&mut self, data: &[u8]) -> Result<(), Failure> {
        let (binding, ready) = (self.binding, &mut self.ready);
        let read = |data: &[u8]| wire::read(binding, "SendStreamingMessage", data);
        match &mut self.arrived {
            Arrived::Text(text) => {
                text.extend_from_slice(data);
                let drained = drain_events(text, |event| {
                    let id = event.id.map(str::parse).transpose()?;
                    ready.push_back((id, read(event.data.as_bytes())));
                    Ok(())
                });
                drained.map_err(|error| other(format!("not an event: {error:#}")))
            }
            Arrived::Messages(reader, last, is_header) => {
                reader.push(data);
                while let Some(message) = reader.pop().map_err(other)? {
                    let number = (!std::mem::take(is_header)).then(|| {
                        *last += 1;
                        *last
                    });
                    ready.push_back((number, read(message)));
                }
                Ok(())
            }
        }
    }

    /// The end of a body without trailers.
    fn end(&self) -> Result<Option<(Option<u64>, Value)>, Failure> {
        match self.arrived {
            Arrived::Text(_) => Ok(None),
            Arrived::Messages(..) => Err(other("a stream without `grpc-status`")),
        }
    }

    /// A stream that says how to go on has ended in good order, as those do that say so in their body.
    fn end_by(&self, trailers: &HeaderMap) -> Result<Option<(Option<u64>, Value)>, Failure> {
        let Arrived::Messages(_, last, _) = &self.arrived else { return Ok(None) };
        match number(trailers) {
            Some(told) if told == *last => Ok(None),
            Some(told) => Err(other(format!("a stream ended at {last} and says {told}"))),
            None => wire::status(trailers).map(|()| None),
        }
    }
}

fn number(headers: &HeaderMap) -> Option<u64> {
    headers.get(LAST_EVENT_ID)?.to_str().ok()?.parse().ok()
}

/// Gets a path that needs no token; gives the status.
pub(crate) async fn status(address: SocketAddr, path: &str) -> Result<StatusCode, Failure> {
    Ok(get(address, path).await?.status())
}

/// Gets a path that needs no token; gives the head of the answer.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<Response<()>, Failure> {
    let get = async {
        let (mut sender, _connection) = connect(address).await?;
        let request = Request::get(path).header("host", address.to_string());
        let request = request.body(Full::<Bytes>::default()).expect("names are plain ASCII");
        Ok(sender.send_request(request).await.map_err(lost)?.map(drop))
    };
    limited(get).await
}

/// Opens a connection; it is driven as long as the second part of what this gives.
async fn connect(
    address: SocketAddr,
) -> Result<(http1::SendRequest<Full<Bytes>>, JoinSet<()>), Failure> {
    let (sender, driver) = http1::handshake(socket(address).await?).await.map_err(lost)?;
    Ok((sender, drive(driver)))
}

async fn connect_http2(
    address: SocketAddr,
) -> Result<(http2::SendRequest<Full<Bytes>>, JoinSet<()>), Failure> {
    let socket = socket(address).await?;
    let handshake = http2::handshake(TokioExecutor::new(), socket);
    let (sender, driver) = handshake.await.map_err(lost)?;
    Ok((sender, drive(driver)))
}

async fn socket(address: SocketAddr) -> Result<TokioIo<TcpStream>, Failure> {
    let stream = TcpStream::connect(address).await.map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    Ok(TokioIo::new(stream))
}

fn drive(driver: impl Future<Output = hyper::Result<()>> + Send + 'static) -> JoinSet<()> {
    let mut connection = JoinSet::new();
    connection.spawn(async move {
        // What breaks it is reported by the body or the response.
        let _ = driver.await;
    });
    connection
}

async fn limited<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(Failure::Hung))
}

async fn result(
    binding: Binding,
    method: &str,
    response: Response<Incoming>,
) -> Result<Value, Failure> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = limited(async { response.into_body().collect().await.map_err(lost) }).await?;
    let trailers = body.trailers().cloned();
    let body = body.to_bytes();
    if binding == Binding::Grpc {
        wire::status(trailers.as_ref().unwrap_or(&headers))?;
        let message = frame::only(&body).map_err(other)?;
        return wire::read(binding, method, &message.ok_or_else(|| other("no message"))?);
    }
    let result = wire::read(binding, method, &body);
    match &result {
        Ok(_) if status != StatusCode::OK => Err(other(format!("a result with {status}"))),
        Ok(_) | Err(_) => result,
    }
}

fn lost<E>(_: E) -> Failure {
    Failure::Lost
}
