//! Our own server, with an interface of every version over every binding, and a wire to it that can be
//! cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use legation_auth::Anonymous;
use legation_client::{Binding, Client, Options, Version};
use legation_core::{Agent, OnRestart, Profile, Service};
use legation_http::{Http, Interface, Security, Settings};
use legation_store::sqlite::{self, SqliteStore};
use legation_testkit::agents::{Counter, Versatile};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running server.
pub(crate) struct Real {
    service: Arc<Service>,
    drain: CancellationToken,
    serving: JoinHandle<()>,
    wire: Wire,
    _directory: tempfile::TempDir,
}

/// What stands between callers and the server.
struct Wire {
    address: SocketAddr,
    knife: Arc<Knife>,
    accepting: JoinHandle<()>,
}

/// Where connections are cut.
struct Knife {
    /// How many bytes of answers a connection carries before it is cut; all where it is the most.
    after: AtomicUsize,
    /// Whether each connection is cut at a place of its own, up to there.
    varies: AtomicBool,
    connections: AtomicU64,
    cuts: AtomicUsize,
}

/// Every version and binding that a card can list.
pub(crate) fn interfaces() -> impl Iterator<Item = Interface> {
    let all = Version::SERVED.into_iter().flat_map(|version| {
        Binding::ALL.into_iter().map(move |binding| Interface { binding, version })
    });
    all.filter(|interface| (interface.version, interface.binding) != (Version::V0_1, Binding::Grpc))
}

impl Real {
    /// Starts one with an agent that says everything.
    pub(crate) async fn start() -> Self {
        Self::of(Profile::new("versatile", "Versatile", "Says everything"), Versatile).await
    }

    /// Starts one with an agent that counts.
    pub(crate) async fn counting() -> Self {
        let counter = Counter { on_restart: OnRestart::Fail };
        Self::of(Profile::new("counter", "Counter", "Counts"), counter).await
    }

    /// Starts one with this agent; its card names the wire.
    async fn of(profile: Profile, agent: impl Agent) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = SqliteStore::open(directory.path(), sqlite::Options::default());
        let builder = Service::builder(store.expect("a new store")).agent(profile, agent);
        let service = builder.build().expect("one agent with a good slug");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let wire = Wire::to(listener.local_addr().expect("bound")).await;
        let mut settings = Settings::new(Security::open());
        settings.public_url = Some(format!("http://{}", wire.address));
        settings.interfaces = interfaces().collect();
        let http = Http::new(service.clone(), Arc::new(Anonymous), settings).expect("sound cards");
        let drain = CancellationToken::new();
        let serving = http.serve(listener, drain.clone());
        let serving = tokio::spawn(async move { serving.await.expect("it was bound") });
        Self { service, drain, serving, wire, _directory: directory }
    }

    /// A client that speaks like this.
    pub(crate) async fn client(&self, interface: Interface, options: Options) -> Client {
        let Interface { binding, version } = interface;
        let options = Options { binding: Some(binding), version: Some(version), ..options };
        let url = format!("http://{}", self.wire.address);
        let client = Client::discover(&url, options).await.expect("the card is good");
        assert_eq!((client.binding(), client.version()), (binding, version));
        client
    }

    /// Cuts every connection once it has carried this many bytes of answers from now on.
    pub(crate) fn cut_after(&self, bytes: Option<usize>) {
        let knife = &self.wire.knife;
        knife.varies.store(false, Ordering::Relaxed);
        knife.after.store(bytes.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Cuts every connection at a place of its own, before it has carried this many bytes of answers
    /// from now on.
    pub(crate) fn cut_within(&self, bytes: usize) {
        let knife = &self.wire.knife;
        knife.varies.store(true, Ordering::Relaxed);
        knife.after.store(bytes, Ordering::Relaxed);
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.wire.knife.cuts.load(Ordering::Relaxed)
    }

    /// Stops as a process does, and waits for the end.
    pub(crate) async fn stop(self) {
        self.drain.cancel();
        self.service.stop(Duration::ZERO).await;
        self.wire.accepting.abort();
        self.serving.await.expect("the server ends by itself");
    }
}

impl Wire {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let knife = Arc::new(Knife {
            after: AtomicUsize::new(usize::MAX),
            varies: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            cuts: AtomicUsize::new(0),
        });
        let held = Arc::clone(&knife);
        let accepting = tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let knife = Arc::clone(&held);
                tokio::spawn(async move {
                    let place = knife.place();
                    if carry(caller, server, || knife.allowance(place)).await {
                        knife.cuts.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Self { address, knife, accepting }
    }
}

impl Knife {
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

/// Carries one connection; true when it was cut rather than closed.
async fn carry(mut caller: TcpStream, server: SocketAddr, allowance: impl Fn() -> usize) -> bool {
    let mut server = TcpStream::connect(server).await.expect("the server listens");
    let (mut from_caller, mut to_caller) = caller.split();
    let (mut from_server, mut to_server) = server.split();
    let asks = tokio::io::copy(&mut from_caller, &mut to_server);
    let answers = async {
        let (mut piece, mut carried) = ([0; 4096], 0);
        while let Ok(read @ 1..) = from_server.read(&mut piece).await {
            let allowed = allowance();
            carried = if allowed == usize::MAX { 0 } else { carried + read };
            // What still fits is carried, or a burst would never get through.
            let fits = read.saturating_sub(carried.saturating_sub(allowed));
            if to_caller.write_all(&piece[..fits]).await.is_err() {
                break;
            }
            if fits < read {
                let _ = to_caller.flush().await;
                return true;
            }
        }
        false
    };
    tokio::select! {
        cut = answers => cut,
        _ = asks => false,
    }
}
