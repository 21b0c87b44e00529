//! Every bound of the listener and its connections, with its default.

use std::time::Duration;

use legation_wire::json::JsonBounds;

/// The bounds within which connections are served. Nothing waits or grows without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections open at once; more wait to be accepted.
    pub connections: usize,
    /// Connections open at once from one address; more are closed at once. High, because all
    /// callers behind a proxy share its address.
    pub connections_per_address: usize,
    /// How long a new connection may stay silent.
    pub first_byte: Duration,
    /// How long the head of a request may take.
    pub header: Duration,
    /// How long a connection may stay open between requests (HTTP/1.1).
    pub idle: Duration,
    /// Header lines of a request.
    pub headers: usize,
    /// Bytes of a request's head, and of the buffers of a connection.
    pub buffer: usize,
    /// Bytes of a request body.
    pub body: usize,
    /// Bytes of all request bodies that arrive in pieces at once.
    pub bodies: usize,
    /// How long a request body may take, beside the time that its bytes are given.
    pub body_grace: Duration,
    /// Bytes a second that a request body has to arrive with.
    pub body_rate: u64,
    /// How deep and how wide the JSON of a request may be.
    pub json: JsonBounds,
    /// How long a response may wait for a reader that takes nothing of it.
    pub write_stall: Duration,
    /// How long a stream is silent before a heartbeat goes out.
    pub heartbeat: Duration,
    /// Requests at once on one HTTP/2 connection.
    pub h2_streams: u32,
    /// Bytes of the header list of an HTTP/2 request.
    pub h2_header_list: u32,
    /// How often a silent HTTP/2 peer is asked whether it is there.
    pub h2_ping: Duration,
    /// How long it may take to say so.
    pub h2_ping_timeout: Duration,
    /// Bytes of one message to a caller of gRPC, before it is compressed. Those of a request are
    /// bounded by `body`, also after it was unpacked.
    pub grpc_answer: usize,
    /// How long connections may go on after the server began to stop.
    pub drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 10_000,
            first_byte: Duration::from_secs(5),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            headers: 64,
            buffer: 64 << 10,
            body: 16 << 20,
            bodies: 256 << 20,
            body_grace: Duration::from_secs(10),
            body_rate: 16 << 10,
            json: JsonBounds::default(),
            write_stall: Duration::from_secs(60),
            heartbeat: Duration::from_secs(15),
            h2_streams: 128,
            h2_header_list: 16 << 10,
            h2_ping: Duration::from_secs(20),
            h2_ping_timeout: Duration::from_secs(10),
            grpc_answer: 64 << 20,
            drain: Duration::from_secs(20),
        }
    }
}
