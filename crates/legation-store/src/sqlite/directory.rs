//! The directory of a store: nobody else's to read, and one server's at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::OpenError;

/// A directory that no other process opens as a store until this is dropped.
pub(super) struct Directory {
    path: PathBuf,
    /// The lock ends with the file, also when the process is killed.
    _lock: File,
}

impl Directory {
    /// Takes the directory for this process, after making it when it is missing.
    pub(super) fn lock(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Directory { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let mut lock = private_file(&path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path, &mut lock)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        sign(&mut lock).map_err(failed)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The database's file, made when it is missing. SQLite gives its other files the same rights.
    pub(super) fn database(&self) -> Result<PathBuf, OpenError> {
        let path = database_in(&self.path);
        private_file(&path)
            .map_err(|source| OpenError::Directory { path: self.path.clone(), source })?;
        Ok(path)
    }
}

/// Where the database of a directory is.
pub(super) fn database_in(directory: &Path) -> PathBuf {
    directory.join("legation.db")
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Leaves the process id for the message that a second server gets.
fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

fn in_use(path: &Path, lock: &mut File) -> OpenError {
    let mut pid = String::new();
    let read = lock.read_to_string(&mut pid).is_ok();
    let pid = if read && !pid.trim().is_empty() { pid.trim().to_owned() } else { "unknown".into() };
    OpenError::InUse { path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), pid }
}
