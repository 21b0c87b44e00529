//! The bindings as one server.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, StatusCode, Version};
use hyper::body::Incoming;
use legation_core::{Authenticator, Caller, Service};
use legation_model::A2aError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Bounds;
use crate::answer::{Answer, JSON, Refusal, answer, rest_error};
use crate::body::Body;
use crate::call::Arrival;
use crate::card::{Served, card};
use crate::hosts::HostGuard;
use crate::intake::{self, Gathered, Taken};
use crate::media::Media;
use crate::pace::{Phase, Phases};
use crate::router::{self, Mount, Place};
use crate::settings::Settings;
use crate::{jsonrpc, listener, rest};

/// The service over HTTP: JSON-RPC, REST and cards on one port.
pub struct Http {
    /// What is served.
    pub service: Arc<Service>,
    /// Who says who calls.
    pub authenticator: Arc<dyn Authenticator>,
    /// How it shows itself.
    pub settings: Settings,
}

impl Http {
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
        let shared = Shared::new(self, address, drain);
        listener::run(listener, Arc::new(shared)).await;
        Ok(())
    }
}

/// What every connection shares.
pub(crate) struct Shared {
    pub(crate) service: Arc<Service>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) settings: Settings,
    /// The settings' bounds, for those that outlive a request.
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) drain: CancellationToken,
    hosts: HostGuard,
    /// The crew's card, which is that of the default agent with the crew's addresses.
    crew: Served,
    /// The agents' own cards, in the service's order.
    cards: Vec<Served>,
    gathered: Gathered,
}

impl Shared {
    fn new(http: Http, address: SocketAddr, drain: CancellationToken) -> Self {
        let Http { service, authenticator, settings } = http;
        let (base, security) = (&settings.public_url, settings.security);
        let default = &service.agents()[0].profile;
        let crew = Served::since_now(&card(default, security, &format!("{base}/a2a"), base));
        let own = service.agents().iter().map(|agent| {
            let url = format!("{base}{}", router::mount_of(&agent.profile.slug));
            Served::since_now(&card(&agent.profile, security, &url, &url))
        });
        let cards = own.collect();
        let hosts = HostGuard::new(&settings.hosts, base, address.ip());
        let (bounds, gathered) = (Arc::new(settings.bounds.clone()), Gathered::default());
        Self { service, authenticator, settings, bounds, drain, hosts, crew, cards, gathered }
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Incoming>, phases: &Phases) -> Answer {
        phases.enter(Phase::Response);
        let (head, body) = request.into_parts();
        if let Err(error) = self.hosts.check(&head) {
            return self.refuse(&head, error.into());
        }
        let place = router::find(self.service.agents(), head.uri.path());
        if let Some(methods) = place.methods()
            && !router::allows(methods, &head.method)
        {
            return self.refuse(&head, rest::wrong_method(methods));
        }
        match place {
            Place::Card(mount) => self.card(mount).respond(&head.headers),
            Place::Health => plain(StatusCode::OK, r#"{"status":"ok"}"#),
            Place::Ready => self.ready(&head),
            Place::Rpc => jsonrpc::serve(self, None, &head, body, phases).await,
            Place::RpcOrCard(mount) if head.method == Method::POST => {
                jsonrpc::serve(self, mount, &head, body, phases).await
            }
            Place::RpcOrCard(mount) => self.card(mount).respond(&head.headers),
            Place::Rest(mount, path) => rest::serve(self, mount, path, &head, body, phases).await,
            Place::Nothing => self.refuse(&head, rest::no_such_path().into()),
        }
    }

    /// What the head of a request for a mount says about the call.
    ///
    /// # Errors
    /// As [`Arrival::read`].
    pub(crate) fn arrival(
        &self,
        head: &Parts,
        caller: Caller,
        mount: Mount,
    ) -> Result<Arrival, A2aError> {
        let agent = mount.map(|agent| self.service.agents()[agent].profile.slug.clone());
        Arrival::read(head, caller, agent, self.settings.missing_version)
    }

    /// Takes the body of a request.
    ///
    /// # Errors
    /// As [`intake::take`].
    pub(crate) async fn take_body(
        &self,
        head: &Parts,
        body: Incoming,
        phases: &Phases,
    ) -> Result<Taken, A2aError> {
        // The streams of an HTTP/2 connection share its transport, so each watches the time itself.
        let timed = head.version >= Version::HTTP_2;
        phases.enter(Phase::Body);
        let taken = intake::take(body, &self.settings.bounds, &self.gathered, timed).await;
        phases.enter(Phase::Response);
        taken
    }

    fn card(&self, mount: Mount) -> &Served {
        mount.map_or(&self.crew, |agent| &self.cards[agent])
    }

    fn ready(&self, head: &Parts) -> Answer {
        match self.service.ready() {
            Ok(()) => plain(StatusCode::OK, r#"{"status":"ready"}"#),
            Err(error) => self.refuse(head, error.into()),
        }
    }

    fn refuse(&self, head: &Parts, refusal: Refusal) -> Answer {
        let media = Media::of_response(&head.headers).value();
        rest_error(refusal, self.settings.errors, media)
    }
}

fn plain(status: StatusCode, json: &'static str) -> Answer {
    answer(status, JSON, Body::full(Bytes::from_static(json.as_bytes())))
}
