//! The flags of `legation serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use legation::DataDir;

/// What a server is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeOptions {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Where tasks and the token are kept [default: the user's data directory, such as
    /// ~/.local/share/legation]
    #[arg(long, value_name = "DIR", env = "LEGATION_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Let everybody call, without a token
    #[arg(long)]
    pub(crate) no_auth: bool,
    /// How callers reach this server, when that is not the address it listens on
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
}

impl ServeOptions {
    /// Where the server keeps its state.
    pub(crate) fn data_dir(&self) -> DataDir {
        data_dir(self.data_dir.as_ref())
    }
}

/// The directory that was named, or the user's. An empty variable names none.
pub(super) fn data_dir(named: Option<&PathBuf>) -> DataDir {
    let named = named.filter(|path| !path.as_os_str().is_empty());
    named.map_or_else(DataDir::of_user, DataDir::new)
}
