//! What a plan did and found, and how it is told.

use std::path::Path;
use std::time::Instant;

use tempfile::TempDir;

/// What a plan did and found.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) counts: Vec<(&'static str, u64)>,
    pub(crate) faults: Vec<String>,
    /// Why the plan did not run.
    pub(crate) skipped: Option<String>,
}

impl Outcome {
    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self { skipped: Some(reason.into()), ..Self::default() }
    }

    /// That of a plan that could not be carried through.
    pub(crate) fn broken_off(error: &anyhow::Error) -> Self {
        Self { faults: vec![format!("the plan broke off: {error:#}")], ..Self::default() }
    }

    /// Prints what a plan did since it began, and keeps its directory when it found something; tells
    /// whether it failed.
    pub(crate) fn tell(&self, name: &str, begin: Instant, directory: TempDir) -> bool {
        let seconds = begin.elapsed().as_secs_f64();
        if let Some(reason) = &self.skipped {
            println!("{name}: SKIPPED: {reason}");
            return std::env::var("CI").is_ok_and(|value| value == "true");
        }
        let counts: Vec<_> =
            self.counts.iter().map(|(what, number)| format!("{number} {what}")).collect();
        let found = self.faults.len();
        println!("{name}: {}, {found} violations ({seconds:.1} s)", counts.join(", "));
        for fault in self.faults.iter().take(20) {
            println!("  {fault}");
        }
        if found > 0 {
            println!("  kept in {}", directory.keep().display());
        }
        found > 0
    }
}

/// A directory for a plan, beside this program, because the system's temporary directory may be in
/// memory.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn directory(suite: &str, plan: &str, program: &Path) -> anyhow::Result<TempDir> {
    let beside =
        program.parent().ok_or_else(|| anyhow::anyhow!("this program is in no directory"))?;
    Ok(tempfile::Builder::new().prefix(&format!("{suite}-{plan}-")).tempdir_in(beside)?)
}
