//! What an agent wants of its callers, in words.

use std::fmt;

use http::{HeaderMap, header};
use legation_model::{AgentCard, OAuthFlows, SecurityScheme};

/// What an agent wants of its callers, as its card and its refusals say: for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Each is enough; within one, all are needed.
    pub alternatives: Vec<Vec<Need>>,
    /// What a server said when it refused (`WWW-Authenticate`).
    pub challenges: Vec<String>,
}

/// One thing that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The name of the scheme in the card.
    pub scheme: String,
    /// What it is, such as "a bearer token".
    pub what: String,
    /// Whether the caller has it.
    pub is_there: bool,
}

impl Needs {
    /// What a card asks for. `is_there` tells what the caller has.
    pub(super) fn of_card(card: &AgentCard, is_there: impl Fn(&str) -> bool) -> Self {
        let need = |name: &String, scopes: &[String]| Need {
            scheme: plain(name),
            what: what(card.security_schemes.get(name), scopes),
            is_there: is_there(name),
        };
        let alternatives = card.security_requirements.iter().map(|alternative| {
            let schemes = alternative.schemes.iter();
            schemes.map(|(name, scopes)| need(name, &scopes.list)).collect()
        });
        Self { alternatives: alternatives.collect(), challenges: Vec::new() }
    }

    /// The same with what a server said when it refused.
    #[must_use]
    pub(crate) fn refused(mut self, headers: &HeaderMap) -> Self {
        let told = headers.get_all(header::WWW_AUTHENTICATE).iter();
        self.challenges =
            told.map(|value| plain(&String::from_utf8_lossy(value.as_bytes()))).collect();
        self
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.alternatives.is_empty() && self.challenges.is_empty()
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, alternative) in self.alternatives.iter().enumerate() {
            f.write_str(if number == 0 { "the agent's card asks for " } else { ", or for " })?;
            if alternative.is_empty() {
                f.write_str("nothing")?;
            }
            for (number, need) in alternative.iter().enumerate() {
                let joint = if number == 0 { "" } else { " together with " };
                let there = if need.is_there { ", which you have" } else { "" };
                write!(f, "{joint}{} (`{}`{there})", need.what, need.scheme)?;
            }
        }
        if !self.challenges.is_empty() {
            let joint = if self.alternatives.is_empty() { "" } else { "; " };
            write!(f, "{joint}the server asks for `{}`", self.challenges.join("`, `"))?;
        }
        Ok(())
    }
}

fn what(scheme: Option<&SecurityScheme>, scopes: &[String]) -> String {
    let Some(scheme) = scheme else { return "something that the card does not explain".into() };
    let scopes: Vec<_> = scopes.iter().map(|scope| plain(scope)).collect();
    let scoped = match &scopes[..] {
        [] => String::new(),
        scopes => format!(" with the scopes {}", scopes.join(", ")),
    };
    match scheme {
        SecurityScheme::ApiKeySecurityScheme(key) => {
            format!("an API key in the {} `{}`", plain(&key.location), plain(&key.name))
        }
        SecurityScheme::HttpAuthSecurityScheme(http) => {
            let format =
                http.bearer_format.as_deref().map(|format| format!(" ({})", plain(format)));
            match http.scheme.to_ascii_lowercase().as_str() {
                "bearer" => format!("a bearer token{}{scoped}", format.unwrap_or_default()),
                "basic" => "a user name and a password".into(),
                "digest" => "a user name and a password (Digest)".into(),
                other => format!("credentials of the kind `{}`", plain(other)),
            }
        }
        SecurityScheme::OAuth2SecurityScheme(oauth) => {
            let (flow, place) = match &oauth.flows {
                OAuthFlows::AuthorizationCode(flow) => ("authorization code", &*flow.token_url),
                OAuthFlows::ClientCredentials(flow) => ("client credentials", &*flow.token_url),
                OAuthFlows::DeviceCode(flow) => ("device code", &*flow.token_url),
                OAuthFlows::Implicit(flow) => {
                    ("implicit", flow.authorization_url.as_deref().unwrap_or_default())
                }
                OAuthFlows::Password(flow) => {
                    ("password", flow.token_url.as_deref().unwrap_or_default())
                }
            };
            format!("a token of OAuth 2.0 ({flow}) from {}{scoped}", plain(place))
        }
        SecurityScheme::OpenIdConnectSecurityScheme(oidc) => {
            format!("a token of the issuer at {}{scoped}", plain(&oidc.open_id_connect_url))
        }
        SecurityScheme::MtlsSecurityScheme(_) => "a client certificate".into(),
    }
}

/// What strangers wrote, so that it stands in a line of ours.
pub(super) fn plain(text: &str) -> String {
    const LONGEST: usize = 300;
    text.chars().filter(|next| !next.is_control() && *next != '`').take(LONGEST).collect()
}
