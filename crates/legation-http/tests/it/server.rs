//! A server on port 0.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use legation_auth::Anonymous;
use legation_core::{Authenticator, Profile, Service};
use legation_http::{Http, Security, Settings, Tls};
use legation_store::sqlite::{Options, SqliteStore};
use legation_testkit::agents::{Counter, Echo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running server with an echo agent and, second, a counting one.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) service: Arc<Service>,
    pub(crate) drain: CancellationToken,
    pub(crate) task: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

/// Starts a server for anyone, with the default settings.
pub(crate) async fn start() -> Server {
    start_with(Arc::new(Anonymous), |_| {}).await
}

/// Starts a server.
pub(crate) async fn start_with(
    authenticator: Arc<dyn Authenticator>,
    change: impl FnOnce(&mut Settings),
) -> Server {
    start_secured(authenticator, None, change).await
}

/// Starts a server that speaks TLS, when there is any.
pub(crate) async fn start_secured(
    authenticator: Arc<dyn Authenticator>,
    tls: Option<Tls>,
    change: impl FnOnce(&mut Settings),
) -> Server {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SqliteStore::open(directory.path(), Options::default()).expect("a new store");
    let on_restart = legation_core::OnRestart::Fail;
    let service = Service::builder(store)
        .agent(Profile::new("echo", "Echo", "Says it again"), Echo)
        .agent(Profile::new("counter", "Counter", "Counts"), Counter { on_restart })
        .build()
        .expect("agents with slugs of their own");
    serve_secured(service, directory, authenticator, (tls, change)).await
}

/// Serves a service whose store is in this directory.
pub(crate) async fn serve(
    service: Arc<Service>,
    directory: tempfile::TempDir,
    authenticator: Arc<dyn Authenticator>,
    change: impl FnOnce(&mut Settings),
) -> Server {
    serve_secured(service, directory, authenticator, (None, change)).await
}

async fn serve_secured(
    service: Arc<Service>,
    directory: tempfile::TempDir,
    authenticator: Arc<dyn Authenticator>,
    (tls, change): (Option<Tls>, impl FnOnce(&mut Settings)),
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let mut settings = Settings::new(Security::open());
    change(&mut settings);
    let mut http = Http::new(service.clone(), authenticator, settings).expect("sound cards");
    if let Some(tls) = tls {
        http = http.with_tls(tls);
    }
    let drain = CancellationToken::new();
    let serving = http.serve(listener, drain.clone());
    let task = tokio::spawn(async move { serving.await.expect("a listener with an address") });
    Server { address, service, drain, task, _directory: directory }
}

impl Server {
    /// Stops as a process does, and waits for the end.
    pub(crate) async fn stop(self) {
        self.drain.cancel();
        self.service.stop(Duration::ZERO).await;
        self.task.await.expect("the server ends by itself");
    }
}
