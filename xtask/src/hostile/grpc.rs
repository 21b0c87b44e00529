//! Calls of gRPC: a library's HTTP/2, and messages by hand, so that they may be anything.

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::target::Target;

/// A package, and what a bomb has to know of its messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package {
    service: &'static str,
    version: &'static str,
    /// The number of a send's message. Those within the message are the same in both packages.
    message: u64,
}

pub(super) const V1_0: Package =
    Package { service: "lf.a2a.v1.A2AService", version: "1.0", message: 2 };
const V0_3: Package = Package { service: "a2a.v1.A2AService", version: "0.3", message: 1 };

pub(super) const PACKAGES: [Package; 2] = [V1_0, V0_3];

/// Numbers of a message's members (specification/a2a.proto).
const MESSAGE_ID: u64 = 1;
const ROLE: u64 = 4;
pub(super) const PARTS: u64 = 5;
pub(super) const METADATA: u64 = 6;
/// That of a part's text.
const TEXT: u64 = 1;

/// Wire types of protobuf.
pub(super) const VARINT: u64 = 0;
pub(super) const LENGTH: u64 = 2;
pub(super) const GROUP: u64 = 3;

/// An integer in groups of seven bits.
pub(super) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number /= 128;
    }
    bytes.push(number as u8);
    bytes
}

pub(super) fn tag(number: u64, wire: u64) -> Vec<u8> {
    varint(number << 3 | wire)
}

/// A member with its length.
pub(super) fn member(number: u64, payload: &[u8]) -> Vec<u8> {
    [&tag(number, LENGTH)[..], &varint(payload.len() as u64), payload].concat()
}

/// A message with these members beside its name and its role.
pub(super) fn message(members: &[u8]) -> Vec<u8> {
    [&member(MESSAGE_ID, b"m-1")[..], &tag(ROLE, VARINT), &[1], members].concat()
}

/// A part with a text.
pub(super) fn part(text: &[u8]) -> Vec<u8> {
    member(PARTS, &member(TEXT, text))
}

/// What stands before a message: that it is plain, and its length.
pub(super) fn prefix(flag: u8, length: usize) -> Vec<u8> {
    [&[flag][..], &(length as u32).to_be_bytes()].concat()
}

impl Package {
    pub(super) fn path(self, method: &str) -> String {
        format!("/a2a/agents/echo/{}/{method}", self.service)
    }

    /// A send of this message.
    pub(super) fn send(self, message: &[u8]) -> Vec<u8> {
        member(self.message, message)
    }
}

/// A connection for calls.
pub(super) struct Caller {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    token: String,
}

impl Caller {
    pub(super) async fn open(target: &Target) -> anyhow::Result<Self> {
        let stream = TokioIo::new(target.connect("h2").await?);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        // It ends with its sender, and how it ends is seen by the calls.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, authority: target.address.to_string(), token: target.token.clone() })
    }

    /// Sends a body and takes the head of the answer.
    pub(super) async fn call(
        &mut self,
        package: Package,
        method: &str,
        (encoding, body): (&str, Vec<u8>),
    ) -> anyhow::Result<Response<Incoming>> {
        let request = Request::post(format!("http://{}{}", self.authority, package.path(method)))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("a2a-version", package.version)
            .header("authorization", format!("Bearer {}", self.token))
            .header("grpc-encoding", encoding);
        Ok(self.sender.send_request(request.body(Full::from(body))?).await?)
    }
}

/// The status of an answer, once it is through.
pub(super) async fn status(response: Response<Incoming>) -> anyhow::Result<String> {
    let (head, body) = response.into_parts();
    let rest = body.collect().await?;
    let status = head.headers.get("grpc-status");
    let status = status.or_else(|| rest.trailers()?.get("grpc-status")).context("no status")?;
    Ok(status.to_str()?.to_owned())
}
