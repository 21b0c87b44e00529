//! What an operator decides about the bindings.

use std::sync::Arc;
use std::time::Duration;

use legation_core::Names;
use legation_model::{HttpAuthSecurityScheme, SecurityScheme};
use legation_wire::card::{CardForm, Interface};
use legation_wire::error::ErrorProfile;
use legation_wire::grpc::Numbers;
use legation_wire::signature::Signer;
use legation_wire::version::MissingVersion;

use crate::bounds::Bounds;
use crate::forwarded::Network;

/// How the service shows itself over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where callers reach the server: what the cards say. `None` leaves it to the proxy, if there
    /// is one that is trusted, and else to the listener.
    pub public_url: Option<String>,
    /// The proxies that are believed when they say in `Forwarded` or `X-Forwarded-*` where callers
    /// reach the server. Each has to set or remove these headers.
    pub trusted_proxies: Vec<Network>,
    /// The form of cards for readers that ask for none.
    pub card: CardForm,
    /// Who may read the cards.
    pub readers: Readers,
    /// What cards list, the preferred interface first.
    pub interfaces: Vec<Interface>,
    /// How the agents present themselves together. By default the card of a single agent is the
    /// crew's as well, and a crew of several goes by the name and description of the first, the one
    /// that answers when a message names no agent.
    pub crew: Option<Crew>,
    /// How callers authenticate: what the cards say. The authenticator decides.
    pub security: Security,
    /// Host names by which the server may be called and whose pages may call it.
    pub hosts: Hosts,
    /// The pages of other origins that may call; none without it.
    pub cors: Option<Cors>,
    /// What a request without a version means.
    pub missing_version: MissingVersion,
    /// The edition of the error table.
    pub errors: ErrorProfile,
    /// How gRPC is served, if it is.
    pub grpc: Option<Grpc>,
    /// The keys that sign every card with the members of 1.0. Their public parts are published.
    pub signers: Vec<Arc<Signer>>,
    /// The bounds.
    pub bounds: Bounds,
}

/// How gRPC is served: on the same port as all else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grpc {
    /// Whether callers may ask which services and types there are.
    pub reflection: bool,
    /// Whether there is gRPC's service of health, which says whether new work is taken.
    pub health: bool,
    /// Whether compressed requests are taken, and answers compressed for those who ask for it.
    pub gzip: bool,
    /// What becomes of integers that gRPC's JSON does not hold.
    pub numbers: Numbers,
    /// The agents that have a port of their own, where every call is for that agent. At the main
    /// port calls are for the crew.
    pub ports: Vec<(Arc<str>, u16)>,
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            reflection: true,
            health: true,
            gzip: false,
            numbers: Numbers::default(),
            ports: Vec::new(),
        }
    }
}

/// How several agents present themselves as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crew {
    /// A name for people.
    pub name: String,
    /// What the agents do together.
    pub description: String,
    /// What the card says otherwise: a JSON merge patch (RFC 7386) over the A2A 1.0 card.
    pub card: serde_json::Map<String, serde_json::Value>,
}

/// Who may read the cards: everybody, unless something is said here. Then either is enough. What the
/// server is to OAuth 2.0, and the keys that sign the cards, stay public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readers {
    /// Those at these addresses. Others are told that there is nothing.
    pub networks: Vec<Network>,
    /// Those whom the authenticator knows. Others are told how to be known.
    pub credentials: bool,
}

impl Readers {
    /// Whether the cards are for everybody.
    pub(crate) fn are_all(&self) -> bool {
        *self == Self::default()
    }
}

/// How callers authenticate: what the cards say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Security {
    /// The schemes by their names, in the order in which clients shall look at them: some look at
    /// the first alone. Each is enough by itself; where there is none, everybody may call.
    pub schemes: Vec<(Arc<str>, SecurityScheme)>,
    /// The issuers of tokens that are taken, for the metadata of the resource (RFC 9728).
    pub issuers: Vec<String>,
}

impl Security {
    /// Everybody may call.
    pub fn open() -> Self {
        Self::default()
    }

    /// Callers have a bearer token, and that is all there is to know of it.
    pub fn bearer() -> Self {
        let scheme = HttpAuthSecurityScheme { scheme: "Bearer".into(), ..Default::default() };
        let scheme = SecurityScheme::HttpAuthSecurityScheme(scheme);
        Self { schemes: vec![("bearer".into(), scheme)], issuers: Vec::new() }
    }

    /// The schemes that count for a mount, of which only some may be taken.
    pub(crate) fn of<'s>(
        &'s self,
        only: Option<&'s Names>,
    ) -> impl Iterator<Item = &'s (Arc<str>, SecurityScheme)> {
        self.schemes.iter().filter(move |(name, _)| only.is_none_or(|only| only.contains(name)))
    }
}

/// The host names by which a server may be called: a page in a browser that lets its own name
/// resolve to this address does not know them (DNS rebinding).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// On a loopback address the names of loopback and of the public URL; elsewhere any.
    #[default]
    Automatic,
    /// These, without ports.
    Only(Vec<String>),
}

/// The pages in browsers that may call from other origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Their origins as browsers write them, such as `https://console.example.com`.
    pub origins: Vec<String>,
    /// Headers that they may send beside those of the protocol, such as one with an API key.
    pub headers: Vec<http::HeaderName>,
    /// Whether browsers send cookies and client certificates along. A token in `Authorization` that
    /// the page has itself does not need it.
    pub credentials: bool,
    /// How long a browser may remember that a page may call.
    pub max_age: Duration,
}

impl Settings {
    /// The defaults.
    pub fn new(security: Security) -> Self {
        Self {
            public_url: None,
            trusted_proxies: Vec::new(),
            card: CardForm::default(),
            readers: Readers::default(),
            interfaces: Interface::DEFAULT.into(),
            crew: None,
            security,
            hosts: Hosts::default(),
            cors: None,
            missing_version: MissingVersion::default(),
            errors: ErrorProfile::default(),
            grpc: Some(Grpc::default()),
            signers: Vec::new(),
            bounds: Bounds::default(),
        }
    }
}
