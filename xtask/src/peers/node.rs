//! JavaScript peers with packages from the registry, installed once and kept.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::python::output_of;

const LOCK: &str = "package-lock.json";

/// Installs what the lock file of the package `peers` names and returns where the scripts of the
/// peers are. What is there already by the same lock file is used as it is.
///
/// # Errors
/// When there is no Node.js with npm, or a package cannot be installed.
pub(crate) fn install(peers: &Path, directory: &Path) -> anyhow::Result<PathBuf> {
    output_of(Command::new("node").arg("--version"))?;
    fs::create_dir_all(directory)?;
    // Modules are looked for beside the scripts, so the scripts go to the modules.
    for file in ["package.json", LOCK, "sdk.js", "client.js", "server.js", "oidc.js"] {
        fs::copy(peers.join(file), directory.join(file))?;
    }
    let lock = fs::read_to_string(peers.join(LOCK))?;
    // Written last, so that an installation left half made is made anew.
    let installed = directory.join("installed.json");
    if !fs::read_to_string(&installed).is_ok_and(|text| text == lock) {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(directory);
        output_of(&mut npm)?;
        fs::write(&installed, lock)?;
    }
    Ok(directory.to_owned())
}
