//! Signed tokens of an issuer: JWT access tokens of OpenID Connect and OAuth 2.0 (RFC 9068, 8725).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use legation_core::Caller;
use legation_model::Timestamp;
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;

use crate::cache::Cache;
use crate::chain::{Failure, Verified};
use crate::claims::{self, Claims, Mapping};
use crate::fetch::{Line, SetupError};
use crate::jwks::{FRESH, KeySource, Place};
use crate::token::digest_of;

/// The largest token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 << 10;

/// Members of a header that would let a token bring its own key, or change what it means.
const FORBIDDEN: [&str; 6] = ["jwk", "jku", "x5c", "x5u", "crit", "b64"];

/// Claims that only ID tokens have. These say who logged in somewhere, and give no access.
const OF_ID_TOKENS: [&str; 3] = ["nonce", "at_hash", "c_hash"];

/// What is asked of an issuer's tokens.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The issuer, as tokens have it.
    pub issuer: String,
    /// Tokens for one of these are taken, and no others.
    pub audiences: Vec<String>,
    /// Where the keys are, when not where the discovery document says.
    pub jwks_url: Option<String>,
    /// Hosts besides the issuer's where its keys may be.
    pub hosts: Vec<String>,
    /// The algorithms that are taken; those of the keys when empty.
    pub algorithms: Vec<Algorithm>,
    /// Claims that have to be there.
    pub required_claims: Vec<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// How long a verified token is taken for good without another look, within its life.
    pub remember: Duration,
    /// How many verified tokens are remembered.
    pub remembered: usize,
    /// How long the keys at hand count when the issuer cannot be reached.
    pub outage: Duration,
    /// What the claims mean.
    pub mapping: Mapping,
}

impl Rules {
    /// The rules for an issuer's tokens for these audiences, with the defaults: clocks may differ
    /// by 60 s, 10,000 verified tokens are remembered for 60 s each, and keys count for a day when the
    /// issuer cannot be reached.
    pub fn new(issuer: impl Into<String>, audiences: Vec<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audiences,
            jwks_url: None,
            hosts: Vec::new(),
            algorithms: Vec::new(),
            required_claims: Vec::new(),
            leeway: Duration::from_secs(60),
            remember: Duration::from_secs(60),
            remembered: 10_000,
            outage: Duration::from_secs(24 * 3_600),
            mapping: Mapping::default(),
        }
    }
}

/// Knows callers by tokens that an issuer has signed.
#[derive(Debug)]
pub struct Jwt {
    scheme: Arc<str>,
    rules: Rules,
    keys: Arc<KeySource>,
    verified: Cache<Caller>,
}

/// A token taken apart, and nothing of it believed.
struct Parts<'t> {
    header: Map<String, Value>,
    claims: Claims,
    /// What is signed.
    text: &'t str,
    signature: &'t str,
}

impl Jwt {
    /// Knows the bearers of an issuer's tokens, under the name of a scheme.
    ///
    /// # Errors
    /// When the issuer has no address that may be called.
    pub fn new(scheme: impl Into<Arc<str>>, rules: Rules, line: Line) -> Result<Self, SetupError> {
        let place = match &rules.jwks_url {
            Some(url) => Place::Known(line.address(url)?),
            None => Place::discovered(&line, &rules.issuer, rules.hosts.clone())?,
        };
        let verified = Cache::new(rules.remembered);
        Ok(Self {
            scheme: scheme.into(),
            keys: KeySource::new(line, place, rules.outage),
            rules,
            verified,
        })
    }

    /// Whether a token says that it is of this issuer.
    pub(crate) fn is_own(&self, token: &str) -> bool {
        let claims = Parts::of(token).map(|parts| parts.claims);
        claims.is_some_and(|claims| self.is_issuer(&claims))
    }

    fn is_issuer(&self, claims: &Claims) -> bool {
        claims.get("iss").and_then(Value::as_str) == Some(&self.rules.issuer)
    }

    /// The bearer of a token that was verified a short while ago.
    pub(crate) fn known(&self, token: &str) -> Option<Caller> {
        self.verified.get(&digest_of(token), Instant::now())
    }

    /// The bearer of a token.
    pub(crate) async fn verify(&self, token: &str) -> Verified {
        self.verify_by(token, FRESH).await
    }

    /// The bearer of a token, by keys of which none was taken back longer than this ago, as far as
    /// the issuer can be reached.
    pub(crate) async fn verify_by(&self, token: &str, fresh: Duration) -> Verified {
        let parts = Parts::of(token).ok_or(Failure::Invalid("not a JWT"))?;
        let algorithm = self.algorithm(&parts.header).map_err(Failure::Invalid)?;
        let expires = self.check(&parts, Timestamp::now()).map_err(Failure::Invalid)?;
        let name = match parts.header.get("kid") {
            None => None,
            Some(Value::String(name)) => Some(&**name),
            Some(_) => return Err(Failure::Invalid("its key's name is no text")),
        };
        let keys = self.keys.keys(name, fresh).await.map_err(|_| Failure::Unavailable)?;
        if !keys.verify(name, algorithm, parts.text, parts.signature) {
            return Err(if self.keys.may_have_more(&keys, name) {
                Failure::Unavailable
            } else {
                Failure::Invalid("not signed by a key of the issuer")
            });
        }
        let mapping = &self.rules.mapping;
        let caller = mapping
            .caller(&self.rules.issuer, &self.scheme, &parts.claims, Some(expires))
            .map_err(Failure::Invalid)?;
        // Looked at afterwards: the keys may have taken their time.
        let (now, rest) = (Instant::now(), expires.as_millis() - Timestamp::now().as_millis());
        let rest = u64::try_from(rest).ok().filter(|rest| *rest > 0);
        let rest = rest.map(Duration::from_millis).ok_or(Failure::Invalid("over"))?;
        self.verified.put(
            digest_of(token),
            caller.clone(),
            now + rest.min(self.rules.remember),
            now,
        );
        Ok(caller)
    }

    /// The algorithm of a token. It is one of those of the key that fits, or the signature is not
    /// looked at: a public key is never taken for a shared secret.
    fn algorithm(&self, header: &Map<String, Value>) -> Result<Algorithm, &'static str> {
        if FORBIDDEN.iter().any(|member| header.contains_key(*member)) {
            return Err("its header brings its own key or conditions");
        }
        match header.get("typ").map(Value::as_str) {
            None => {}
            Some(Some(kind))
                if ["jwt", "at+jwt", "application/at+jwt"]
                    .contains(&kind.to_ascii_lowercase().as_str()) => {}
            Some(_) => return Err("of another type"),
        }
        let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        let algorithm: Algorithm = algorithm.parse().map_err(|_| "of an unknown algorithm")?;
        let allowed = &self.rules.algorithms;
        if !allowed.is_empty() && !allowed.contains(&algorithm) {
            return Err("of an algorithm that is not allowed");
        }
        Ok(algorithm)
    }

    /// Checks the claims; gives when the token ends, the leeway included.
    fn check(&self, parts: &Parts<'_>, now: Timestamp) -> Result<Timestamp, &'static str> {
        let claims = &parts.claims;
        if !self.is_issuer(claims) {
            return Err("of another issuer");
        }
        if !claims::is_for(claims, &self.rules.audiences) {
            return Err("for another audience");
        }
        let is_access_token = parts
            .header
            .get("typ")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.to_ascii_lowercase().ends_with("at+jwt"));
        if !is_access_token && OF_ID_TOKENS.iter().any(|claim| claims.contains_key(*claim)) {
            return Err("an ID token, which gives no access");
        }
        if !claims::give_access(claims) {
            return Err("of another kind than access tokens");
        }
        let required = self.rules.required_claims.iter();
        if required.into_iter().any(|claim| !claims.contains_key(claim)) {
            return Err("without a claim that is required");
        }
        let moment = |name| claims::moment(claims, name).map_err(|()| "with a time that is none");
        let leeway = i64::try_from(self.rules.leeway.as_secs()).unwrap_or(0);
        let seconds = now.as_millis().div_euclid(1000);
        let end = moment("exp")?.ok_or("without an end")?.saturating_add(leeway);
        if seconds > end {
            return Err("over");
        }
        for begin in ["nbf", "iat"] {
            if moment(begin)?.is_some_and(|begin| begin > seconds + leeway) {
                return Err("not valid yet");
            }
        }
        claims::timestamp(end).ok_or("with an end that is none")
    }
}

impl<'t> Parts<'t> {
    fn of(token: &'t str) -> Option<Self> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (text, signature) = token.rsplit_once('.')?;
        let (header, claims) = text.split_once('.')?;
        if claims.contains('.') || signature.is_empty() {
            return None;
        }
        let object = |part: &str| -> Option<Map<String, Value>> {
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        Some(Self { header: object(header)?, claims: object(claims)?, text, signature })
    }
}

/// The addresses of an issuer that a card shows.
pub fn discovery_url(issuer: &str) -> Option<Url> {
    let base = issuer.trim_end_matches('/');
    Url::parse(&format!("{base}/.well-known/openid-configuration")).ok()
}
