//! Every bound of the listener and its connections, with its default.

use std::time::Duration;

use legation_wire::json::JsonBounds;

/// The bounds within which connections are served. Nothing waits or grows without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections open at once, of all listeners; more wait.
    pub connections: usize,
    /// Connections open at once from one address, or one network of 64 bits in IPv6; more are
    /// closed at once. High, because all callers behind a proxy share its address.
    pub connections_per_address: usize,
    /// How long a new connection may stay silent.
    pub first_byte: Duration,
    /// How long the handshake of TLS may take after the first byte.
    pub handshake: Duration,
    /// How long the head of a request may take, and the preface of HTTP/2.
    pub header: Duration,
    /// How long a connection may stay open between requests.
    pub idle: Duration,
    /// Header lines of a request.
    pub headers: usize,
    /// Bytes of a request's head, and of the buffers of a connection.
    pub buffer: usize,
    /// Extensions that a request may name.
    pub extensions: usize,
    /// Bytes of an idempotency key.
    pub idempotency_key: usize,
    /// Bytes of a request body.
    pub body: usize,
    /// Bytes of all request bodies that arrive in pieces at once.
    pub bodies: usize,
    /// Pieces of a request body that may be tiny, below 64 bytes on the average: each costs work.
    pub body_pieces: usize,
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
    /// Bytes of the payload of an HTTP/2 frame that a peer may send, from 16 KiB.
    pub h2_frame: u32,
    /// Bytes of a request body on HTTP/2 that are taken ahead.
    pub h2_stream_window: u32,
    /// Bytes of all request bodies of an HTTP/2 connection that are taken ahead.
    pub h2_window: u32,
    /// Bytes of a response on HTTP/2 that wait for the connection.
    pub h2_send_buffer: usize,
    /// Requests of an HTTP/2 connection that were reset before the server came to them; one more
    /// ends the connection.
    pub h2_pending_resets: usize,
    /// Requests that an HTTP/2 connection may lose by faults of its peer; one more ends it.
    pub h2_errors: usize,
    /// Frames of an HTTP/2 peer in a minute that cost work and carry nothing, such as pings, beyond
    /// those that come with reading responses; one more ends the connection.
    pub h2_control_frames: u32,
    /// How often a silent HTTP/2 peer is asked whether it is there.
    pub h2_ping: Duration,
    /// How long it may take to say so.
    pub h2_ping_timeout: Duration,
    /// Bytes of one message to a caller of gRPC, before it is compressed. Those of a request are
    /// bounded by `body`, also after it was unpacked.
    pub grpc_answer: usize,
    /// Bytes of a request to gRPC's health or to its reflection: names of services and of types.
    pub grpc_question: usize,
    /// Streams of gRPC's health and of its reflection open at once, of each. A `Check` is none.
    pub grpc_watchers: usize,
    /// Cards that are kept for addresses which proxies told. Whoever calls through a proxy may have
    /// chosen the address; beyond the bound cards are made anew.
    pub proxied_cards: usize,
    /// Extended cards that are kept, by address, mount and what their readers may use; beyond it they
    /// are made anew.
    pub extended_cards: usize,
    /// After what silence the system asks a peer whether it is there.
    pub tcp_keepalive: Duration,
    /// How long a peer may leave what it was sent unacknowledged before the system ends the
    /// connection (Linux). Counts as `write_stall` where that is longer: to the system, one that
    /// takes nothing is the same.
    pub tcp_unacknowledged: Duration,
    /// How long to wait after connections could not be accepted, such as for want of file
    /// descriptors.
    pub accept_pause: Duration,
    /// How long connections may go on after the server began to stop.
    pub drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 10_000,
            first_byte: Duration::from_secs(5),
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            headers: 64,
            buffer: 64 << 10,
            extensions: 64,
            idempotency_key: 256,
            body: 16 << 20,
            bodies: 256 << 20,
            body_pieces: 4096,
            body_grace: Duration::from_secs(10),
            body_rate: 16 << 10,
            json: JsonBounds::default(),
            write_stall: Duration::from_secs(60),
            heartbeat: Duration::from_secs(15),
            h2_streams: 128,
            h2_header_list: 16 << 10,
            h2_frame: 16 << 10,
            h2_stream_window: 256 << 10,
            h2_window: 1 << 20,
            h2_send_buffer: 256 << 10,
            h2_pending_resets: 20,
            h2_errors: 64,
            h2_control_frames: 5_000,
            h2_ping: Duration::from_secs(20),
            h2_ping_timeout: Duration::from_secs(10),
            grpc_answer: 64 << 20,
            grpc_question: 64 << 10,
            grpc_watchers: 1_000,
            proxied_cards: 64,
            extended_cards: 256,
            tcp_keepalive: Duration::from_secs(30),
            tcp_unacknowledged: Duration::from_secs(40),
            accept_pause: Duration::from_millis(100),
            drain: Duration::from_secs(20),
        }
    }
}
