//! The audit log: what was refused, what was changed, and by whom.
//!
//! What callers bring about by the thousand is noted and written a little later, with how often it
//! happened. What an operator or a caller changes for good is recorded before it is answered.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use legation_model::{A2aError, ErrorKind, Timestamp};

use crate::Caller;
use crate::store::StoreError;

/// The longest target or detail that is kept, in bytes.
const LONGEST: usize = 500;

/// Something that happened. Those that are equal are one entry with a count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuditEvent {
    /// By whom.
    pub actor: Actor,
    /// What it was about.
    pub action: AuditAction,
    /// How it went.
    pub outcome: AuditOutcome,
    /// What it was done to, or would have been.
    pub target: String,
    /// What else is to be said, never a secret.
    pub detail: String,
}

/// Who brought something about. What is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The tenant.
    pub tenant: Arc<str>,
    /// The person or program within the tenant.
    pub subject: Arc<str>,
    /// The scheme that knew them, or that did not.
    pub scheme: Arc<str>,
    /// Where from.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// Whoever has the machine: by the command line, the configuration's file, or a signal.
    pub fn operator() -> Self {
        Self { subject: "operator".into(), ..Self::default() }
    }

    /// Nobody known, by a scheme and from an address.
    pub fn stranger(scheme: &str, address: Option<IpAddr>) -> Self {
        Self { scheme: scheme.into(), address, ..Self::default() }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        let Caller { tenant, subject, scheme, address, .. } = caller.clone();
        Self { tenant, subject, scheme, address }
    }
}

/// Makes an enum whose values have names.
macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$says:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$says])* $value,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// Its name, as it is kept.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $text),* }
            }

            /// The one of a name.
            pub fn of_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    };
}

named! {
    /// What an entry is about.
    AuditAction {
        /// Credentials were shown.
        Authenticate = "authenticate",
        /// Something was asked of the service.
        Call = "call",
        /// A stream was followed.
        Stream = "stream",
        /// A context was erased.
        EraseContext = "context.erase",
        /// All that a subject has was erased.
        EraseSubject = "subject.erase",
        /// An integration token was made.
        CreateKey = "key.create",
        /// An integration token was replaced.
        RotateKey = "key.rotate",
        /// An integration token was taken back.
        RevokeKey = "key.revoke",
        /// The server began to work.
        Start = "server.start",
        /// The configuration was read again, and with it agents and cards.
        Reload = "config.reload",
        /// The keys that sign cards are others than before.
        Signing = "signing.replace",
        /// The audit log itself.
        Audit = "audit",
    }
}

named! {
    /// How something went.
    AuditOutcome {
        /// It was done.
        Done = "done",
        /// It was not allowed.
        Refused = "refused",
        /// It was too much.
        Limited = "limited",
        /// There was nothing to refuse: no credentials at all.
        Missing = "missing",
        /// It went wrong.
        Failed = "failed",
        /// So many entries were not kept.
        Lost = "lost",
    }
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it was, for the first time if it is counted.
    pub at: Timestamp,
    /// What it was.
    pub event: AuditEvent,
    /// How often.
    pub count: u64,
}

impl AuditEvent {
    /// Something that an actor did, or did not come to do.
    pub fn new(actor: Actor, action: AuditAction, outcome: AuditOutcome) -> Self {
        Self { actor, action, outcome, target: String::new(), detail: String::new() }
    }

    /// The same, done to this.
    #[must_use]
    pub fn to(self, target: impl Into<String>) -> Self {
        Self { target: bounded(target.into()), ..self }
    }

    /// The same, with more to be said.
    #[must_use]
    pub fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: bounded(detail.into()), ..self }
    }

    /// The refusal of a call, if it is one of those that are noted.
    pub(crate) fn of_refusal(
        caller: &Caller,
        agent: Option<&str>,
        error: &A2aError,
    ) -> Option<Self> {
        let outcomes = [
            (ErrorKind::PermissionDenied, AuditOutcome::Refused),
            (ErrorKind::RateLimited, AuditOutcome::Limited),
        ];
        let (_, outcome) = outcomes.into_iter().find(|(kind, _)| *kind == error.kind)?;
        let event = Self::new(caller.into(), AuditAction::Call, outcome);
        Some(event.to(agent.unwrap_or_default()).saying(error.message.clone()))
    }

    /// The refusal of a message for a skill that its caller is told does not exist.
    pub(crate) fn of_hidden(caller: &Caller, agent: &str, skill: &str) -> Self {
        let event = Self::new(caller.into(), AuditAction::Call, AuditOutcome::Refused);
        event.to(agent).saying(format!("the skill `{skill}` is hidden from this caller"))
    }
}

/// Cuts a text that is too long.
fn bounded(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

/// Where entries go.
pub trait AuditLog: fmt::Debug + Send + Sync + 'static {
    /// Notes what a caller brought about. It does not wait: it is written soon, once a minute at most
    /// when it goes on, and when there is too much it is only counted.
    fn note(&self, event: AuditEvent);

    /// Records what was changed. It is durable when this is done.
    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), StoreError>>;
}
