//! Tokens between processes: a file for each, which its owner alone can read.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::session::Tokens;

/// A directory of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenCache(PathBuf);

/// Whoever has this renews a token; others wait, and find what it got.
#[derive(Debug)]
pub(super) struct Turn(
    #[expect(dead_code, reason = "the lock is held as long as it is open")] File,
);

impl TokenCache {
    /// Keeps tokens in this directory, which is made when it is needed.
    pub fn in_directory(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The tokens of this name. What cannot be read is none: there will be others.
    pub(super) fn load(&self, name: &str) -> Option<Tokens> {
        serde_json::from_slice(&fs::read(self.file(name)).ok()?).ok()
    }

    pub(super) fn store(&self, name: &str, tokens: &Tokens) -> io::Result<()> {
        self.make()?;
        // Written beside and renamed, so that a crash leaves whole tokens.
        let beside = self.0.join(format!("{name}.{}.new", std::process::id()));
        let mut file = private(&beside)?;
        file.write_all(&serde_json::to_vec(tokens)?)?;
        file.sync_all()?;
        fs::rename(&beside, self.file(name))
    }

    /// Forgets the tokens of this name; whether there were any.
    pub(super) fn forget(&self, name: &str) -> io::Result<bool> {
        match fs::remove_file(self.file(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until no other process renews the tokens of this name. It blocks.
    pub(super) fn turn(&self, name: &str) -> io::Result<Turn> {
        self.make()?;
        let file = private(&self.0.join(format!("{name}.lock")))?;
        file.lock()?;
        Ok(Turn(file))
    }

    fn make(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }
}

fn private(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}
