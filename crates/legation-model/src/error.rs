//! What can go wrong with a call, by meaning. Numbers for each binding and version live elsewhere.

use std::fmt;
use std::time::Duration;

/// The meaning of an error (Spec 3.3, 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The task is unknown, gone or not the caller's.
    TaskNotFound,
    /// The task has ended, so it cannot be cancelled.
    TaskNotCancelable,
    /// The agent has no webhooks.
    PushNotificationNotSupported,
    /// The operation is not offered, or not in this state of the task.
    UnsupportedOperation,
    /// A part's media type is not taken.
    ContentTypeNotSupported,
    /// The agent broke the protocol.
    InvalidAgentResponse,
    /// The extended card is declared but there is none.
    ExtendedAgentCardNotConfigured,
    /// A required extension was not asked for.
    ExtensionSupportRequired,
    /// The protocol version is not served here.
    VersionNotSupported,
    /// The request is not JSON.
    Parse,
    /// The envelope is not a request.
    InvalidRequest,
    /// There is no such method or path.
    MethodNotFound,
    /// The path knows other HTTP methods only.
    MethodNotAllowed,
    /// A parameter is missing or wrong.
    InvalidParams,
    /// The request is larger than allowed.
    TooLarge,
    /// Who calls is not known.
    Unauthenticated,
    /// The caller may not do this.
    PermissionDenied,
    /// The caller does too much.
    RateLimited,
    /// The server or what it needs is down or full; try later.
    Unavailable,
    /// The store has no room left.
    StorageFull,
    /// The call's deadline passed.
    DeadlineExceeded,
    /// A fault of ours.
    Internal,
}

/// A wrong parameter: where it is and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// The path of the member, such as `message.parts[0].url`.
    pub field: String,
    /// What is wrong and what would be right.
    pub description: String,
}

/// An error as the caller is told of it. Causes inside the server never enter it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct A2aError {
    /// The meaning.
    pub kind: ErrorKind,
    /// What went wrong with what, and what to do.
    pub message: String,
    /// The parameters at fault.
    pub violations: Vec<FieldViolation>,
    /// Facts for programs, such as the task's id.
    pub metadata: Vec<(&'static str, String)>,
    /// How long to wait before another try.
    pub retry_after: Option<Duration>,
}

impl A2aError {
    /// An error of this kind with this message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            violations: Vec::new(),
            metadata: Vec::new(),
            retry_after: None,
        }
    }

    /// The answer for a task that is not there, and for one that is not the caller's.
    pub fn task_not_found(id: &str) -> Self {
        let message = format!("task `{id}` not found");
        Self::new(ErrorKind::TaskNotFound, message).with("taskId", id)
    }

    /// A wrong parameter.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        let (field, description) = (field.into(), description.into());
        let mut error = Self::new(ErrorKind::InvalidParams, format!("{field}: {description}"));
        error.violations.push(FieldViolation { field, description });
        error
    }

    /// A refusal that another try after some time may not meet.
    pub fn unavailable(message: impl Into<String>, retry_after: Duration) -> Self {
        let mut error = Self::new(ErrorKind::Unavailable, message);
        error.retry_after = Some(retry_after);
        error
    }

    /// The error with one more fact for programs.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((key, value.into()));
        self
    }
}

impl fmt::Display for A2aError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for A2aError {}
