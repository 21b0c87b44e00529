//! A call as it enters the service, and what comes back.

use std::sync::Arc;

use legation_model::A2aError;

use crate::store::Seq;
use crate::{Document, Follow};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The tenant the credentials belong to.
    pub tenant: Arc<str>,
    /// The person or program within the tenant.
    pub subject: Arc<str>,
}

impl Caller {
    /// The caller of a server without authentication.
    pub fn anonymous() -> Self {
        Self { tenant: "default".into(), subject: "anonymous".into() }
    }
}

/// A call's circumstances: everything about it but the request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// The agent whose mount was called; `None` at the crew's.
    pub agent: Option<Arc<str>>,
    /// URIs of the extensions the caller asked for.
    pub extensions: Vec<String>,
    /// The caller's `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// The number of the last event a reader has seen.
    pub last_event: Option<Seq>,
    /// How the caller expects to be dealt with.
    pub manners: Manners,
}

/// What callers of other generations expect to be dealt with. The default is 1.0's way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// A subscription ends like a send's stream, when the task comes to rest; one to a task at rest
    /// gives it as it is, with its status once more as the last item.
    pub streams_end_at_rest: bool,
    /// The caller chooses the names of tasks: a name that is not there begins one. Every message
    /// gets a task, also where the agent answers at once.
    pub names_tasks: bool,
}

impl Call {
    /// A plain call by someone.
    pub fn by(caller: Caller) -> Self {
        Self {
            caller,
            agent: None,
            extensions: Vec::new(),
            idempotency_key: None,
            last_event: None,
            manners: Manners::default(),
        }
    }
}

/// What a call gives back. Documents are 1.0 JSON.
#[derive(Debug)]
pub enum Reply {
    /// A send's task.
    SentTask(Document),
    /// A send's direct answer.
    SentMessage(Document),
    /// A task.
    Task(Document),
    /// A page of tasks.
    Tasks(Document),
    /// Events as they come.
    Stream(Follow),
}

/// Credentials as a request carried them, not yet believed.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The value of the `Authorization` header or metadata, when there is exactly one.
    pub authorization: Option<&'a str>,
}

/// Why a caller was not let in.
#[derive(Debug)]
pub struct Refused {
    /// What the caller is told.
    pub error: A2aError,
    /// The value of `WWW-Authenticate` that says how to do it right (RFC 9110 11.6.1).
    pub challenge: String,
}

/// Tells who calls from the credentials of a request.
pub trait Authenticator: Send + Sync + 'static {
    /// The caller.
    ///
    /// # Errors
    /// When the credentials are missing or not valid.
    fn authenticate(&self, credentials: Credentials<'_>) -> Result<Caller, Refused>;
}
