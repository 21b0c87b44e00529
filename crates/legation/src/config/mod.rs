//! The configuration file: read strictly, with everything that is wrong told at once.
//!
//! `yaml` makes a tree that knows where everything stands; `keys` says what there may be in it, one
//! row for each key; `setting` reads a tree, shows values and describes keys by these rows; and
//! `resolved` makes of what is given what a server is built from.

mod caller;
#[cfg(test)]
mod document;
mod door;
mod explain;
mod fault;
mod form;
mod keys;
mod profile;
mod reader;
mod resolved;
mod schema;
mod setting;
mod units;
mod words;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use fault::Faults;
use keys::{Access, Agent, Config};
use reader::{Environment, Reader, Source};
use setting::{Shown, group};

pub(crate) use caller::{Caller, Kind as CallerKind, Known, Place, file_of_user, load_caller};
pub(crate) use explain::{Explained, explain};
pub(crate) use form::{Address, MEMORY, Secret};
pub(crate) use keys::{Exec, Http, Location, Mode, OpenAi, Runtime};
pub(crate) use resolved::{Resolved, ResolvedAgent};
pub(crate) use schema::schema;
pub(crate) use units::read_time;

/// What is given: by the file, by flags and by the environment.
#[derive(Debug)]
pub(crate) struct Given {
    /// The file as it was named; none when the built-in agent is served.
    pub(crate) file: Option<PathBuf>,
    config: Config,
    origins: BTreeMap<String, Origin>,
}

/// Where a value comes from, if it is no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    File(Source),
}

/// What the command line and the environment say; it goes before the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) public_url: Option<String>,
    pub(crate) plaintext: bool,
    /// The files of the certificate and of its key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) no_auth: bool,
    pub(crate) data_dir: Option<(PathBuf, Origin)>,
    pub(crate) store: Option<Address>,
    /// Whether `AUTH_TOKEN` is the token, unless the file states one.
    pub(crate) has_token: bool,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read { path: String, source: io::Error },
    /// What it says is wrong.
    #[error("{0}")]
    Faults(Faults),
}

/// Reads a file, or takes the built-in agent, and lets flags and environment go before it.
///
/// # Errors
/// When the file cannot be read, or with everything that is wrong with it.
pub(crate) fn load(
    file: Option<&Path>,
    overrides: &Overrides,
) -> Result<(Given, Resolved), LoadError> {
    let Some(path) = file else {
        return Ok(built_in(overrides));
    };
    let name = path.display().to_string();
    let text = read_file(path).map_err(|source| LoadError::Read { path: name.clone(), source })?;
    let environment = |name: &str| std::env::var(name).ok();
    read(&name, &text, &environment, overrides).map_err(LoadError::Faults)
}

/// Checks the text of a file in an empty environment.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn check(file: &str, text: &str) -> Result<(), Faults> {
    read(file, text, &|_| None, &Overrides::default()).map(drop)
}

fn read_file(path: &Path) -> io::Result<String> {
    let most = yaml::MAX_BYTES as u64 + 1;
    let mut text = String::new();
    std::fs::File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

/// Reads the text of a file.
fn read(
    file: &str,
    text: &str,
    environment: Environment<'_>,
    overrides: &Overrides,
) -> Result<(Given, Resolved), Faults> {
    let mut faults = Vec::new();
    let Some(tree) = yaml::parse(text, &mut faults) else { return Err(Faults::new(file, faults)) };
    let mut reader = Reader::new(environment, faults);
    let mut config = Config::default();
    group(&mut config).read(&tree, &mut reader);
    config.store.unfold();
    let Reader { mut faults, sources, .. } = reader;
    let origins = sources.into_iter().map(|(path, source)| (path, Origin::File(source))).collect();
    let mut given = Given { file: Some(file.into()), config, origins };
    given.take(overrides);
    let resolved = resolved::resolve(&given, &mut faults);
    if faults.is_empty() { Ok((given, resolved)) } else { Err(Faults::new(file, faults)) }
}

fn built_in(overrides: &Overrides) -> (Given, Resolved) {
    let runtime = Some(Runtime::Analyst(keys::Analyst));
    let agent = Agent { runtime, ..Agent::default() };
    let agents = vec![("data-analyst".to_owned(), agent)];
    let config = Config { agents, ..Config::default() };
    let mut given = Given { file: None, config, origins: BTreeMap::new() };
    given.take(overrides);
    // Whether the flags go together is for the server to say: there is no line to point to.
    let resolved = resolved::resolve(&given, &mut Vec::new());
    (given, resolved)
}

impl Given {
    fn take(&mut self, overrides: &Overrides) {
        let Overrides { listen, public_url, plaintext, tls, no_auth, data_dir, store, has_token } =
            overrides.clone();
        let mut note = |path: &str, origin| self.origins.insert(path.to_owned(), origin);
        if let Some(listen) = listen {
            self.config.server.listen = listen;
            note("server.listen", Origin::Flag("--listen"));
        }
        if let Some(url) = public_url {
            self.config.server.public_url = Some(url);
            note("server.public_url", Origin::Flag("--public-url"));
        }
        if plaintext {
            self.config.server.plaintext = true;
            note("server.plaintext", Origin::Flag("--plaintext"));
        }
        if let Some((certificate, key)) = tls {
            self.config.server.tls.get_or_insert_default().take(&certificate, &key);
            note("server.tls.certificate", Origin::Flag("--tls-cert"));
            note("server.tls.key", Origin::Flag("--tls-key"));
        }
        if no_auth {
            self.config.auth.access = Access::Open;
            note("auth", Origin::Flag("--no-auth"));
        }
        if let Some((path, origin)) = data_dir {
            self.config.store.path = Some(path.display().to_string());
            note("store.path", origin);
        }
        if let Some(store) = store {
            let key = match store {
                Address::Sqlite(_) => "store.path",
                Address::Postgres(_) => "store.postgres.url",
                Address::Memory => "store.memory",
            };
            self.config.store.take(store);
            note(key, Origin::Flag("--store or LEGATION_STORE"));
        }
        let is_own = |scheme: &keys::Scheme| scheme.simple().is_some_and(|it| it.token.is_none());
        let own = self.config.auth.schemes.iter().position(is_own).filter(|_| has_token);
        if let Some(number) = own {
            note(&format!("auth.schemes[{number}].token"), Origin::Variable("AUTH_TOKEN"));
        }
    }

    /// The variable that the token comes from, if it is the whole of it.
    pub(crate) fn token_variable(&self) -> Option<String> {
        let first = self.config.auth.schemes.iter().position(|it| it.simple().is_some())?;
        match self.origins.get(&format!("auth.schemes[{first}].token"))? {
            Origin::Variable(name) => Some((*name).to_owned()),
            Origin::File(source) if source.variables.len() == 1 => {
                source.variables.first().cloned()
            }
            Origin::File(_) | Origin::Flag(_) => None,
        }
    }

    /// The directory that paths in the file go from.
    fn directory(&self) -> PathBuf {
        let parent = self.file.as_deref().and_then(Path::parent);
        parent.filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).into()
    }

    /// Where the file says something of a path, or of what it is in.
    fn place(&self, path: &str) -> yaml::At {
        let mut path = path;
        loop {
            if let Some(Origin::File(source)) = self.origins.get(path) {
                return source.at;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return yaml::At { line: 1, column: 1 },
            }
        }
    }

    /// Every value, with its path.
    fn shown(&self) -> Vec<Shown> {
        let mut shown = Vec::new();
        group(&mut self.config.clone()).show("", &mut |value| shown.push(value));
        shown
    }

    /// What another configuration says otherwise that only a new start can bring about, as faults
    /// of its file.
    pub(crate) fn needs_restart(&self, new: &Self) -> Option<Faults> {
        let lasting = |given: &Self| -> BTreeMap<String, Shown> {
            let is_lasting =
                |path: &str| !path.starts_with("agents.") && !path.starts_with("crew.");
            let shown = given.shown().into_iter().filter(|shown| is_lasting(&shown.path));
            shown.map(|shown| (shown.path.clone(), shown)).collect()
        };
        let (old, now) = (lasting(self), lasting(new));
        let differing = |path: &&String| old.get(*path) != now.get(*path);
        let mut paths: Vec<_> = old.keys().chain(now.keys()).filter(differing).collect();
        paths.sort_unstable();
        paths.dedup();
        let fault = |path: &String| fault::Fault {
            at: new.place(path),
            path: path.clone(),
            what: "a change of this needs a restart of the server".into(),
        };
        let faults: Vec<_> = paths.into_iter().map(fault).collect();
        let file = new.file.as_deref().unwrap_or(Path::new("")).display().to_string();
        (!faults.is_empty()).then(|| Faults::new(&file, faults))
    }
}
