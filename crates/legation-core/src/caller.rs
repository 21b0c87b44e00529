//! Who calls, what they may do, and what a request carries to show it.

use std::net::IpAddr;
use std::sync::Arc;

use futures::future::{BoxFuture, Either, Ready};
use legation_model::{A2aError, Json, Timestamp};

use serde::{Deserialize, Serialize};

use crate::StillGood;

/// Some names that are shared, such as roles.
pub type Names = Arc<[Arc<str>]>;

/// The verified certificates of a peer in DER, its own first.
pub type CertificateChain = Arc<[Vec<u8>]>;

/// Who calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Caller {
    /// The tenant the credentials belong to.
    pub tenant: Arc<str>,
    /// The person or program within the tenant.
    pub subject: Arc<str>,
    /// What the credentials are good for.
    pub scopes: Scopes,
    /// The caller's roles.
    pub roles: Names,
    /// The agents that the credentials are good for; `None` for all.
    pub agents: Option<Names>,
    /// The name of the scheme that knew the caller, as cards have it; empty where there is none.
    pub scheme: Arc<str>,
    /// Where the call comes from, as far as a proxy is believed.
    pub address: Option<IpAddr>,
    /// When the credentials end.
    pub expires: Option<Timestamp>,
    /// The credentials themselves, where they may be taken back before they end.
    #[serde(skip)]
    pub credentials: Option<Arc<dyn StillGood>>,
    /// What the issuer of the credentials says of the caller: a JSON object.
    pub claims: Option<Json>,
}

/// What credentials are good for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scopes {
    /// Whatever there is.
    #[default]
    All,
    /// Only these.
    Only(Names),
}

impl Scopes {
    /// Whether a scope is among them.
    pub fn has(&self, scope: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(_) => self.names(scope),
        }
    }

    /// Whether a scope is named among them. Whatever there is names none.
    pub fn names(&self, scope: &str) -> bool {
        match self {
            Self::All => false,
            Self::Only(names) => names.iter().any(|name| **name == *scope),
        }
    }
}

impl Caller {
    /// Somebody who may do whatever there is.
    pub fn new(tenant: impl Into<Arc<str>>, subject: impl Into<Arc<str>>) -> Self {
        Self {
            tenant: tenant.into(),
            subject: subject.into(),
            scopes: Scopes::All,
            roles: Names::default(),
            agents: None,
            scheme: Arc::default(),
            address: None,
            expires: None,
            credentials: None,
            claims: None,
        }
    }

    /// The caller of a server without authentication.
    pub fn anonymous() -> Self {
        Self::new("default", "anonymous")
    }
}

/// Credentials as a request carried them, not yet believed.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The headers, or metadata.
    pub headers: &'a dyn Headers,
    /// The query, as it stood in the address.
    pub query: Option<&'a str>,
    /// The address of the peer, which may be a proxy's.
    pub peer: Option<IpAddr>,
    /// The address of whom the peer calls for, as a proxy that is trusted says.
    pub client: Option<IpAddr>,
    /// The certificates that the peer showed and the transport verified.
    pub certificates: Option<&'a CertificateChain>,
    /// The names of the schemes that count where the call arrived; `None` for all.
    pub schemes: Option<&'a Names>,
    /// The agent whose mount was called; `None` at the crew's.
    pub agent: Option<&'a str>,
}

/// The headers of a request, whatever library holds them.
pub trait Headers: Sync {
    /// The value of the nth line of a header, whose name is given in lower case.
    fn line(&self, name: &str, number: usize) -> Option<&[u8]>;
}

/// What a request says in a place where it may say one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// Nothing.
    Absent,
    /// This.
    One(&'a str),
    /// Several things, or something that is no text: nobody can say which of them a proxy has
    /// checked.
    Unclear,
}

impl<'a> Credentials<'a> {
    /// What a header says, whose name is given in lower case.
    pub fn header(&self, name: &str) -> Field<'a> {
        let mut lines = self.lines(name);
        match (lines.next(), lines.next()) {
            (None, _) => Field::Absent,
            (Some(only), None) => std::str::from_utf8(only).map_or(Field::Unclear, Field::One),
            (Some(_), Some(_)) => Field::Unclear,
        }
    }

    /// Every line of a header, whose name is given in lower case.
    pub fn lines<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let headers = self.headers;
        (0..).map_while(move |number| headers.line(name, number))
    }
}

/// Why a caller was not let in.
#[derive(Debug)]
pub struct Refused {
    /// What the caller is told. Its kind is `Unauthenticated`, `RateLimited` after too many
    /// attempts, or `Unavailable` while nobody can tell.
    pub error: A2aError,
    /// How to do it right, one for each way there is (RFC 9110 11.6.1).
    pub challenges: Vec<Challenge>,
}

/// A value of `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The value.
    pub text: String,
    /// Whether the metadata of the protected resource says more (RFC 9728), so that the binding
    /// adds where that is.
    pub is_described: bool,
}

impl From<&str> for Challenge {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), is_described: false }
    }
}

/// The answer of an [`Authenticator`]: there at once, or later.
pub type Authenticated<'a> =
    Either<Ready<Result<Caller, Refused>>, BoxFuture<'a, Result<Caller, Refused>>>;

/// An answer that is there at once.
pub fn at_once<'a>(answer: Result<Caller, Refused>) -> Authenticated<'a> {
    Either::Left(futures::future::ready(answer))
}

/// Tells who calls from the credentials of a request.
pub trait Authenticator: Send + Sync + 'static {
    /// The caller. Whoever knows at once says so by [`at_once`], which costs no allocation.
    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> Authenticated<'a>;
}
