//! The flags of `legation serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use legation::DataDir;

use crate::config::{self, Address, Given, LoadError, Origin, Overrides, Resolved};

/// The variable that names the data directory.
const DATA_DIR: &str = "LEGATION_DATA_DIR";
/// The variable that names the store.
pub(super) const STORE: &str = "LEGATION_STORE";

/// What a server is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeOptions {
    /// Configuration file [default: the built-in data analyst]. When it changes, so do the agents
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Certificate for TLS, in PEM; `legation keys tls` makes one for trying out
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Listen without TLS on another address than loopback
    #[arg(long, conflicts_with = "tls_cert")]
    plaintext: bool,
    /// Where tasks and the token are kept [default: the user's data directory, such as
    /// ~/.local/share/legation] [env: LEGATION_DATA_DIR=]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where tasks are kept instead: `postgres://user@host/database`, which other servers may share,
    /// `sqlite:DIR`, or `memory`, where they are gone when the server ends
    #[arg(long, value_name = "URL", env = STORE, hide_env_values = true, value_parser = stated)]
    store: Option<Stated<Address>>,
    /// Let everybody call, without a token
    #[arg(long)]
    no_auth: bool,
    /// How callers reach this server, when that is not the address it listens on
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

/// What a flag or a variable says: an empty one says nothing.
pub(super) type Stated<T> = Option<T>;

fn stated(text: &str) -> Result<Stated<Address>, String> {
    if text.is_empty() { Ok(None) } else { Address::parse(text).map(Some) }
}

impl ServeOptions {
    /// The configuration that these flags make.
    ///
    /// # Errors
    /// When the file cannot be read, or with everything that is wrong with it.
    pub(crate) fn load(&self) -> Result<(Given, Resolved), LoadError> {
        config::load(self.config.as_deref(), &self.overrides())
    }

    /// What goes before the file. An empty variable says nothing.
    pub(crate) fn overrides(&self) -> Overrides {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let flag = self.data_dir.clone().filter(|path| !path.as_os_str().is_empty());
        let flag = flag.map(|path| (path, Origin::Flag("--data-dir")));
        let data_dir =
            flag.or_else(|| Some((variable(DATA_DIR)?.into(), Origin::Variable(DATA_DIR))));
        Overrides {
            listen: self.listen,
            public_url: self.public_url.clone(),
            plaintext: self.plaintext,
            tls: self.tls_cert.clone().zip(self.tls_key.clone()),
            no_auth: self.no_auth,
            data_dir,
            store: self.store.clone().flatten(),
            has_token: variable("AUTH_TOKEN").is_some(),
        }
    }
}

/// The directory that was named, or the user's. An empty variable names none.
pub(super) fn data_dir(named: Option<&PathBuf>) -> DataDir {
    let named = named.filter(|path| !path.as_os_str().is_empty());
    named.map_or_else(DataDir::of_user, DataDir::new)
}
