//! Connections that can be made silent, or cut: between a replica and the database, and between callers and
//! a replica.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Passes everything on, as long as it is let. Ends when it is dropped.
pub(super) struct Proxy {
    state: Arc<watch::Sender<State>>,
    _listening: JoinSet<()>,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// Nothing is passed on. What comes meanwhile waits, as in a network that loses and sends again.
    is_silent: bool,
    /// How often all connections were cut.
    cuts: u64,
}

impl Proxy {
    /// Before the socket of a database, as one of the same name in this directory.
    pub(super) fn before_socket(socket: &Path, directory: &Path) -> anyhow::Result<Self> {
        let name = socket.file_name().unwrap_or_default();
        let listener = UnixListener::bind(directory.join(name))?;
        let (state, socket) = (Arc::<watch::Sender<State>>::default(), socket.to_owned());
        let (watched, mut listening) = (state.clone(), JoinSet::new());
        listening.spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let (socket, state) = (socket.clone(), watched.subscribe());
                passing.spawn(async move {
                    if let Ok(far) = UnixStream::connect(socket).await {
                        pass(near, far, state).await;
                    }
                });
            }
        });
        Ok(Self { state, _listening: listening })
    }

    /// Before the address of a replica; tells its own.
    pub(super) async fn before(address: SocketAddr) -> anyhow::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let state = Arc::<watch::Sender<State>>::default();
        let (watched, mut listening) = (state.clone(), JoinSet::new());
        listening.spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let state = watched.subscribe();
                passing.spawn(async move {
                    let Ok(far) = TcpStream::connect(address).await else { return };
                    // Whoever is cut off is told by a reset, not by an end.
                    let resets = near.set_zero_linger().and_then(|()| far.set_zero_linger());
                    if resets.is_ok() {
                        pass(near, far, state).await;
                    }
                });
            }
        });
        Ok((Self { state, _listening: listening }, at))
    }

    /// Passes nothing on from now on.
    pub(super) fn silence(&self) {
        self.state.send_modify(|state| state.is_silent = true);
    }

    /// Passes on again, also what has come meanwhile.
    pub(super) fn restore(&self) {
        self.state.send_modify(|state| state.is_silent = false);
    }

    /// Cuts all connections there are.
    pub(super) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }
}

/// Passes on between two ends until one ends or they are cut.
async fn pass<S: AsyncRead + AsyncWrite>(near: S, far: S, mut state: watch::Receiver<State>) {
    let cuts = state.borrow().cuts;
    let ((from_near, to_near), (from_far, to_far)) =
        (tokio::io::split(near), tokio::io::split(far));
    let other = state.clone();
    tokio::select! {
        _ = one_way(from_near, to_far, state.clone()) => {}
        _ = one_way(from_far, to_near, other) => {}
        _ = state.wait_for(|state| state.cuts > cuts) => {}
    }
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let count = from.read(&mut bytes).await?;
        // An end is lost as well.
        let let_through = state.wait_for(|state| !state.is_silent).await.map(drop);
        if count == 0 || let_through.is_err() {
            return Ok(());
        }
        to.write_all(&bytes[..count]).await?;
    }
}
