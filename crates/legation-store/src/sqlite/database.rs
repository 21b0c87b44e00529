//! Where a database is: in a file, or in the memory of this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};

use super::OpenError;

/// How long a connection waits for others: in a file for one that writes, in memory for those that read
/// as well.
const BUSY: Duration = Duration::from_secs(5);

/// How long a connection in memory sleeps until it looks again. SQLite's own steps of milliseconds are
/// meant for disks.
const NAP: Duration = Duration::from_micros(100);

/// What a connection is opened to.
#[derive(Clone)]
pub(super) enum Database {
    File(PathBuf),
    Memory(Memory),
}

impl Database {
    /// The file, or what stands for it in an error.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory(_) => Path::new("memory"),
        }
    }

    /// A connection to read and write by.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// A connection that cannot write.
    pub(super) fn connect_to_read(&self) -> rusqlite::Result<Connection> {
        self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn open(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match self {
            Self::File(path) => Connection::open_with_flags(path, flags)?,
            Self::Memory(memory) => return memory.open(flags),
        };
        connection.busy_timeout(BUSY)?;
        Ok(connection)
    }
}

/// A place for one store at a time in the memory of this process, of 1 GiB at most. What is there is gone
/// with the last of this, its clones and the store.
#[derive(Clone)]
pub struct Memory {
    uri: Arc<str>,
    /// SQLite drops the database with the last connection.
    _anchor: Arc<Mutex<Connection>>,
}

impl Memory {
    /// Makes a place that nothing is in.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Self, OpenError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Connections share what has a name that begins with `/`.
        let uri = format!("file:/legation-{number}?vfs=memdb");
        let anchor = Connection::open_with_flags(&uri, URI | OpenFlags::SQLITE_OPEN_READ_WRITE);
        let failed = |source| OpenError::Database { path: "memory".into(), source };
        Ok(Self { uri: uri.into(), _anchor: Arc::new(Mutex::new(anchor.map_err(failed)?)) })
    }

    fn open(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&*self.uri, flags | URI)?;
        // Without a write-ahead log readers and the writer wait for each other.
        connection.busy_handler(Some(|naps| {
            std::thread::sleep(NAP);
            NAP.saturating_mul(naps.unsigned_abs()) < BUSY
        }))?;
        Ok(connection)
    }
}

const URI: OpenFlags = OpenFlags::SQLITE_OPEN_URI;
