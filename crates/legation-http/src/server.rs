//! The bindings as one server.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, STRICT_TRANSPORT_SECURITY};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use legation_core::{
    Authenticator, BuildError, Call, Caller, Exposed, Profile, Refused, Reply, Service,
};
use legation_model::{A2aError, AgentExtension, Request as Asked};
use legation_wire::answer::Answer as Kind;
use legation_wire::card::CardForm;
use legation_wire::codec::Codec;
use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Bounds;
use crate::answer::{Answer, JSON, PROMETHEUS, Refusal, Replied, answer, rest_error};
use crate::body::Body;
use crate::call::{Arrival, Peer, Stated, entrusted, read_version};
use crate::calls::Calls;
use crate::card::{BadCard, Cards, Templates};
use crate::cors::Pages;
use crate::grpc::Services;
use crate::hosts::HostGuard;
use crate::intake::{self, Gathered, Taken};
use crate::listener::Slots;
use crate::media::Media;
use crate::pace::{Phase, Phases};
use crate::router::{self, Mount, Place};
use crate::settings::{Crew, Hosts, Settings};
use crate::tls::Tls;
use crate::{addresses, call, callback, forwarded, grpc, jsonrpc, listener, resource, rest};

/// The service over HTTP: JSON-RPC, REST and cards on one port.
pub struct Http {
    service: Arc<Service>,
    authenticator: Arc<dyn Authenticator>,
    settings: Settings,
    templates: Templates,
    tls: Option<Tls>,
    metrics: Option<Metrics>,
}

/// Writes what was measured, in the text format of Prometheus.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

impl Http {
    /// Serves a service to those whom the authenticator knows, as the settings say.
    ///
    /// # Errors
    /// When what an agent's card shall say otherwise makes it no card.
    pub fn new(
        service: Arc<Service>,
        authenticator: Arc<dyn Authenticator>,
        settings: Settings,
    ) -> Result<Self, BadCard> {
        let extensions: Vec<AgentExtension> = service.extensions().cloned().collect();
        let crew = settings.crew.as_ref();
        let agents = service.agents();
        let templates = Templates::new(&profiles(&agents), crew, &extensions, &settings)?;
        Ok(Self { service, authenticator, settings, templates, tls: None, metrics: None })
    }

    /// Speaks TLS on every connection, and says so in the cards.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Shows at `/metrics` what was measured, to whoever asks: only where the bindings are served on
    /// loopback, and to nobody who comes through a proxy. Elsewhere [`Front::serve_admin`] does.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Serves a listener's connections until `drain` is cancelled. Then no more are taken, those
    /// that are idle are closed, and the rest may go on within [`crate::Bounds::drain`].
    ///
    /// Streams end when the service ends them, so stop it as well:
    /// [`Service::stop`] gives each a cursor to resume from.
    ///
    /// # Errors
    /// When the listener has no address.
    ///
    /// # Cancel safety
    /// Dropping the future stops accepting and leaves open connections at work.
    pub async fn serve(
        self,
        listener: TcpListener,
        drain: CancellationToken,
    ) -> std::io::Result<()> {
        let address = listener.local_addr()?;
        self.at(address, drain).serve(listener).await;
        Ok(())
    }

    /// The bindings at the address of their listener, to be served until `drain` is cancelled. It
    /// is for servers whose agents may be replaced; [`Http::serve`] is enough for all others.
    pub fn at(self, address: SocketAddr, drain: CancellationToken) -> Front {
        Front(Arc::new(Shared::new(self, address, drain)))
    }
}

/// The bindings at an address, whose agents may be replaced while they are served.
#[derive(Clone)]
pub struct Front(Arc<Shared>);

/// Why agents cannot take the place of others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// They cannot be served together.
    #[error(transparent)]
    Agents(#[from] BuildError),
    /// What a card shall say otherwise makes it no card.
    #[error(transparent)]
    Card(#[from] BadCard),
}

impl Front {
    /// Serves a listener's connections, as [`Http::serve`] does.
    pub async fn serve(self, listener: TcpListener) {
        listener::run(listener, self.0).await;
    }

    /// Serves a listener's connections for one agent: gRPC alone, and every call is for that agent.
    /// [`crate::Grpc::ports`] says where it is, for the cards.
    pub async fn serve_agent(self, agent: Arc<str>, listener: TcpListener) {
        let door = Door::Agent(agent);
        listener::run(listener, Arc::new(Shared { door, ..(*self.0).clone() })).await;
    }

    /// Serves a listener's connections for operators: health, readiness, metrics, and nothing else. It
    /// speaks HTTP without TLS, and asks nobody who calls. Its connections have places of their own, so
    /// that a server that is full can be looked at.
    pub async fn serve_admin(self, metrics: Option<Metrics>, listener: TcpListener) {
        let Ok(address) = listener.local_addr() else { return };
        listener::run(listener, Arc::new(self.0.for_admin(address, metrics))).await;
    }

    /// What connections are encrypted with, if they are.
    pub fn tls(&self) -> Option<&Tls> {
        self.0.tls.as_ref()
    }

    /// Serves these agents from now on, the default one first, and their cards. Connections stay,
    /// and so do streams and the runs at work.
    ///
    /// # Errors
    /// When the agents cannot be served; then those of before stay.
    pub fn replace_agents(
        &self,
        agents: Vec<Exposed>,
        crew: Option<&Crew>,
    ) -> Result<(), ReplaceError> {
        let Shared { service, settings, base, .. } = &*self.0;
        let extensions: Vec<AgentExtension> = service.extensions().cloned().collect();
        if agents.is_empty() {
            return Err(BuildError::NoAgent.into());
        }
        let templates = Templates::new(&profiles(&agents), crew, &extensions, settings)?;
        let cards = Arc::new(Cards::new(templates, settings, base));
        // Held over both steps, so that of two replacements one is wholly the later. A call that
        // finds an agent here which the service does not have any more is told so.
        let mut shown = self.0.cards.write();
        service.replace_agents(agents)?;
        *shown = cards;
        Ok(())
    }
}

fn profiles(agents: &[Exposed]) -> Vec<&Profile> {
    agents.iter().map(|exposed| &*exposed.profile).collect()
}

/// What every connection of a listener shares, and with those of the other listeners.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) service: Arc<Service>,
    authenticator: Arc<dyn Authenticator>,
    pub(crate) settings: Settings,
    /// The settings' bounds, for those that outlive a request.
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) drain: CancellationToken,
    /// The services of gRPC that are not A2A's.
    pub(crate) services: Arc<Services>,
    pub(crate) tls: Option<Tls>,
    hosts: HostGuard,
    pages: Option<Pages>,
    /// What tells browsers to come by TLS only.
    hsts: Option<HeaderValue>,
    /// Where the server is reached unless a proxy says otherwise.
    base: String,
    /// The cards of the agents that are served now. Held only to take or to put them.
    cards: Arc<RwLock<Arc<Cards>>>,
    gathered: Gathered,
    /// The places of connections, of all listeners together.
    pub(crate) slots: Slots,
    pub(crate) calls: Arc<Calls>,
    /// What is shown at `/metrics`, where it is.
    metrics: Option<Metrics>,
    pub(crate) door: Door,
}

/// For what a listener is.
#[derive(Clone)]
pub(crate) enum Door {
    /// All bindings.
    Main,
    /// One agent, by gRPC and nothing else.
    Agent(Arc<str>),
    /// Operators.
    Admin,
}

impl Shared {
    fn new(http: Http, address: SocketAddr, drain: CancellationToken) -> Self {
        let Http { service, authenticator, settings, templates, tls, metrics } = http;
        let public = settings.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        let base = public.unwrap_or_else(|| addresses::base_of(address, tls.is_some()));
        let cards = Arc::new(RwLock::new(Arc::new(Cards::new(templates, &settings, &base))));
        let hosts = HostGuard::new(&settings, &base, address.ip());
        let grpc = settings.grpc.clone().unwrap_or_default();
        let services = Services::new(&grpc, &service, drain.clone(), &settings.bounds);
        let services = Arc::new(services);
        service.authorizations_arrive_at(&addresses::callback(&base));
        let (bounds, gathered) = (Arc::new(settings.bounds.clone()), Gathered::default());
        let pages = settings.cors.as_ref().map(Pages::new);
        // Where it is known that a proxy brings callers, loopback is not this machine alone.
        let proxied = settings.public_url.is_some() || !settings.trusted_proxies.is_empty();
        let metrics = metrics.filter(|_| address.ip().is_loopback() && !proxied);
        let hsts = tls.as_ref().and_then(hsts);
        let slots = Slots::new(&settings.bounds);
        Self {
            service,
            authenticator,
            settings,
            bounds,
            drain,
            services,
            tls,
            hosts,
            pages,
            hsts,
            base,
            cards,
            gathered,
            slots,
            calls: Arc::default(),
            metrics,
            door: Door::Main,
        }
    }

    /// The same for operators at an address.
    fn for_admin(&self, address: SocketAddr, metrics: Option<Metrics>) -> Self {
        // Names and pages of the other address are not those of this one.
        let hosts = Hosts::Automatic;
        let settings = Settings { grpc: None, hosts, cors: None, ..self.settings.clone() };
        Self {
            hosts: HostGuard::new(&settings, &addresses::base_of(address, false), address.ip()),
            slots: Slots::new(&settings.bounds),
            settings,
            tls: None,
            hsts: None,
            pages: None,
            metrics,
            door: Door::Admin,
            ..self.clone()
        }
    }

    /// Answers a request that came from a peer.
    pub(crate) async fn answer(
        &self,
        peer: &Peer,
        request: Request<Incoming>,
        phases: &Phases,
    ) -> Answer {
        phases.enter(Phase::Response);
        if self.settings.grpc.is_some() && grpc::is_grpc(&request) {
            return self.serve_grpc(peer, request.into_parts(), phases).await;
        }
        let (head, mut body) = request.into_parts();
        let mut response = self.serve(peer, &head, &mut body, phases).await;
        // A body that nobody wants ends its connection, which the caller is better told than left
        // to find out by its next request.
        let refused = response.status().is_client_error() || response.status().is_server_error();
        if refused && head.version < Version::HTTP_2 && !body.is_end_stream() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(hsts) = &self.hsts {
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        if let Some(pages) = &self.pages {
            pages.expose(&head, &mut response);
        }
        response
    }

    async fn serve(
        &self,
        peer: &Peer,
        head: &Parts,
        body: &mut Incoming,
        phases: &Phases,
    ) -> Answer {
        if let Err(error) = self.hosts.check(head) {
            return self.refuse(head, error.into());
        }
        if let Door::Agent(_) = self.door {
            return self.refuse(head, rest::no_such_path().into());
        }
        if let Some(answer) = self.pages.as_ref().and_then(|pages| pages.preflight(head)) {
            return answer;
        }
        let cards = self.cards.read().clone();
        let place = match (&self.door, router::find(cards.slugs(), head.uri.path())) {
            (Door::Main | Door::Agent(_), place) => place,
            (Door::Admin, place @ (Place::Health | Place::Ready | Place::Metrics)) => place,
            (Door::Admin, _) => Place::Nothing,
        };
        if let Some(methods) = place.methods()
            && !router::allows(methods, &head.method)
        {
            return self.refuse(head, rest::wrong_method(methods));
        }
        match place {
            Place::Card(mount) => self.card(&cards, mount, peer, head).await,
            Place::OldCard(mount) => {
                self.card_unless_asked(CardForm::V0_2, &cards, mount, peer, head).await
            }
            Place::Resource(mount) => self.resource(mount, peer.address, head),
            Place::Keys => match cards.respond_keys(head) {
                Some(answer) => answer,
                None => self.refuse(head, rest::no_such_path().into()),
            },
            Place::Callback => callback::serve(&self.service, head).await,
            Place::Health => plain(StatusCode::OK, r#"{"status":"ok"}"#),
            Place::Ready => self.ready(head),
            Place::Metrics => self.metrics(peer, head),
            Place::Rpc => jsonrpc::serve(self, None, (peer, head), body, phases).await,
            Place::RpcOrCard(mount) if head.method == Method::POST => {
                jsonrpc::serve(self, mount, (peer, head), body, phases).await
            }
            Place::RpcOrCard(mount) => self.card(&cards, mount, peer, head).await,
            Place::Rest(mount, path) => {
                rest::serve(self, mount, path, (peer, head), body, phases).await
            }
            Place::Nothing => self.refuse(head, rest::no_such_path().into()),
        }
    }

    async fn serve_grpc(
        &self,
        peer: &Peer,
        (head, body): (Parts, Incoming),
        phases: &Phases,
    ) -> Answer {
        if let Err(error) = self.hosts.check(&head) {
            return grpc::refuse(self, error.into());
        }
        let (cards, uri) = (self.cards.read().clone(), head.uri.clone());
        let (mount, path) = match (&self.door, router::find(cards.slugs(), uri.path())) {
            (Door::Main, Place::Rest(mount, path)) => (mount, path),
            (Door::Agent(agent), _) => (Some(agent), uri.path()),
            (Door::Main | Door::Admin, _) => (None, uri.path()),
        };
        grpc::serve(self, mount, path, peer, (head, body), phases).await
    }

    /// Says who calls a mount.
    ///
    /// # Errors
    /// When the authenticator refuses.
    pub(crate) async fn authenticate(
        &self,
        peer: &Peer,
        head: &Parts,
        mount: Mount<'_>,
    ) -> Result<Caller, Refused> {
        let schemes = mount.and_then(|slug| {
            let agents = self.service.agents();
            let agent = agents.iter().find(|agent| agent.profile.slug == *slug)?;
            agent.profile.schemes.clone()
        });
        let client = match &self.settings.trusted_proxies[..] {
            [] => None,
            trusted => forwarded::client(trusted, peer.address, &head.headers),
        };
        let at = (mount.map(|slug| &**slug), schemes.as_ref());
        let known = call::authenticate(&*self.authenticator, peer, client, head, at).await;
        let known = known.map(|caller| Caller { address: client.or(Some(peer.address)), ..caller });
        known.map_err(|mut refused| {
            if !self.settings.security.issuers.is_empty() {
                let base = self.base_of(peer.address, head);
                for challenge in &mut refused.challenges {
                    challenge.text = resource::challenge(challenge, &base, mount);
                }
            }
            refused
        })
    }

    /// Does what a caller asks.
    ///
    /// # Errors
    /// As [`Service::call`], and when there is no extended card for the caller.
    pub(crate) async fn call(
        &self,
        call: &Call,
        request: Box<Asked>,
        (peer, head): (&Peer, &Parts),
    ) -> Result<Replied, A2aError> {
        Ok(match self.service.call(call, request).await? {
            Reply::SentTask(task) => Ok((Kind::SentTask, task)),
            Reply::SentMessage(message) => Ok((Kind::SentMessage, message)),
            Reply::Task(task) => Ok((Kind::Task, task)),
            Reply::Tasks(tasks) => Ok((Kind::Tasks, tasks)),
            Reply::ExtendedCard(usable) => {
                let (cards, mount) = (self.cards.read().clone(), call.agent.as_ref());
                let base = self.base_of(peer.address, head);
                let card = cards.extended(&self.settings, &base, mount, usable);
                let card = card.inspect_err(|error| self.service.note_refusal(call, error));
                Ok((Kind::Card, card?))
            }
            Reply::Stream(follow) => Err(Box::new(follow)),
        })
    }

    /// A card for one caller, as the answer to a request with this head.
    pub(crate) fn card_for_one(&self, json: Bytes, media: HeaderValue, head: &Parts) -> Answer {
        self.cards.read().respond_private(json, media, head)
    }

    /// What the head of a request for a mount says about the call.
    ///
    /// # Errors
    /// As [`Stated::read`], and when the caller sends too many such.
    pub(crate) fn arrival(
        &self,
        (peer, head): (&Peer, &Parts),
        caller: Caller,
        mount: Mount<'_>,
    ) -> Result<Arrival, A2aError> {
        let service = &self.service;
        let is_known = |uri: &str| service.extensions().any(|known| known.uri == uri);
        let stated = Stated::read(head, is_known, &self.bounds);
        let slug = mount.map(|slug| &**slug);
        let stated = stated.map_err(|error| service.refuse(&caller, slug, error))?;
        let mut arrival = Arrival::new(stated, caller, mount.cloned());
        let base = self.forwarded_base(peer.address, head);
        arrival.call.callback = base.map(|base| addresses::callback(&base).into());
        let agents = service.agents();
        let names = agents.iter().flat_map(|exposed| exposed.agent.entrusted());
        arrival.call.entrusted = entrusted(&head.headers, names);
        Ok(arrival)
    }

    /// Refuses what a known caller sent and what is no call: it counts as well.
    pub(crate) fn refuse_call(&self, call: &Call, error: A2aError) -> A2aError {
        self.service.refuse(&call.caller, call.agent.as_deref(), error)
    }

    /// Takes the body of a request.
    ///
    /// # Errors
    /// As [`intake::take`].
    pub(crate) async fn take_body(
        &self,
        head: &Parts,
        body: &mut Incoming,
        phases: &Phases,
    ) -> Result<Taken, A2aError> {
        // The streams of an HTTP/2 connection share its transport, so each watches the time itself.
        let timed = head.version >= Version::HTTP_2;
        phases.enter(Phase::Body);
        let taken = intake::take(body, &self.settings.bounds, &self.gathered, timed).await;
        phases.enter(Phase::Response);
        taken
    }

    /// The card of a mount in the form of the version that the reader states. Other versions than
    /// those served have none: by a card their readers find out which there are.
    async fn card(&self, cards: &Cards, mount: Mount<'_>, peer: &Peer, head: &Parts) -> Answer {
        let stated = read_version(head).ok().flatten();
        let form = stated.map_or(self.settings.card, CardForm::of_version);
        self.card_unless_asked(form, cards, mount, peer, head).await
    }

    /// The card of a mount in a form, unless the query asks for another.
    async fn card_unless_asked(
        &self,
        form: CardForm,
        cards: &Cards,
        mount: Mount<'_>,
        peer: &Peer,
        head: &Parts,
    ) -> Answer {
        if let Err(refusal) = self.check_reader(peer, head, mount).await {
            return self.refuse(head, refusal);
        }
        let form = match CardForm::of_query(head.uri.query().unwrap_or_default()) {
            Ok(asked) => asked.unwrap_or(form),
            Err(error) => return self.refuse(head, error.into()),
        };
        let base = self.forwarded_base(peer.address, head);
        cards.respond(&self.settings, base.as_deref(), (mount, form), head)
    }

    /// Checks that whoever asks may read the cards.
    async fn check_reader(
        &self,
        peer: &Peer,
        head: &Parts,
        mount: Mount<'_>,
    ) -> Result<(), Refusal> {
        let Settings { readers, trusted_proxies, .. } = &self.settings;
        if readers.are_all() {
            return Ok(());
        }
        let sender = forwarded::sender(trusted_proxies, peer.address, &head.headers);
        if sender.is_some_and(|it| readers.networks.iter().any(|network| network.contains(it))) {
            return Ok(());
        }
        if !readers.credentials {
            return Err(rest::no_such_path().into());
        }
        self.authenticate(peer, head, mount).await?;
        Ok(())
    }

    /// Where a proxy says that the server is reached, if one is to be believed.
    fn forwarded_base(&self, peer: IpAddr, head: &Parts) -> Option<String> {
        match self.settings.public_url {
            Some(_) => None,
            None => forwarded::base(&self.settings.trusted_proxies, peer, head),
        }
    }

    /// Where the server is reached.
    fn base_of(&self, peer: IpAddr, head: &Parts) -> String {
        self.forwarded_base(peer, head).unwrap_or_else(|| self.base.clone())
    }

    /// What a mount is to OAuth 2.0, when tokens of some issuer are taken.
    fn resource(&self, mount: Mount<'_>, peer: IpAddr, head: &Parts) -> Answer {
        if self.settings.security.issuers.is_empty() {
            return self.refuse(head, rest::no_such_path().into());
        }
        let agents = self.service.agents();
        let agent = mount.and_then(|slug| agents.iter().find(|a| a.profile.slug == *slug));
        let crew = self.settings.crew.as_ref().map(|crew| &*crew.name);
        let first = || agents.first().map_or("", |agent| &*agent.profile.name);
        let name = agent.map(|agent| &*agent.profile.name).or(crew).unwrap_or_else(first);
        resource::metadata(&self.settings, &self.base_of(peer, head), mount, name)
    }

    fn ready(&self, head: &Parts) -> Answer {
        match self.service.ready() {
            Ok(()) => plain(StatusCode::OK, r#"{"status":"ready"}"#),
            Err(error) => self.refuse(head, error.into()),
        }
    }

    fn metrics(&self, peer: &Peer, head: &Parts) -> Answer {
        let is_proxied = || forwarded::sender(&[], peer.address, &head.headers).is_none();
        match &self.metrics {
            Some(metrics) if !matches!(self.door, Door::Main) || !is_proxied() => {
                answer(StatusCode::OK, PROMETHEUS, Body::full(metrics()))
            }
            Some(_) | None => self.refuse(head, rest::no_such_path().into()),
        }
    }

    fn refuse(&self, head: &Parts, refusal: Refusal) -> Answer {
        let media = Media::of_response(&head.headers, self.settings.errors).value();
        rest_error(refusal, Codec::NEWEST.version(), self.settings.errors, media)
    }
}

/// The header that says for how long browsers shall come by TLS only. A certificate that is its own
/// authority is for trying out, and mostly for `localhost`: there it would hold for every other
/// program, long after this one.
fn hsts(tls: &Tls) -> Option<HeaderValue> {
    if tls.is_self_signed() {
        return None;
    }
    let seconds = Some(tls.settings().hsts.as_secs()).filter(|seconds| *seconds > 0)?;
    HeaderValue::from_str(&format!("max-age={seconds}")).ok()
}

fn plain(status: StatusCode, json: &'static str) -> Answer {
    answer(status, JSON, Body::full(Bytes::from_static(json.as_bytes())))
}
