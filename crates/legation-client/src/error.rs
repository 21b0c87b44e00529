//! What can go wrong with a call, by what the caller can do about it.

use std::time::Duration;

use legation_model::{A2aError, ErrorKind, TaskId};
use url::Url;

use crate::credentials::{Fault, Needs};
use crate::origin::origin;

/// What passes by itself. A full disk is among it: somebody will make room.
const TEMPORARY: [ErrorKind; 4] = [
    ErrorKind::Unavailable,
    ErrorKind::RateLimited,
    ErrorKind::StorageFull,
    ErrorKind::DeadlineExceeded,
];

/// A call that did not get its answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not one that can be called.
    #[error("`{address}` is not an address of an agent: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client could not be made.
    #[error("cannot set up the HTTP client")]
    Setup(#[source] legation_net::Error),
    /// No connection stood, so nothing was sent.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// Who was called.
        url: String,
        /// Why.
        reason: legation_net::Error,
    },
    /// The connection failed after the request had gone out: it may or may not have been carried
    /// out.
    #[error("lost {url} during {operation}: {reason}")]
    Lost {
        /// What was attempted.
        operation: &'static str,
        /// Who was called.
        url: String,
        /// Why.
        reason: legation_net::Error,
    },
    /// The agent answered with an error.
    #[error("{operation}: {error}")]
    Agent {
        /// What was attempted.
        operation: &'static str,
        /// What the agent says.
        error: A2aError,
    },
    /// The agent does not let this caller in (401, 403).
    #[error("{operation}: {error}{}", told(needs))]
    Denied {
        /// What was attempted.
        operation: &'static str,
        /// What the agent says.
        error: A2aError,
        /// What it wants of its callers.
        needs: Box<Needs>,
    },
    /// The card asks for credentials, and those that were given are others. Nothing was sent.
    #[error("none of the credentials given is one that {url} takes: {needs}")]
    Unsatisfied {
        /// Who would have been called.
        url: String,
        /// What would be needed.
        needs: Box<Needs>,
    },
    /// There is no token to be had that the agent asks for. Nothing was sent to it.
    #[error("cannot get a token: {0}")]
    Token(Fault),
    /// There is no agent card to be read.
    #[error("cannot read an agent card at {url}: {reason}")]
    Card {
        /// Where it was looked for.
        url: String,
        /// What was found instead.
        reason: String,
    },
    /// There are no keys to be read by which signatures could be verified.
    #[error("cannot read keys for signatures at {url}: {reason}")]
    Keys {
        /// Where they were looked for.
        url: String,
        /// What was found instead.
        reason: String,
    },
    /// The card is not signed as the caller demands.
    #[error("the card at {url} is unverified: {reason}")]
    Unverified {
        /// Where the card is.
        url: String,
        /// What its signatures are worth.
        reason: String,
    },
    /// The version or the binding that is spoken with the agent has no words for the call.
    #[error("the agent at {url} cannot be asked for this: {reason}")]
    Unsayable {
        /// Who would be called.
        url: String,
        /// What is missing.
        reason: String,
    },
    /// The card offers no interface that this client speaks.
    #[error("the agent at {url} offers no {wanted}, only {offered}")]
    NoInterface {
        /// Where the card is.
        url: String,
        /// What this client speaks, or was told to speak.
        wanted: String,
        /// What the card offers.
        offered: String,
    },
    /// The card sends callers to another origin, which nobody approved.
    #[error("the card at {card} sends callers to another origin, {interface}")]
    ForeignInterface {
        /// Where the card is.
        card: String,
        /// The origin that would have to be trusted.
        interface: String,
    },
    /// The answer is not what the protocol says it must be.
    #[error("{url} answered {operation} with something that is not A2A: {reason}")]
    BadAnswer {
        /// What was attempted.
        operation: &'static str,
        /// Who was called.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The caller's deadline for the call has passed. What was asked for may have been carried out.
    #[error("no answer of {url} within {} ms", total.as_millis())]
    Late {
        /// Who was called.
        url: String,
        /// The bound that was overstepped.
        total: Duration,
    },
    /// The stream ended before the task did.
    #[error("the stream of task {task} ended before the task did")]
    Cut {
        /// The task.
        task: TaskId,
    },
    /// The stream ended before it said anything: the message may or may not have been received.
    #[error("the stream ended before it said which task it is about")]
    Empty,
    /// Events are missing from the stream, and asking again did not bring them.
    #[error("events of task {task} are missing: number {expected} should come, {got} came")]
    Gap {
        /// The task.
        task: TaskId,
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// The stream broke and could not be resumed in time.
    #[error("gave up following task {task} after {attempts} attempts")]
    GaveUp {
        /// The task, which goes on without a listener.
        task: TaskId,
        /// How often it was tried.
        attempts: u32,
        /// What went wrong the last time.
        #[source]
        last: Box<Error>,
    },
}

impl Error {
    /// What a failed exchange means for the call.
    pub(crate) fn of_net(operation: &'static str, url: &Url, reason: legation_net::Error) -> Self {
        let url = origin(url);
        if reason.nothing_sent() {
            return Self::Unreachable { url, reason };
        }
        Self::Lost { operation, url, reason }
    }

    pub(crate) fn unsatisfied(url: &Url, needs: Needs) -> Self {
        Self::Unsatisfied { url: origin(url), needs: Box::new(needs) }
    }

    pub(crate) fn bad(operation: &'static str, url: &Url, reason: impl Into<String>) -> Self {
        Self::BadAnswer { operation, url: origin(url), reason: reason.into() }
    }

    /// The meaning, when the agent answered with an error.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Agent { error, .. } | Self::Denied { error, .. } => Some(error.kind),
            Self::GaveUp { last, .. } => last.kind(),
            Self::Address { .. }
            | Self::Setup(_)
            | Self::Unreachable { .. }
            | Self::Lost { .. }
            | Self::Unsatisfied { .. }
            | Self::Token(_)
            | Self::Card { .. }
            | Self::Keys { .. }
            | Self::Unverified { .. }
            | Self::Unsayable { .. }
            | Self::NoInterface { .. }
            | Self::ForeignInterface { .. }
            | Self::BadAnswer { .. }
            | Self::Late { .. }
            | Self::Cut { .. }
            | Self::Empty
            | Self::Gap { .. } => None,
        }
    }

    /// Whether this may be how an agent refuses to let a task be followed that has ended. 1.0 has one
    /// error for it (Spec 3.1.6); before, agents answer with the nearest that they have. Looking at the
    /// task tells.
    pub fn may_mean_ended(&self) -> bool {
        const WORDS: [ErrorKind; 4] = [
            ErrorKind::UnsupportedOperation,
            ErrorKind::InvalidParams,
            ErrorKind::InvalidRequest,
            ErrorKind::Internal,
        ];
        self.kind().is_some_and(|kind| WORDS.contains(&kind))
    }

    /// Whether the agent has no streams, or none of this kind, whatever its card says.
    pub(crate) fn means_no_streams(&self) -> bool {
        const WORDS: [ErrorKind; 2] = [ErrorKind::MethodNotFound, ErrorKind::MethodNotAllowed];
        self.kind().is_some_and(|kind| WORDS.contains(&kind))
            || matches!(self, Self::Unsayable { .. })
    }

    /// Whether the same call may succeed a little later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { reason, .. } => {
                matches!(reason, legation_net::Error::Connect { .. })
            }
            Self::Lost { reason, .. } => !matches!(reason, legation_net::Error::TooLarge(_)),
            Self::Agent { error, .. } => TEMPORARY.contains(&error.kind),
            Self::Cut { .. } | Self::Gap { .. } => true,
            Self::Address { .. }
            | Self::Setup(_)
            | Self::Denied { .. }
            | Self::Token(_)
            | Self::Unsatisfied { .. }
            | Self::Card { .. }
            | Self::Keys { .. }
            | Self::Unverified { .. }
            | Self::Unsayable { .. }
            | Self::NoInterface { .. }
            | Self::ForeignInterface { .. }
            | Self::BadAnswer { .. }
            | Self::Late { .. }
            | Self::Empty
            | Self::GaveUp { .. } => false,
        }
    }

    /// How long the agent asked to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        if let Self::Agent { error, .. } = self { error.retry_after } else { None }
    }
}

fn told(needs: &Needs) -> String {
    if needs.is_empty() { String::new() } else { format!("; {needs}") }
}
