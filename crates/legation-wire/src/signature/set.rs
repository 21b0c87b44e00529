//! Sets of public keys (RFC 7517 5).

use serde_json::{Map, Value, json};

use super::{Algorithm, PublicKey, Signer, strict};

/// Keys of one set that are looked at.
const MAX_KEYS: usize = 100;

/// Public keys that are trusted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySet(pub(super) Vec<Known>);

/// A key that is trusted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: PublicKey,
    /// The Unix second from which it does not count any more.
    pub(super) expires: Option<i64>,
}

/// What is read is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a set of keys for signatures (JWKS)")]
pub struct BadKeySet;

/// The public keys of signers as a set, for a server to publish.
pub fn publish<'s>(signers: impl IntoIterator<Item = &'s Signer>) -> Value {
    json!({"keys": signers.into_iter().map(Signer::jwk).collect::<Vec<_>>()})
}

impl KeySet {
    /// Reads a set, or a single key. Keys of no use are left out: those for other purposes, symmetric
    /// ones, and those without a `kid`, which no signature could mean.
    ///
    /// # Errors
    /// When it is no set, or has no key of use.
    pub fn read(json: &[u8]) -> Result<Self, BadKeySet> {
        let Ok(Value::Object(document)) = strict::read(json) else { return Err(BadKeySet) };
        let known: Vec<_> = match document.get("keys") {
            Some(Value::Array(keys)) => {
                let keys = keys.iter().take(MAX_KEYS).filter_map(Value::as_object);
                keys.filter_map(read_key).collect()
            }
            Some(_) => return Err(BadKeySet),
            None => read_key(&document).into_iter().collect(),
        };
        if known.is_empty() { Err(BadKeySet) } else { Ok(Self(known)) }
    }

    /// Trusts the keys of another set as well.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Keeps of the keys those that go by this name and have this thumbprint.
    pub fn keep_pinned(&mut self, pins: &[(String, String)]) {
        let is_pinned = |known: &Known| {
            let thumbprint = known.key.thumbprint();
            pins.iter().any(|(name, print)| *name == known.name && *print == thumbprint)
        };
        self.0.retain(is_pinned);
    }
}

fn read_key(jwk: &Map<String, Value>) -> Option<Known> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops") {
        let mut operations = operations.as_array()?.iter();
        operations.find(|operation| operation.as_str() == Some("verify"))?;
    }
    let key = PublicKey::of_jwk(jwk)?;
    let mut algorithms = key.algorithms();
    if let Some(only) = text("alg") {
        algorithms.retain(|algorithm| algorithm.name() == only);
    }
    let expires = match jwk.get("exp") {
        None => None,
        Some(at) => Some(at.as_i64()?),
    };
    let name = text("kid").filter(|name| !name.is_empty())?.to_owned();
    (!algorithms.is_empty()).then_some(Known { name, algorithms, key, expires })
}
