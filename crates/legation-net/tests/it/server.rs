//! A listener that answers as it is told, and remembers who came.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

type Script = dyn Fn(&str) -> Vec<u8> + Send + Sync;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The heads of the requests so far, one for each connection.
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each connection's one request with the bytes that the script makes of its head.
    pub(crate) async fn start(
        at: &str,
        script: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(at).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let script: Arc<Script> = Arc::new(script);
        let log = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                tokio::spawn(async move {
                    let head = head(&mut socket).await;
                    let answer = script(&head);
                    log.lock().push(head);
                    // Who has read enough may have gone away.
                    let _ = socket.write_all(&answer).await;
                });
            }
        });
        Self { address, heads }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).expect("a URL")
    }

    pub(crate) fn calls(&self) -> usize {
        self.heads.lock().len()
    }
}

/// Reads up to the empty line.
pub(crate) async fn head(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

pub(crate) fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into()
}

pub(crate) fn redirect(status: u16, target: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .into()
}
