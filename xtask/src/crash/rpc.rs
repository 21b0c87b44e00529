//! JSON-RPC and its streams over one connection to a call, so that nothing survives a kill.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use legation_testkit::history::{Failure, Reason};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::bench::sse::drain_events;

/// How long nothing may come. Streams are told every 15 s that they live.
const PATIENCE: Duration = Duration::from_secs(40);

/// A call that goes to the mount of an agent.
pub(super) struct Rpc<'a> {
    pub(super) address: SocketAddr,
    pub(super) token: &'a str,
    pub(super) agent: &'a str,
    pub(super) method: &'a str,
    pub(super) params: Value,
    /// The value of `Idempotency-Key`.
    pub(super) key: Option<&'a str>,
    /// The value of `Last-Event-ID`.
    pub(super) after: Option<u64>,
}

/// The events of a stream.
pub(super) struct Events {
    body: Incoming,
    /// Drives the connection; ends with this.
    _connection: JoinSet<()>,
    text: Vec<u8>,
    ready: VecDeque<Frame>,
}

/// One event: its id, and the result or error in it.
type Frame = (Option<u64>, Result<Value, Failure>);

impl Rpc<'_> {
    /// Makes the call and waits for its result.
    pub(super) async fn call(self) -> Result<Value, Failure> {
        let (response, _connection) = self.send().await?;
        result(response).await
    }

    /// Makes the call and gives the stream that answers it.
    pub(super) async fn open(self) -> Result<Events, Failure> {
        let (response, connection) = self.send().await?;
        let kind = response.headers().get("content-type").map(|kind| kind.as_bytes().to_vec());
        if !kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
            let result = result(response).await?;
            return Err(other(format!("no stream: {result}")));
        }
        let body = response.into_body();
        Ok(Events { body, _connection: connection, text: Vec::new(), ready: VecDeque::new() })
    }

    async fn send(self) -> Result<(Response<Incoming>, JoinSet<()>), Failure> {
        let address = self.address;
        let request = self.request();
        let exchange = async {
            let stream = TcpStream::connect(address).await.map_err(lost)?;
            stream.set_nodelay(true).map_err(lost)?;
            let (mut sender, driver) =
                http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
            let mut connection = JoinSet::new();
            connection.spawn(async move {
                // What breaks it is reported by the body or the response.
                let _ = driver.await;
            });
            let response = sender.send_request(request).await.map_err(lost)?;
            Ok((response, connection))
        };
        limited(exchange).await
    }

    fn request(self) -> Request<Full<Bytes>> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": self.method, "params": self.params});
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("/a2a/agents/{}", self.agent))
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .header("a2a-version", "1.0")
            .header("authorization", format!("Bearer {}", self.token));
        if let Some(key) = self.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(after) = self.after {
            request = request.header("last-event-id", after);
        }
        let body = Full::new(Bytes::from(call.to_string()));
        request.body(body).expect("names and values are plain ASCII")
    }
}

impl Events {
    /// Waits for the next event; `None` when the stream has ended in good order.
    pub(super) async fn next(&mut self) -> Result<Option<(Option<u64>, Value)>, Failure> {
        loop {
            if let Some((id, result)) = self.ready.pop_front() {
                return result.map(|result| Some((id, result)));
            }
            match limited(async { Ok(self.body.frame().await) }).await? {
                None => return Ok(None),
                Some(frame) => {
                    let frame = frame.map_err(lost)?;
                    self.text.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
                }
            }
            let ready = &mut self.ready;
            drain_events(&mut self.text, |event| {
                let id = event.id.map(str::parse).transpose()?;
                ready.push_back((id, envelope(event.data.as_bytes())));
                Ok(())
            })
            .map_err(|error| other(format!("not an event: {error:#}")))?;
        }
    }
}

/// Gets a path that needs no token; gives the status.
pub(super) async fn status(address: SocketAddr, path: &str) -> Result<StatusCode, Failure> {
    let get = async {
        let (mut sender, _connection) = connect(address).await?;
        let request = Request::get(path).header("host", address.to_string());
        let request = request.body(Full::<Bytes>::default()).expect("names are plain ASCII");
        Ok(sender.send_request(request).await.map_err(lost)?.status())
    };
    limited(get).await
}

/// Opens a connection; it is driven as long as the second part of what this gives.
async fn connect(
    address: SocketAddr,
) -> Result<(http1::SendRequest<Full<Bytes>>, JoinSet<()>), Failure> {
    let stream = TcpStream::connect(address).await.map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let mut connection = JoinSet::new();
    connection.spawn(async move {
        // What breaks it is reported by the body or the response.
        let _ = driver.await;
    });
    Ok((sender, connection))
}

async fn limited<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(Failure::Hung))
}

async fn result(response: Response<Incoming>) -> Result<Value, Failure> {
    let status = response.status();
    let body = limited(async { response.into_body().collect().await.map_err(lost) }).await?;
    let body = body.to_bytes();
    let result = envelope(&body);
    match &result {
        Ok(_) if status != StatusCode::OK => Err(other(format!("a result with {status}"))),
        Ok(_) | Err(_) => result,
    }
}

/// Takes the envelope of JSON-RPC off.
fn envelope(bytes: &[u8]) -> Result<Value, Failure> {
    let envelope: Result<Value, _> = serde_json::from_slice(bytes);
    let mut envelope =
        envelope.map_err(|error| other(format!("{error}: {}", String::from_utf8_lossy(bytes))))?;
    let error = envelope["error"].take();
    if error.is_null() {
        return Ok(envelope["result"].take());
    }
    let infos = error["data"].as_array().into_iter().flatten();
    let reason = match infos.filter_map(|info| info["reason"].as_str()).next() {
        Some("TASK_NOT_FOUND") => Reason::NotFound,
        Some("UNAVAILABLE") => Reason::Unavailable,
        Some("STORAGE_FULL") => Reason::Full,
        Some("UNSUPPORTED_OPERATION") => Reason::Ended,
        _ => Reason::Other,
    };
    Err(Failure::Refused { reason, message: error.to_string() })
}

fn lost<E>(_: E) -> Failure {
    Failure::Lost
}

fn other(message: String) -> Failure {
    Failure::Refused { reason: Reason::Other, message }
}
