//! The caller's own file: agents by short names, and what the caller is known by to them. A secret
//! stands in a variable, a file or the output of a command, never in this file.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use legation_client::credentials::Flow;
use legation_client::{Binding, Version};

use super::fault::{Fault, Faults};
use super::form::{self, choice};
use super::keys::{LOCATIONS, Location};
use super::reader::{Environment, Reader, join};
use super::setting::{
    Group, Named, Row, Slot, Tagged, Variant, group, leaf, leaves, maybe, maybe_group, named,
    required, row, tagged, unset,
};
use super::{LoadError, read_file, words, yaml};

/// The whole file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    pub(crate) agents: Named<Known>,
    pub(crate) credentials: Named<Option<Kind>>,
    pub(crate) proxy: Option<String>,
    pub(crate) no_proxy: Vec<String>,
}

impl Group for Caller {
    const ROWS: &'static [Row<Self>] = &[
        row("agents", "Agents by the names that commands take", |c| {
            named(&mut c.agents, |it| group(it))
        }),
        row("credentials", "What the caller is known by", |c| {
            named(&mut c.credentials, |it| tagged(it))
        }),
        row("proxy", "The proxy that connects to all of them", |c| {
            maybe(&mut c.proxy, form::any_text())
        }),
        row(
            "no_proxy",
            "Names, with all below them, and networks that it is passed over for",
            |c| leaves(&mut c.no_proxy, form::text()),
        ),
    ];
}

/// An agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) url: String,
    pub(crate) credentials: Vec<String>,
    pub(crate) binding: Option<Binding>,
    pub(crate) version: Option<Version>,
    pub(crate) allow_origins: Vec<String>,
    pub(crate) ca: Option<String>,
}

const BINDINGS: [(&str, Binding); 3] = [
    (Binding::JsonRpc.name(), Binding::JsonRpc),
    (Binding::HttpJson.name(), Binding::HttpJson),
    (Binding::Grpc.name(), Binding::Grpc),
];
const VERSIONS: [(&str, Version); 4] = [
    (Version::V1_0.name(), Version::V1_0),
    (Version::V0_3.name(), Version::V0_3),
    (Version::V0_2.name(), Version::V0_2),
    (Version::V0_1.name(), Version::V0_1),
];

impl Group for Known {
    const ROWS: &'static [Row<Self>] = &[
        required(row("url", "Its address, or that of its card", |a| leaf(&mut a.url, form::url()))),
        row("credentials", "The names of what the caller is known by there", |a| {
            leaves(&mut a.credentials, form::text())
        }),
        unset(
            "the card's order decides",
            row("binding", "The one protocol binding to use", |a| {
                maybe(&mut a.binding, choice(&BINDINGS))
            }),
        ),
        unset(
            "the card's order decides",
            row("version", "The one protocol version to speak", |a| {
                maybe(&mut a.version, choice(&VERSIONS))
            }),
        ),
        row(
            "allow_origins",
            "Other origins that the card may send calls and credentials to",
            |a| leaves(&mut a.allow_origins, form::origin()),
        ),
        unset(
            "those of the system",
            row("ca", "File with the authorities whose certificates are believed", |a| {
                maybe(&mut a.ca, form::path())
            }),
        ),
    ];
}

/// Where a secret is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) variable: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) command: Option<Vec<String>>,
}

impl Group for Place {
    const ROWS: &'static [Row<Self>] = &[
        row("variable", "The variable of the environment that holds it", |p| {
            maybe(&mut p.variable, form::variable())
        }),
        row("file", "The file that holds it", |p| maybe(&mut p.file, form::path())),
        row("command", "The program that prints it", |p| {
            maybe(&mut p.command, form::words_of_command())
        }),
    ];
}

impl Place {
    fn is_one(&self) -> bool {
        let Self { variable, file, command } = self;
        [variable.is_some(), file.is_some(), command.is_some()].iter().filter(|it| **it).count()
            == 1
    }
}

/// What the caller is known by, by its `type`.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Bearer(Bearer),
    ApiKey(ApiKey),
    Basic(Password),
    Digest(Password),
    OAuth(OAuth),
    Certificate(Certificate),
}

impl Tagged for Kind {
    const VARIANTS: &'static [Variant<Self>] = &[
        Variant { name: "bearer", says: "A token", make: Ok(|| Self::Bearer(Bearer::default())) },
        Variant { name: "api_key", says: "A key", make: Ok(|| Self::ApiKey(ApiKey::default())) },
        Variant {
            name: "basic",
            says: "A user name and a password",
            make: Ok(|| Self::Basic(Password::default())),
        },
        Variant {
            name: "digest",
            says: "A user name and a password that is never sent",
            make: Ok(|| Self::Digest(Password::default())),
        },
        Variant {
            name: "oauth",
            says: "Tokens of an OAuth 2.0 or OpenID Connect issuer",
            make: Ok(|| Self::OAuth(OAuth::default())),
        },
        Variant {
            name: "certificate",
            says: "A client certificate",
            make: Ok(|| Self::Certificate(Certificate::default())),
        },
    ];

    fn inside(&mut self) -> (&'static str, Slot<'_>) {
        match self {
            Self::Bearer(bearer) => ("bearer", group(bearer)),
            Self::ApiKey(key) => ("api_key", group(key)),
            Self::Basic(password) => ("basic", group(password)),
            Self::Digest(password) => ("digest", group(password)),
            Self::OAuth(oauth) => ("oauth", group(oauth)),
            Self::Certificate(certificate) => ("certificate", group(certificate)),
        }
    }
}

impl Kind {
    /// The secrets that it has, by the keys where they are.
    fn places(&self) -> Vec<(&'static str, &Place)> {
        match self {
            Self::Bearer(bearer) => vec![("token", &bearer.token)],
            Self::ApiKey(key) => vec![("key", &key.key)],
            Self::Basic(password) | Self::Digest(password) => {
                vec![("password", &password.password)]
            }
            Self::OAuth(oauth) => {
                oauth.client_secret.iter().map(|place| ("client_secret", place)).collect()
            }
            Self::Certificate(_) => Vec::new(),
        }
    }
}

/// A token.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bearer {
    pub(crate) token: Place,
}

impl Group for Bearer {
    const ROWS: &'static [Row<Self>] =
        &[required(row("token", "Where the token is", |b| group(&mut b.token)))];
}

/// A key.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApiKey {
    pub(crate) key: Place,
    pub(crate) location: Location,
    pub(crate) name: Option<String>,
}

impl Group for ApiKey {
    const ROWS: &'static [Row<Self>] = &[
        required(row("key", "Where the key is", |k| group(&mut k.key))),
        row("location", "Where in a request it goes, if `name` is there", |k| {
            leaf(&mut k.location, choice(&LOCATIONS))
        }),
        unset(
            "where the agent's card says",
            row("name", "The name of the header, the parameter or the cookie", |k| {
                maybe(&mut k.name, form::text())
            }),
        ),
    ];
}

/// A user name and a password.
#[derive(Clone, Debug, Default)]
pub(crate) struct Password {
    pub(crate) user: String,
    pub(crate) password: Place,
    pub(crate) allow_md5: bool,
}

impl Group for Password {
    const ROWS: &'static [Row<Self>] = &[
        required(row("user", "The user name", |p| leaf(&mut p.user, form::text()))),
        required(row("password", "Where the password is", |p| group(&mut p.password))),
        row("allow_md5", "Whether Digest may use MD5, where the server knows nothing else", |p| {
            leaf(&mut p.allow_md5, form::flag())
        }),
    ];
}

/// Tokens of an issuer.
#[derive(Clone, Debug)]
pub(crate) struct OAuth {
    pub(crate) flow: Flow,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<Place>,
    pub(crate) issuer: Option<String>,
    pub(crate) trusted_origins: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) resource: Option<String>,
}

impl Default for OAuth {
    fn default() -> Self {
        Self {
            flow: Flow::AuthorizationCode,
            client_id: String::new(),
            client_secret: None,
            issuer: None,
            trusted_origins: Vec::new(),
            scopes: Vec::new(),
            resource: None,
        }
    }
}

const FLOWS: [(&str, Flow); 3] = [
    ("authorization_code", Flow::AuthorizationCode),
    ("client_credentials", Flow::ClientCredentials),
    ("device_code", Flow::DeviceCode),
];

impl Group for OAuth {
    const ROWS: &'static [Row<Self>] = &[
        row("flow", "How tokens are got", |o| leaf(&mut o.flow, choice(&FLOWS))),
        required(row("client_id", "The client's name at the issuer", |o| {
            leaf(&mut o.client_id, form::text())
        })),
        unset(
            "a public client",
            row("client_secret", "Where the client's secret is", |o| {
                maybe_group(&mut o.client_secret)
            }),
        ),
        unset(
            "the one that the agent's card names, at `trusted_origins`",
            row("issuer", "Who issues the tokens", |o| maybe(&mut o.issuer, form::url())),
        ),
        row("trusted_origins", "Where a card may say that tokens are issued", |o| {
            leaves(&mut o.trusted_origins, form::origin())
        }),
        unset(
            "what the agent's card asks for",
            row("scopes", "What the tokens are for", |o| leaves(&mut o.scopes, form::text())),
        ),
        row("resource", "Where they are used (RFC 8707)", |o| maybe(&mut o.resource, form::url())),
    ];
}

/// A client certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificate {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Group for Certificate {
    const ROWS: &'static [Row<Self>] = &[
        required(row("certificate", "File with the certificate and its chain, in PEM", |c| {
            leaf(&mut c.certificate, form::path())
        })),
        required(row("key", "File with its key, in PEM", |c| leaf(&mut c.key, form::path()))),
    ];
}

/// Reads a caller's file; none when there is none.
///
/// # Errors
/// When it cannot be read, or with everything that is wrong with it.
pub(crate) fn load_caller(path: &Path) -> Result<Option<Caller>, LoadError> {
    let name = path.display().to_string();
    let text = match read_file(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LoadError::Read { path: name, source }),
    };
    let environment = |name: &str| std::env::var(name).ok();
    read(&name, &text, &environment).map(Some).map_err(LoadError::Faults)
}

/// The user's: `$XDG_CONFIG_HOME/legation/config.yaml`, else `~/.config/legation/config.yaml`; none for
/// a user without a home.
pub(crate) fn file_of_user() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let config = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || variable("HOME").map(|home| Path::new(&home).join(".config"));
    Some(config.or_else(home)?.join("legation/config.yaml"))
}

fn read(file: &str, text: &str, environment: Environment<'_>) -> Result<Caller, Faults> {
    let mut faults = Vec::new();
    let Some(tree) = yaml::parse(text, &mut faults) else { return Err(Faults::new(file, faults)) };
    let mut reader = Reader::new(environment, faults);
    let mut caller = Caller::default();
    group(&mut caller).read(&tree, &mut reader);
    let Reader { mut faults, sources, .. } = reader;
    let mut fault = |path: String, what: String| {
        let at = sources.get(&path).map(|source| source.at);
        let at = at.unwrap_or(yaml::At { line: 1, column: 1 });
        // What is missing or misspelled has been told.
        if !faults.iter().any(|fault: &Fault| fault.path.starts_with(&path)) {
            faults.push(Fault { at, path, what });
        }
    };
    for (name, kind) in &caller.credentials {
        let path = join("credentials", name);
        let Some(kind) = kind else { continue };
        for (key, place) in kind.places() {
            if !place.is_one() {
                let what = "say one of `variable`, `file` and `command`";
                fault(join(&path, key), what.into());
            }
        }
        if let Kind::OAuth(oauth) = kind
            && oauth.issuer.is_none()
            && oauth.trusted_origins.is_empty()
        {
            fault(path, "say who issues the tokens: `issuer`, or `trusted_origins`".into());
        }
    }
    let known = || caller.credentials.iter().map(|(name, _)| name.as_str());
    for (alias, agent) in &caller.agents {
        let path = join("agents", alias);
        if alias.contains(['/', ':']) {
            fault(path.clone(), "a name has neither `/` nor `:`, which addresses have".into());
        }
        for (number, name) in agent.credentials.iter().enumerate() {
            if !known().any(|known| known == name) {
                let what =
                    format!("there is no such credential; {}", words::instead(name, known()));
                fault(format!("{path}.credentials[{number}]"), what);
            }
        }
    }
    if faults.is_empty() { Ok(caller) } else { Err(Faults::new(file, faults)) }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.variable, &self.file, &self.command) {
            (Some(variable), _, _) => write!(f, "the variable {variable}"),
            (_, Some(file), _) => write!(f, "the file {file}"),
            (_, _, Some(command)) => write!(f, "the output of `{}`", command.join(" ")),
            (None, None, None) => f.write_str("nowhere"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_file_is_read_strictly() {
        const GOOD: &str = "agents: {a: {url: https://a, credentials: [c], binding: JSONRPC}}\n\
            credentials: {c: {type: bearer, token: {variable: T}}}";
        let cases = [
            (GOOD, "good"),
            ("{}", "good"),
            ("credentials: {c: {type: basic, user: u, password: {command: pass show x}}}", "good"),
            (
                "credentials: {c: {type: digest, user: u, password: {file: p}, allow_md5: true}}",
                "good",
            ),
            (
                "credentials: {c: {type: oauth, client_id: i, issuer: https://i, flow: device_code}}",
                "good",
            ),
            ("credentials: {c: {type: certificate, certificate: c.pem, key: k.pem}}", "good"),
            // Secrets do not stand here.
            (
                "credentials: {c: {type: bearer, token: s3cret}}",
                "`credentials.c.token`: expected keys",
            ),
            ("credentials: {c: {type: bearer, token: {}}}", "`credentials.c.token`: say one of"),
            (
                "credentials: {c: {type: bearer, token: {variable: T, file: f}}}",
                "`credentials.c.token`: say one of",
            ),
            ("credentials: {c: {type: bearer}}", "`credentials.c.token`: missing"),
            ("credentials: {c: {type: bear}}", "`credentials.c.type`: expected"),
            ("credentials: {c: {type: oauth, client_id: i}}", "`credentials.c`: say who issues"),
            (
                "credentials: {c: {type: oauth, client_id: i, trusted_origins: [https://a/x]}}",
                "an origin",
            ),
            (
                "agents: {a: {url: https://a, credentials: [c]}}",
                "`agents.a.credentials[0]`: there is no such credential",
            ),
            ("agents: {a: {}}", "`agents.a.url`: missing"),
            ("agents: {a/b: {url: https://a}}", "neither `/` nor `:`"),
            (
                "agents: {a: {url: https://a, bindng: JSONRPC}}",
                "`agents.a.bindng`: there is no such key",
            ),
            ("agent: {}", "`agent`: there is no such key"),
        ];
        for (text, expected) in cases {
            let told = match read("f.yaml", text, &|_| None) {
                Ok(_) => "good".to_owned(),
                Err(faults) => faults.to_string(),
            };
            assert!(told.contains(expected) && !told.contains('\n'), "{text}: {told}");
        }
    }
}
