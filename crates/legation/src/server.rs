//! A server put together: the store, the agents, who may call, and the listener.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use legation_auth::{Anonymous, WeakToken};
use legation_core::{
    Agent, AuditLog, Authenticator, BuildError, ContextEvent, ContextWatch, DEPLOYMENT, Exposed,
    Extension, Limits, Profile, Retention, Service,
};
use legation_http::{
    BadCard, Bounds, CardForm, Cors, Crew, ErrorProfile, Front, Grpc, Hosts, Http, Interface,
    MissingVersion, Network, Readers, Security, Settings, Tls, TlsError, TlsSettings,
};
use legation_net::Secret;
use legation_store::sqlite::Options;
use legation_store::{Audit, AuditLimits, Home, OpenError, Store, Tokens, postgres};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin::{Admin, Recorded};
use crate::door::{Door, owner};
use crate::housekeeping;
use crate::signing::{SigningError, SigningKey};
use crate::{DataDir, audited};

/// How long runs may go on when the server stops, by default.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Serves your agents over A2A.
///
/// ```no_run
/// use legation::{Agent, AgentError, Profile, Server, Turn, async_trait};
///
/// struct Echo;
///
/// #[async_trait]
/// impl Agent for Echo {
///     async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
///         let text = turn.message().text();
///         turn.answer(text).await
///     }
/// }
///
/// # async fn run() -> anyhow::Result<()> {
/// Server::builder()
///     .agent(Profile::new("echo", "Echo", "Says what you say"), Echo)
///     .serve("127.0.0.1:8080")
///     .await?;
/// # Ok(()) }
/// ```
pub struct Server {
    agents: Vec<Exposed>,
    extensions: Vec<Arc<dyn Extension>>,
    missing_version: MissingVersion,
    errors: ErrorProfile,
    data_dir: DataDir,
    access: Access,
    public_url: Option<String>,
    trusted_proxies: Vec<Network>,
    hosts: Hosts,
    cors: Option<Cors>,
    tls: Option<TlsSettings>,
    signing: Vec<SigningKey>,
    plaintext: bool,
    interfaces: Vec<Interface>,
    card: CardForm,
    readers: Readers,
    crew: Option<Crew>,
    limits: Limits,
    bounds: Bounds,
    grpc: Option<Grpc>,
    grpc_ports: Vec<u16>,
    retention: Retention,
    context_hook: Option<ContextWatch>,
    audit: AuditLimits,
    admin: Option<Admin>,
    stop_grace: Duration,
    store: Options,
    kept: Kept,
}

/// Where tasks are.
enum Kept {
    /// In the data directory.
    Directory,
    /// In memory alone.
    Memory,
    /// In a database, which behaves like this.
    Postgres(Secret, postgres::Options),
}

/// An agent's own port for gRPC.
type OwnPort = (Arc<str>, TcpListener, SocketAddr);

/// Who may call.
enum Access {
    /// Those who pass.
    Door(Door),
    /// Everybody.
    Open,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is nothing to serve.
    #[error("there is no agent to serve; add one with `agent`")]
    NoAgent,
    /// The agents cannot be served together.
    #[error(transparent)]
    Agents(#[from] BuildError),
    /// What a card shall say otherwise makes it no card.
    #[error(transparent)]
    Card(#[from] BadCard),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store cannot be read.
    #[error("cannot take up the tasks of the last run")]
    Recover(#[source] legation_core::store::StoreError),
    /// The token's file cannot be read or made.
    #[error("cannot read or make the token file `{path}`")]
    Token {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The token is too short to be safe.
    #[error("the token (AUTH_TOKEN) is too weak; `openssl rand -hex 32` makes a good one")]
    WeakToken(#[from] WeakToken),
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; is another server there? choose another with --listen"
    )]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// There are not enough ports for gRPC.
    #[error("{agents} agents need a port each for gRPC, and there are {ports}; widen the range")]
    GrpcPorts {
        /// How many agents there are.
        agents: usize,
        /// How many ports there are.
        ports: usize,
    },
    /// An agent's port for gRPC cannot be listened on.
    #[error("cannot listen on {address} for gRPC to the agent `{agent}`: {source}")]
    GrpcPort {
        /// The agent's slug.
        agent: Arc<str>,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Without authentication only this machine may call.
    #[error(
        "without authentication the server listens on loopback only, not on {0}; leave --no-auth out"
    )]
    OpenToAll(SocketAddr),
    /// Without TLS others on the way could read and change everything.
    #[error(
        "without TLS the server listens on loopback only, not on {0}; give it a certificate \
         (--tls-cert and --tls-key, or `server.tls`), or say that something else sees to it \
         (--plaintext, or `server.plaintext: true`)"
    )]
    Plaintext(SocketAddr),
    /// The address for operators cannot be listened on.
    #[error(
        "cannot listen on {address} for operators: {source}; choose another `server.admin.listen`"
    )]
    Admin {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The program measures by itself.
    #[error("metrics go to another recorder of this program already; leave them out of `Admin`")]
    Recorder,
    /// There is no TLS by these files.
    #[error("there is no TLS")]
    Tls(#[from] TlsError),
    /// A key cannot sign the cards.
    #[error("there are no signed cards")]
    Signing(#[from] SigningError),
}

impl Server {
    /// Begins a server with the user's data directory, its token and default bounds.
    pub fn builder() -> Self {
        Self {
            agents: Vec::new(),
            extensions: Vec::new(),
            missing_version: MissingVersion::default(),
            errors: ErrorProfile::default(),
            data_dir: DataDir::of_user(),
            access: Access::Door(Door::new().own_token(owner())),
            public_url: None,
            trusted_proxies: Vec::new(),
            hosts: Hosts::default(),
            cors: None,
            tls: None,
            signing: Vec::new(),
            plaintext: false,
            interfaces: Interface::DEFAULT.into(),
            card: CardForm::default(),
            readers: Readers::default(),
            crew: None,
            limits: Limits::default(),
            bounds: Bounds::default(),
            grpc: Some(Grpc::default()),
            grpc_ports: Vec::new(),
            retention: Retention::default(),
            context_hook: None,
            audit: AuditLimits::default(),
            admin: None,
            stop_grace: STOP_GRACE,
            store: Options::default(),
            kept: Kept::Directory,
        }
    }

    /// Adds an agent; the first is the default one.
    #[must_use]
    pub fn agent(self, profile: Profile, agent: impl Agent) -> Self {
        self.expose(Exposed { profile: Arc::new(profile), agent: Arc::new(agent) })
    }

    /// Adds an agent that has its profile already.
    #[must_use]
    pub fn expose(mut self, exposed: Exposed) -> Self {
        self.agents.push(exposed);
        self
    }

    /// Adds an extension of the protocol, for calls to every agent.
    #[must_use]
    pub fn extension(mut self, extension: impl Extension) -> Self {
        self.extensions.push(Arc::new(extension));
        self
    }

    /// Says what a request without a version means where only A2A 1.0 has its method or path.
    #[must_use]
    pub fn missing_version(mut self, missing: MissingVersion) -> Self {
        self.missing_version = missing;
        self
    }

    /// Sets the edition of A2A 1.0's error table.
    #[must_use]
    pub fn errors(mut self, profile: ErrorProfile) -> Self {
        self.errors = profile;
        self
    }

    /// Keeps the state in this directory.
    #[must_use]
    pub fn data_dir(mut self, data_dir: DataDir) -> Self {
        self.data_dir = data_dir;
        self
    }

    /// Lets the bearers of this token in, rather than those of the data directory's. Called again,
    /// it lets those of either in.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        let door = match self.access {
            Access::Door(door) => door.without_own_token(),
            Access::Open => Door::new(),
        };
        self.access = Access::Door(door.token(token, owner()));
        self
    }

    /// Lets those in who pass this door, and nobody else.
    #[must_use]
    pub fn door(mut self, door: Door) -> Self {
        self.access = Access::Door(door);
        self
    }

    /// Lets everybody in. Such a server listens on loopback only.
    #[must_use]
    pub fn without_auth(mut self) -> Self {
        self.access = Access::Open;
        self
    }

    /// The address that callers see, such as `https://agents.example.com`, when a proxy is before
    /// the server.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// The proxies that are believed when they say in `Forwarded` or `X-Forwarded-*` what address
    /// callers see, and who calls. Each has to set or remove these headers. A public URL tells the
    /// address too, but without this all callers of a proxy share its bound on bad credentials.
    /// A server on loopback answers by the names of loopback and of its public URL only, so with a
    /// proxy that passes the callers' `Host` on, name it with [`Server::hosts`].
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: Vec<Network>) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// Sets the host names by which the server may be called and whose pages may call it.
    #[must_use]
    pub fn hosts(mut self, hosts: Hosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Lets pages of other origins in browsers call.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Speaks TLS on every connection. The files are read again when they change.
    #[must_use]
    pub fn tls(mut self, tls: TlsSettings) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Signs every card with these keys, and publishes their public parts.
    #[must_use]
    pub fn signing(mut self, keys: Vec<SigningKey>) -> Self {
        self.signing = keys;
        self
    }

    /// Lets the server listen without TLS on other addresses than loopback, such as behind a proxy
    /// that has TLS.
    #[must_use]
    pub fn plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// Sets what cards list, the preferred interface first.
    #[must_use]
    pub fn interfaces(mut self, interfaces: Vec<Interface>) -> Self {
        self.interfaces = interfaces;
        self
    }

    /// Sets the form of cards for readers that ask for none.
    #[must_use]
    pub fn card(mut self, form: CardForm) -> Self {
        self.card = form;
        self
    }

    /// Sets who may read the cards; everybody by default.
    #[must_use]
    pub fn card_readers(mut self, readers: Readers) -> Self {
        self.readers = readers;
        self
    }

    /// Says how the agents present themselves together.
    #[must_use]
    pub fn crew(mut self, crew: Crew) -> Self {
        self.crew = Some(crew);
        self
    }

    /// Sets the bounds of the service.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the bounds of the listener.
    #[must_use]
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Sets how gRPC is served; `None` does without it.
    #[must_use]
    pub fn grpc(mut self, grpc: Option<Grpc>) -> Self {
        self.grpc = grpc;
        self
    }

    /// Gives each agent a port of its own for gRPC, at the address that the server listens on: the
    /// first of these to the first agent, and so on.
    #[must_use]
    pub fn grpc_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.grpc_ports = ports.into_iter().collect();
        self
    }

    /// Sets how the store behaves.
    #[must_use]
    pub fn store_options(mut self, options: Options) -> Self {
        self.store = options;
        self
    }

    /// Keeps tasks in a PostgreSQL database, which other replicas may share, instead of the data
    /// directory. The address is a URL such as `postgres://user@host/database`.
    #[must_use]
    pub fn postgres(mut self, url: impl Into<Secret>, options: postgres::Options) -> Self {
        self.kept = Kept::Postgres(url.into(), options);
        self
    }

    /// Keeps tasks, integration tokens and the audit log in memory, of which they take 1 GiB at most, for
    /// tests and trials: all of it is gone when the server stops.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.kept = Kept::Memory;
        self
    }

    /// Sets how long runs may go on when the server stops, before they are left for the next start.
    #[must_use]
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace;
        self
    }

    /// Sets how long contexts live, and how long ended tasks and their results are kept.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Calls this with whatever becomes of contexts: that they are created, idle, resumed, expired or
    /// pruned. It is called on the store's thread, so it has to be short, such as by putting the event
    /// into a channel. Of several replicas each hears what it has brought about.
    #[must_use]
    pub fn context_hook(mut self, hook: impl Fn(&ContextEvent) + Send + Sync + 'static) -> Self {
        self.context_hook = Some(Arc::new(hook));
        self
    }

    /// Sets the bounds of the audit log.
    #[must_use]
    pub fn audit(mut self, limits: AuditLimits) -> Self {
        self.audit = limits;
        self
    }

    /// Lets operators look at the server: without this nothing is measured, unless the program has a
    /// recorder of its own for the crate `metrics`, set before the server starts.
    #[must_use]
    pub fn admin(mut self, admin: Admin) -> Self {
        self.admin = Some(admin);
        self
    }

    /// Starts to listen on an address such as `127.0.0.1:8080`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the store, the token or the address cannot be had.
    pub async fn start(mut self, address: &str) -> Result<Running, StartError> {
        if self.agents.is_empty() {
            return Err(StartError::NoAgent);
        }
        let listen = |source| StartError::Listen { address: address.to_owned(), source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        if matches!(self.access, Access::Open) && !address.ip().is_loopback() {
            return Err(StartError::OpenToAll(address));
        }
        if self.tls.is_none() && !self.plaintext && !address.ip().is_loopback() {
            return Err(StartError::Plaintext(address));
        }
        let tls = self.tls.take().map(Tls::open).transpose()?;
        let signers = self.signing.drain(..).map(|key| key.open().map(Arc::new));
        let signers: Vec<_> = signers.collect::<Result<_, _>>()?;
        // Whoever counts something takes its handle when it is made.
        let admin = self.admin.take().map(Admin::open).transpose()?.unwrap_or_default();
        let ports = self.open_ports(address.ip()).await?;
        let grpc = self.grpc.clone().map(|grpc| {
            let ports = ports.iter().map(|(agent, _, at)| (agent.clone(), at.port())).collect();
            Grpc { ports, ..grpc }
        });
        let static_tokens = match &self.access {
            Access::Open => Vec::new(),
            Access::Door(door) => door.static_tokens(&self.data_dir)?,
        };
        let count_usage = !self.limits.quotas.are_none();
        let options = Options { count_usage, ..self.store };
        let home = match self.kept {
            Kept::Directory => Home::Sqlite(self.data_dir.path().to_owned(), options),
            Kept::Memory => Home::Memory(options),
            Kept::Postgres(url, options) => Home::Postgres(url.reveal().to_owned(), options),
        };
        let opening = tokio::task::spawn_blocking(|| Store::open(home));
        let store = opening.await.expect("opening a store does not panic")?;
        let audit = store.audit(DEPLOYMENT, self.audit);
        let (authenticator, security, tokens): (Arc<dyn Authenticator>, _, _) = match self.access {
            Access::Open => (Arc::new(Anonymous), Security::open(), None),
            Access::Door(door) => {
                let opened = door.open(static_tokens, &store);
                let chain = opened.chain.audited(Arc::new(audit.clone()));
                (Arc::new(chain), opened.security, opened.integration)
            }
        };
        let mut service = Service::builder(store.tasks()).limits(self.limits);
        service = service.audit(Arc::new(audit.clone()));
        if let Some(bell) = store.bell() {
            service = service.bell(bell);
        }
        if let Some(hook) = self.context_hook {
            service = service.context_hook(move |event| hook(event));
        }
        for exposed in self.agents {
            service = service.expose(exposed);
        }
        for extension in self.extensions {
            service = service.extension(extension);
        }
        let service = service.build()?;
        audited::start(&audit, address, &service.agents(), &signers).await;
        let settings = Settings {
            public_url: self.public_url,
            trusted_proxies: self.trusted_proxies,
            hosts: self.hosts,
            cors: self.cors,
            interfaces: self.interfaces,
            card: self.card,
            readers: self.readers,
            crew: self.crew,
            missing_version: self.missing_version,
            errors: self.errors,
            bounds: self.bounds,
            grpc,
            signers,
            ..Settings::new(security)
        };
        let mut http = Http::new(service.clone(), authenticator, settings)?;
        if let Some(tls) = tls {
            http = http.with_tls(tls);
        }
        if let (Some(recorded), None) = (&admin.recorded, &admin.listener) {
            http = http.with_metrics(recorded.metrics());
        }
        let drain = CancellationToken::new();
        let front = http.at(address, drain.clone());
        let recovered = service.recover().await.map_err(StartError::Recover)?;
        let mut grpc_ports = Vec::new();
        let mut serving = vec![tokio::spawn(front.clone().serve(listener))];
        for (agent, door, at) in ports {
            grpc_ports.push((agent.clone(), at));
            serving.push(tokio::spawn(front.clone().serve_agent(agent, door)));
        }
        let admin_address = admin.address();
        let upkeep = admin.recorded.as_ref().map(|recorded| tokio::spawn(recorded.clone().keep()));
        if let Some(listener) = admin.listener {
            let metrics = admin.recorded.as_ref().map(Recorded::metrics);
            serving.push(tokio::spawn(front.clone().serve_admin(metrics, listener)));
        }
        let chores = (tokens.clone(), audit.clone());
        let chores = housekeeping::run(service.clone(), self.retention, chores);
        let housekeeping = tokio::spawn(chores);
        let stop_grace = self.stop_grace;
        let stops = (drain, stop_grace);
        Ok(Running {
            address,
            admin_address,
            grpc_ports,
            recovered,
            service,
            front,
            store,
            tokens,
            audit,
            serving,
            housekeeping,
            upkeep,
            stops,
        })
    }

    /// Listens where agents have ports of their own for gRPC.
    async fn open_ports(&self, ip: IpAddr) -> Result<Vec<OwnPort>, StartError> {
        let (agents, ports) = (self.agents.len(), self.grpc_ports.len());
        if self.grpc.is_none() || ports == 0 {
            return Ok(Vec::new());
        }
        if ports < agents {
            return Err(StartError::GrpcPorts { agents, ports });
        }
        let mut doors = Vec::new();
        for (exposed, port) in self.agents.iter().zip(&self.grpc_ports) {
            let (agent, address) = (exposed.profile.slug.clone(), SocketAddr::new(ip, *port));
            let failed = |source| StartError::GrpcPort { agent: agent.clone(), address, source };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let at = listener.local_addr().map_err(failed)?;
            doors.push((agent, listener, at));
        }
        Ok(doors)
    }

    /// Listens on an address until the process is told to stop (Ctrl-C or SIGTERM).
    ///
    /// # Errors
    /// When the server cannot start.
    pub async fn serve(self, address: &str) -> Result<(), StartError> {
        self.start(address).await?.until_stopped().await;
        Ok(())
    }
}

/// A server at work. Dropping it leaves it at work; stop it with [`Running::stop`].
pub struct Running {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    grpc_ports: Vec<(Arc<str>, SocketAddr)>,
    recovered: usize,
    service: Arc<Service>,
    front: Front,
    store: Store,
    tokens: Option<Tokens>,
    audit: Audit,
    serving: Vec<JoinHandle<()>>,
    housekeeping: JoinHandle<()>,
    upkeep: Option<JoinHandle<()>>,
    /// What ends the listener, and how long runs may go on before.
    stops: (CancellationToken, Duration),
}

impl Running {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for operators, if they have one of their own.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Where the agents are called that have a port of their own for gRPC.
    pub fn grpc_ports(&self) -> &[(Arc<str>, SocketAddr)] {
        &self.grpc_ports
    }

    /// How many tasks of an earlier process it took up.
    pub fn recovered(&self) -> usize {
        self.recovered
    }

    /// By which its agents are replaced while it works.
    pub fn front(&self) -> &Front {
        &self.front
    }

    /// Where refusals and administrative acts are kept.
    pub fn audit(&self) -> Arc<dyn AuditLog> {
        Arc::new(self.audit.clone())
    }

    /// Works until the process is told to stop (Ctrl-C or SIGTERM), then stops. A second such signal
    /// ends the process at once.
    pub async fn until_stopped(self) {
        self.until(std::future::pending()).await;
    }

    /// Works until the process is told to stop, or until this is over, then stops.
    pub async fn until(self, over: impl Future<Output = ()>) {
        tokio::select! {
            () = crate::signals::stop_requested() => {}
            () = over => {}
        }
        tracing::info!("stopping; a second signal ends at once");
        self.stop().await;
    }

    /// Stops: not ready from now on, runs finish or are left for the next start, streams end with
    /// a cursor, and everything acknowledged is on the disk.
    pub async fn stop(self) {
        let (drain, grace) = self.stops;
        self.service.drain();
        self.service.stop(grace).await;
        drain.cancel();
        // The listeners bound their own drain; an error is a panic that was reported already.
        for serving in self.serving {
            let _ = serving.await;
        }
        self.housekeeping.abort();
        if let Some(upkeep) = self.upkeep {
            upkeep.abort();
        }
        let (store, tokens, audit) = (self.store, self.tokens, self.audit);
        if let Some(tokens) = tokens
            && let Err(error) = tokens.close().await
        {
            housekeeping::cannot_write_uses(&error);
        }
        if let Err(error) = audit.close().await {
            audited::cannot_write(&error);
        }
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }
}
