//! Who may call a server: its schemes, and what cards say of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use legation_auth::{Attempts, Carrier, Chain, Integration, Scheme, Token, Tokens, Verifier};
use legation_core::{Caller, DEPLOYMENT};
use legation_http::Security;
use legation_model::{HttpAuthSecurityScheme, SecurityScheme};
use legation_store::{Store, Tokens as Kept};

use crate::DataDir;
use crate::server::StartError;

/// The name of the scheme of static tokens.
pub const BEARER: &str = "bearer";

/// The name of the scheme of integration tokens.
pub const INTEGRATION: &str = "integration";

/// The ways to be known by a server.
#[derive(Default)]
pub struct Door {
    /// Who the bearer of the server's own token is: that of `AUTH_TOKEN`, else of the one in the
    /// data directory.
    own: Option<Caller>,
    tokens: Vec<(String, Caller)>,
    /// How long an integration token is remembered, if such are taken.
    integration: Option<Duration>,
    schemes: Vec<(Scheme, Arc<str>, SecurityScheme)>,
    issuers: Vec<String>,
    attempts: Attempts,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (schemes, tokens) = (&self.schemes, self.tokens.len());
        f.debug_struct("Door")
            .field("schemes", schemes)
            .field("tokens", &tokens)
            .finish_non_exhaustive()
    }
}

impl Door {
    /// A door that nobody passes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the bearer of the server's own token in, as this caller.
    #[must_use]
    pub fn own_token(self, caller: Caller) -> Self {
        Self { own: Some(caller), ..self }
    }

    /// Lets the bearer of a token in, as this caller.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>, caller: Caller) -> Self {
        self.tokens.push((token.into(), caller));
        self
    }

    /// Lets the bearers of integration tokens in, which `legation keys` makes and revokes in the data
    /// directory. A good one is not looked up again for as long as this; as soon is a revoked one
    /// without effect.
    #[must_use]
    pub fn integration_tokens(self, remember: Duration) -> Self {
        Self { integration: Some(remember), ..self }
    }

    /// Lets those in whom a scheme knows; cards say this of it, under this name.
    #[must_use]
    pub fn scheme(
        mut self,
        name: impl Into<Arc<str>>,
        scheme: Scheme,
        on_card: SecurityScheme,
    ) -> Self {
        self.schemes.push((scheme, name.into(), on_card));
        self
    }

    /// Names an issuer of tokens that a scheme takes, for clients that look for one (RFC 9728).
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Sets how many bad credentials an address may show.
    #[must_use]
    pub fn attempts(self, attempts: Attempts) -> Self {
        Self { attempts, ..self }
    }

    /// The same door without the server's own token.
    pub(crate) fn without_own_token(self) -> Self {
        Self { own: None, ..self }
    }

    /// The static tokens.
    ///
    /// # Errors
    /// When one is weak, or the server's own cannot be had.
    pub(crate) fn static_tokens(&self, data_dir: &DataDir) -> Result<Vec<Token>, StartError> {
        let mut tokens = Vec::new();
        if let Some(caller) = &self.own {
            tokens.push(Token::new(&own_token(data_dir)?, caller.clone())?);
        }
        for (token, caller) in &self.tokens {
            tokens.push(Token::new(token, caller.clone())?);
        }
        Ok(tokens)
    }

    /// What decides, and what cards say.
    pub(crate) fn open(self, tokens: Vec<Token>, store: &Store) -> Opened {
        let mut security = Security { issuers: self.issuers, ..Security::open() };
        let mut schemes = Vec::new();
        if !tokens.is_empty() {
            let verifier = Verifier::Tokens(Tokens::new(tokens));
            schemes.push(Scheme::new(BEARER, Carrier::Bearer, verifier));
            security.schemes = Security::bearer().schemes;
        }
        let integration = self.integration.map(|remember| {
            let tokens = store.tokens(DEPLOYMENT);
            let verifier =
                Verifier::Integration(Integration::new(INTEGRATION, tokens.lookup(), remember));
            // Before those that take any token.
            schemes.push(Scheme::new(INTEGRATION, Carrier::Bearer, verifier));
            let on_card = HttpAuthSecurityScheme { scheme: "Bearer".into(), ..Default::default() };
            let on_card = SecurityScheme::HttpAuthSecurityScheme(on_card);
            security.schemes.push((INTEGRATION.into(), on_card));
            tokens
        });
        for (scheme, name, on_card) in self.schemes {
            schemes.push(scheme);
            security.schemes.push((name, on_card));
        }
        security.schemes.sort_by_key(|(_, scheme)| rank(scheme));
        Opened { chain: Chain::new(schemes, self.attempts), security, integration }
    }
}

/// A door in use.
pub(crate) struct Opened {
    /// What decides.
    pub(crate) chain: Chain,
    /// What cards say.
    pub(crate) security: Security,
    /// The integration tokens, if such are taken.
    pub(crate) integration: Option<Kept>,
}

/// The order of schemes on cards. Some clients look at the first alone, so the one that most
/// clients have comes first.
fn rank(scheme: &SecurityScheme) -> u8 {
    match scheme {
        SecurityScheme::HttpAuthSecurityScheme(_) => 0,
        SecurityScheme::ApiKeySecurityScheme(_) => 1,
        SecurityScheme::OAuth2SecurityScheme(_) => 2,
        SecurityScheme::OpenIdConnectSecurityScheme(_) => 3,
        SecurityScheme::MtlsSecurityScheme(_) => 4,
    }
}

fn own_token(data_dir: &DataDir) -> Result<String, StartError> {
    let given = std::env::var("AUTH_TOKEN").ok().filter(|token| !token.is_empty());
    given.map_or_else(
        || {
            data_dir.token_or_new().map_err(|source| {
                let path = data_dir.token_file().display().to_string();
                StartError::Token { path, source }
            })
        },
        Ok,
    )
}

/// Who the bearer of a token is of whom nothing is said.
pub(crate) fn owner() -> Caller {
    Caller { scheme: BEARER.into(), ..Caller::new("default", "owner") }
}
