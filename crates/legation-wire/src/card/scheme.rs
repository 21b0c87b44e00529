//! Security schemes as 0.3, 0.2 and 0.1 write them.

use std::collections::{BTreeMap, BTreeSet};

use legation_model::{AgentCard, OAuth2SecurityScheme, OAuthFlows, SecurityScheme};
use serde::Serialize;

use super::CardForm;

/// A scheme with the members of 0.3, and in the same object the member of 1.0 where both kinds of
/// reader look: one of them takes a scheme that it does not find in its own form for mutual TLS.
#[derive(Serialize)]
pub(super) struct Scheme<'c> {
    #[serde(flatten)]
    older: Older<'c>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    current: Option<&'c SecurityScheme>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Older<'c> {
    ApiKey {
        r#in: &'c str,
        name: &'c str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'c str>,
    },
    Http {
        scheme: &'c str,
        #[serde(skip_serializing_if = "Option::is_none")]
        bearer_format: Option<&'c str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'c str>,
    },
    Oauth2 {
        flows: BTreeMap<&'static str, Flow<'c>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        oauth2_metadata_url: Option<&'c str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'c str>,
    },
    OpenIdConnect {
        open_id_connect_url: &'c str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'c str>,
    },
    #[serde(rename = "mutualTLS")]
    MutualTls {
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'c str>,
    },
}

/// An OAuth 2.0 flow; each kind has some of these.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Flow<'c> {
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_url: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_url: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_url: Option<&'c str>,
    scopes: &'c BTreeMap<String, String>,
}

impl<'c> Scheme<'c> {
    /// The scheme in a form; `None` when the form has no word for it.
    pub(super) fn of(scheme: &'c SecurityScheme, form: CardForm) -> Option<Self> {
        let older = Older::of(scheme, form)?;
        Some(Self { older, current: (form == CardForm::Hybrid).then_some(scheme) })
    }
}

impl<'c> Older<'c> {
    fn of(scheme: &'c SecurityScheme, form: CardForm) -> Option<Self> {
        use SecurityScheme as S;
        let is_0_2 = form == CardForm::V0_2;
        Some(match scheme {
            S::ApiKeySecurityScheme(key) => Self::ApiKey {
                r#in: &key.location,
                name: &key.name,
                description: key.description.as_deref(),
            },
            S::HttpAuthSecurityScheme(http) => Self::Http {
                scheme: &http.scheme,
                bearer_format: http.bearer_format.as_deref(),
                description: http.description.as_deref(),
            },
            S::OAuth2SecurityScheme(oauth) => Self::Oauth2 {
                flows: flows(&oauth.flows),
                oauth2_metadata_url: oauth.oauth2_metadata_url.as_deref().filter(|_| !is_0_2),
                description: oauth.description.as_deref(),
            },
            S::OpenIdConnectSecurityScheme(oidc) => Self::OpenIdConnect {
                open_id_connect_url: &oidc.open_id_connect_url,
                description: oidc.description.as_deref(),
            },
            S::MtlsSecurityScheme(_) if is_0_2 => return None,
            S::MtlsSecurityScheme(mtls) => {
                Self::MutualTls { description: mtls.description.as_deref() }
            }
        })
    }
}

/// The flow under its name. A device code flow has none in 0.3: its scheme stays, without a flow,
/// so that requirements still name something. That PKCE is required goes unsaid.
fn flows(flows: &OAuthFlows) -> BTreeMap<&'static str, Flow<'_>> {
    use OAuthFlows as F;
    let (name, flow) = match flows {
        F::AuthorizationCode(flow) => (
            "authorizationCode",
            Flow {
                authorization_url: Some(&flow.authorization_url),
                token_url: Some(&flow.token_url),
                refresh_url: flow.refresh_url.as_deref(),
                scopes: &flow.scopes,
            },
        ),
        F::ClientCredentials(flow) => (
            "clientCredentials",
            Flow {
                authorization_url: None,
                token_url: Some(&flow.token_url),
                refresh_url: flow.refresh_url.as_deref(),
                scopes: &flow.scopes,
            },
        ),
        F::Implicit(flow) => (
            "implicit",
            Flow {
                authorization_url: Some(flow.authorization_url.as_deref().unwrap_or_default()),
                token_url: None,
                refresh_url: flow.refresh_url.as_deref(),
                scopes: &flow.scopes,
            },
        ),
        F::Password(flow) => (
            "password",
            Flow {
                authorization_url: None,
                token_url: Some(flow.token_url.as_deref().unwrap_or_default()),
                refresh_url: flow.refresh_url.as_deref(),
                scopes: &flow.scopes,
            },
        ),
        F::DeviceCode(_) => return BTreeMap::new(),
    };
    BTreeMap::from([(name, flow)])
}

/// How to authenticate, in words for readers of 0.1: what the card requires, in its order.
#[derive(Serialize)]
pub(super) struct Authentication<'c> {
    schemes: Vec<Credential<'c>>,
}

/// One kind of credential.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Credential<'c> {
    scheme: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#in: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_url: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_id_connect_url: Option<&'c str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<&'c str>,
}

impl<'c> Authentication<'c> {
    /// What the card requires; `None` when that is nothing.
    pub(super) fn of(card: &'c AgentCard) -> Option<Self> {
        let mut seen = BTreeSet::new();
        let required = card.security_requirements.iter().flat_map(|one| one.schemes.keys());
        let schemes: Vec<_> = required
            .filter(|name| seen.insert(name.as_str()))
            .filter_map(|name| Credential::of(card.security_schemes.get(name)?))
            .collect();
        (!schemes.is_empty()).then_some(Self { schemes })
    }
}

impl<'c> Credential<'c> {
    /// Tokens of OAuth 2.0 and OpenID Connect are bearer tokens, and go by that name.
    fn of(scheme: &'c SecurityScheme) -> Option<Self> {
        use SecurityScheme as S;
        const BEARER: &str = "Bearer";
        Some(match scheme {
            S::ApiKeySecurityScheme(key) => Self {
                scheme: "ApiKey",
                description: key.description.as_deref(),
                r#in: Some(&key.location),
                name: Some(&key.name),
                ..Self::default()
            },
            S::HttpAuthSecurityScheme(http) => Self {
                scheme: &http.scheme,
                description: http.description.as_deref(),
                ..Self::default()
            },
            S::OAuth2SecurityScheme(oauth) => {
                let (token_url, scopes) = token(oauth);
                Self {
                    scheme: BEARER,
                    description: oauth.description.as_deref(),
                    token_url,
                    scopes: scopes.keys().map(String::as_str).collect(),
                    ..Self::default()
                }
            }
            S::OpenIdConnectSecurityScheme(oidc) => Self {
                scheme: BEARER,
                description: oidc.description.as_deref(),
                open_id_connect_url: Some(&oidc.open_id_connect_url),
                ..Self::default()
            },
            S::MtlsSecurityScheme(_) => return None,
        })
    }
}

/// Where tokens are issued, and their scopes.
fn token(oauth: &OAuth2SecurityScheme) -> (Option<&str>, &BTreeMap<String, String>) {
    use OAuthFlows as F;
    match &oauth.flows {
        F::AuthorizationCode(flow) => (Some(&flow.token_url), &flow.scopes),
        F::ClientCredentials(flow) => (Some(&flow.token_url), &flow.scopes),
        F::DeviceCode(flow) => (Some(&flow.token_url), &flow.scopes),
        F::Implicit(flow) => (None, &flow.scopes),
        F::Password(flow) => (flow.token_url.as_deref(), &flow.scopes),
    }
}
