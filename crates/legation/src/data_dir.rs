//! Where a server keeps its state, and its token.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The directory in which a server keeps everything: the database, the lock and the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// A directory of the caller's choice.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The user's: `$XDG_DATA_HOME/legation`, else `~/.local/share/legation`, else `./legation-data`
    /// for a user without a home.
    pub fn of_user() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let data = variable("XDG_DATA_HOME").map(PathBuf::from);
        let home = || variable("HOME").map(|home| Path::new(&home).join(".local/share"));
        match data.or_else(home) {
            Some(data) => Self(data.join("legation")),
            None => Self("legation-data".into()),
        }
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of the token's file.
    pub fn token_file(&self) -> PathBuf {
        self.0.join("token")
    }

    /// The token in the directory, when there is one.
    ///
    /// # Errors
    /// When there is a file that cannot be read.
    pub fn token(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(self.token_file()) {
            Ok(token) => Ok(Some(token.trim().to_owned()).filter(|token| !token.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The token in the directory, made now when there is none. Only its owner can read the file.
    ///
    /// # Errors
    /// When the directory or the file cannot be written.
    pub fn token_or_new(&self) -> io::Result<String> {
        if let Some(token) = self.token()? {
            return Ok(token);
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let token = legation_auth::make_token().map_err(io::Error::other)?;
        // Written beside and renamed, so that a crash leaves a whole token or none.
        let beside = self.0.join("token.new");
        let mut file = fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        writeln!(file, "{token}")?;
        file.sync_all()?;
        fs::rename(&beside, self.token_file())?;
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = DataDir::new(dir.path().join("new"));
        assert_eq!(data.token().expect("readable"), None);
        let token = data.token_or_new().expect("writable");
        assert_eq!(data.token_or_new().expect("writable"), token);
        let mode = fs::metadata(data.token_file()).expect("just made").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
