//! A client of gRPC that shares no code with the server: HTTP/2 by hyper, messages by reflection on
//! the descriptors, so that tests say and read ProtoJSON.

use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bytes::{Buf as _, Bytes};
use flate2::read::GzDecoder;
use futures::StreamExt as _;
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use legation_wire::grpc::{Package, descriptor_set};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use serde_json::{Number, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(descriptor_set()).expect("descriptors"));

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct GrpcAsk {
    package: Package,
    method: String,
    path: String,
    metadata: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    /// Whether its body ends.
    ends: bool,
}

/// A request for a method, which states its version where that has to be stated.
pub(crate) fn call(package: Package, method: &str) -> GrpcAsk {
    let path = format!("/{}/{method}", package.service());
    let version = (package == Package::V1_0).then(|| ("a2a-version".into(), "1.0".into()));
    GrpcAsk {
        package,
        method: method.to_owned(),
        path,
        metadata: version.into_iter().collect(),
        body: None,
        ends: true,
    }
}

/// A request for another path.
pub(crate) fn at(path: &str) -> GrpcAsk {
    GrpcAsk { path: path.to_owned(), ..call(Package::V1_0, "") }
}

/// What a connection is made of.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for T {}

fn descriptor(package: Package, method: &str) -> MethodDescriptor {
    let service = POOL.get_service_by_name(package.service()).expect("the service");
    service.methods().find(|known| known.name() == method).expect("the method")
}

impl GrpcAsk {
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.metadata.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The request with another version, or with none.
    pub(crate) fn stating(mut self, version: Option<&str>) -> Self {
        self.metadata.retain(|(name, _)| name != "a2a-version");
        let version = version.map(|version| ("a2a-version".into(), version.into()));
        self.metadata.extend(version);
        self
    }

    pub(crate) fn below(mut self, prefix: &str) -> Self {
        self.path.insert_str(0, prefix);
        self
    }

    /// The request with this behind its path.
    pub(crate) fn query(mut self, query: &str) -> Self {
        self.path.push_str(query);
        self
    }

    /// The request with this body, whatever it is.
    pub(crate) fn raw(self, body: Vec<u8>) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The request with a body that never ends.
    pub(crate) fn endless(self) -> Self {
        Self { ends: false, ..self }
    }

    /// The request with a message, said in ProtoJSON.
    pub(crate) fn json(self, json: &str) -> Self {
        let message = encode(self.package, &self.method, json);
        self.raw(framed(&message))
    }

    /// Sends it and takes the answer.
    pub(crate) async fn to(&self, address: SocketAddr) -> GrpcReply {
        timeout(PATIENCE, self.open(address)).await.expect("an answer").collect().await
    }

    /// Sends it and takes the head of the answer.
    pub(crate) async fn open(&self, address: SocketAddr) -> Open {
        self.open_over(TcpStream::connect(address).await.expect("a listening server"), address)
            .await
    }

    /// The same over a connection that is there.
    pub(crate) async fn open_over(&self, stream: impl Transport, address: SocketAddr) -> Open {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.expect("HTTP/2");
        tokio::spawn(connection);
        let mut request = Request::post(format!("http://{address}{}", self.path))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in &self.metadata {
            request = request.header(name, value);
        }
        let bytes = Bytes::from(self.body.clone().unwrap_or_default());
        let frame = futures::stream::iter([Ok::<_, Infallible>(Frame::data(bytes.clone()))]);
        let body = match self.ends {
            true => Full::new(bytes).boxed(),
            false => BoxBody::new(StreamBody::new(frame.chain(futures::stream::pending()))),
        };
        let request = request.body(body).expect("a valid request");
        let response = sender.send_request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let reply = GrpcReply {
            http: head.status.as_u16(),
            package: self.package,
            method: self.method.clone(),
            head: head.headers,
            messages: Vec::new(),
            trailers: HeaderMap::new(),
        };
        Open { reply, body, buffer: Vec::new(), _sender: sender }
    }
}

/// A message in ProtoJSON as bytes.
pub(crate) fn encode(package: Package, method: &str, json: &str) -> Vec<u8> {
    let input = descriptor(package, method).input();
    let mut json = serde_json::Deserializer::from_str(json);
    DynamicMessage::deserialize(input, &mut json).expect("ProtoJSON").encode_to_vec()
}

/// A message behind its flag and length.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// An answer that may go on.
pub(crate) struct Open {
    pub(crate) reply: GrpcReply,
    body: Incoming,
    buffer: Vec<u8>,
    /// Without it the connection would end.
    _sender: http2::SendRequest<BoxBody<Bytes, Infallible>>,
}

impl Open {
    /// Takes the next message; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = take_message(&mut self.buffer) {
                self.reply.messages.push(message.clone());
                return Some(message);
            }
            let frame =
                timeout(PATIENCE, self.body.frame()).await.expect("a message or the end")?;
            match frame.expect("a whole answer").into_data() {
                Ok(data) => self.buffer.extend_from_slice(&data),
                Err(frame) => self.reply.trailers = frame.into_trailers().expect("trailers"),
            }
        }
    }

    /// Takes all that is left.
    pub(crate) async fn collect(mut self) -> GrpcReply {
        while self.next().await.is_some() {}
        assert!(self.buffer.is_empty(), "a piece of a message: {:?}", self.buffer);
        self.reply
    }
}

fn take_message(buffer: &mut Vec<u8>) -> Option<Bytes> {
    let mut prefix = buffer.get(..5)?;
    let (flag, length) = (prefix.get_u8(), prefix.get_u32() as usize);
    let message = Bytes::copy_from_slice(buffer.get(5..5 + length)?);
    buffer.drain(..5 + length);
    if flag == 0 {
        return Some(message);
    }
    let mut plain = Vec::new();
    GzDecoder::new(&*message).read_to_end(&mut plain).expect("gzip");
    Some(plain.into())
}

/// An answer.
#[derive(Debug)]
pub(crate) struct GrpcReply {
    pub(crate) http: u16,
    package: Package,
    method: String,
    pub(crate) head: HeaderMap,
    pub(crate) messages: Vec<Bytes>,
    pub(crate) trailers: HeaderMap,
}

impl GrpcReply {
    /// A piece of metadata, wherever it is.
    pub(crate) fn metadata(&self, name: &str) -> Option<&str> {
        let value = self.trailers.get(name).or_else(|| self.head.get(name));
        value.map(|value| value.to_str().expect("text"))
    }

    pub(crate) fn code(&self) -> i32 {
        let code = self.metadata("grpc-status");
        code.unwrap_or_else(|| panic!("no status: {self:?}")).parse().expect("a number")
    }

    /// The messages in ProtoJSON, where integers are integers.
    pub(crate) fn json(&self) -> Vec<String> {
        self.messages.iter().map(|message| self.read(message)).collect()
    }

    fn read(&self, message: &Bytes) -> String {
        let output = descriptor(self.package, &self.method).output();
        let message = DynamicMessage::decode(output, &message[..]).expect("the message");
        let options = SerializeOptions::new().stringify_64_bit_integers(false);
        let mut value = message
            .serialize_with_options(serde_json::value::Serializer, &options)
            .expect("ProtoJSON");
        integers(&mut value);
        value.to_string()
    }

    /// The reason and the fields of a status's details.
    pub(crate) fn details(&self) -> (String, Vec<String>) {
        let details = self.metadata("grpc-status-details-bin");
        let details = details.unwrap_or_else(|| panic!("no details: {self:?}"));
        let details = BASE64_STANDARD_NO_PAD.decode(details).expect("base64");
        let status = RpcStatus::decode(&*details).expect("a google.rpc.Status");
        assert_eq!(status.code, self.code());
        let (mut reason, mut fields) = (String::new(), Vec::new());
        for any in status.details {
            match any.type_url.rsplit('/').next() {
                Some("google.rpc.ErrorInfo") => {
                    let info = ErrorInfo::decode(&*any.value).expect("an ErrorInfo");
                    assert_eq!(info.domain, "a2a-protocol.org");
                    reason = info.reason;
                }
                Some("google.rpc.BadRequest") => {
                    let bad = BadRequest::decode(&*any.value).expect("a BadRequest");
                    fields.extend(bad.field_violations.into_iter().map(|known| known.field));
                }
                _ => {}
            }
        }
        (reason, fields)
    }
}

/// ProtoJSON's numbers are doubles; those that are integers are written as such.
pub(crate) fn integers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
            if let Some(whole) = whole {
                *number = Number::from(whole as i64);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(integers),
        Value::Object(members) => members.values_mut().for_each(integers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[derive(prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

#[derive(prost::Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
}

#[derive(prost::Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<Violation>,
}

#[derive(prost::Message)]
struct Violation {
    #[prost(string, tag = "1")]
    field: String,
}
