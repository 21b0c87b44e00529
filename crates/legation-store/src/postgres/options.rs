//! What can be chosen about a PostgreSQL store, and why it may not open.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::failure::Failure;

/// How a PostgreSQL store behaves, with defaults that suit a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The schema that the tables are in; it is made when it is missing.
    pub schema: String,
    /// Connections that write. Each commits by itself, so a few of them keep the disk busy.
    pub writers: usize,
    /// Connections that read, at most.
    pub readers: usize,
    /// How long a connection, a statement or a turn to read is waited for.
    pub patience: Duration,
    /// How long after the last sign of a replica others take its tasks over. It gives three of them in
    /// that time.
    pub lease: Duration,
    /// How long rings of the bell are gathered that follow one another.
    pub ring_every: Duration,
    /// What carries them instead of the database.
    pub nats: Option<Nats>,
}

/// Servers of NATS, by which replicas tell each other what is new.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Nats {
    /// Addresses of servers of one cluster, such as `nats://user:password@nats.internal` or
    /// `tls://nats.internal:4222`. The first that names a user says by whom all are used.
    pub servers: Vec<String>,
    /// A file with credentials, as operators of NATS give it out (`.creds`).
    pub credentials: Option<PathBuf>,
    /// A file in PEM with the authorities that are believed for TLS, instead of those of the system.
    pub ca: Option<PathBuf>,
}

/// Without the servers, whose addresses may hold passwords.
impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servers, credentials, ca } = self;
        let mut shown = f.debug_struct("Nats");
        shown.field("servers", &servers.len()).field("credentials", credentials).field("ca", ca);
        shown.finish()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schema: "legation".to_owned(),
            writers: 3,
            readers: 8,
            patience: Duration::from_secs(2),
            lease: Duration::from_secs(15),
            ring_every: Duration::from_millis(10),
            nats: None,
        }
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is none of a PostgreSQL database.
    #[error("the address of the database cannot be used: {0}")]
    Address(String),
    /// The name cannot be that of a schema.
    #[error(
        "`{0}` cannot be the schema; it takes lower-case letters, digits and `_`, at most 63 of them, \
         and no digit first"
    )]
    Schema(String),
    /// The database answers, but cannot hold what the store has to write.
    #[error("the database has the encoding {0}; make one with the encoding UTF8")]
    Encoding(String),
    /// A newer release has changed the tables.
    #[error(
        "the schema `{schema}` has version {found}, which needs a release that knows version {needed}, \
         and this one knows up to {known}; run the release that wrote it, or a later one"
    )]
    Newer {
        /// The schema.
        schema: String,
        /// Its version.
        found: i32,
        /// What a release has to know at least.
        needed: i32,
        /// The newest version that this release knows.
        known: i32,
    },
    /// Somebody has a table for longer than was waited for, so that it cannot be changed.
    #[error(
        "the tables of the schema `{schema}` are of an earlier release and cannot be changed, because {by} \
         uses them; wait until that has ended, or end it (`pg_terminate_backend`), and start again"
    )]
    Locked {
        /// The schema.
        schema: String,
        /// Who has had one for the longest time.
        by: String,
    },
    /// The database cannot be reached, or refuses what the store needs.
    #[error("cannot use the database; check that it runs, and who may connect and make tables")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// NATS cannot be used as the options say.
    #[error("cannot use NATS: {0}")]
    Nats(String),
    /// The system gives no thread for the store.
    #[error("cannot start the store's thread")]
    Thread(#[source] io::Error),
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        Self::Database(Box::new(failure))
    }
}
