//! What an interface answered: the whole of it, why it is no result, or why there is nothing.

use std::fmt;

use http::{HeaderMap, StatusCode};
use legation_model::{A2aError, ErrorKind};
use legation_net::Response;

use super::excerpt;

/// An answer as a whole.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The document of 1.0, or why there is none.
    pub(super) result: Result<Vec<u8>, Refusal>,
}

/// Why an answer holds no result.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// The error with its number: the code of JSON-RPC or gRPC, the status of HTTP.
    Error(A2aError, Option<i64>),
    /// It is not of the protocol.
    Nonsense(String),
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The version or the binding has no words for the call.
    Unsayable,
    /// The exchange failed.
    Failed(String),
}

/// The beginning of an answer that may be a stream.
#[derive(Debug)]
pub(super) enum Opened {
    Stream(Response),
    Whole(Heard, String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error, Some(number)) => {
                write!(f, "{:?} ({number}): {}", error.kind, excerpt(&error.message))
            }
            Self::Error(error, None) => write!(f, "{:?}: {}", error.kind, excerpt(&error.message)),
            Self::Nonsense(reason) => f.write_str(&excerpt(reason)),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsayable => f.write_str("the version has no such call"),
            Self::Failed(reason) => f.write_str(&excerpt(reason)),
        }
    }
}

impl Heard {
    /// The meaning of the error, when it is one.
    pub(super) fn kind(&self) -> Option<ErrorKind> {
        match &self.result {
            Err(Refusal::Error(error, _)) => Some(error.kind),
            Err(Refusal::Nonsense(_)) | Ok(_) => None,
        }
    }

    /// Whether the caller is not let in.
    pub(super) fn is_denied(&self) -> bool {
        let kinds = [Some(ErrorKind::Unauthenticated), Some(ErrorKind::PermissionDenied)];
        kinds.contains(&self.kind())
            || matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }
}
