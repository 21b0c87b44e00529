//! Who is called, with what credential, and the command lines that go on from there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use legation_client::{
    Authorities, Binding, Client, Credential, Credentials, Error, Identity, Limits, Observer,
    Options, Proxy, Retry, Trace, TraceContext, Version, is_loopback,
};
use url::Url;

use super::exit::Failure;
use super::out::note;
use super::profile::Profile;
use super::serve::data_dir;
use super::text::quote;
use super::tokens::lifetime;
use super::updates::HowTold;

/// The agent to call.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Target {
    /// Address of the agent, such as http://127.0.0.1:8080, or of its card; or its name in your profiles
    url: String,
    /// Bearer token. A server on this machine needs none: its own is found in the data directory
    #[arg(long, env = "LEGATION_TOKEN", hide_env_values = true, help_heading = "Calling")]
    token: Option<String>,
    /// Where a server on this machine keeps its token [default: the user's data directory]
    #[arg(long, value_name = "DIR", env = "LEGATION_DATA_DIR", help_heading = "Calling")]
    data_dir: Option<PathBuf>,
    /// The one protocol binding to use; the card's order decides otherwise
    #[arg(long, value_parser = bindings(), ignore_case = true, help_heading = "Calling")]
    binding: Option<Binding>,
    /// The one version of the protocol to speak; the card's order decides otherwise
    #[arg(long, value_name = "VERSION", value_parser = versions(), help_heading = "Calling")]
    protocol_version: Option<Version>,
    /// Another origin that the card may send calls and the token to
    #[arg(long, value_name = "URL", help_heading = "Calling")]
    allow_origin: Vec<Url>,
    /// Authorities in PEM whose certificates are believed, instead of those of the system
    #[arg(long, value_name = "FILE", env = "LEGATION_CA", help_heading = "Calling")]
    ca: Option<PathBuf>,
    /// Your own certificate in PEM, for agents that know callers by it
    #[arg(long, value_name = "FILE", requires = "client_key", help_heading = "Calling")]
    client_cert: Option<PathBuf>,
    /// The key of that certificate in PEM
    #[arg(long, value_name = "FILE", requires = "client_cert", help_heading = "Calling")]
    client_key: Option<PathBuf>,
    /// The HTTP proxy that connects to the agent
    #[arg(
        long,
        value_name = "URL",
        env = "LEGATION_PROXY",
        hide_env_values = true,
        help_heading = "Calling"
    )]
    proxy: Option<String>,
    /// File with agents and credentials by name [default: the user's, such as ~/.config/legation/config.yaml]
    #[arg(long, value_name = "FILE", env = "LEGATION_PROFILES", help_heading = "Calling")]
    profiles: Option<PathBuf>,
    /// How long a call may take in all, such as 30s; a stream, until it begins
    #[arg(long, value_name = "DURATION", value_parser = lifetime, help_heading = "Calling")]
    timeout: Option<Duration>,
}

fn bindings() -> impl clap::builder::TypedValueParser<Value = Binding> {
    let names = Binding::ALL.map(Binding::name);
    PossibleValuesParser::new(names).map(|name| {
        let name = name.to_ascii_uppercase();
        Binding::from_name(&name).expect("one of the names just given")
    })
}

fn versions() -> impl clap::builder::TypedValueParser<Value = Version> {
    let names = Version::SERVED.map(Version::name);
    PossibleValuesParser::new(names)
        .map(|name| Version::parse(&name).expect("one of the names just given"))
}

impl Target {
    /// The agent as somebody to talk to.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let client = Client::discover(&self.address()?, self.options()?).await;
        client.map_err(|error| self.failure(&error))
    }

    /// The same, with a way to learn what becomes of tasks.
    pub(crate) async fn connect_told(&self, how: &HowTold) -> Result<Client, Failure> {
        let options = Options { updates: how.updates().await?, ..self.options()? };
        let client = Client::discover(&self.address()?, options).await;
        client.map_err(|error| self.failure(&error))
    }

    /// The same by one binding, whichever the card names first.
    pub(crate) async fn connect_by(&self, binding: Binding) -> Result<Client, Failure> {
        let options = self.options()?;
        if options.binding.is_some_and(|pinned| pinned != binding) {
            return Err(Failure::usage(format!("this goes by {} only", binding.name())));
        }
        let options = Options { binding: Some(binding), ..options };
        let client = Client::discover(&self.address()?, options).await;
        client.map_err(|error| self.failure(&error))
    }

    /// How calls are made.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let profile = self.profile()?;
        let agent = profile.agent(&self.url);
        let mut credentials = match agent {
            Some(agent) => profile.credentials(agent)?,
            None => Credentials::none(),
        };
        // A token that is there for every agent is not for those that have their own.
        let is_own = agent.is_some_and(|agent| !agent.credentials.is_empty());
        let token = if is_own && self.is_token_of_all() { None } else { self.token()? };
        for credential in [self.certificate()?, token].into_iter().flatten() {
            credentials = credentials.and(credential);
        }
        let origins = agent.map(|agent| agent.allow_origins.as_slice()).unwrap_or_default();
        let origins = origins.iter().filter_map(|origin| Url::parse(origin).ok());
        let ca = agent.and_then(|agent| agent.ca.as_ref()).map(|path| profile.path(path));
        let variable = |name| std::env::var(name).ok();
        let state = variable("TRACESTATE");
        let trace = variable("TRACEPARENT")
            .and_then(|parent| TraceContext::parse(&parent, state.as_deref()))
            .map_or_else(Trace::default, Trace::within);
        Ok(Options {
            credentials,
            trace,
            limits: Limits { total: self.timeout, ..Limits::default() },
            binding: self.binding.or(agent.and_then(|agent| agent.binding)),
            version: self.protocol_version.or(agent.and_then(|agent| agent.version)),
            trusted_origins: self.allow_origin.iter().cloned().chain(origins).collect(),
            authorities: self.authorities(ca)?,
            proxy: self.proxy()?.map_or_else(|| profile.proxy(), |proxy| Ok(Some(proxy)))?,
            observer: Observer::new(tell_retry),
            ..Options::default()
        })
    }

    /// The address, also where a name was given for it.
    pub(crate) fn address(&self) -> Result<String, Failure> {
        let profile = self.profile()?;
        Ok(profile.agent(&self.url).map_or_else(|| self.url.clone(), |agent| agent.url.clone()))
    }

    /// The caller's own file, unless it is plain that no name was given.
    fn profile(&self) -> Result<Profile, Failure> {
        if self.url.contains("://") {
            Ok(Profile::none())
        } else {
            Profile::load(self.profiles.as_ref())
        }
    }

    /// The agent as it was given.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn is_loopback(&self) -> bool {
        let address = self.address().ok().and_then(|address| Url::parse(&address).ok());
        address.is_some_and(|url| is_loopback(&url))
    }

    pub(crate) fn pins_interface(&self) -> bool {
        self.binding.is_some() || self.protocol_version.is_some()
    }

    /// A failed call in words.
    pub(crate) fn failure(&self, error: &Error) -> Failure {
        Failure::of_call(error, self)
    }

    /// The command line of another command on the same agent. A token is never part of it: command
    /// lines are kept in histories.
    pub(crate) fn command(&self, command: &[&str], arguments: &[&str]) -> String {
        // As it was called now, so that the line works when it is pasted.
        let program = std::env::args().next().unwrap_or_else(|| "legation".into());
        let mut words: Vec<&str> = vec![&program];
        words.extend(command);
        words.push(&self.url);
        words.extend(arguments);
        if let Some(binding) = self.binding {
            words.extend(["--binding", binding.name()]);
        }
        if let Some(version) = self.protocol_version {
            words.extend(["--protocol-version", version.name()]);
        }
        for origin in &self.allow_origin {
            words.extend(["--allow-origin", origin.as_str()]);
        }
        let files = [
            ("--data-dir", &self.data_dir, "LEGATION_DATA_DIR"),
            ("--ca", &self.ca, "LEGATION_CA"),
            ("--client-cert", &self.client_cert, ""),
            ("--client-key", &self.client_key, ""),
            ("--profiles", &self.profiles, "LEGATION_PROFILES"),
        ];
        for (flag, file, variable) in files {
            // From the environment it is there the next time as well.
            let is_flag = variable.is_empty() || std::env::var_os(variable).is_none();
            if let Some(path) = file.as_ref().filter(|_| is_flag).and_then(|path| path.to_str()) {
                words.extend([flag, path]);
            }
        }
        words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
    }

    /// Those of the command line, else those of the agent's profile.
    fn authorities(&self, profile: Option<PathBuf>) -> Result<Option<Authorities>, Failure> {
        let named = self.ca.clone().filter(|file| !file.as_os_str().is_empty());
        let Some(file) = named.or(profile) else { return Ok(None) };
        let (name, pem) = (file.display(), read(&file)?);
        let authorities = Authorities::from_pem(&pem);
        let unfit = || Failure::usage(format!("`{name}` holds no certificates in PEM"));
        authorities.map(Some).ok_or_else(unfit)
    }

    fn certificate(&self) -> Result<Option<Credential>, Failure> {
        let (Some(chain), Some(key)) = (&self.client_cert, &self.client_key) else {
            return Ok(None);
        };
        let identity = Identity::from_pem(&read(chain)?, &read(key)?);
        let (chain, key) = (chain.display(), key.display());
        let unfit = || Failure::usage(format!("`{chain}` and `{key}` are no certificate and key"));
        identity.map(Credential::certificate).map(Some).ok_or_else(unfit)
    }

    fn proxy(&self) -> Result<Option<Proxy>, Failure> {
        let Some(url) = self.proxy.as_ref().filter(|url| !url.is_empty()) else { return Ok(None) };
        let proxy = Proxy::new(url, &[""; 0]);
        proxy.map(Some).map_err(|error| Failure::usage(format!("--proxy: {error}")))
    }

    /// Whether no token was given for this command alone.
    fn is_token_of_all(&self) -> bool {
        self.token.is_none() || self.token == std::env::var("LEGATION_TOKEN").ok()
    }

    fn token(&self) -> Result<Option<Credential>, Failure> {
        const UNFIT: &str = "the token holds characters that no header may hold";
        if let Some(token) = self.token.as_deref().filter(|token| !token.is_empty()) {
            return Credential::bearer(token).map(Some).ok_or_else(|| Failure::usage(UNFIT));
        }
        if !self.is_loopback() {
            return Ok(None);
        }
        let dir = data_dir(self.data_dir.as_ref());
        match dir.token() {
            Ok(token) => {
                let token = token.as_deref().and_then(Credential::bearer);
                Ok(token.map(|token| token.only_on_loopback().if_it_fits()))
            }
            Err(error) => {
                let file = dir.token_file();
                note(&format!("cannot read {}: {error}; calling without it", file.display()));
                Ok(None)
            }
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let name = file.display();
    std::fs::read(file).map_err(|error| Failure::usage(format!("cannot read `{name}`: {error}")))
}

/// Tells of an outage once: not at the first try, which mends a mere cut in a moment.
fn tell_retry(retry: &Retry<'_>) {
    if retry.attempt == 2 {
        note(&format!("{}; waiting for it to come back", retry.error));
    }
}
