//! Who may call, and how callers are known.

use std::time::Duration;

use legation::{Algorithm, Attempts, Network};

use super::Config;
use crate::config::form::{self, Secret, choice, count};
use crate::config::setting::{
    Either, Group, Item, Named, Row, Slot, Tagged, Variant, each, group, leaf, leaves, maybe,
    maybe_leaves, named, required, row, tagged, unset,
};

/// Who may call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Auth {
    pub(crate) access: Access,
    pub(crate) schemes: Vec<Scheme>,
    pub(crate) attempts: Attempts,
}

/// Whether there is a door at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Access {
    /// Those whom a scheme knows.
    Known,
    /// Everybody.
    Open,
}

impl Default for Auth {
    fn default() -> Self {
        let attempts = Attempts::default();
        Self { access: Access::Known, schemes: vec![Scheme::default()], attempts }
    }
}

const OPEN: [(&str, Access); 1] = [("none", Access::Open)];

/// The place of who may call: `none`, or keys.
pub(super) fn auth(config: &mut Config) -> Slot<'_> {
    Box::new(Either {
        place: &mut config.auth,
        short: |auth| leaf(&mut auth.access, choice(&OPEN)),
        long: |auth| group(auth),
        is_short: |auth| auth.access == Access::Open,
    })
}

impl Group for Auth {
    const ROWS: &'static [Row<Self>] = &[
        required(row("schemes", "The ways to authenticate", |a| each(&mut a.schemes))),
        row("attempts", "How many bad credentials an address may show", |a| group(&mut a.attempts)),
    ];
}

impl Group for Attempts {
    const ROWS: &'static [Row<Self>] = &[
        row("count", "So many; then it has to wait", |a| leaf(&mut a.count, count())),
        row("within", "In this time", |a| leaf(&mut a.within, form::time())),
    ];
}

/// One way to authenticate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scheme(pub(crate) Option<Way>);

impl Default for Scheme {
    fn default() -> Self {
        Self(Some(Way::SimpleToken(SimpleToken::default())))
    }
}

impl Scheme {
    /// The token of its own, if it has one.
    pub(crate) fn token(&self) -> Option<&str> {
        self.simple()?.token.as_ref().map(Secret::reveal)
    }

    /// Whom it stands for, if it is one static secret.
    pub(crate) fn holder(&self) -> Option<&Holder> {
        match &self.0 {
            Some(Way::SimpleToken(token)) => Some(&token.holder),
            Some(Way::ApiKey(key)) => Some(&key.holder),
            _ => None,
        }
    }

    /// The token, if it is one.
    pub(crate) fn simple(&self) -> Option<&SimpleToken> {
        match &self.0 {
            Some(Way::SimpleToken(token)) => Some(token),
            _ => None,
        }
    }
}

impl Item for Scheme {
    fn slot(&mut self) -> Slot<'_> {
        tagged(&mut self.0)
    }
}

/// A way to authenticate, by its `type`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Way {
    SimpleToken(SimpleToken),
    Oidc(Oidc),
    OAuth2(OAuth2),
    ApiKey(ApiKey),
    Mtls(Mtls),
    Enterprise(Enterprise),
    Integration(Integration),
}

impl Tagged for Way {
    const VARIANTS: &'static [Variant<Self>] = &[
        Variant {
            name: "simple_token",
            says: "Bearers of a token",
            make: Ok(|| Self::SimpleToken(SimpleToken::default())),
        },
        Variant {
            name: "oidc",
            says: "Bearers of tokens that an OpenID Connect issuer has signed",
            make: Ok(|| Self::Oidc(Oidc::default())),
        },
        Variant {
            name: "oauth2",
            says: "Bearers of tokens of an OAuth 2.0 server, which are signed or asked about",
            make: Ok(|| Self::OAuth2(OAuth2::default())),
        },
        Variant {
            name: "api_key",
            says: "Keys in a header, a query or a cookie",
            make: Ok(|| Self::ApiKey(ApiKey::default())),
        },
        Variant {
            name: "mtls",
            says: "Client certificates",
            make: Ok(|| Self::Mtls(Mtls::default())),
        },
        Variant {
            name: "enterprise_token",
            says: "Tokens that another deployment or platform issued, which it is asked about",
            make: Ok(|| Self::Enterprise(Enterprise::default())),
        },
        Variant {
            name: "integration_token",
            says: "Tokens that `legation keys create` makes, which can be revoked at any time",
            make: Ok(|| Self::Integration(Integration::default())),
        },
    ];

    fn inside(&mut self) -> (&'static str, Slot<'_>) {
        match self {
            Self::SimpleToken(token) => ("simple_token", group(token)),
            Self::Oidc(oidc) => ("oidc", group(oidc)),
            Self::OAuth2(oauth) => ("oauth2", group(oauth)),
            Self::ApiKey(key) => ("api_key", group(key)),
            Self::Mtls(mtls) => ("mtls", group(mtls)),
            Self::Enterprise(enterprise) => ("enterprise_token", group(enterprise)),
            Self::Integration(integration) => ("integration_token", group(integration)),
        }
    }
}

/// Whom a secret stands for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Holder {
    pub(crate) subject: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) roles: Vec<String>,
    pub(crate) agents: Option<Vec<String>>,
}

/// The rows of a holder within those of something that has one.
macro_rules! holder_rows {
    ($($row:expr),* $(,)?) => {
        &[
            $($row,)*
            unset(
                "`owner`, which one secret of a tenant may be without saying so",
                row("subject", "Who its bearer is; each has tasks of their own", |s| {
                    maybe(&mut s.holder.subject, form::text())
                }),
            ),
            unset(
                "`default`",
                row("tenant", "The tenant of its bearer", |s| {
                    maybe(&mut s.holder.tenant, form::text())
                }),
            ),
            unset(
                "all",
                row(
                    "scopes",
                    "What it is good for: `read`, `send`, `cancel`, `erase`, `push`, `admin`",
                    |s| maybe_leaves(&mut s.holder.scopes, form::text()),
                ),
            ),
            row("roles", "The roles of its bearer", |s| leaves(&mut s.holder.roles, form::text())),
            unset(
                "all",
                row("agents", "The agents it is good for", |s| {
                    maybe_leaves(&mut s.holder.agents, form::text())
                }),
            ),
        ]
    };
}

/// A bearer token.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SimpleToken {
    pub(crate) token: Option<Secret>,
    pub(crate) holder: Holder,
}

impl Group for SimpleToken {
    const ROWS: &'static [Row<Self>] = holder_rows![unset(
        "that of `AUTH_TOKEN`, else one that is made and kept in the store's directory",
        row("token", "The token, of 32 bytes at least", |s| maybe(&mut s.token, form::token())),
    )];
}

/// Where a key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Location {
    #[default]
    Header,
    Query,
    Cookie,
}

pub(crate) const LOCATIONS: [(&str, Location); 3] =
    [("header", Location::Header), ("query", Location::Query), ("cookie", Location::Cookie)];

/// An API key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiKey {
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) api_key: Secret,
    pub(crate) holder: Holder,
}

impl Default for ApiKey {
    fn default() -> Self {
        Self {
            name: "X-API-Key".into(),
            location: Location::default(),
            api_key: Secret::default(),
            holder: Holder::default(),
        }
    }
}

impl Group for ApiKey {
    const ROWS: &'static [Row<Self>] = holder_rows![
        required(row("api_key", "The key, of 32 bytes at least", |s| {
            leaf(&mut s.api_key, form::token())
        })),
        row("name", "The name of the header, parameter or cookie", |s| {
            leaf(&mut s.name, form::name_of_secret())
        }),
        row("location", "Where it is", |s| leaf(&mut s.location, choice(&LOCATIONS))),
    ];
}

/// What claims mean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claims {
    pub(crate) subject: String,
    pub(crate) tenant: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) roles: Option<String>,
}

impl Default for Claims {
    fn default() -> Self {
        let scopes = vec!["scope".into(), "scp".into()];
        Self { subject: "sub".into(), tenant: None, scopes, roles: None }
    }
}

impl Group for Claims {
    const ROWS: &'static [Row<Self>] = &[
        row("subject", "The claim that says who the caller is", |c| {
            leaf(&mut c.subject, form::text())
        }),
        unset(
            "`tenant` for everybody",
            row("tenant", "The claim with the tenant; tokens without it are refused", |c| {
                maybe(&mut c.tenant, form::text())
            }),
        ),
        row("scopes", "The claims with scopes", |c| leaves(&mut c.scopes, form::text())),
        row("roles", "The claim with roles, such as `realm_access.roles`", |c| {
            maybe(&mut c.roles, form::text())
        }),
    ];
}

/// What all issuers have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Issued {
    pub(crate) audience: Vec<String>,
    /// Whether tokens count that are for anybody else.
    pub(crate) any_audience: bool,
    pub(crate) claims: Claims,
    pub(crate) tenant: Option<String>,
    pub(crate) scopes: Named<Vec<String>>,
    pub(crate) grant: Vec<String>,
    pub(crate) private_network: bool,
}

const ANY: [(&str, bool); 1] = [("any", true)];

/// The place of whom tokens have to be for, where the issuer is asked about them.
fn audience_or_any(issued: &mut Issued) -> Slot<'_> {
    Box::new(Either {
        place: issued,
        short: |issued| leaf(&mut issued.any_audience, choice(&ANY)),
        long: |issued| leaves(&mut issued.audience, form::text()),
        is_short: |issued| issued.any_audience,
    })
}

/// The rows of what is issued within those of something that has it.
macro_rules! issued_rows {
    ($($row:expr),* $(,)?) => {
        &[
            $($row,)*
            row("claims", "Which claims say what of the caller", |s| group(&mut s.issued.claims)),
            unset(
                "`default`",
                row("tenant", "The tenant of everybody, unless a claim says it", |s| {
                    maybe(&mut s.issued.tenant, form::text())
                }),
            ),
            row(
                "scopes",
                "What the issuer's scopes are called here: each a list of `read`, `send`, `cancel`, `erase`, `push`, `admin` or names of your own; others keep their names",
                |s| named(&mut s.issued.scopes, |list| leaves(list, form::text())),
            ),
            row("grant", "Scopes that everybody has whom the issuer knows", |s| {
                leaves(&mut s.issued.grant, form::text())
            }),
            row(
                "private_network",
                "Whether the issuer may be on a private network, and without TLS",
                |s| leaf(&mut s.issued.private_network, form::flag()),
            ),
        ]
    };
}

/// Signed tokens of an OpenID Connect issuer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Oidc {
    pub(crate) issuer: String,
    pub(crate) jwks_url: Option<String>,
    pub(crate) jwks_hosts: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) required_claims: Vec<String>,
    pub(crate) clock_skew: Duration,
    pub(crate) remember: Duration,
    pub(crate) outage: Duration,
    pub(crate) issued: Issued,
}

/// How long keys count when their issuer cannot be reached.
const OUTAGE: Duration = Duration::from_secs(24 * 3_600);

impl Default for Oidc {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            jwks_url: None,
            jwks_hosts: Vec::new(),
            algorithms: Vec::new(),
            required_claims: Vec::new(),
            clock_skew: Duration::from_secs(60),
            remember: Duration::from_secs(60),
            outage: OUTAGE,
            issued: Issued::default(),
        }
    }
}

pub(crate) const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

impl Group for Oidc {
    const ROWS: &'static [Row<Self>] = issued_rows![
        required(row("issuer", "The issuer, exactly as its tokens have it", |s| {
            leaf(&mut s.issuer, form::url())
        })),
        required(row("audience", "Tokens for one of these are taken, and no others", |s| {
            leaves(&mut s.issued.audience, form::text())
        })),
        unset(
            "where the issuer's discovery document says",
            row("jwks_url", "Where the issuer's keys are", |s| {
                maybe(&mut s.jwks_url, form::url())
            }),
        ),
        row("jwks_hosts", "Hosts besides the issuer's where its keys may be", |s| {
            leaves(&mut s.jwks_hosts, form::host())
        }),
        unset(
            "those of the issuer's keys",
            row("algorithms", "The algorithms of signatures that are taken", |s| {
                leaves(&mut s.algorithms, choice(&ALGORITHMS))
            }),
        ),
        row("required_claims", "Claims that have to be there", |s| {
            leaves(&mut s.required_claims, form::text())
        }),
        row("clock_skew", "How far clocks may differ", |s| {
            leaf(&mut s.clock_skew, form::time_from_none())
        }),
        row("remember", "How long a verified token needs no further look, within its life", |s| {
            leaf(&mut s.remember, form::time_from_none())
        }),
        row("outage", "How long the keys at hand count when the issuer cannot be reached", |s| {
            leaf(&mut s.outage, form::time())
        }),
    ];
}

/// How an issuer is asked about tokens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Questions {
    /// At once.
    pub(crate) open: usize,
    /// Those that wait for their turn among them.
    pub(crate) all: usize,
}

impl Default for Questions {
    fn default() -> Self {
        Self { open: 64, all: 4_096 }
    }
}

impl Group for Questions {
    const ROWS: &'static [Row<Self>] = &[
        row("open", "So many at once", |q| leaf(&mut q.open, count())),
        row(
            "all",
            "So many with those that wait for their turn, 2s at most; callers beyond get 503",
            |q| leaf(&mut q.all, count()),
        ),
    ];
}

/// Tokens of an OAuth 2.0 server: signed ones, or any when it is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OAuth2 {
    pub(crate) issuer: Option<String>,
    pub(crate) token_url: String,
    pub(crate) authorization_url: Option<String>,
    pub(crate) introspection_url: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<Secret>,
    pub(crate) jwks_url: Option<String>,
    pub(crate) jwks_hosts: Vec<String>,
    pub(crate) questions: Questions,
    pub(crate) issued: Issued,
}

impl Group for OAuth2 {
    const ROWS: &'static [Row<Self>] = issued_rows![
        required(row("token_url", "Where clients get tokens; it is on the card", |s| {
            leaf(&mut s.token_url, form::url())
        })),
        row("authorization_url", "Where people agree; it is on the card", |s| {
            maybe(&mut s.authorization_url, form::url())
        }),
        row("issuer", "The issuer, exactly as its tokens have it; needed for signed tokens", |s| {
            maybe(&mut s.issuer, form::url())
        }),
        required(row(
            "audience",
            "Tokens for one of these are taken, and no others; where the server is asked, `any` takes also those that were given for something else",
            |s| audience_or_any(&mut s.issued),
        )),
        row("introspection_url", "Where to ask about tokens (RFC 7662)", |s| {
            maybe(&mut s.introspection_url, form::url())
        }),
        row("client_id", "Who asks there", |s| maybe(&mut s.client_id, form::text())),
        row("client_secret", "The secret of who asks there", |s| {
            maybe(&mut s.client_secret, form::header_value())
        }),
        unset(
            "where the issuer's discovery document says",
            row("jwks_url", "Where the issuer's keys are", |s| {
                maybe(&mut s.jwks_url, form::url())
            }),
        ),
        row("jwks_hosts", "Hosts besides the issuer's where its keys may be", |s| {
            leaves(&mut s.jwks_hosts, form::host())
        }),
        row("questions", "How many questions about tokens there may be", |s| {
            group(&mut s.questions)
        }),
    ];
}

/// Tokens that whoever issued them is asked about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Enterprise {
    pub(crate) verify_url: String,
    pub(crate) prefix: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<Secret>,
    pub(crate) questions: Questions,
    pub(crate) issued: Issued,
}

impl Group for Enterprise {
    const ROWS: &'static [Row<Self>] = issued_rows![
        required(row("verify_url", "Where to ask about them, as RFC 7662 asks", |s| {
            leaf(&mut s.verify_url, form::url())
        })),
        unset("any", row("prefix", "How they begin", |s| maybe(&mut s.prefix, form::text())),),
        row("client_id", "Who asks there", |s| maybe(&mut s.client_id, form::text())),
        row("client_secret", "The secret of who asks there", |s| {
            maybe(&mut s.client_secret, form::header_value())
        }),
        required(row(
            "audience",
            "Tokens for one of these are taken, and no others; `any` takes also those that were given for something else",
            |s| audience_or_any(&mut s.issued),
        )),
        row("questions", "How many questions about tokens there may be", |s| {
            group(&mut s.questions)
        }),
    ];
}

/// Tokens that the operator makes and takes back while the server works.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Integration {
    pub(crate) remember: Duration,
}

impl Integration {
    /// The longest that one may be remembered.
    pub(crate) const MOST: Duration = Duration::from_secs(5);
}

impl Default for Integration {
    fn default() -> Self {
        Self { remember: Duration::from_secs(2) }
    }
}

impl Group for Integration {
    const ROWS: &'static [Row<Self>] = &[row(
        "remember",
        "How long a good one needs no further look, and a revoked one may still count; `5s` at most",
        |s| leaf(&mut s.remember, form::time_from_none()),
    )];
}

/// Client certificates.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mtls {
    pub(crate) tenant: Option<String>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) proxies: Vec<Network>,
}

impl Group for Mtls {
    const ROWS: &'static [Row<Self>] = &[
        unset(
            "`default`",
            row("tenant", "The tenant of everybody with a certificate", |s| {
                maybe(&mut s.tenant, form::text())
            }),
        ),
        unset(
            "all",
            row("scopes", "What certificates are good for", |s| {
                maybe_leaves(&mut s.scopes, form::text())
            }),
        ),
        row(
            "proxies",
            "Proxies that are believed when they pass a certificate on, in `Client-Cert` or `X-Forwarded-Client-Cert`",
            |s| leaves(&mut s.proxies, form::network()),
        ),
    ];
}
