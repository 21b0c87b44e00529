//! Opening a store, and why that may fail.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::database::Database;
use super::directory::Directory;
use super::readers::Readers;
use super::{Options, schema, usage};

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be made or opened.
    #[error(
        "cannot use `{}` as the data directory; it must be a directory that this user can write",
        path.display()
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another server has the directory.
    #[error(
        "the data directory `{}` is in use by process {pid}; stop that server or give this one \
         another directory",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process id that the other server left, or "unknown".
        pid: String,
    },
    /// The file is a database of something else.
    #[error(
        "`{}` is a database of another program; give the server a directory of its own",
        path.display()
    )]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// A newer release has changed the database.
    #[error(
        "`{}` has schema {found} and this release knows up to {known}; run the release that wrote \
         it, or a later one",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The schema it has.
        found: i64,
        /// The newest schema this release knows.
        known: i64,
    },
    /// SQLite refuses the file, or a migration failed.
    #[error(
        "cannot open the database `{}`; check the disk's room and health, else restore a backup",
        path.display()
    )]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The system gives no thread for the writer.
    #[error("cannot start the store's thread")]
    Thread(#[source] io::Error),
}

/// The parts that a store is made of.
pub(super) struct Opened {
    /// That of a database in a file.
    pub(super) directory: Option<Directory>,
    pub(super) database: Database,
    pub(super) writer: Connection,
    pub(super) readers: Readers,
    /// The greatest key in use.
    pub(super) last_key: i64,
}

/// Locks the directory, brings the database up to date and opens its connections.
pub(super) fn open(path: &Path, options: &Options) -> Result<Opened, OpenError> {
    let directory = Directory::lock(path)?;
    let database = Database::File(directory.database()?);
    Ok(Opened { directory: Some(directory), ..open_in(database, options)? })
}

/// Brings a database up to date that nobody else has, and opens its connections.
pub(super) fn open_in(database: Database, options: &Options) -> Result<Opened, OpenError> {
    let path = database.path();
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    let mut writer = database.connect().map_err(failed)?;
    schema::check(&writer, path)?;
    schema::configure(&writer, options).map_err(failed)?;
    schema::migrate(&mut writer).map_err(failed)?;
    usage::prepare(&mut writer, options.count_usage).map_err(failed)?;
    let last_key = writer
        .query_row("SELECT coalesce(max(key), 0) FROM tasks", [], |row| row.get(0))
        .map_err(failed)?;
    let readers = Readers::new(database.clone(), options);
    Ok(Opened { directory: None, database, writer, readers, last_key })
}
