//! Our own server, with an interface of every version over every binding, and a wire to it that can be
//! cut.

use std::sync::Arc;
use std::time::Duration;

use legation_auth::Anonymous;
use legation_client::{Binding, Client, Options, Version};
use legation_core::{Agent, OnRestart, Profile, Service};
use legation_http::{Http, Interface, Security, Settings};
use legation_store::sqlite::{self, SqliteStore};
use legation_testkit::agents::{Counter, Versatile};
use legation_testkit::wire::Wire;
use tokio::net::TcpListener;
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
        let wire = Wire::open().await.expect("a free port");
        wire.lead_to(listener.local_addr().expect("bound"));
        let mut settings = Settings::new(Security::open());
        settings.public_url = Some(format!("http://{}", wire.address()));
        settings.interfaces = interfaces().collect();
        let http = Http::new(service.clone(), Arc::new(Anonymous), settings).expect("sound cards");
        let drain = CancellationToken::new();
        let serving = http.serve(listener, drain.clone());
        let serving = tokio::spawn(async move { serving.await.expect("it was bound") });
        Self { service, drain, serving, wire, _directory: directory }
    }

    /// Where it is called.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.wire.address())
    }

    /// A client that speaks like this.
    pub(crate) async fn client(&self, interface: Interface, options: Options) -> Client {
        let Interface { binding, version } = interface;
        let options = Options { binding: Some(binding), version: Some(version), ..options };
        let client = Client::discover(&self.url(), options).await.expect("the card is good");
        assert_eq!((client.binding(), client.version()), (binding, version));
        client
    }

    /// Cuts every connection once it has carried this many bytes of answers from now on.
    pub(crate) fn cut_after(&self, bytes: Option<usize>) {
        self.wire.cut_after(bytes);
    }

    /// Cuts every connection at a place of its own, before it has carried this many bytes of answers
    /// from now on.
    pub(crate) fn cut_within(&self, bytes: usize) {
        self.wire.cut_within(bytes);
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.wire.cuts()
    }

    /// Stops as a process does, and waits for the end.
    pub(crate) async fn stop(self) {
        self.drain.cancel();
        self.service.stop(Duration::ZERO).await;
        self.serving.await.expect("the server ends by itself");
    }
}
