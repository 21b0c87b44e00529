//! The keys of an issuer: found by its discovery document, fetched when needed, kept for a while.
//!
//! What a token says never chooses an address: the issuer is the operator's, and the keys are where
//! the issuer's own document says, at a host that the operator allows.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;

use crate::fetch::{FetchError, Line, SetupError};

/// How long keys are taken for current. Issuers publish a new key long before they sign with it, and
/// one that is not known yet is fetched at once, so nobody needs another time.
pub(crate) const FRESH: Duration = Duration::from_secs(600);
/// The least time between two attempts to fetch, with keys at hand and without. It is for the issuer's
/// sake: whoever sends unknown names must not make this server call it.
const BETWEEN: Duration = Duration::from_secs(30);
const BETWEEN_FIRST: Duration = Duration::from_secs(5);
/// Keys of one issuer that are looked at: what a response of the largest size could hold of them is
/// more than any issuer has.
const MAX_KEYS: usize = 100;
/// Keys that are tried on one token: keys of one name, or all when a token names none.
const MAX_TRIED: usize = 8;

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Where the issuer's discovery document says.
    Discovered {
        /// As tokens have it.
        issuer: String,
        /// Where the document may be; the first that is there counts.
        documents: Vec<Url>,
        /// The hosts where the keys may be.
        hosts: Vec<String>,
    },
    /// Here.
    Known(Url),
}

impl Place {
    /// The place of an issuer's keys by its discovery document (OpenID Connect Discovery 4, RFC
    /// 8414 3). Keys may be at the issuer's own host and at these.
    pub(crate) fn discovered(
        line: &Line,
        issuer: &str,
        mut hosts: Vec<String>,
    ) -> Result<Self, SetupError> {
        let url = line.address(issuer)?;
        let base = issuer.trim_end_matches('/');
        let mut oauth = url.clone();
        let path = url.path().trim_end_matches('/');
        oauth.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
        let oidc = line.address(&format!("{base}/.well-known/openid-configuration"))?;
        hosts.extend(url.host_str().map(str::to_owned));
        Ok(Self::Discovered { issuer: issuer.to_owned(), documents: vec![oidc, oauth], hosts })
    }
}

/// The keys of an issuer.
#[derive(Debug)]
pub(crate) struct KeySource {
    line: Line,
    place: Place,
    /// How long keys count when the issuer cannot be reached.
    outage: Duration,
    state: Mutex<State>,
    /// Held while somebody fetches.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<(Arc<Keys>, Instant)>,
    tried: Option<Instant>,
    /// Whether the last attempt to fetch came to nothing.
    failed: bool,
}

/// Nobody can tell which keys the issuer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoKeys;

impl KeySource {
    pub(crate) fn new(line: Line, place: Place, outage: Duration) -> Arc<Self> {
        let (state, fetching) = (Mutex::default(), Arc::default());
        Arc::new(Self { line, place, outage, state, fetching })
    }

    /// The keys, among them one of this name if there is any such. They are current if they are no
    /// older than `fresh` says.
    pub(crate) async fn keys(
        self: &Arc<Self>,
        name: Option<&str>,
        fresh: Duration,
    ) -> Result<Arc<Keys>, NoKeys> {
        let (keys, may_fetch) = self.look(Instant::now(), fresh);
        let known = keys.filter(|(keys, _)| keys.has(name));
        match known {
            Some((keys, is_fresh)) if is_fresh || !may_fetch => return Ok(keys),
            // Somebody fetches already, and what is at hand will do.
            Some((keys, _)) if self.fetching.try_lock().is_err() => return Ok(keys),
            _ => {}
        }
        let turn = self.fetching.clone().lock_owned().await;
        let (keys, may_fetch) = self.look(Instant::now(), fresh);
        if !may_fetch {
            return keys.map(|(keys, _)| keys).ok_or(NoKeys);
        }
        self.state.lock().tried = Some(Instant::now());
        let source = self.clone();
        // A task of its own: a caller who leaves does not take along what others wait for. It is
        // bounded by the limits of the line.
        let fetch = tokio::spawn(async move {
            source.renew().await;
            drop(turn);
        });
        fetch.await.map_err(|_| NoKeys)?;
        self.look(Instant::now(), fresh).0.map(|(keys, _)| keys).ok_or(NoKeys)
    }

    /// Whether the issuer may have a key of this name that is not among these, because it could not
    /// be asked. Of a token that names none nobody can say whose key it wants.
    pub(crate) fn may_have_more(&self, keys: &Keys, name: Option<&str>) -> bool {
        let is_here = name.is_some() && keys.has(name);
        !is_here && self.state.lock().failed
    }

    /// Fetches the keys; those of before stay when that fails.
    async fn renew(&self) {
        let fetched = self.fetch().await;
        self.state.lock().failed = fetched.is_err();
        match fetched {
            Ok(fetched) => {
                self.state.lock().keys = Some((Arc::new(fetched), Instant::now()));
            }
            Err(error) => {
                tracing::warn!(issuer = self.name(), %error, "cannot fetch the issuer's keys");
            }
        }
    }

    /// The keys that count, with whether they are current, and whether it is time to fetch.
    fn look(&self, now: Instant, fresh: Duration) -> (Option<(Arc<Keys>, bool)>, bool) {
        let state = self.state.lock();
        let keys = state.keys.as_ref().and_then(|(keys, since)| {
            let age = now.duration_since(*since);
            (age < self.outage).then(|| (keys.clone(), age < fresh))
        });
        let between = if keys.is_some() { BETWEEN } else { BETWEEN_FIRST };
        let may_fetch = state.tried.is_none_or(|tried| now.duration_since(tried) >= between);
        (keys, may_fetch)
    }

    fn name(&self) -> &str {
        match &self.place {
            Place::Discovered { issuer, .. } => issuer,
            Place::Known(url) => url.as_str(),
        }
    }

    async fn fetch(&self) -> Result<Keys, BadIssuer> {
        let url = match &self.place {
            Place::Known(url) => url.clone(),
            Place::Discovered { issuer, documents, hosts } => {
                let document = self.document(documents).await?;
                if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
                    return Err(BadIssuer::OtherIssuer);
                }
                let url = document.get("jwks_uri").and_then(Value::as_str).unwrap_or_default();
                let url = self.line.address(url).map_err(|_| BadIssuer::KeysElsewhere)?;
                if !url.host_str().is_some_and(|host| hosts.iter().any(|known| known == host)) {
                    return Err(BadIssuer::KeysElsewhere);
                }
                url
            }
        };
        let keys = Keys::read(&self.line.get(&url).await?);
        if keys.0.is_empty() { Err(BadIssuer::NoKey) } else { Ok(keys) }
    }

    async fn document(&self, urls: &[Url]) -> Result<Map<String, Value>, FetchError> {
        let (last, others) = urls.split_last().expect("an issuer has documents");
        for url in others {
            match self.line.get(url).await {
                Err(FetchError::Status(status)) if status == http::StatusCode::NOT_FOUND => {}
                got => return got,
            }
        }
        self.line.get(last).await
    }
}

/// What is wrong with what an issuer publishes.
#[derive(Debug, thiserror::Error)]
enum BadIssuer {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("its discovery document is of another issuer")]
    OtherIssuer,
    #[error("its keys are at an address that is not allowed; name the host if it is right")]
    KeysElsewhere,
    #[error("it has no key for signatures")]
    NoKey,
}

/// Keys for signatures.
pub(crate) struct Keys(Vec<Key>);

struct Key {
    name: Option<String>,
    /// What the key is for: by its own type, never by what a token says.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.name)).finish()
    }
}

impl Keys {
    /// Reads a set of keys; those of no use here are left out.
    pub(crate) fn read(document: &Map<String, Value>) -> Self {
        let keys = document.get("keys").and_then(Value::as_array);
        let keys = keys.into_iter().flatten().take(MAX_KEYS);
        Self(keys.filter_map(|key| read_key(key.as_object()?)).collect())
    }

    fn has(&self, name: Option<&str>) -> bool {
        name.is_none_or(|name| self.0.iter().any(|key| key.name.as_deref() == Some(name)))
    }

    /// Whether one of the keys has signed this text. A key without a name may be any.
    pub(crate) fn verify(
        &self,
        name: Option<&str>,
        algorithm: Algorithm,
        text: &str,
        signature: &str,
    ) -> bool {
        let is_named =
            |key: &&Key| name.is_none() || key.name.is_none() || key.name.as_deref() == name;
        let fitting = self.0.iter().filter(is_named);
        fitting.filter(|key| key.algorithms.contains(&algorithm)).take(MAX_TRIED).any(|key| {
            crypto::verify(signature, text.as_bytes(), &key.key, algorithm).unwrap_or(false)
        })
    }
}

fn read_key(key: &Map<String, Value>) -> Option<Key> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    if let Some(operations) = key.get("key_ops") {
        let mut operations = operations.as_array()?.iter();
        operations.find(|operation| operation.as_str() == Some("verify"))?;
    }
    // Symmetric keys (`oct`) are of no use: whoever can verify by them can sign as well.
    let (mut algorithms, decoding) = match (text("kty")?, text("crv")) {
        ("RSA", _) => (
            vec![RS256, RS384, RS512, PS256, PS384, PS512],
            DecodingKey::from_rsa_components(text("n")?, text("e")?),
        ),
        ("EC", Some("P-256")) => {
            (vec![ES256], DecodingKey::from_ec_components(text("x")?, text("y")?))
        }
        ("EC", Some("P-384")) => {
            (vec![ES384], DecodingKey::from_ec_components(text("x")?, text("y")?))
        }
        ("OKP", Some("Ed25519")) => (vec![EdDSA], DecodingKey::from_ed_components(text("x")?)),
        _ => return None,
    };
    if let Some(only) = text("alg") {
        let only: Algorithm = only.parse().ok()?;
        algorithms.retain(|algorithm| *algorithm == only);
    }
    let name = text("kid").map(str::to_owned);
    (!algorithms.is_empty()).then_some(Key { name, algorithms, key: decoding.ok()? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A token of a new key used to be taken for a forgery while the issuer was away.
    #[tokio::test]
    async fn whose_key_could_not_be_asked_for_is_not_told_that_there_is_none() {
        let line = Line::new(true).expect("a client");
        let nowhere = line.address("http://127.0.0.1:1/jwks").expect("an address");
        let source = KeySource::new(line, Place::Known(nowhere), 2 * FRESH);
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "old", "x": "A".repeat(43)});
        let set = json!({"keys": [jwk]});
        let known = Arc::new(Keys::read(set.as_object().expect("an object")));
        let (now, later) = (Instant::now(), BETWEEN + Duration::from_secs(1));
        let lay = |since: Instant| {
            let mut state = source.state.lock();
            state.keys = Some((known.clone(), since));
            (state.tried, state.failed) = (Some(since), false);
        };
        let cases = [
            // Asked a moment ago, and there was no such key.
            (now, Some("new"), false),
            (now, None, false),
            // Not asked for long, and the issuer is away now.
            (now - later, Some("new"), true),
            (now - later, Some("old"), false),
            (now - later, None, false),
            (now - FRESH, None, true),
        ];
        for (number, (since, name, expected)) in cases.into_iter().enumerate() {
            lay(since);
            let keys = source.keys(name, FRESH).await.expect("the keys at hand are kept");
            assert_eq!(source.may_have_more(&keys, name), expected, "case {number}");
        }
    }
}
