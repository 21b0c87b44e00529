//! Why there is no token.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::credentials::needs::plain;
use crate::origin::origin;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A person has to let this client in first.
    #[error("somebody has to log in at {issuer} first")]
    LogIn {
        /// Whose tokens are wanted.
        issuer: String,
    },
    /// The authorization server does not give one.
    #[error("{issuer} gives no token: {reason}")]
    Refused {
        /// Whose tokens are wanted.
        issuer: String,
        /// The code of OAuth and what the server said, or what is wrong with what came back.
        reason: String,
    },
    /// The authorization server cannot be reached.
    #[error("cannot reach {issuer}: {reason}")]
    Net {
        /// Whose tokens are wanted.
        issuer: String,
        /// Why.
        #[source]
        reason: legation_net::Error,
    },
    /// The authorization server's answer is not one of its kind.
    #[error("{issuer} answered with something that is not OAuth 2.0: {reason}")]
    Nonsense {
        /// Whose tokens are wanted.
        issuer: String,
        /// What is wrong.
        reason: String,
    },
    /// An address has no TLS, and is not on this machine.
    #[error("secrets do not go to {0}: it is neither https nor on this machine")]
    Plain(String),
    /// The flow needs an endpoint that is not known.
    #[error("{issuer} has no {endpoint} endpoint")]
    NoEndpoint {
        /// Whose tokens are wanted.
        issuer: String,
        /// Which one.
        endpoint: &'static str,
    },
    /// Nobody came back in time.
    #[error("nobody logged in within {} s", .0.as_secs())]
    Late(Duration),
    /// Tokens cannot be kept.
    #[error("cannot keep tokens in {}: {source}", path.display())]
    Cache {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The system gave no random numbers, or no port on this machine, or ended the work.
    #[error("cannot ask for a token: {0}")]
    System(String),
}

impl Fault {
    pub(super) fn refused(url: &Url, reason: impl AsRef<str>) -> Self {
        Self::Refused { issuer: origin(url), reason: plain(reason.as_ref()) }
    }

    pub(super) fn nonsense(url: &Url, reason: impl AsRef<str>) -> Self {
        Self::Nonsense { issuer: origin(url), reason: plain(reason.as_ref()) }
    }

    pub(super) fn net(url: &Url, reason: legation_net::Error) -> Self {
        Self::Net { issuer: origin(url), reason }
    }
}
