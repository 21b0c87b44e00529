//! Python environments with packages from the registry, made once and kept.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

/// Returns the interpreter of the environment in `directory`, with `requirements`
/// installed. What is there already with the same requirements is used as it is.
///
/// # Errors
/// When there is no Python with `venv`, or a package cannot be installed.
pub(crate) fn environment(directory: &Path, requirements: &str) -> anyhow::Result<PathBuf> {
    let python = directory.join("bin").join("python");
    // Written last, so that an environment left half made is made anew.
    let installed = directory.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == requirements) {
        return Ok(python);
    }
    output_of(Command::new("python3").args(["-m", "venv", "--clear"]).arg(directory))?;
    let wanted = directory.join("wanted.txt");
    fs::write(&wanted, requirements)?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    output_of(pip.arg(&wanted))?;
    fs::rename(&wanted, &installed)?;
    Ok(python)
}

/// Returns the command that runs `python/NAME.py` of the peers with the packages of `NAME.txt`.
///
/// # Errors
/// As [`environment`].
pub(crate) fn script(peers: &Path, cache: &Path, name: &str) -> anyhow::Result<Command> {
    let script = peers.join("python").join(name);
    let requirements = fs::read_to_string(script.with_extension("txt"))?;
    let mut command = Command::new(environment(&cache.join(name), &requirements)?);
    command.arg(script.with_extension("py"));
    Ok(command)
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// When it cannot be started or fails, with the last line of its complaint.
pub(crate) fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("cannot start `{program}`"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let last = complaint.lines().rfind(|line| !line.trim().is_empty());
        bail!("`{program}`, {}: {}", output.status, last.unwrap_or("said nothing"));
    }
    Ok(String::from_utf8(output.stdout)?)
}
