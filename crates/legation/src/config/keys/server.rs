//! The server itself: its address and its store.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use legation::{
    Admin, Bounds, CardForm, ErrorProfile, Interface, MissingVersion, Network, PostgresOptions,
    Readers, StoreOptions,
};

use super::grpc::{self, Grpc};
use super::{Config, Cors, Signing, Tls};
use crate::config::form::{self, Address, Secret, bytes, choice, count, count_to};
use crate::config::setting::{
    Either, Group, Row, Slot, each, group, leaf, leaves, maybe, maybe_group, maybe_leaves,
    required, row, unset,
};

/// Where the server listens, and how it shows itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<Tls>,
    pub(crate) plaintext: bool,
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) hosts: Option<Vec<String>>,
    pub(crate) cors: Cors,
    pub(crate) versions: Versions,
    pub(crate) errors: ErrorProfile,
    pub(crate) card: CardForm,
    pub(crate) card_readers: Readers,
    pub(crate) signing: Vec<Signing>,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) grpc: Grpc,
    pub(crate) admin: Admin,
    pub(crate) stop_grace: Duration,
    pub(crate) bounds: Bounds,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            tls: None,
            plaintext: false,
            public_url: None,
            trusted_proxies: Vec::new(),
            hosts: None,
            cors: Cors::default(),
            versions: Versions::default(),
            errors: ErrorProfile::default(),
            card: CardForm::default(),
            card_readers: Readers::default(),
            signing: Vec::new(),
            interfaces: Interface::DEFAULT.into(),
            grpc: Grpc::default(),
            admin: Admin::default(),
            stop_grace: Duration::from_secs(10),
            bounds: Bounds::default(),
        }
    }
}

const ERRORS: [(&str, ErrorProfile); 2] =
    [("1.0.1", ErrorProfile::V1_0_1), ("tck-1.0.0", ErrorProfile::V1_0_0)];

const CARDS: [(&str, CardForm); 4] = [
    (CardForm::Hybrid.name(), CardForm::Hybrid),
    (CardForm::V1_0.name(), CardForm::V1_0),
    (CardForm::V0_3.name(), CardForm::V0_3),
    (CardForm::V0_2.name(), CardForm::V0_2),
];

impl Group for Server {
    const ROWS: &'static [Row<Self>] = &[
        row("listen", "The address and port to listen on", |s| {
            leaf(&mut s.listen, form::address())
        }),
        unset("no TLS", row("tls", "TLS on every connection", |s| maybe_group(&mut s.tls))),
        row(
            "plaintext",
            "Listen without TLS on another address than loopback, such as behind a proxy that has it",
            |s| leaf(&mut s.plaintext, form::flag()),
        ),
        unset(
            "the address it listens on",
            row("public_url", "How callers reach the server, when a proxy is before it", |s| {
                maybe(&mut s.public_url, form::url())
            }),
        ),
        row(
            "trusted_proxies",
            "Proxies that are believed when they say how callers reach the server",
            |s| leaves(&mut s.trusted_proxies, form::network()),
        ),
        unset(
            "on loopback those of loopback and of `public_url`, elsewhere any",
            row("hosts", "Host names by which the server may be called", |s| {
                maybe_leaves(&mut s.hosts, form::host())
            }),
        ),
        row("cors", "Pages of other origins in browsers that may call", |s| group(&mut s.cors)),
        row("versions", "How versions of the protocol are told apart", |s| group(&mut s.versions)),
        row("errors", "The edition of A2A 1.0's error table", |s| {
            leaf(&mut s.errors, choice(&ERRORS))
        }),
        row("card", "The form of cards for readers that ask for none", |s| {
            leaf(&mut s.card, choice(&CARDS))
        }),
        row(
            "card_readers",
            "Who may read the cards; everybody unless something is said here",
            |s| group(&mut s.card_readers),
        ),
        row(
            "signing",
            "The keys that sign the cards of all agents; each signs, so that a new one comes beside the old one before it takes its place. `/.well-known/jwks.json` has their public parts",
            |s| each(&mut s.signing),
        ),
        row("interfaces", "What cards list, the preferred interface first", |s| {
            leaves(&mut s.interfaces, form::interface())
        }),
        row("grpc", "Whether and how gRPC is served: `off`, or in full", grpc::place),
        row("admin", "What operators look at, apart from callers", |s| group(&mut s.admin)),
        row(
            "stop_grace",
            "How long runs may go on when the server stops, before they are left for the next start",
            |s| leaf(&mut s.stop_grace, form::time_from_none()),
        ),
        row("bounds", "The bounds of the listener and its connections", |s| group(&mut s.bounds)),
    ];
}

impl Group for Admin {
    const ROWS: &'static [Row<Self>] = &[
        row(
            "metrics",
            "Whether calls, streams, commits and more are measured, for Prometheus",
            |a| leaf(&mut a.metrics, form::flag()),
        ),
        unset(
            "none; `/metrics` is at `server.listen`, only on loopback and with no proxy before it",
            row(
                "listen",
                "An address for operators, without TLS or credentials: `/metrics`, `/healthz`, `/readyz`",
                |a| maybe(&mut a.listen, form::address()),
            ),
        ),
    ];
}

impl Group for Readers {
    const ROWS: &'static [Row<Self>] = &[
        row(
            "networks",
            "Addresses whose callers may, as the peer or one of `trusted_proxies` says; to others there is nothing",
            |r| leaves(&mut r.networks, form::network()),
        ),
        row(
            "credentials",
            "Whether callers with credentials may; with `networks` either is enough",
            |r| leaf(&mut r.credentials, form::flag()),
        ),
    ];
}

/// How versions are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Versions {
    pub(crate) missing_header: MissingVersion,
}

const MISSING: [(&str, MissingVersion); 2] =
    [("strict", MissingVersion::Strict), ("infer", MissingVersion::Infer)];

impl Group for Versions {
    const ROWS: &'static [Row<Self>] = &[row(
        "missing_header",
        "What a request without a version is where only 1.0 has its method: refused, or 1.0",
        |v| leaf(&mut v.missing_header, choice(&MISSING)),
    )];
}

/// Where tasks are kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Store {
    /// The short form: a path or a database.
    address: Option<Address>,
    pub(crate) path: Option<String>,
    pub(crate) cache: usize,
    pub(crate) idle_readers: usize,
    pub(crate) checkpoint: u64,
    pub(crate) max_size: Option<u64>,
    pub(crate) memory: bool,
    pub(crate) postgres: Option<Postgres>,
}

impl Store {
    /// Lets the short form stand for what it is short for.
    pub(crate) fn unfold(&mut self) {
        if let Some(address) = self.address.take() {
            self.take(address);
        }
    }

    /// Keeps the tasks there; how a database is used stays as it is said.
    pub(crate) fn take(&mut self, address: Address) {
        self.memory = address == Address::Memory;
        match address {
            Address::Sqlite(path) => (self.path, self.postgres) = (Some(path), None),
            Address::Postgres(url) => self.postgres.get_or_insert_default().url = url,
            Address::Memory => self.postgres = None,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        let StoreOptions { cache_bytes, idle_readers, checkpoint_bytes, max_bytes, .. } =
            StoreOptions::default();
        Self {
            address: None,
            path: None,
            cache: cache_bytes,
            idle_readers,
            checkpoint: checkpoint_bytes,
            max_size: max_bytes,
            memory: false,
            postgres: None,
        }
    }
}

/// A database that replicas share.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Postgres {
    pub(crate) url: Secret,
    pub(crate) schema: String,
    pub(crate) writers: usize,
    pub(crate) readers: usize,
    pub(crate) patience: Duration,
    pub(crate) lease: Duration,
    pub(crate) nats: Option<Nats>,
}

/// NATS, which carries what replicas tell each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Nats {
    pub(crate) servers: Vec<Secret>,
    pub(crate) credentials: Option<String>,
    pub(crate) ca: Option<String>,
}

impl Default for Postgres {
    fn default() -> Self {
        let PostgresOptions { schema, writers, readers, patience, lease, .. } =
            PostgresOptions::default();
        let (url, nats) = (Secret::default(), None);
        Self { url, schema, writers, readers, patience, lease, nats }
    }
}

impl Postgres {
    /// How the store behaves; paths go from a directory.
    pub(crate) fn options(&self, absolute: impl Fn(&str) -> PathBuf) -> PostgresOptions {
        let Self { url: _, schema, writers, readers, patience, lease, nats } = self.clone();
        let nats = nats.map(|Nats { servers, credentials, ca }| legation::Nats {
            servers: servers.iter().map(|server| server.reveal().to_owned()).collect(),
            credentials: credentials.as_deref().map(&absolute),
            ca: ca.as_deref().map(&absolute),
        });
        let defaults = PostgresOptions::default();
        PostgresOptions { schema, writers, readers, patience, lease, nats, ..defaults }
    }
}

impl Group for Nats {
    const ROWS: &'static [Row<Self>] = &[
        required(row(
            "servers",
            "Addresses of a cluster's servers, with a user and password where it needs them",
            |n| leaves(&mut n.servers, form::nats()),
        )),
        unset(
            "none",
            row("credentials", "A file with credentials (`.creds`)", |n| {
                maybe(&mut n.credentials, form::path())
            }),
        ),
        unset(
            "those that the system believes",
            row("ca", "The authorities that are believed for TLS, in PEM", |n| {
                maybe(&mut n.ca, form::path())
            }),
        ),
    ];
}

impl Group for Postgres {
    const ROWS: &'static [Row<Self>] = &[
        required(row("url", "The address of the database", |p| leaf(&mut p.url, form::postgres()))),
        row("schema", "The schema of the tables, which is made when it is missing", |p| {
            leaf(&mut p.schema, form::postgres_schema())
        }),
        row("writers", "Connections that write; each commits by itself", |p| {
            leaf(&mut p.writers, count_to(64))
        }),
        row("readers", "Connections that read, at most", |p| leaf(&mut p.readers, count_to(1_000))),
        row(
            "patience",
            "How long a connection, a statement or a turn to read is waited for",
            |p| leaf(&mut p.patience, form::time()),
        ),
        row("lease", "How long after the last sign of a replica others take its tasks over", |p| {
            leaf(&mut p.lease, form::time_in_seconds())
        }),
        unset(
            "the database, by `NOTIFY`",
            row("nats", "NATS, by which replicas tell each other what is new", |p| {
                maybe_group(&mut p.nats)
            }),
        ),
    ];
}

/// The place of the store: `sqlite:tasks`, `postgres://user@host/database`, `memory`, or its keys.
pub(super) fn store(config: &mut Config) -> Slot<'_> {
    Box::new(Either {
        place: &mut config.store,
        short: |store| maybe(&mut store.address, form::store()),
        long: |store| group(store),
        is_short: |_| false,
    })
}

impl Group for Store {
    const ROWS: &'static [Row<Self>] = &[
        unset(
            "the user's data directory, such as ~/.local/share/legation",
            row(
                "path",
                "The directory of the database and of the server's own token; from the file's directory",
                |s| maybe(&mut s.path, form::path()),
            ),
        ),
        row("cache", "Memory for pages of the database", |s| leaf(&mut s.cache, bytes())),
        row("idle_readers", "Connections for reading that are kept open while nobody reads", |s| {
            leaf(&mut s.idle_readers, count())
        }),
        row(
            "checkpoint",
            "Size of the write-ahead log at which it is written back to the database",
            |s| leaf(&mut s.checkpoint, bytes()),
        ),
        unset(
            "what the disk holds; in memory 1 GiB",
            row("max_size", "Size of the database; what would exceed it is refused", |s| {
                maybe(&mut s.max_size, bytes())
            }),
        ),
        row("memory", "Keeps the tasks in memory alone: they are gone when the server ends", |s| {
            leaf(&mut s.memory, form::flag())
        }),
        row(
            "postgres",
            "A PostgreSQL database that keeps the tasks instead, for many replicas",
            |s| maybe_group(&mut s.postgres),
        ),
    ];
}
