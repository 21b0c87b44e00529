//! The keys that sign cards, from their files.

use std::io;
use std::path::PathBuf;

use legation_http::{Algorithm, BadKey, Signer};

/// A key that signs cards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The file of the private key in PEM, not encrypted.
    pub file: PathBuf,
    /// The name by which signatures say which key it was; its thumbprint (RFC 7638) when absent.
    pub name: Option<String>,
    /// By which it signs; the first that its kind is for when absent.
    pub algorithm: Option<Algorithm>,
}

/// Why a key cannot sign cards.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// Its file cannot be read.
    #[error("cannot read `{}`", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It cannot sign.
    #[error("`{}` cannot sign cards", file.display())]
    Unfit {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: BadKey,
    },
}

impl SigningKey {
    /// Reads the key.
    ///
    /// # Errors
    /// When it cannot be read, or cannot sign.
    pub fn open(self) -> Result<Signer, SigningError> {
        let Self { file, name, algorithm } = self;
        let pem = match std::fs::read(&file) {
            Ok(pem) => pem,
            Err(source) => return Err(SigningError::Unreadable { file, source }),
        };
        Signer::from_pem(&pem, name, algorithm)
            .map_err(|source| SigningError::Unfit { file, source })
    }
}
