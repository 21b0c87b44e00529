//! A client that says exactly what it is told to, right or wrong.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer may take longer: a hang is a failure of its own.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request in the making.
#[derive(Clone)]
pub(crate) struct Ask {
    start: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A request of 1.0 with a JSON body.
pub(crate) fn ask(method: &str, path: &str) -> Ask {
    let headers = [
        ("host", "localhost"),
        ("connection", "close"),
        ("a2a-version", "1.0"),
        ("content-type", "application/json"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ask {
        start: format!("{method} {path} HTTP/1.1\r\n"),
        headers: headers.into(),
        body: Vec::new(),
    }
}

/// A JSON-RPC request body.
pub(crate) fn rpc(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

/// The params of a send with this text.
pub(crate) fn say(text: &str) -> String {
    format!(
        r#"{{"message":{{"messageId":"m-1","role":"ROLE_USER","parts":[{{"text":"{text}"}}]}}}}"#
    )
}

impl Ask {
    /// The request with a header in place of those of the same name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.and(name, value)
    }

    /// The request with one more header line.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.with("content-length", &length)
    }

    /// The bytes on the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let lines = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let head = format!("{}{}\r\n", self.start, lines.collect::<String>());
        [head.as_bytes(), &self.body].concat()
    }

    /// Sends it and takes the answer.
    pub(crate) async fn to(&self, address: SocketAddr) -> Reply {
        exchange(address, &self.bytes()).await
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The text between the first occurrence of a piece of the body and the next quote.
    pub(crate) fn text_after(&self, piece: &str) -> &str {
        let at = self.body.find(piece).unwrap_or_else(|| panic!("no `{piece}` in {self:?}"));
        let rest = &self.body[at + piece.len()..];
        &rest[..rest.find('"').expect("a closing quote")]
    }

    fn parse(raw: &[u8]) -> Self {
        let raw = String::from_utf8_lossy(raw);
        let (head, body) = raw.split_once("\r\n\r\n").unwrap_or((&raw, ""));
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a header line");
            (name.to_owned(), value.to_owned())
        };
        let headers: Vec<_> = lines.map(header).collect();
        let chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
        let body = if chunked { without_chunks(body) } else { body.to_owned() };
        Self { status, headers, body }
    }
}

/// Sends bytes and reads until the server closes.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Reply {
    let stream = TcpStream::connect(address).await.expect("a listening server");
    exchange_over(stream, bytes).await
}

/// The same over a connection that is there.
pub(crate) async fn exchange_over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: &[u8],
) -> Reply {
    // The server may close before it has read all of a bad request.
    let _ = stream.write_all(bytes).await;
    Reply::parse(&read_to_end(&mut stream).await)
}

/// What a server sends until it closes the connection.
pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut raw = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut raw)).await;
    // A reset after the answer is the end as well.
    let _ = read.expect("the server answers and closes");
    raw
}

/// Reads until the server has sent this text, and gives all it has sent.
pub(crate) async fn read_until(stream: &mut (impl AsyncRead + Unpin), text: &str) -> String {
    let mut raw = String::new();
    let mut buffer = [0; 4096];
    let reading = async {
        while !raw.contains(text) {
            let count = stream.read(&mut buffer).await.expect("an open connection");
            assert!(count > 0, "closed before `{text}`: {raw}");
            raw.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    timeout(PATIENCE, reading).await.expect("the server sends it");
    raw
}

/// The content of a chunked body, as far as it came.
pub(crate) fn without_chunks(mut body: &str) -> String {
    let mut content = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        let Some(chunk) = rest.get(..size) else { break };
        content.push_str(chunk);
        body = rest[size..].trim_start_matches("\r\n");
    }
    content
}
