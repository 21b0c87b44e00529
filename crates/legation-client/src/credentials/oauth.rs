//! Tokens of OAuth 2.0 authorization servers: got, kept, renewed.
//!
//! A client's secret, a code and a refresh token go to the endpoints that the caller named, or that the
//! metadata of the issuer names that the caller named. A card may name others, and those count
//! only at origins that the caller trusts: see `docs/decisions/0007`.

mod ask;
mod cache;
mod code;
mod device;
mod fault;
mod metadata;
mod session;

use std::collections::HashMap;
use std::sync::Arc;

use legation_model::{OAuth2SecurityScheme, OAuthFlows, SecurityScheme};
use parking_lot::Mutex;
use url::Url;

use super::Secret;
use crate::origin::same_place;

pub use cache::TokenCache;
pub use fault::Fault;
pub(super) use session::Session;

/// How tokens are got.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// How.
    pub flow: Flow,
    /// The client's name at the authorization server.
    pub client_id: String,
    /// Its secret; public clients have none.
    pub client_secret: Option<Secret>,
    /// Who issues the tokens.
    pub issuer: Issuer,
    /// What they are for; what the card's requirement lists when empty.
    pub scopes: Vec<String>,
    /// Where they are used (RFC 8707), for servers that issue tokens for one place only.
    pub resource: Option<Url>,
    /// Where they are kept between processes; nowhere when absent.
    pub cache: Option<TokenCache>,
}

/// How tokens are got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// By the client's own secret (RFC 6749 4.4).
    ClientCredentials,
    /// By a person with a browser on this machine (RFC 6749 4.1, RFC 7636, RFC 8252).
    AuthorizationCode,
    /// By a person with a browser anywhere (RFC 8628).
    DeviceCode,
}

/// Who issues tokens.
#[derive(Clone, Debug)]
pub enum Issuer {
    /// The authorization server with this issuer identifier. Its metadata says where its endpoints are
    /// (RFC 8414, OpenID Connect Discovery).
    Named(Url),
    /// One without metadata.
    At(Endpoints),
    /// The one that the agent's card names, when it is at one of these origins.
    OfCard(Vec<Url>),
}

/// Where an authorization server is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// Where tokens are issued.
    pub token: Url,
    /// Where a person consents.
    pub authorization: Option<Url>,
    /// Where devices ask for a code.
    pub device: Option<Url>,
}

/// Where a person has to go to let this client in.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'v> {
    /// The address for a browser.
    pub url: &'v Url,
    /// What has to be typed in there, where that is not in the address.
    pub code: Option<&'v str>,
}

/// Where endpoints are known from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Source {
    /// The metadata of this issuer.
    Issuer(Url),
    /// The metadata at this address.
    Metadata(Url),
    Endpoints(Endpoints),
}

impl Source {
    /// The address by which people and files know it.
    fn place(&self) -> &Url {
        match self {
            Self::Issuer(url) | Self::Metadata(url) => url,
            Self::Endpoints(endpoints) => &endpoints.token,
        }
    }
}

/// A credential that gets tokens, with those it has.
#[derive(Debug)]
pub(super) struct Grants {
    settings: Arc<OAuth>,
    /// By whom they are from and what they are for.
    sessions: Mutex<HashMap<(Source, String), Arc<Session>>>,
}

impl Grants {
    pub(super) fn new(settings: OAuth) -> Self {
        Self { settings: Arc::new(settings), sessions: Mutex::default() }
    }

    /// The tokens for a scheme of a card and the scopes that it asks for; `None` when the scheme names
    /// an authorization server that is not trusted, and the caller named none.
    pub(super) fn for_scheme(
        &self,
        scheme: Option<&SecurityScheme>,
        scopes: &[String],
    ) -> Option<Arc<Session>> {
        let source = match (&self.settings.issuer, scheme) {
            (Issuer::Named(issuer), _) => Source::Issuer(issuer.clone()),
            (Issuer::At(endpoints), _) => Source::Endpoints(endpoints.clone()),
            (Issuer::OfCard(trusted), Some(scheme)) => of_scheme(scheme, trusted)?,
            (Issuer::OfCard(_), None) => return None,
        };
        let own = &self.settings.scopes;
        let scopes = if own.is_empty() { scopes } else { own }.join(" ");
        let mut sessions = self.sessions.lock();
        let session = sessions
            .entry((source.clone(), scopes.clone()))
            .or_insert_with(|| Arc::new(Session::new(Arc::clone(&self.settings), source, scopes)));
        Some(Arc::clone(session))
    }
}

/// The authorization server that a scheme names, when all of it is at trusted origins.
fn of_scheme(scheme: &SecurityScheme, trusted: &[Url]) -> Option<Source> {
    let url = |text: &str| {
        let url = Url::parse(text).ok()?;
        trusted.iter().any(|origin| same_place(origin, &url)).then_some(url)
    };
    match scheme {
        SecurityScheme::OpenIdConnectSecurityScheme(oidc) => {
            url(&oidc.open_id_connect_url).map(Source::Metadata)
        }
        SecurityScheme::OAuth2SecurityScheme(oauth) => match oauth.oauth2_metadata_url.as_deref() {
            Some(metadata) => url(metadata).map(Source::Metadata),
            None => of_flow(oauth, url).map(Source::Endpoints),
        },
        SecurityScheme::ApiKeySecurityScheme(_)
        | SecurityScheme::HttpAuthSecurityScheme(_)
        | SecurityScheme::MtlsSecurityScheme(_) => None,
    }
}

fn of_flow(oauth: &OAuth2SecurityScheme, url: impl Fn(&str) -> Option<Url>) -> Option<Endpoints> {
    Some(match &oauth.flows {
        OAuthFlows::AuthorizationCode(flow) => Endpoints {
            token: url(&flow.token_url)?,
            authorization: Some(url(&flow.authorization_url)?),
            device: None,
        },
        OAuthFlows::ClientCredentials(flow) => {
            Endpoints { token: url(&flow.token_url)?, authorization: None, device: None }
        }
        OAuthFlows::DeviceCode(flow) => Endpoints {
            token: url(&flow.token_url)?,
            authorization: None,
            device: Some(url(&flow.device_authorization_url)?),
        },
        // The protocol deprecates them; they hand tokens or passwords around.
        OAuthFlows::Implicit(_) | OAuthFlows::Password(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_card_names_an_authorization_server_only_at_trusted_origins() {
        let code = |authorize: &str, token: &str| {
            json!({ "oauth2SecurityScheme": { "flows": { "authorizationCode": {
                "authorizationUrl": authorize, "tokenUrl": token, "scopes": {} } } } })
        };
        let machine = |token: &str| {
            json!({ "oauth2SecurityScheme": { "flows": { "clientCredentials": {
                "tokenUrl": token, "scopes": {} } } } })
        };
        let device = |device: &str, token: &str| {
            json!({ "oauth2SecurityScheme": { "flows": { "deviceCode": {
                "deviceAuthorizationUrl": device, "tokenUrl": token, "scopes": {} } } } })
        };
        let metadata = |url: &str| {
            json!({ "oauth2SecurityScheme": { "oauth2MetadataUrl": url, "flows": {
                "clientCredentials": { "tokenUrl": "https://as.example/t", "scopes": {} } } } })
        };
        let oidc =
            |url: &str| json!({ "openIdConnectSecurityScheme": { "openIdConnectUrl": url } });
        const AS: &str = "https://as.example/t";
        let cases: [(Value, bool); 16] = [
            (machine(AS), true),
            (machine("https://as.example:443/other"), true),
            (machine("https://evil.example/t"), false),
            (machine("http://as.example/t"), false),
            (machine("https://as.example:8443/t"), false),
            (machine("https://as.example.evil.example/t"), false),
            (machine("https://as.example@evil.example/t"), false),
            (machine("nonsense"), false),
            (code(AS, AS), true),
            (code("https://evil.example/a", AS), false),
            (code(AS, "https://evil.example/t"), false),
            (device("https://evil.example/d", AS), false),
            (device(AS, AS), true),
            (metadata("https://evil.example/m"), false),
            (oidc("https://as.example/.well-known/openid-configuration"), true),
            (oidc("https://evil.example/.well-known/openid-configuration"), false),
        ];
        let settings = OAuth {
            flow: Flow::ClientCredentials,
            client_id: "c".into(),
            client_secret: Some("s".into()),
            issuer: Issuer::OfCard(vec![Url::parse("https://as.example").expect("a URL")]),
            scopes: Vec::new(),
            resource: None,
            cache: None,
        };
        for (scheme, good) in cases {
            let read: SecurityScheme = serde_json::from_value(scheme.clone()).expect("a scheme");
            let session = Grants::new(settings.clone()).for_scheme(Some(&read), &[]);
            assert_eq!(session.is_some(), good, "{scheme}");
            // Whoever the caller named is asked, whatever the card says.
            let named = Issuer::Named(Url::parse("https://own.example").expect("a URL"));
            let grants = Grants::new(OAuth { issuer: named, ..settings.clone() });
            let session = grants.for_scheme(Some(&read), &[]).expect("named");
            assert_eq!(session.place().as_str(), "https://own.example/");
        }
    }
}
