//! Why there is no TLS.

use std::io;

/// Why the material for TLS cannot be used. The messages name the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{path}` holds {found}, not {expected}")]
    Content {
        /// The file.
        path: String,
        /// What should be in it.
        expected: &'static str,
        /// What is.
        found: String,
    },
    /// Certificate and key do not go together, or cannot be used.
    #[error("the certificate in `{certificate}` cannot be used with the key in `{key}`")]
    Pair {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The certificates of callers cannot be verified.
    #[error("client certificates cannot be verified by `{path}`")]
    Clients {
        /// The file of the authorities.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
