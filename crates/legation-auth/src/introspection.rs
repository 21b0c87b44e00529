//! Tokens that their issuer is asked about (RFC 7662). Without its word nobody is let in.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use form_urlencoded::Serializer;
use http::header::HeaderValue;
use legation_core::Caller;
use legation_model::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use url::Url;

use crate::cache::Cache;
use crate::chain::{Failure, Verified};
use crate::claims::{self, Claims, Mapping};
use crate::fetch::{Line, SetupError};
use crate::token::{Digest, digest_of};

/// The largest token that is asked about, in bytes.
const MAX_TOKEN: usize = 16 << 10;
/// How long the issuer's word counts: as soon is a revoked token without effect. With the time between
/// two looks at a stream it is what is promised of revocation, so nobody may make it longer.
const GOOD: Duration = Duration::from_secs(30);
/// How long its word against a token counts.
const BAD: Duration = Duration::from_secs(5);
/// How long a question waits for its turn: as long as a caller may be expected to.
const TURN: Duration = Duration::from_secs(2);

/// How an issuer is asked.
#[derive(Clone)]
pub struct Endpoint {
    /// Where.
    pub url: String,
    /// Who asks: a client's id and secret (RFC 6749 2.3.1).
    pub client: Option<(String, String)>,
    /// How its tokens begin; any token when absent.
    pub prefix: Option<String>,
    /// The issuer that answers have to name, and by which subjects are told apart from those of
    /// others; the endpoint's address stands for it when absent.
    pub issuer: Option<String>,
    /// Whom tokens have to be for.
    pub audience: Audience,
    /// How many answers are remembered, for 30 s at most.
    pub remembered: usize,
    /// Questions that are open at once.
    pub questions: usize,
    /// Questions that are open or wait for their turn, at most two seconds.
    pub waiting: usize,
    /// What the claims mean.
    pub mapping: Mapping,
}

/// Whom tokens have to be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// One of these.
    Of(Vec<String>),
    /// Anybody: also tokens count that were given to their bearer for something else, and that
    /// whoever got them may have kept.
    Any,
}

impl Endpoint {
    /// An endpoint that is asked about any token, 64 questions at once; 10,000 answers are remembered.
    pub fn new(url: impl Into<String>, audience: Audience) -> Self {
        Self {
            url: url.into(),
            client: None,
            prefix: None,
            issuer: None,
            audience,
            remembered: 10_000,
            questions: 64,
            waiting: 4_096,
            mapping: Mapping::default(),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Knows callers by what an issuer says of their tokens.
pub struct Introspection(Arc<Asker>);

struct Asker {
    scheme: Arc<str>,
    endpoint: Endpoint,
    url: Url,
    line: Line,
    credentials: Option<HeaderValue>,
    answers: Cache<Verified>,
    questions: Semaphore,
    /// The questions that are open, by token: whoever comes with the same one waits for the same
    /// answer. So no two answers about a token can overtake each other.
    open: Mutex<HashMap<Digest, watch::Receiver<Option<Verified>>>>,
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").field("endpoint", &self.0.endpoint).finish_non_exhaustive()
    }
}

impl Introspection {
    /// Asks an endpoint, under the name of a scheme.
    ///
    /// # Errors
    /// When the endpoint has no address that may be called.
    pub fn new(
        scheme: impl Into<Arc<str>>,
        endpoint: Endpoint,
        line: Line,
    ) -> Result<Self, SetupError> {
        let url = line.address(&endpoint.url)?;
        let basic = |(id, secret): &(String, String)| {
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let (id, secret): (String, String) = (encode(id), encode(secret));
            let value = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
            let mut value = HeaderValue::try_from(value).expect("base64 is printable");
            value.set_sensitive(true);
            value
        };
        let asker = Asker {
            scheme: scheme.into(),
            credentials: endpoint.client.as_ref().map(basic),
            answers: Cache::new(endpoint.remembered),
            questions: Semaphore::new(endpoint.questions.clamp(1, Semaphore::MAX_PERMITS)),
            open: Mutex::default(),
            endpoint,
            url,
            line,
        };
        Ok(Self(Arc::new(asker)))
    }

    /// Whether any token may be one of the issuer's, as far as one can see.
    pub(crate) fn takes_any(&self) -> bool {
        self.0.endpoint.prefix.is_none()
    }

    /// Whether a token may be one of the issuer's.
    pub(crate) fn is_own(&self, token: &str) -> bool {
        let prefix = self.0.endpoint.prefix.as_ref();
        let begins = prefix.is_none_or(|prefix| token.starts_with(prefix));
        begins && token.len() <= MAX_TOKEN && token.bytes().all(|byte| (33..127).contains(&byte))
    }

    /// What was said of a token a short while ago.
    pub(crate) fn known(&self, token: &str) -> Option<Verified> {
        self.0.answers.get(&digest_of(token), Instant::now())
    }

    /// Asks about a token, or waits with those who do.
    ///
    /// # Cancel safety
    /// Safe: the question goes on, and its answer is remembered.
    pub(crate) async fn verify(&self, token: &str) -> Verified {
        let mut answer = self.question(token)?;
        let answer = answer.wait_for(Option::is_some).await.map(|answer| answer.clone());
        answer.ok().flatten().unwrap_or(Err(Failure::Unavailable))
    }

    /// The question about a token.
    fn question(&self, token: &str) -> Result<watch::Receiver<Option<Verified>>, Failure> {
        let digest = digest_of(token);
        let mut open = self.0.open.lock();
        // What nobody will answer any more has panicked.
        if let Some(known) = open.get(&digest).filter(|known| known.has_changed().is_ok()) {
            return Ok(known.clone());
        }
        if open.len() >= self.0.endpoint.waiting {
            return Err(Failure::Unavailable);
        }
        let (say, answer) = watch::channel(None);
        open.insert(digest, answer.clone());
        let (asker, token) = (self.0.clone(), token.to_owned());
        // A task of its own: a caller who leaves does not take along what others wait for. It is
        // bounded by its turn and the limits of the line.
        tokio::spawn(async move {
            let verified = asker.ask(digest, &token).await;
            asker.open.lock().remove(&digest);
            say.send_replace(Some(verified));
        });
        Ok(answer)
    }
}

impl Asker {
    async fn ask(&self, digest: Digest, token: &str) -> Verified {
        let turn = tokio::time::timeout(TURN, self.questions.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Failure::Unavailable) };
        // The answer may have come between the look for it and this question.
        if let Some(verified) = self.answers.get(&digest, Instant::now()) {
            return verified;
        }
        let form = Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let asked = Instant::now();
        let claims = match self.line.post(&self.url, form, self.credentials.as_ref()).await {
            Ok(claims) => claims,
            Err(error) => {
                let endpoint = self.url.host_str();
                tracing::warn!(endpoint, %error, "cannot ask the issuer about a token");
                return Err(Failure::Unavailable);
            }
        };
        let verified = self.judge(&claims, Timestamp::now());
        let life = match &verified {
            Ok(Caller { expires: Some(end), .. }) => {
                let rest = end.as_millis() - Timestamp::now().as_millis();
                GOOD.min(Duration::from_millis(u64::try_from(rest).unwrap_or(0)))
            }
            Ok(_) => GOOD,
            Err(_) => BAD,
        };
        self.answers.put(digest, verified.clone(), asked + life, asked);
        verified
    }

    /// What an answer means.
    fn judge(&self, claims: &Claims, now: Timestamp) -> Verified {
        let invalid = |reason| Err(Failure::Invalid(reason));
        match claims.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return invalid("not active"),
            // Whoever answers otherwise is no such endpoint.
            _ => return Err(Failure::Unavailable),
        }
        let issuer = claims.get("iss").and_then(Value::as_str);
        if !claims::give_access(claims) {
            return invalid("of another kind than access tokens");
        }
        if let Some(expected) = &self.endpoint.issuer
            && issuer.is_some_and(|issuer| issuer != expected)
        {
            return invalid("of another issuer");
        }
        match &self.endpoint.audience {
            Audience::Of(ours) if !claims::is_for(claims, ours) => {
                return invalid("for another audience");
            }
            Audience::Of(_) | Audience::Any => {}
        }
        let Ok(end) = claims::moment(claims, "exp") else { return invalid("with an odd end") };
        let seconds = now.as_millis().div_euclid(1000);
        if end.is_some_and(|end| end <= seconds) {
            return invalid("over");
        }
        match claims::moment(claims, "nbf") {
            Ok(begin) if begin.is_none_or(|begin| begin <= seconds) => {}
            Ok(_) | Err(()) => return invalid("not valid yet"),
        }
        let issuer = self.endpoint.issuer.as_deref().unwrap_or(&self.endpoint.url);
        let expires = end.and_then(claims::timestamp);
        let client = client_alone(claims);
        let claims = client.as_ref().unwrap_or(claims);
        let caller = self.endpoint.mapping.caller(issuer, &self.scheme, claims, expires);
        caller.map_err(Failure::Invalid)
    }
}

/// The claims of a token that a client has for itself: many issuers name no subject then.
fn client_alone(claims: &Claims) -> Option<Claims> {
    let client = claims.get("client_id").and_then(Value::as_str).filter(|id| !id.is_empty())?;
    if claims.contains_key("sub") {
        return None;
    }
    let mut claims = claims.clone();
    claims.insert("sub".into(), format!("client:{client}").into());
    Some(claims)
}
