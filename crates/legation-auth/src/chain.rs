//! Several schemes at once: the one door of a server.
//!
//! What a request carries decides: one secret in one place is judged by the first scheme of that
//! place that knows it for its own, and by no other. An endpoint that is asked about any token knows
//! none for its own: it comes last, and hears of no secret that is another scheme's, also where that
//! does not count. Two secrets are refused, because nobody can say which of them was meant. A client
//! certificate counts when there is no secret.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{Either, FutureExt as _};
use legation_core::{
    Actor, AuditAction, AuditEvent, AuditLog, AuditOutcome, Authenticated, Authenticator, Caller,
    Challenge, Credentials, Refused, at_once,
};
use legation_model::{A2aError, ErrorKind};

use crate::attempts::{Attempts, Ledger, network};
use crate::carrier::{Carried, Carrier};
use crate::certificate::Certificates;
use crate::integration::Integration;
use crate::introspection::Introspection;
use crate::jwt::Jwt;
use crate::shown::shown;
use crate::token::Tokens;

const REALM: &str = r#"Bearer realm="legation""#;

/// What the audit log says of an address that has to wait.
const TOO_MANY: &str = "too many bad credentials";

/// How long callers are told to wait when nobody can tell who they are.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// What knows callers by their secrets.
#[derive(Debug)]
pub enum Verifier {
    /// A list of them.
    Tokens(Tokens),
    /// Those that the operator makes and takes back while the server works.
    Integration(Integration),
    /// The signature of an issuer.
    Jwt(Jwt),
    /// The issuer itself, which is asked (RFC 7662).
    Introspection(Introspection),
}

/// Why a secret is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not valid, for this reason, which is for the log.
    Invalid(&'static str),
    /// Whoever could tell cannot be reached.
    Unavailable,
}

pub(crate) type Verified = Result<Caller, Failure>;

/// One way to be known.
#[derive(Debug)]
pub struct Scheme {
    name: Arc<str>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Secret(Carrier, Arc<Verifier>),
    Certificate(Certificates),
}

impl Scheme {
    /// A scheme of secrets in a place of requests, under the name that cards have for it.
    pub fn new(name: impl Into<Arc<str>>, carrier: Carrier, verifier: Verifier) -> Self {
        Self { name: name.into(), way: Way::Secret(carrier, Arc::new(verifier)) }
    }

    /// A scheme of client certificates.
    pub fn certificates(name: impl Into<Arc<str>>, certificates: Certificates) -> Self {
        Self { name: name.into(), way: Way::Certificate(certificates) }
    }
}

/// Knows callers by several schemes.
#[derive(Debug)]
pub struct Chain {
    schemes: Vec<Scheme>,
    /// Every place where a scheme looks, once.
    carriers: Vec<Carrier>,
    ledger: Ledger,
    /// Where refusals are kept, if anywhere.
    audit: Option<Arc<dyn AuditLog>>,
}

impl Chain {
    /// Knows callers by any of these schemes; the earlier goes first, and last those that take any
    /// token.
    pub fn new(mut schemes: Vec<Scheme>, attempts: Attempts) -> Self {
        schemes.sort_by_key(Scheme::takes_any);
        let mut carriers: Vec<Carrier> = Vec::new();
        for scheme in &schemes {
            if let Way::Secret(carrier, _) = &scheme.way
                && !carriers.contains(carrier)
            {
                carriers.push(carrier.clone());
            }
        }
        Self { schemes, carriers, ledger: Ledger::new(attempts), audit: None }
    }

    /// The same chain, which notes in a log what it refuses.
    #[must_use]
    pub fn audited(self, audit: Arc<dyn AuditLog>) -> Self {
        Self { audit: Some(audit), ..self }
    }

    /// Knows the bearers of static tokens.
    pub fn of_tokens(tokens: Tokens) -> Self {
        let scheme = Scheme::new("bearer", Carrier::Bearer, Verifier::Tokens(tokens));
        Self::new(vec![scheme], Attempts::default())
    }

    /// The schemes that count for a request.
    fn in_force<'s, 'c>(
        &'s self,
        credentials: Credentials<'c>,
    ) -> impl Iterator<Item = &'s Scheme> + use<'s, 'c> {
        let counts = move |name: &Arc<str>| {
            credentials.schemes.is_none_or(|names| names.iter().any(|known| known == name))
        };
        self.schemes.iter().filter(move |scheme| counts(&scheme.name))
    }

    /// Whether a secret is known to be of a scheme that does not count for this request.
    fn is_elsewhere(
        &self,
        credentials: Credentials<'_>,
        (carrier, secret): (&Carrier, &str),
    ) -> bool {
        let counts = |scheme: &Scheme| {
            self.in_force(credentials).any(|counting| std::ptr::eq(counting, scheme))
        };
        self.schemes.iter().filter(|scheme| !counts(scheme)).any(|scheme| match &scheme.way {
            Way::Secret(place, verifier) => place == carrier && verifier.knows_for_own(secret),
            Way::Certificate(_) => false,
        })
    }

    /// The refusal of a request that says nothing of who sent it. There is no error to name, only
    /// the ways to do it right (RFC 6750 3.1).
    fn missing(&self, credentials: Credentials<'_>) -> Refused {
        if let Some(audit) = &self.audit {
            let address = credentials.client.or(credentials.peer).map(network);
            let (action, outcome) = (AuditAction::Authenticate, AuditOutcome::Missing);
            let event = AuditEvent::new(Actor::stranger("", address), action, outcome);
            audit.note(event.to(credentials.agent.unwrap_or_default()));
        }
        let ways: Vec<_> = self.in_force(credentials).map(Scheme::advice).collect();
        let advice = match &ways[..] {
            [] => "nobody may call here".to_owned(),
            ways => format!("send {}", distinct(ways).join(", or ")),
        };
        let error = A2aError::new(ErrorKind::Unauthenticated, advice);
        Refused { error, challenges: self.challenges(credentials, "") }
    }

    fn invalid(&self, credentials: Credentials<'_>, text: &str) -> Refused {
        let error = A2aError::new(ErrorKind::Unauthenticated, text);
        let challenges = self.challenges(credentials, r#", error="invalid_token""#);
        Refused { error, challenges }
    }

    /// A challenge for each way there is. Schemes of the same place share one.
    fn challenges(&self, credentials: Credentials<'_>, error: &str) -> Vec<Challenge> {
        let mut challenges: Vec<Challenge> = Vec::new();
        for scheme in self.in_force(credentials) {
            let Some(challenge) = scheme.challenge(error) else { continue };
            match challenges.iter_mut().find(|known| known.text == challenge.text) {
                Some(known) => known.is_described |= challenge.is_described,
                None => challenges.push(challenge),
            }
        }
        if challenges.is_empty() {
            // A 401 needs one (RFC 9110 15.5.2), and there is none for certificates.
            challenges.push(Challenge::from(r#"Mutual realm="legation""#));
        }
        challenges
    }

    /// Notes a bad attempt, and makes of a failure what the caller is told.
    fn refuse(&self, credentials: Credentials<'_>, scheme: &str, failure: Failure) -> Refused {
        match failure {
            Failure::Invalid(reason) => {
                let address = credentials.client.or(credentials.peer);
                // Told of already.
                if let Some(wait) = self.wait(credentials) {
                    self.audit(address, "", AuditOutcome::Limited, TOO_MANY);
                    return limited(wait);
                }
                self.audit(address, scheme, AuditOutcome::Refused, reason);
                let filled = address.is_some_and(|address| self.note(address));
                match address {
                    Some(address) if filled => {
                        tracing::warn!(%address, "too many bad credentials; refused for a while");
                        self.audit(Some(address), "", AuditOutcome::Limited, TOO_MANY);
                    }
                    address => tracing::info!(?address, scheme, reason, "a credential is refused"),
                }
                self.invalid(credentials, "the credentials are not valid")
            }
            Failure::Unavailable => {
                let text = "who calls cannot be found out at the moment; try later";
                let error = A2aError::unavailable(text, TRY_AGAIN);
                Refused { error, challenges: Vec::new() }
            }
        }
    }

    /// Notes a refusal in the log. The addresses of one network are one there as well.
    fn audit(&self, address: Option<IpAddr>, scheme: &str, outcome: AuditOutcome, why: &str) {
        if let Some(audit) = &self.audit {
            let actor = Actor::stranger(scheme, address.map(network));
            audit.note(AuditEvent::new(actor, AuditAction::Authenticate, outcome).saying(why));
        }
    }

    fn note(&self, address: IpAddr) -> bool {
        self.ledger.note(address, Instant::now())
    }

    /// The one secret that a request carries, and where.
    fn secret<'a>(
        &self,
        credentials: Credentials<'a>,
    ) -> Result<Option<(&Carrier, std::borrow::Cow<'a, str>)>, Failure> {
        let (mut found, mut count) = (None, 0);
        for carrier in &self.carriers {
            match carrier.look(&credentials) {
                Carried::Nothing => {}
                Carried::Foreign => count += 1,
                Carried::Secret(secret) => (found, count) = (Some((carrier, secret)), count + 1),
                Carried::Unclear => return Err(Failure::Invalid("several values, or no text")),
            }
        }
        if count > 1 {
            return Err(Failure::Invalid("several credentials at once"));
        }
        Ok(found)
    }
}

impl Authenticator for Chain {
    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> Authenticated<'a> {
        let (carrier, secret) = match self.secret(credentials) {
            Ok(Some(found)) => found,
            Ok(None) => return at_once(self.by_certificate(credentials)),
            Err(failure) => return at_once(Err(self.refuse(credentials, "", failure))),
        };
        for scheme in self.in_force(credentials) {
            let Way::Secret(place, verifier) = &scheme.way else { continue };
            if place != carrier {
                continue;
            }
            if scheme.takes_any() && self.is_elsewhere(credentials, (carrier, &secret)) {
                break;
            }
            match &**verifier {
                Verifier::Tokens(tokens) => {
                    if let Some(caller) = tokens.caller_of(&secret) {
                        return at_once(Ok(caller.clone()));
                    }
                }
                Verifier::Integration(integration) => {
                    // At most one row is read for it, which is as good as nothing.
                    if let Some(verified) = integration.verify(&secret) {
                        let refuse = |failure| self.refuse(credentials, &scheme.name, failure);
                        let verified = verified.map(|caller| shown(verifier, &secret, caller));
                        return at_once(verified.map_err(refuse));
                    }
                }
                Verifier::Jwt(jwt) => {
                    if let Some(caller) = jwt.known(&secret) {
                        return at_once(Ok(shown(verifier, &secret, caller)));
                    }
                    if !jwt.is_own(&secret) {
                        continue;
                    }
                    let verified = async move {
                        let verified = jwt.verify(&secret).await;
                        verified.map(|caller| shown(verifier, &secret, caller))
                    };
                    return self.later(credentials, scheme, verified.boxed());
                }
                Verifier::Introspection(endpoint) if endpoint.is_own(&secret) => {
                    if let Some(verified) = endpoint.known(&secret) {
                        let refuse = |failure| self.refuse(credentials, &scheme.name, failure);
                        let verified = verified.map(|caller| shown(verifier, &secret, caller));
                        return at_once(verified.map_err(refuse));
                    }
                    let verified = async move {
                        let verified = endpoint.verify(&secret).await;
                        verified.map(|caller| shown(verifier, &secret, caller))
                    };
                    return self.later(credentials, scheme, verified.boxed());
                }
                Verifier::Introspection(_) => {}
            }
        }
        at_once(Err(self.refuse(credentials, "", Failure::Invalid("nobody's"))))
    }
}

impl Chain {
    /// How long the address of a request has to wait, if it has to. It concerns what is refused and
    /// what somebody would have to be asked about: whoever shares the address with somebody who
    /// guesses is let in where that is known here, since secrets of this length are not guessed.
    fn wait(&self, credentials: Credentials<'_>) -> Option<Duration> {
        let address = credentials.client.or(credentials.peer)?;
        self.ledger.wait(address, Instant::now())
    }

    /// What somebody has to be asked about, unless the address has to wait.
    fn later<'a>(
        &'a self,
        credentials: Credentials<'a>,
        scheme: &'a Scheme,
        verified: futures::future::BoxFuture<'a, Verified>,
    ) -> Authenticated<'a> {
        if let Some(wait) = self.wait(credentials) {
            return at_once(Err(limited(wait)));
        }
        let refuse = move |failure| self.refuse(credentials, &scheme.name, failure);
        Either::Right(verified.map(move |verified| verified.map_err(refuse)).boxed())
    }

    /// Who calls by the certificate, when there is no secret.
    fn by_certificate(&self, credentials: Credentials<'_>) -> Result<Caller, Refused> {
        for scheme in self.in_force(credentials) {
            let Way::Certificate(certificates) = &scheme.way else { continue };
            match certificates.verify(&credentials) {
                None => {}
                Some(Ok(caller)) => return Ok(caller),
                Some(Err(failure)) => {
                    return Err(self.refuse(credentials, &scheme.name, failure));
                }
            }
        }
        Err(self.wait(credentials).map_or_else(|| self.missing(credentials), limited))
    }
}

fn limited(wait: Duration) -> Refused {
    let text = "too many bad credentials came from this address; try later";
    let mut error = A2aError::new(ErrorKind::RateLimited, text);
    error.retry_after = Some(wait);
    Refused { error, challenges: Vec::new() }
}

fn distinct(texts: &[String]) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for text in texts {
        if !distinct.contains(text) {
            distinct.push(text.clone());
        }
    }
    distinct
}

impl Verifier {
    /// Whether a secret can be nobody else's, by what is known of it without asking anybody.
    fn knows_for_own(&self, secret: &str) -> bool {
        match self {
            Self::Tokens(tokens) => tokens.caller_of(secret).is_some(),
            Self::Integration(integration) => integration.is_own(secret),
            Self::Jwt(jwt) => jwt.is_own(secret),
            Self::Introspection(endpoint) => !endpoint.takes_any() && endpoint.is_own(secret),
        }
    }
}

impl Scheme {
    /// Whether somebody is asked about any token that comes.
    fn takes_any(&self) -> bool {
        let Way::Secret(_, verifier) = &self.way else { return false };
        matches!(&**verifier, Verifier::Introspection(endpoint) if endpoint.takes_any())
    }

    /// What to send.
    fn advice(&self) -> String {
        match &self.way {
            Way::Secret(Carrier::Bearer, _) => {
                "the header `Authorization: Bearer <token>`".to_owned()
            }
            Way::Secret(Carrier::Header(name), _) => format!("the key in the header `{name}`"),
            Way::Secret(Carrier::Query(name), _) => format!("the key in the query as `{name}`"),
            Way::Secret(Carrier::Cookie(name), _) => format!("the key in the cookie `{name}`"),
            Way::Certificate(_) => "a client certificate".to_owned(),
        }
    }

    /// The challenge; a certificate has none, because TLS asks for it.
    fn challenge(&self, error: &str) -> Option<Challenge> {
        let Way::Secret(carrier, verifier) = &self.way else { return None };
        let key = |place, name| {
            Challenge::from(&*format!(r#"ApiKey realm="legation", in="{place}", name="{name}""#))
        };
        Some(match carrier {
            Carrier::Bearer => Challenge {
                text: format!("{REALM}{error}"),
                is_described: match &**verifier {
                    Verifier::Tokens(_) | Verifier::Integration(_) => false,
                    Verifier::Jwt(_) | Verifier::Introspection(_) => true,
                },
            },
            Carrier::Header(name) => key("header", name),
            Carrier::Query(name) => key("query", name),
            Carrier::Cookie(name) => key("cookie", name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Token;
    use crate::tests::Head;

    const ONE: &str = "one-token-of-thirty-two-bytes-ok";
    const KEY: &str = "the-key-of-someone-of-32-bytes-ok";

    fn tokens(secret: &str, subject: &str) -> Verifier {
        let token = Token::new(secret, Caller::new("acme", subject)).expect("long enough");
        Verifier::Tokens(Tokens::new(vec![token]))
    }

    fn chain() -> Chain {
        let header = Carrier::Header("x-api-key".into());
        let query = Carrier::Query("key".into());
        let schemes = vec![
            Scheme::new("bearer", Carrier::Bearer, tokens(ONE, "ann")),
            Scheme::new("apiKey", header, tokens(KEY, "bob")),
            Scheme::new("query", query, tokens(KEY, "eve")),
        ];
        Chain::new(schemes, Attempts { count: 1000, within: Duration::from_secs(60) })
    }

    #[test]
    fn one_secret_says_who_calls_and_two_say_nothing() {
        let bearer = format!("Bearer {ONE}");
        let (bearer, basic) = (("authorization", &*bearer), ("authorization", "Basic eDp5"));
        let cases = [
            (Head::new(&[bearer]), Ok("ann")),
            (Head::new(&[("x-api-key", KEY)]), Ok("bob")),
            (Head::new(&[]).query(&format!("key={KEY}")), Ok("eve")),
            (Head::new(&[]), Err("")),
            (Head::new(&[basic]), Err("")),
            (Head::new(&[("authorization", "")]), Err("")),
            (Head::new(&[("authorization", "Bearer x")]), Err("invalid_token")),
            // A secret in another scheme's place.
            (Head::bearer(KEY), Err("invalid_token")),
            (Head::new(&[("x-api-key", ONE)]), Err("invalid_token")),
            // Two at once, also when one of them is of no scheme here.
            (Head::new(&[bearer, bearer]), Err("invalid_token")),
            (Head::new(&[bearer, ("x-api-key", KEY)]), Err("invalid_token")),
            (Head::new(&[basic, ("x-api-key", KEY)]), Err("invalid_token")),
            (Head::new(&[bearer]).query("key=x"), Err("invalid_token")),
        ];
        for (head, expected) in cases {
            match (head.to(&chain()), expected) {
                (Ok(caller), Ok(subject)) => assert_eq!(&*caller.subject, subject, "{head:?}"),
                (Err(refused), Err(error)) => {
                    assert_eq!(refused.error.kind, ErrorKind::Unauthenticated, "{head:?}");
                    let first = &refused.challenges[0].text;
                    assert!(first.starts_with(REALM), "{first}");
                    assert_eq!(first.contains("error="), !error.is_empty(), "{head:?} {first}");
                    assert_eq!(refused.challenges.len(), 3, "one for each way");
                    assert!(!format!("{refused:?}").contains(KEY), "no secret is told back");
                }
                (got, _) => panic!("{head:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn schemes_that_do_not_count_know_nobody() {
        let only = |name: &str, head: Head| Head { schemes: Some([name.into()].into()), ..head };
        let key = || Head::new(&[("x-api-key", KEY)]);
        assert!(only("apiKey", key()).to(&chain()).is_ok());
        let refused = only("bearer", key()).to(&chain()).expect_err("another scheme");
        assert_eq!(refused.challenges.len(), 1);
    }

    #[test]
    fn too_many_bad_credentials_make_an_address_wait_with_others_like_them() {
        let attempts = Attempts { count: 3, within: Duration::from_secs(60) };
        let scheme = Scheme::new("bearer", Carrier::Bearer, tokens(ONE, "ann"));
        let chain = Chain::new(vec![scheme], attempts);
        let from = |address: [u8; 4], token: &str| {
            let peer = Some(IpAddr::from(address));
            Head { peer, ..Head::bearer(token) }.to(&chain).map_err(|refused| refused.error)
        };
        let (bad, good) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        for _ in 0..3 {
            assert_eq!(from(bad, "x").expect_err("bad").kind, ErrorKind::Unauthenticated);
        }
        let error = from(bad, "x").expect_err("limited");
        assert_eq!(error.kind, ErrorKind::RateLimited);
        assert!(error.retry_after.is_some_and(|wait| wait <= attempts.within));
        for address in [bad, good] {
            assert!(from(address, ONE).is_ok(), "nobody is locked out by a neighbour");
        }
    }

    /// What a log was told.
    #[derive(Debug, Default)]
    struct Told(parking_lot::Mutex<Vec<AuditEvent>>);

    impl AuditLog for Told {
        fn note(&self, event: AuditEvent) {
            self.0.lock().push(event);
        }

        fn record(
            &self,
            _event: AuditEvent,
        ) -> futures::future::BoxFuture<'_, Result<(), legation_core::store::StoreError>> {
            unreachable!("a refusal is no act")
        }
    }

    #[test]
    fn refusals_are_noted_by_network_and_without_the_secret() {
        const BAD: &str = "bad-credentials-that-nobody-may-read";
        let (told, attempts) =
            (Arc::new(Told::default()), Attempts { count: 2, within: Duration::from_secs(60) });
        let scheme = Scheme::new("bearer", Carrier::Bearer, tokens(ONE, "ann"));
        let chain = Chain::new(vec![scheme], attempts).audited(told.clone());
        let from = |address: &str, head: Head| {
            let peer = Some(address.parse().expect("an address"));
            Head { peer, ..head }.to(&chain).is_ok()
        };
        assert!(from("10.0.0.1", Head::bearer(ONE)), "who is let in is no entry");
        assert!(told.0.lock().is_empty());
        let silent = Head { agent: Some("a".into()), ..Head::new(&[]) };
        assert!(!from("10.0.0.1", silent), "who says nothing");
        let [asked] = &std::mem::take(&mut *told.0.lock())[..] else { panic!("{told:?}") };
        assert_eq!((asked.outcome.name(), &*asked.target), ("missing", "a"));
        assert_eq!(asked.actor.address, Some([10, 0, 0, 1].into()));
        for _ in 0..4 {
            assert!(!from("2001:db8::7:1", Head::bearer(BAD)));
        }
        let events = std::mem::take(&mut *told.0.lock());
        let outcomes: Vec<_> = events.iter().map(|event| event.outcome.name()).collect();
        assert_eq!(outcomes, ["refused", "refused", "limited", "limited", "limited"]);
        let network = Some("2001:db8::".parse().expect("an address"));
        assert!(events.iter().all(|event| event.actor == Actor::stranger("", network)));
        assert_eq!(events[0].detail, "nobody's");
        assert!(!format!("{events:?}").contains(BAD));
    }
}
