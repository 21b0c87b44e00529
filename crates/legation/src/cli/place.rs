//! Where a server keeps what it knows, for commands that look there themselves: its data directory, or
//! its database. They need no server, and do not mind one.

use std::path::PathBuf;

use legation::{AuditLimits, DataDir, PostgresOptions};
use legation_core::DEPLOYMENT;
use legation_core::store::StoreError;
use legation_store::postgres::PostgresStore;
use legation_store::sqlite::{
    OpenError, Options as SqliteOptions, SqliteAudit, SqliteSweeps, SqliteTokens,
};
use legation_store::{Audit, Home, Store, Sweeps, Tokens};

use super::exit::Failure;
use super::serve::{STORE, Stated, data_dir};
use crate::config::{MEMORY, Secret};

/// Where to look.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The data directory of the server [default: the user's]
    #[arg(long, value_name = "DIR", env = "LEGATION_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The database of the servers instead, such as postgres://user@host/name
    #[arg(long, value_name = "URL", env = STORE, hide_env_values = true, value_parser = database)]
    store: Option<Stated<Secret>>,
    /// The schema of its tables
    #[arg(long, value_name = "NAME", requires = "store", default_value = "legation")]
    schema: String,
}

fn database(text: &str) -> Result<Stated<Secret>, &'static str> {
    match text {
        "" => return Ok(None),
        MEMORY => return Err("what is in the memory of a server, only that server has"),
        _ => {}
    }
    let url =
        Secret::of_database(text).ok_or("expected a database such as `postgres://user@host/name`");
    url.map(Some)
}

/// What was found there. A database stays open as long as it is used.
pub(super) struct Found<T> {
    pub(super) kept: T,
    _store: Option<Store>,
}

impl Place {
    /// The data directory.
    pub(super) fn directory(&self) -> DataDir {
        data_dir(self.data_dir.as_ref())
    }

    /// The place in words.
    pub(super) fn named(&self) -> String {
        match self.url() {
            Some(_) => format!("the schema `{}` of the database", self.schema),
            None => self.directory().path().display().to_string(),
        }
    }

    fn url(&self) -> Option<&Secret> {
        self.store.as_ref()?.as_ref()
    }

    fn options(&self) -> PostgresOptions {
        PostgresOptions { schema: self.schema.clone(), ..PostgresOptions::default() }
    }

    /// The store as such.
    pub(super) fn home(&self) -> Home {
        match self.url() {
            Some(url) => Home::Postgres(url.reveal().to_owned(), self.options()),
            None => Home::Sqlite(self.directory().path().to_owned(), SqliteOptions::default()),
        }
    }

    async fn database(&self) -> Result<Option<Store>, Failure> {
        let Some(url) = self.url().cloned() else { return Ok(None) };
        let options = self.options();
        let open = move || PostgresStore::open(url.reveal(), options);
        let opened = tokio::task::spawn_blocking(open).await;
        let opened = opened.map_err(|error| Failure::of_command(described(&error)))?;
        let opened = opened.map_err(|error| Failure::of_command(described(&error)))?;
        Ok(Some(Store::Postgres(opened)))
    }

    /// The tokens, in a store that is made when there is none.
    pub(super) async fn tokens(&self) -> Result<Found<Tokens>, Failure> {
        if let Some(store) = self.database().await? {
            return Ok(Found { kept: store.tokens(DEPLOYMENT), _store: Some(store) });
        }
        let tokens = SqliteTokens::open(self.directory().path(), DEPLOYMENT).map_err(unopened)?;
        Ok(Found { kept: Tokens::Sqlite(tokens.into()), _store: None })
    }

    /// The tokens, if there is a store. A mistyped directory is not made into one.
    pub(super) async fn existing_tokens(&self) -> Result<Option<Found<Tokens>>, Failure> {
        if self.url().is_none() && !SqliteTokens::exist_in(self.directory().path()) {
            return Ok(None);
        }
        self.tokens().await.map(Some)
    }

    /// The sweeps, if there is a store.
    pub(super) async fn sweeps(&self) -> Result<Option<Found<Sweeps>>, Failure> {
        if let Some(store) = self.database().await? {
            return Ok(Some(Found { kept: store.sweeps(), _store: Some(store) }));
        }
        let directory = self.directory();
        if !SqliteTokens::exist_in(directory.path()) {
            return Ok(None);
        }
        let sweeps = SqliteSweeps::open(directory.path()).map_err(unopened)?;
        Ok(Some(Found { kept: Sweeps::Sqlite(sweeps.into()), _store: None }))
    }

    /// The audit log, if there is one.
    pub(super) async fn audit(&self) -> Result<Option<Found<Audit>>, Failure> {
        if let Some(store) = self.database().await? {
            let kept = store.audit(DEPLOYMENT, AuditLimits::default());
            return Ok(Some(Found { kept, _store: Some(store) }));
        }
        let directory = self.directory();
        if !SqliteAudit::exists_in(directory.path()) {
            return Ok(None);
        }
        let audit = SqliteAudit::open(directory.path(), DEPLOYMENT).map_err(unopened)?;
        Ok(Some(Found { kept: Audit::Sqlite(audit.into()), _store: None }))
    }
}

/// Why a store in a directory does not open.
fn unopened(error: OpenError) -> Failure {
    let mut text = described(&error);
    if matches!(error, OpenError::InUse { .. }) {
        text += ". Its store is of another release; restart it with this one";
    }
    Failure::of_command(text)
}

pub(super) fn failed(error: StoreError) -> Failure {
    Failure::of_command(described(&error))
}

/// An error with what it came from.
pub(super) fn described(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
