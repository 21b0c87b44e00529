//! What the bench and the servers it starts agree on.
//!
//! A server listens on a free port of 127.0.0.1, writes the port to its port file
//! once it accepts connections, serves JSON-RPC at [`RPC_PATH`] and its card at
//! [`CARD_PATH`], and exits when its standard input closes. The words that make the
//! echo agent do something else than echo are here too.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process, thread,
};

use anyhow::Context;

/// Where JSON-RPC is served.
pub(crate) const RPC_PATH: &str = "/a2a";

/// Where the agent card is served.
pub(crate) const CARD_PATH: &str = "/.well-known/agent-card.json";

/// The environment variable that tells both sides the bearer token.
pub(crate) const TOKEN_VARIABLE: &str = "LEGATION_BENCH_TOKEN";

/// Where the test server is to end by itself, as `point:nth`.
pub(crate) const END_AT_VARIABLE: &str = "LEGATION_TEST_END_AT";

/// Whom the tokens of an issuer have to be for.
pub(crate) const AUDIENCE: &str = "urn:legation:test";

/// The message text that starts a task which stays working.
pub(crate) const WAIT_TEXT: &str = "wait";

/// What every server under test is told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Directory of the server's data; exists already.
    #[arg(long)]
    pub(crate) data_dir: PathBuf,
    /// File to write the port to.
    #[arg(long)]
    pub(crate) port_file: PathBuf,
    /// PostgreSQL database of the tasks, which replicas share, instead of the directory.
    #[arg(long)]
    pub(crate) store: Option<String>,
    /// Schema of the tasks in it.
    #[arg(long, default_value = "legation", requires = "store")]
    pub(crate) schema: String,
    /// NATS that carries what replicas tell each other, instead of the database.
    #[arg(long, requires = "store")]
    pub(crate) nats: Option<String>,
    /// How many seconds after the last sign of a replica the others take its tasks over.
    #[arg(long, requires = "store")]
    pub(crate) lease: Option<f64>,
    /// Certificate for TLS, in PEM.
    #[arg(long, requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key, in PEM.
    #[arg(long, requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Take the tokens of this issuer as well: signed ones, and others by its word.
    #[arg(long)]
    pub(crate) issuer: Option<String>,
}

/// Returns how many chunks a message text asks for, as in `chunks 1000`.
pub(crate) fn chunks_wanted(text: &str) -> Option<u64> {
    text.strip_prefix("chunks ")?.trim().parse().ok()
}

/// Returns the 64-byte text of one chunk: its index, so that a lost one shows.
pub(crate) fn chunk_text(index: u64) -> String {
    format!("{index:064}")
}

/// Tells the bench the port. The line break says that the number is complete.
pub(crate) fn announce(port_file: &Path, port: u16) -> anyhow::Result<()> {
    fs::write(port_file, format!("{port}\n"))
        .with_context(|| format!("cannot write the port to `{}`", port_file.display()))
}

/// Ends this process when the bench ends, however that ends: its pipe to us closes.
pub(crate) fn exit_with_parent() {
    thread::spawn(|| {
        let mut rest = Vec::new();
        let _ = io::stdin().lock().read_to_end(&mut rest);
        process::exit(0);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_64_bytes_and_asked_for_by_text() {
        assert_eq!(chunk_text(7).len(), 64);
        assert_eq!(chunks_wanted("chunks 1000"), Some(1000));
        assert_eq!(chunks_wanted("chunky"), None);
    }
}
