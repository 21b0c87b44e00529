//! The caller's own file, as commands use it: the agent of a short name, and its credentials.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use legation_client::credentials::{Issuer, KeyPlace, OAuth, Secret, TokenCache};
use legation_client::{Credential, Credentials, Identity, Proxy};
use url::Url;

use super::exit::Failure;
use crate::config::{
    Caller, CallerKind as Kind, Known, Location, Place, file_of_user, load_caller,
};

/// The caller's own file, and where it is.
#[derive(Debug)]
pub(crate) struct Profile {
    file: PathBuf,
    caller: Caller,
}

impl Profile {
    /// Reads the file of this name, else the user's. Without one there are no names.
    pub(crate) fn load(named: Option<&PathBuf>) -> Result<Self, Failure> {
        let named = named.filter(|path| !path.as_os_str().is_empty());
        let Some(file) = named.cloned().or_else(file_of_user) else { return Ok(Self::none()) };
        let caller = load_caller(&file).map_err(|error| Failure::usage(error.to_string()))?;
        if caller.is_none() && named.is_some() {
            return Err(Failure::usage(format!("there is no file `{}`", file.display())));
        }
        Ok(Self { file, caller: caller.unwrap_or_default() })
    }

    /// No names.
    pub(crate) fn none() -> Self {
        Self { file: PathBuf::new(), caller: Caller::default() }
    }

    /// The agent of this name.
    pub(crate) fn agent(&self, name: &str) -> Option<&Known> {
        let found = self.caller.agents.iter().find(|(known, _)| known == name);
        found.map(|(_, agent)| agent)
    }

    /// What the caller is known by to an agent.
    pub(crate) fn credentials(&self, agent: &Known) -> Result<Credentials, Failure> {
        let mut credentials = Credentials::none();
        for name in &agent.credentials {
            let found = self.caller.credentials.iter().find(|(known, _)| known == name);
            let kind = found.and_then(|(_, kind)| kind.as_ref());
            let kind = kind.expect("the file was checked");
            credentials = credentials.and(self.credential(name, kind)?);
        }
        Ok(credentials)
    }

    pub(crate) fn proxy(&self) -> Result<Option<Proxy>, Failure> {
        let Some(url) = &self.caller.proxy else { return Ok(None) };
        let proxy = Proxy::new(url, &self.caller.no_proxy);
        proxy.map(Some).map_err(|error| self.wrong("proxy", &error.to_string()))
    }

    /// A path that the file says, from where the file is.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new(".")).join(path)
    }

    fn credential(&self, name: &str, kind: &Kind) -> Result<Credential, Failure> {
        let wrong = |what: &str| self.wrong(&format!("credentials.{name}"), what);
        let secret = |place: &Place| self.secret(place).map_err(|what| wrong(&what));
        const UNFIT: &str = "it holds characters that no header may hold";
        Ok(match kind {
            Kind::Bearer(bearer) => {
                Credential::bearer(&secret(&bearer.token)?).ok_or_else(|| wrong(UNFIT))?
            }
            Kind::ApiKey(key) => {
                let text = secret(&key.key)?;
                let Some(name) = &key.name else { return Ok(Credential::api_key(text)) };
                let location = match key.location {
                    Location::Header => "header",
                    Location::Query => "query",
                    Location::Cookie => "cookie",
                };
                let place = KeyPlace::named(location, name);
                let place = place.ok_or_else(|| wrong("no key can be at a place of that name"))?;
                Credential::api_key_in(text, place)
            }
            Kind::Basic(known) => {
                let password = secret(&known.password)?;
                Credential::basic(&known.user, &password).ok_or_else(|| wrong(UNFIT))?
            }
            Kind::Digest(known) => {
                let password = secret(&known.password)?;
                match known.allow_md5 {
                    true => Credential::weak_digest(&known.user, password),
                    false => Credential::digest(&known.user, password),
                }
            }
            Kind::OAuth(known) => {
                let client_secret = known.client_secret.as_ref().map(secret).transpose()?;
                let url = |text: &String| Url::parse(text).expect("the file was checked");
                let issuer = known.issuer.as_ref().map(|issuer| Issuer::Named(url(issuer)));
                let of_card = || Issuer::OfCard(known.trusted_origins.iter().map(url).collect());
                Credential::oauth(OAuth {
                    flow: known.flow,
                    client_id: known.client_id.clone(),
                    client_secret: client_secret.map(Secret::from),
                    issuer: issuer.unwrap_or_else(of_card),
                    scopes: known.scopes.clone(),
                    resource: known.resource.as_ref().map(url),
                    cache: tokens_of_user().map(TokenCache::in_directory),
                })
            }
            Kind::Certificate(known) => {
                let read = |path: &str| self.read(path).map_err(|what| wrong(&what));
                let (chain, key) = (read(&known.certificate)?, read(&known.key)?);
                let identity = Identity::from_pem(&chain, &key);
                let identity = identity.ok_or_else(|| wrong("these are no certificate and key"))?;
                Credential::certificate(identity)
            }
        })
    }

    /// A secret, without the line break at its end that files and programs have.
    fn secret(&self, place: &Place) -> Result<String, String> {
        let text = if let Some(variable) = &place.variable {
            std::env::var(variable).map_err(|_| format!("there is nothing in {place}"))?
        } else if let Some(file) = &place.file {
            let bytes = self.read(file)?;
            String::from_utf8(bytes).map_err(|_| format!("there is no text in {place}"))?
        } else {
            let words = place.command.as_deref().unwrap_or_default();
            output_of(words).map_err(|what| format!("{place}: {what}"))?
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() { Err(format!("there is nothing in {place}")) } else { Ok(text.into()) }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = self.path(path);
        std::fs::read(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
    }

    fn wrong(&self, key: &str, what: &str) -> Failure {
        Failure::usage(format!("`{}`: `{key}`: {what}", self.file.display()))
    }
}

/// What a program prints. It may ask the person at the terminal.
fn output_of(words: &[String]) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("there is no program")?;
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(output.status.to_string());
    }
    String::from_utf8(output.stdout).map_err(|_| "it printed no text".into())
}

/// Where tokens are kept: `$XDG_STATE_HOME/legation/tokens`, else `~/.local/state/legation/tokens`.
fn tokens_of_user() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = variable("XDG_STATE_HOME").map(PathBuf::from);
    let home = || variable("HOME").map(|home| Path::new(&home).join(".local/state"));
    Some(state.or_else(home)?.join("legation/tokens"))
}
