//! How cards are signed.

use std::path::PathBuf;

use legation::{SigningAlgorithm as Algorithm, SigningKey};

use crate::config::form::{self, choice};
use crate::config::setting::{Group, Row, leaf, maybe, required, row, unset};

/// A key that signs cards.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Signing {
    pub(crate) key: String,
    pub(crate) key_id: Option<String>,
    pub(crate) algorithm: Option<Algorithm>,
}

const ALGORITHMS: [(&str, Algorithm); 10] = {
    let mut rows = [("", Algorithm::Rs256); 10];
    let mut number = 0;
    while number < rows.len() {
        rows[number] = (Algorithm::ALL[number].name(), Algorithm::ALL[number]);
        number += 1;
    }
    rows
};

impl Group for Signing {
    const ROWS: &'static [Row<Self>] = &[
        required(row("key", "The private key in PEM, not encrypted", |s| {
            leaf(&mut s.key, form::path())
        })),
        unset(
            "its thumbprint (RFC 7638)",
            row("key_id", "The `kid` by which signatures name it", |s| {
                maybe(&mut s.key_id, form::text())
            }),
        ),
        unset(
            "RS256, ES256, ES384, ES512 or EdDSA, as the key is",
            row("algorithm", "By which it signs", |s| maybe(&mut s.algorithm, choice(&ALGORITHMS))),
        ),
    ];
}

impl Signing {
    /// The key, with a path that goes from a directory.
    pub(crate) fn key(&self, from: impl Fn(&str) -> PathBuf) -> SigningKey {
        let Self { key, key_id, algorithm } = self;
        SigningKey { file: from(key), name: key_id.clone(), algorithm: *algorithm }
    }
}
