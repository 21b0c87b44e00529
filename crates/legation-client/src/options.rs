//! How a client calls: with what credentials, which binding, how long and how stubbornly.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use legation_net::{Authorities, Egress, Http, Identity, Proxy, Reach};
use url::Url;

use crate::{
    Binding, CardCache, Credentials, Error, Extension, KeySet, Patience, Trace, Updates, Version,
};

/// How a client calls. The default is right for a public agent.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the caller is known by; the card says what of it is sent.
    pub credentials: Credentials,
    /// The one binding to use; the card's order decides when absent.
    pub binding: Option<Binding>,
    /// The one version to speak; the card's order decides when absent.
    pub version: Option<Version>,
    /// What is preferred to the card's order.
    pub preference: Preference,
    /// URIs of the extensions that the caller understands. Those that the card requires go along.
    pub extensions: Vec<String>,
    /// What becomes of a card by its signatures.
    pub signatures: Signatures,
    /// Cards that were read before. Clones of these options share them.
    pub cards: CardCache,
    /// Origins, beside the card's own, that may be called and given credentials that are for
    /// the agent.
    pub trusted_origins: Vec<Url>,
    /// The authorities whose certificates are believed; those of the system when absent.
    pub authorities: Option<Authorities>,
    /// The proxy that connects in our place.
    pub proxy: Option<Proxy>,
    /// How long and how much is waited for.
    pub limits: Limits,
    /// How long a server that went away is waited for.
    pub patience: Patience,
    /// Who is told of further tries.
    pub observer: Observer,
    /// How the caller learns what becomes of a task.
    pub updates: Updates,
    /// Extensions of the protocol that see what goes out and what comes back, in this order. Their URIs
    /// are named beside [`Options::extensions`].
    pub hooks: Vec<Arc<dyn Extension>>,
    /// Where calls belong in a trace.
    pub trace: Trace,
}

impl Options {
    /// The connections to those who issue tokens. They know the caller by other things than a
    /// certificate that is for an agent.
    pub(crate) fn connections_to_issuers(&self) -> Result<Http, Error> {
        self.connections_as(None)
    }

    /// The connections that these options ask for, to this address.
    pub(crate) fn connections(&self, url: &Url) -> Result<Http, Error> {
        self.connections_as(self.credentials.identity(url))
    }

    fn connections_as(&self, identity: Option<Identity>) -> Result<Http, Error> {
        let (authorities, proxy) = (self.authorities.clone(), self.proxy.clone());
        let egress =
            Egress { reach: Reach::Any, authorities, identity, proxy, ..Egress::default() };
        Http::by(egress).map_err(Error::Setup)
    }
}

/// Bindings and versions that are preferred, the most liked first. Those that are not named come behind,
/// in the card's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    /// The bindings; they count before the versions.
    pub bindings: Vec<Binding>,
    /// The versions.
    pub versions: Vec<Version>,
}

impl Preference {
    /// How much a way to call is liked; the smaller, the more.
    pub(crate) fn rank(&self, binding: Binding, version: Version) -> (usize, usize) {
        fn place<T: PartialEq>(liked: &[T], one: &T) -> usize {
            liked.iter().position(|it| it == one).unwrap_or(liked.len())
        }
        (place(&self.bindings, &binding), place(&self.versions, &version))
    }
}

/// What becomes of a card by its signatures (Spec 8.4.3).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Signatures {
    /// They are not looked at.
    #[default]
    Off,
    /// A card that is signed has to be signed by one of these keys; one that is not is taken.
    IfPresent(KeySet),
    /// A card has to be signed by one of these keys.
    Required(KeySet),
}

/// How long and how much is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the answer to a question to begin, and between two pieces of it; all that follows may take
    /// ten times as long.
    pub answer: Duration,
    /// For the answer to `send`, which comes when the task has settled.
    pub settled: Duration,
    /// Between two signs of life of a stream. Servers send one every 15 s.
    pub silence: Duration,
    /// An answer, in bytes.
    pub answer_bytes: u64,
    /// One event of a stream, in bytes.
    pub event_bytes: usize,
    /// For a call in all, with its further tries; for a stream till it begins. Absent for what the
    /// other bounds add up to.
    pub total: Option<Duration>,
    /// Redirects that are followed to a card.
    pub redirects: u8,
}

impl Limits {
    /// The bounds of a whole answer that may be so long in beginning, and so large.
    pub(crate) fn of_answer(self, beginning: Duration, max_bytes: u64) -> legation_net::Limits {
        // Or a drip would keep the caller for ever.
        let rest = self.answer.saturating_mul(10);
        legation_net::Limits {
            first_byte: beginning,
            idle: self.answer,
            max_bytes,
            total: Some(beginning.saturating_add(rest)),
        }
    }

    /// The bounds of an answer that is not what was asked for, whatever was.
    pub(crate) fn of_refusal(self) -> legation_net::Limits {
        /// No honest refusal is larger.
        const MAX_BYTES: u64 = 1 << 20;
        self.of_answer(self.answer, MAX_BYTES)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            settled: Duration::from_secs(15 * 60),
            silence: Duration::from_secs(60),
            answer_bytes: 64 << 20,
            event_bytes: 32 << 20,
            total: None,
            redirects: 3,
        }
    }
}

/// A further try that is about to be made.
#[derive(Debug)]
pub struct Retry<'e> {
    /// Which it is, the first being 1.
    pub attempt: u32,
    /// How long is waited before it.
    pub wait: Duration,
    /// Why it is needed.
    pub error: &'e Error,
}

type Listener = dyn Fn(&Retry<'_>) + Send + Sync;

/// Who is told of further tries; nobody by default.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Listener>>);

impl Observer {
    /// Tells this function.
    pub fn new(listener: impl Fn(&Retry<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    pub(crate) fn tell(&self, retry: &Retry<'_>) {
        if let Some(listener) = &self.0 {
            listener(retry);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer(..)" } else { "Observer" })
    }
}
