//! What a caller is known by, and where each of these may go.
//!
//! A [`Credential`] is for certain origins and is sent to no other, and along no redirect. Which are
//! sent is chosen by the card of the agent (`choice`): it lists alternatives, and the first one that
//! the caller can satisfy counts. `access` puts them into requests.

mod access;
mod challenge;
mod choice;
mod digest;
mod needs;
mod oauth;

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderName, HeaderValue};
use legation_net::Identity;
pub use legation_net::Secret;
use url::Url;

use crate::is_loopback;
use crate::origin::same_place;

pub(crate) use access::Access;
pub use needs::{Need, Needs};
pub use oauth::{Endpoints, Fault, Flow, Issuer, OAuth, TokenCache, Visit};

use digest::Password;
use oauth::Grants;

/// What a caller is known by. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Credentials(Vec<Credential>);

/// One thing that a caller is known by.
#[derive(Clone, Debug)]
pub struct Credential {
    kind: Kind,
    places: Places,
    /// The one scheme of cards that it is for; any that it fits when absent.
    scheme: Option<String>,
    /// Whether nobody misses it where it does not fit.
    is_spare: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    /// The value of `Authorization`.
    Bearer(HeaderValue),
    /// The value of `Authorization`.
    Basic(HeaderValue),
    Digest(Password),
    ApiKey {
        key: Secret,
        place: Option<KeyPlace>,
    },
    OAuth(Arc<Grants>),
    Certificate(Identity),
}

/// Where a credential may go.
#[derive(Clone, Debug)]
enum Places {
    /// To the agent that is called, and to the origins that are trusted beside its own.
    Agent,
    /// To this machine.
    Loopback,
    /// To these origins.
    Origins(Vec<Url>),
}

/// Where in a request an API key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a header.
    Header(HeaderName),
    /// In the query. It may end up in the logs of whoever is in between.
    Query(String),
    /// In a cookie.
    Cookie(String),
}

/// Headers that say how a message is read or sent on. A card that wants a key there is up to
/// something else.
const FRAMING: [&str; 12] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Credentials {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// One more. Where several fit, the first that was added counts.
    #[must_use]
    pub fn and(mut self, credential: Credential) -> Self {
        self.0.push(credential);
        self
    }

    /// Those that may go to this address.
    fn of(&self, url: &Url) -> impl Iterator<Item = &Credential> {
        self.0.iter().filter(|credential| credential.is_for(url))
    }

    /// Whether any of them may go to this address.
    pub(crate) fn go_to(&self, url: &Url) -> bool {
        self.of(url).next().is_some()
    }

    /// The certificate for connections to this address.
    pub(crate) fn identity(&self, url: &Url) -> Option<Identity> {
        self.of(url).find_map(|credential| match &credential.kind {
            Kind::Certificate(identity) => Some(identity.clone()),
            Kind::Bearer(_)
            | Kind::Basic(_)
            | Kind::Digest(_)
            | Kind::ApiKey { .. }
            | Kind::OAuth(_) => None,
        })
    }
}

impl From<Credential> for Credentials {
    fn from(credential: Credential) -> Self {
        Self(vec![credential])
    }
}

impl From<Option<Credential>> for Credentials {
    fn from(credential: Option<Credential>) -> Self {
        Self(credential.into_iter().collect())
    }
}

impl Credential {
    /// A token (RFC 6750). It also serves where a card asks for OAuth 2.0 or OpenID Connect: what
    /// their flows give is such a token.
    ///
    /// # Errors
    /// `None` when it holds characters that no header may hold.
    pub fn bearer(token: &str) -> Option<Self> {
        authorization("Bearer", token).map(|value| Self::of(Kind::Bearer(value)))
    }

    /// A user name and a password, which go as they are (RFC 7617).
    ///
    /// # Errors
    /// `None` when the name has a colon, or one of them control characters.
    pub fn basic(user: &str, password: &str) -> Option<Self> {
        let fit = !user.contains(':') && !format!("{user}{password}").contains(char::is_control);
        let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let value = authorization("Basic", &pair).filter(|_| fit)?;
        Some(Self::of(Kind::Basic(value)))
    }

    /// A user name and a password, which never go themselves (RFC 7616): the server's challenge is
    /// answered with SHA-256 or SHA-512/256.
    pub fn digest(user: &str, password: impl Into<Secret>) -> Self {
        Self::of(Kind::Digest(Password::new(user, password.into(), false)))
    }

    /// The same for servers that know MD5 only, by which whoever listens can try passwords fast.
    pub fn weak_digest(user: &str, password: impl Into<Secret>) -> Self {
        Self::of(Kind::Digest(Password::new(user, password.into(), true)))
    }

    /// A key whose place the card says.
    pub fn api_key(key: impl Into<Secret>) -> Self {
        Self::of(Kind::ApiKey { key: key.into(), place: None })
    }

    /// A key with its place, also for cards that say nothing of it.
    pub fn api_key_in(key: impl Into<Secret>, place: KeyPlace) -> Self {
        Self::of(Kind::ApiKey { key: key.into(), place: Some(place) })
    }

    /// Tokens of an authorization server, got when they are needed.
    pub fn oauth(settings: OAuth) -> Self {
        Self::of(Kind::OAuth(Arc::new(Grants::new(settings))))
    }

    /// A certificate, by which connections are known (mutual TLS).
    pub fn certificate(identity: Identity) -> Self {
        Self::of(Kind::Certificate(identity))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, places: Places::Agent, scheme: None, is_spare: false }
    }

    /// The same for these origins only, whichever agent is called.
    #[must_use]
    pub fn only_at(self, origins: Vec<Url>) -> Self {
        Self { places: Places::Origins(origins), ..self }
    }

    /// The same that leaves this machine under no circumstances.
    #[must_use]
    pub fn only_on_loopback(self) -> Self {
        Self { places: Places::Loopback, ..self }
    }

    /// The same for the scheme of this name in the agent's card, where it may fit several.
    #[must_use]
    pub fn for_scheme(self, name: impl Into<String>) -> Self {
        Self { scheme: Some(name.into()), ..self }
    }

    /// The same where nobody chose it for this agent: it goes where the card asks for it, and where it
    /// does not fit, that is no mistake.
    #[must_use]
    pub fn if_it_fits(self) -> Self {
        Self { is_spare: true, ..self }
    }

    fn is_for(&self, url: &Url) -> bool {
        match &self.places {
            Places::Agent => true,
            Places::Loopback => is_loopback(url),
            Places::Origins(origins) => origins.iter().any(|origin| same_place(origin, url)),
        }
    }
}

impl KeyPlace {
    /// The place that a card names: `header`, `query` or `cookie`, and the name there. `None` where no
    /// key can be.
    pub fn named(location: &str, name: &str) -> Option<Self> {
        // The characters of a token (RFC 9110 5.6.2), which is also what a cookie's name has.
        let header = HeaderName::try_from(name).ok();
        match location {
            "header" => header.filter(|name| !FRAMING.contains(&name.as_str())).map(Self::Header),
            "query" => (!name.is_empty()).then(|| Self::Query(name.to_owned())),
            "cookie" => header.map(|_| Self::Cookie(name.to_owned())),
            _ => None,
        }
    }
}

/// A value of `Authorization`.
fn authorization(scheme: &str, text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {text}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_cannot_put_a_key_where_it_frames_the_message() {
        let cases = [
            ("header", "X-API-Key", true),
            ("header", "Authorization", true),
            ("header", "Host", false),
            ("header", "Content-Length", false),
            ("header", "transfer-encoding", false),
            ("header", "Cookie", false),
            ("header", "a b", false),
            ("header", "a\r\nb", false),
            ("header", "", false),
            ("query", "key", true),
            ("query", "k&y=\r\n", true),
            ("query", "", false),
            ("cookie", "session", true),
            ("cookie", "a=b;c", false),
            ("body", "key", false),
        ];
        for (location, name, good) in cases {
            assert_eq!(KeyPlace::named(location, name).is_some(), good, "{location} {name}");
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let credentials = Credentials::none()
            .and(Credential::bearer("s3cret").expect("a token"))
            .and(Credential::basic("user", "s3cret").expect("a pair"))
            .and(Credential::digest("user", "s3cret"))
            .and(Credential::api_key("s3cret"));
        let shown = format!("{credentials:?}{credentials:#?}");
        assert!(!shown.contains("s3cret") && !shown.contains("czNjcmV0"), "{shown}");
    }

    #[test]
    fn what_no_header_may_hold_is_no_credential() {
        for bad in ["a\nb", "a\r\nX: y", "\0"] {
            assert!(Credential::bearer(bad).is_none(), "{bad:?}");
            assert!(Credential::basic("user", bad).is_none(), "{bad:?}");
        }
        assert!(Credential::basic("us:er", "p").is_none());
        assert!(Credential::basic("user", "p:q ü").is_some());
    }
}
