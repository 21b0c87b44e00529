//! A TCP connection to a server that can be cut, as often as a test likes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What stands between callers and a server. Gone when dropped, with what it carries.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    end: Arc<End>,
    accepting: JoinHandle<()>,
}

/// Where a wire leads, and how far.
#[derive(Debug)]
struct End {
    server: OnceLock<SocketAddr>,
    knife: Knife,
    cuts: AtomicUsize,
}

/// Where connections are cut.
#[derive(Debug)]
struct Knife {
    /// How many bytes of answers a connection carries before it is cut; all where it is the most.
    after: AtomicUsize,
    /// Whether each connection is cut at a place of its own, up to there.
    varies: AtomicBool,
    connections: AtomicU64,
}

impl Wire {
    /// Listens on a free port. A server whose card names this address can be started now.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let knife = Knife {
            after: AtomicUsize::new(usize::MAX),
            varies: AtomicBool::new(false),
            connections: AtomicU64::new(0),
        };
        let end = Arc::new(End { server: OnceLock::new(), knife, cuts: AtomicUsize::new(0) });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&end)));
        Ok(Self { address, end, accepting })
    }

    /// Says where it leads; connections from before are closed at once.
    ///
    /// # Panics
    /// When it leads somewhere else already.
    pub fn lead_to(&self, server: SocketAddr) {
        self.end.server.set(server).expect("a wire has one other end");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection once it has carried this many bytes of answers from now on.
    pub fn cut_after(&self, bytes: Option<usize>) {
        self.end.knife.set(bytes.unwrap_or(usize::MAX), false);
    }

    /// Cuts every connection at a place of its own, before it has carried this many bytes of answers
    /// from now on.
    pub fn cut_within(&self, bytes: usize) {
        self.end.knife.set(bytes, true);
    }

    /// How many connections were cut.
    pub fn cuts(&self) -> usize {
        self.end.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, end: Arc<End>) {
    let mut carrying = tokio::task::JoinSet::new();
    while let Ok((caller, _)) = listener.accept().await {
        while carrying.try_join_next().is_some() {}
        let end = Arc::clone(&end);
        carrying.spawn(async move {
            if end.carry(caller).await.is_ok_and(|cut| cut) {
                end.cuts.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

impl Knife {
    fn set(&self, after: usize, varies: bool) {
        self.varies.store(varies, Ordering::Relaxed);
        self.after.store(after, Ordering::Relaxed);
    }

    /// Where the next connection is cut when places vary, as a number of all numbers: the same ones
    /// in every run.
    fn place(&self) -> u64 {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn allowance(&self, place: u64) -> usize {
        let after = self.after.load(Ordering::Relaxed);
        if after == usize::MAX || !self.varies.load(Ordering::Relaxed) {
            return after;
        }
        // Most of them early, or a few would be all.
        let share = (place >> 32) as f64 / f64::from(u32::MAX);
        1 + (after as f64 * share.powi(3)) as usize
    }
}

impl End {
    /// Carries one connection; true when it was cut rather than closed.
    async fn carry(&self, mut caller: TcpStream) -> io::Result<bool> {
        let Some(server) = self.server.get() else { return Ok(false) };
        let place = self.knife.place();
        let mut server = TcpStream::connect(server).await?;
        let (mut from_caller, mut to_caller) = caller.split();
        let (mut from_server, mut to_server) = server.split();
        let asks = tokio::io::copy(&mut from_caller, &mut to_server);
        let answers = async {
            let (mut piece, mut carried) = ([0; 4096], 0);
            while let Ok(read @ 1..) = from_server.read(&mut piece).await {
                let allowed = self.knife.allowance(place);
                carried = if allowed == usize::MAX { 0 } else { carried + read };
                // What still fits is carried, or a burst would never get through.
                let fits = read.saturating_sub(carried.saturating_sub(allowed));
                to_caller.write_all(&piece[..fits]).await?;
                if fits < read {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        tokio::select! {
            cut = answers => cut,
            _ = asks => Ok(false),
        }
    }
}
