//! As much of A2A 1.0's messages as an echo over gRPC needs, for its floor and for its load.

use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message as _;

/// The path of a method of A2A 1.0's service.
pub(crate) fn path(method: &str) -> String {
    format!("/lf.a2a.v1.A2AService/{method}")
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SendMessageRequest {
    #[prost(message, optional, tag = "2")]
    pub(crate) message: Option<Message>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SendMessageResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) task: Option<Task>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StreamResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) task: Option<Task>,
    #[prost(message, optional, tag = "3")]
    pub(crate) status_update: Option<StatusUpdate>,
    #[prost(message, optional, tag = "4")]
    pub(crate) artifact_update: Option<ArtifactUpdate>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Message {
    #[prost(string, tag = "1")]
    pub(crate) message_id: String,
    #[prost(string, tag = "2")]
    pub(crate) context_id: String,
    #[prost(string, tag = "3")]
    pub(crate) task_id: String,
    #[prost(int32, tag = "4")]
    pub(crate) role: i32,
    #[prost(message, repeated, tag = "5")]
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Part {
    #[prost(string, optional, tag = "1")]
    pub(crate) text: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Task {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) context_id: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) status: Option<Status>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) artifacts: Vec<Artifact>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) history: Vec<Message>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) state: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Artifact {
    #[prost(string, tag = "1")]
    pub(crate) artifact_id: String,
    #[prost(message, repeated, tag = "4")]
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StatusUpdate {
    #[prost(string, tag = "1")]
    pub(crate) task_id: String,
    #[prost(string, tag = "2")]
    pub(crate) context_id: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) status: Option<Status>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ArtifactUpdate {
    #[prost(string, tag = "1")]
    pub(crate) task_id: String,
    #[prost(string, tag = "2")]
    pub(crate) context_id: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) artifact: Option<Artifact>,
    #[prost(bool, tag = "4")]
    pub(crate) append: bool,
    #[prost(bool, tag = "5")]
    pub(crate) last_chunk: bool,
}

pub(crate) const WORKING: i32 = 2;
pub(crate) const COMPLETED: i32 = 3;
const ROLE_USER: i32 = 1;

impl Part {
    pub(crate) fn of_text(text: &str) -> Self {
        Self { text: Some(text.to_owned()) }
    }
}

/// A request of a text with a message id that no other of this process has, behind gRPC's prefix.
pub(crate) fn request(text: &str) -> (String, Vec<u8>) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let message_id = format!("m-{:016}", NEXT.fetch_add(1, Ordering::Relaxed));
    let parts = vec![Part::of_text(text)];
    let message =
        Message { message_id: message_id.clone(), role: ROLE_USER, parts, ..Message::default() };
    let request = SendMessageRequest { message: Some(message) };
    let length = u32::try_from(request.encoded_len()).expect("a short message");
    let mut framed = vec![0];
    framed.extend_from_slice(&length.to_be_bytes());
    request.encode(&mut framed).expect("a vector takes any message");
    (message_id, framed)
}
