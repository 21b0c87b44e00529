//! The limit of open files: 5,000 streams need as many here and in the server.

use std::process::Command;

/// Raises this process's soft limit to its hard one; servers inherit it. A failure is
/// told and not fatal, since few cases need it.
pub(crate) fn raise_open_files() {
    let itself = std::process::id().to_string();
    // `prlimit` of util-linux: setting a limit here would need unsafe code.
    let limit = match Command::new("prlimit")
        .args(["--pid", &itself, "--nofile", "--noheadings", "--output", "HARD"])
        .output()
    {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        Ok(output) => return tell(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => return tell(&error.to_string()),
    };
    let limit = limit.trim();
    match Command::new("prlimit")
        .args(["--pid", &itself, &format!("--nofile={limit}:{limit}")])
        .status()
    {
        Ok(status) if status.success() => {}
        Ok(status) => tell(&status.to_string()),
        Err(error) => tell(&error.to_string()),
    }
}

fn tell(reason: &str) {
    eprintln!("cannot raise the limit of open files: {}", reason.trim());
}
