//! The frames of HTTP/2 as far as a peer has to write them (RFC 9113), and those of gRPC in them.

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a caller of HTTP/2 begins with.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// The head of an answer of gRPC.
const HEAD: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc")];

/// A frame that came, without what is in it.
pub(super) struct Frame {
    kind: u8,
    flags: u8,
    pub(super) stream: u32,
}

impl Frame {
    pub(super) const fn ends_request(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

pub(super) async fn read(socket: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Frame> {
    let [first, second, third, kind, flags, stream @ ..] = {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await?;
        head
    };
    let length = u32::from_be_bytes([0, first, second, third]);
    let mut payload = socket.take(length.into());
    tokio::io::copy(&mut payload, &mut tokio::io::sink()).await?;
    Ok(Frame { kind, flags, stream: u32::from_be_bytes(stream) })
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(super) fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[])
}

pub(super) fn settings_taken() -> Vec<u8> {
    frame(SETTINGS, ACK, 0, &[])
}

/// A list of headers, unpacked (RFC 7541 6.2.2).
pub(super) fn list(fields: &[(&str, &str)]) -> Vec<u8> {
    let one = |(name, value): &(&str, &str)| [vec![0], string(name), string(value)].concat();
    fields.iter().flat_map(one).collect()
}

fn string(text: &str) -> Vec<u8> {
    let mut string = Vec::new();
    match u8::try_from(text.len()) {
        Ok(length @ ..127) => string.push(length),
        _ => {
            let mut rest = text.len() - 127;
            string.push(127);
            while rest >= 128 {
                string.push(u8::try_from(rest % 128).expect("below 128") | 128);
                rest /= 128;
            }
            string.push(u8::try_from(rest).expect("below 128"));
        }
    }
    string.extend_from_slice(text.as_bytes());
    string
}

pub(super) fn headers(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &list(fields))
}

/// The head of an answer of gRPC.
pub(super) fn head(stream: u32) -> Vec<u8> {
    headers(stream, &HEAD)
}

/// The trailers of an answer, which end it.
pub(super) fn trailers(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &list(fields))
}

/// An answer of gRPC that is a refusal: a head and nothing else.
pub(super) fn refusal(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    trailers(stream, &[&HEAD, fields].concat())
}

pub(super) fn data(stream: u32, bytes: &[u8]) -> Vec<u8> {
    frame(DATA, 0, stream, bytes)
}

/// A message in its frame of gRPC, that in one of HTTP/2.
pub(super) fn message(stream: u32, message: &[u8]) -> Vec<u8> {
    data(stream, &prefixed(0, message.len(), message))
}

/// A message behind this flag and a length that may be another than its own.
pub(super) fn prefixed(flag: u8, length: usize, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).expect("a length of gRPC").to_be_bytes();
    [&[flag], &length[..], message].concat()
}
