//! A peer that plays what it is told, byte by byte, over HTTP/1.1 and HTTP/2 on one port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::frames;

/// How long a peer looks after a connection that it has said everything on.
const LINGER: Duration = Duration::from_secs(1);
/// Between two bytes of a drip. It is shorter than anything that is waited for.
const DRIP: Duration = Duration::from_millis(50);

/// What a peer does with a connection. Behind the last act it closes it in due form.
pub(super) enum Act {
    Say(Vec<u8>),
    /// The same again and again, until the caller goes away.
    Repeat(Vec<u8>),
    /// The same a byte at a time.
    Drip(Vec<u8>),
    /// Nothing for ever.
    Hush,
    /// The end without due form.
    Reset,
}

/// A request as the script sees it.
#[derive(Clone)]
pub(super) struct Asked {
    /// The peer's own address.
    pub(super) base: String,
    /// An address that nobody may be sent to.
    pub(super) elsewhere: String,
    /// The whole request of HTTP/1.1; nothing of HTTP/2, whose headers are packed.
    pub(super) text: String,
    /// The stream of HTTP/2.
    pub(super) stream: u32,
}

impl Asked {
    pub(super) fn is_for_card(&self) -> bool {
        self.text.starts_with("GET ") && self.text.contains("/.well-known/")
    }

    /// Whether it asks to follow a task, in either binding.
    pub(super) fn subscribes(&self) -> bool {
        self.text.contains("SubscribeToTask") || self.text.contains(":subscribe")
    }
}

pub(super) type Script = dyn Fn(&Asked) -> Vec<Act> + Send + Sync;

pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) asked: Arc<Mutex<Vec<Asked>>>,
    pub(super) connections: Arc<AtomicUsize>,
    /// How many bytes callers took, those included that are still on their way.
    pub(super) said: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What all connections of a peer share.
#[derive(Clone)]
struct Stage {
    scene: Asked,
    script: Arc<Script>,
    /// Callers of HTTP/2 are played to before they ask for anything.
    is_hasty: bool,
    asked: Arc<Mutex<Vec<Asked>>>,
    said: Arc<AtomicU64>,
}

impl Peer {
    pub(super) async fn start(script: Arc<Script>, elsewhere: &str, is_hasty: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (asked, said) = (Arc::default(), Arc::default());
        let connections = Arc::<AtomicUsize>::default();
        let (base, elsewhere) = (format!("http://{address}"), elsewhere.to_owned());
        let scene = Asked { base, elsewhere, text: String::new(), stream: 0 };
        let (log, written) = (Arc::clone(&asked), Arc::clone(&said));
        let stage = Stage { scene, script, is_hasty, asked: log, said: written };
        let count = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let stage = stage.clone();
                tokio::spawn(async move {
                    // It fails by design when the caller goes away.
                    let _ = stage.serve(socket).await;
                });
            }
        });
        Self { address, asked, connections, said, accepting }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Stage {
    async fn serve(&self, mut socket: TcpStream) -> std::io::Result<()> {
        let mut begun = vec![0; frames::PREFACE.len()];
        socket.read_exact(&mut begun).await?;
        if begun == frames::PREFACE {
            return self.serve_http2(socket).await;
        }
        while !is_whole(&begun) {
            if socket.read_buf(&mut begun).await? == 0 {
                return Ok(());
            }
        }
        let text = String::from_utf8_lossy(&begun).into_owned();
        let acts = self.answer(Asked { text, ..self.scene.clone() });
        self.play(socket, acts).await
    }

    async fn serve_http2(&self, mut socket: TcpStream) -> std::io::Result<()> {
        let greeting = [frames::settings(), frames::settings_taken()].concat();
        socket.write_all(&greeting).await?;
        let mut stream = 1;
        if !self.is_hasty {
            let mut frame = frames::read(&mut socket).await?;
            while !frame.ends_request() {
                frame = frames::read(&mut socket).await?;
            }
            stream = frame.stream;
        }
        let acts = self.answer(Asked { stream, ..self.scene.clone() });
        self.play(socket, acts).await
    }

    fn answer(&self, asked: Asked) -> Vec<Act> {
        self.asked.lock().push(asked.clone());
        (self.script)(&asked)
    }

    async fn play(&self, mut socket: TcpStream, acts: Vec<Act>) -> std::io::Result<()> {
        for act in acts {
            match act {
                Act::Say(bytes) => self.say(&mut socket, &bytes).await?,
                Act::Repeat(bytes) => loop {
                    self.say(&mut socket, &bytes).await?;
                },
                Act::Drip(bytes) => {
                    for byte in bytes {
                        self.say(&mut socket, &[byte]).await?;
                        tokio::time::sleep(DRIP).await;
                    }
                }
                Act::Hush => std::future::pending().await,
                Act::Reset => return socket.set_zero_linger(),
            }
        }
        socket.shutdown().await?;
        // What is unread when a socket is closed would make a reset of it.
        let rest = async {
            while socket.read(&mut [0; 4096]).await? > 0 {}
            Ok(())
        };
        tokio::time::timeout(LINGER, rest).await.unwrap_or(Ok(()))
    }

    async fn say(&self, socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
        socket.write_all(bytes).await?;
        self.said.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Whether a request of HTTP/1.1 has come to its end.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().expect("a number"))
}
