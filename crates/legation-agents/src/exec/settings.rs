//! What an operator says about a program.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use legation_core::OnRestart;

use crate::History;

/// How a program is run, and within which bounds. [`Settings::new`] has safe defaults.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The program and its arguments. No shell reads them.
    pub command: Vec<String>,
    /// How many processes there are, and for what.
    pub mode: Mode,
    /// Environment variables of the server that the program gets. It gets no others.
    pub env_allow: Vec<String>,
    /// Environment variables that it gets beside those. Their values are in no log.
    pub env_set: BTreeMap<String, String>,
    /// The headers of a caller's request that the program is told the values of, in lower case.
    pub credentials: Vec<String>,
    /// Where it runs; the directory of the server when nothing is said.
    pub cwd: Option<PathBuf>,
    /// How much memory each of its processes may have for data. On Linux only.
    pub memory_bytes: Option<u64>,
    /// How long a run may take.
    pub run_time: Duration,
    /// How long a run may go without a word from the program; the same goes for its start.
    pub idle_time: Duration,
    /// How much a program may say in one run.
    pub output_bytes: u64,
    /// The longest line of the protocol that is taken.
    pub line_bytes: usize,
    /// What it is told of what was said before.
    pub history: History,
    /// How often it may answer until the answer is what the caller's schema asks for, if it says
    /// that it takes an answer back.
    pub schema_attempts: u32,
    /// How long a program may take to end after it was asked to; then it is killed.
    pub stop_grace: Duration,
    /// What becomes of a run that was lost with the server or with the worker of a pool.
    pub on_restart: OnRestart,
}

/// How many processes there are, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One for every run, which ends with it.
    PerTask {
        /// Processes at once; further runs wait for their turn.
        processes: usize,
    },
    /// Some that live on and serve many runs at once. The program must speak the protocol.
    Pool {
        /// How many.
        workers: usize,
    },
}

/// What every program needs to find its files and its language, and nothing secret.
const ENV_ALLOW: &[&str] = &["PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ"];

impl Settings {
    /// A program that is run once per task.
    pub fn new(command: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            mode: Mode::PerTask { processes: 32 },
            env_allow: ENV_ALLOW.iter().map(|name| (*name).to_owned()).collect(),
            env_set: BTreeMap::new(),
            credentials: Vec::new(),
            cwd: None,
            memory_bytes: None,
            run_time: Duration::from_secs(3_600),
            idle_time: Duration::from_secs(300),
            output_bytes: 64 << 20,
            line_bytes: 4 << 20,
            history: History::default(),
            schema_attempts: 2,
            stop_grace: Duration::from_secs(2),
            on_restart: OnRestart::Fail,
        }
    }

    pub(super) fn check(&self) -> Result<(), BadSettings> {
        if self.command.first().is_none_or(String::is_empty) {
            return Err(BadSettings::NoCommand);
        }
        if self.command.iter().any(|argument| argument.contains('\0')) {
            return Err(BadSettings::Nul);
        }
        let places = match self.mode {
            Mode::PerTask { processes } => processes,
            Mode::Pool { workers } => workers,
        };
        if places == 0 {
            return Err(BadSettings::NoProcess);
        }
        let names = self.env_allow.iter().chain(self.env_set.keys());
        if let Some(name) = names.into_iter().find(|name| !is_variable(name)) {
            return Err(BadSettings::Variable(name.clone()));
        }
        if self.env_set.values().any(|value| value.contains('\0')) {
            return Err(BadSettings::Nul);
        }
        // Without the bound the program would run all the same, and nobody would notice.
        if self.memory_bytes.is_some() && !cfg!(target_os = "linux") {
            return Err(BadSettings::Memory);
        }
        Ok(())
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

impl fmt::Debug for Settings {
    /// Leaves out the values of variables, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("command", &self.command)
            .field("mode", &self.mode)
            .field("env_allow", &self.env_allow)
            .field("env_set", &self.env_set.keys())
            .field("credentials", &self.credentials)
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// Why a program cannot be run as it was said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// There is nothing to run.
    #[error("the command is empty")]
    NoCommand,
    /// It would never run.
    #[error("there must be at least one process")]
    NoProcess,
    /// A NUL cannot be handed to a program.
    #[error("an argument or a variable holds a NUL")]
    Nul,
    /// It cannot be the name of a variable.
    #[error("`{0}` is not the name of an environment variable")]
    Variable(String),
    /// The bound cannot be held.
    #[error("memory can be bounded on Linux only")]
    Memory,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_run_is_refused() {
        let with = |change: fn(&mut Settings)| {
            let mut settings = Settings::new(["program"]);
            change(&mut settings);
            settings.check().err().map(|error| error.to_string())
        };
        type Change = fn(&mut Settings);
        let cases: [(Change, Option<&str>); 6] = [
            (|_| {}, None),
            (|s| s.command.clear(), Some("the command is empty")),
            (|s| s.command = vec![String::new()], Some("the command is empty")),
            (|s| s.mode = Mode::Pool { workers: 0 }, Some("there must be at least one process")),
            (
                |s| s.env_allow.push("A=B".into()),
                Some("`A=B` is not the name of an environment variable"),
            ),
            (|s| s.command.push("\0".into()), Some("an argument or a variable holds a NUL")),
        ];
        for (change, expected) in cases {
            assert_eq!(with(change).as_deref(), expected);
        }
    }

    #[test]
    fn values_of_variables_are_not_shown() {
        let mut settings = Settings::new(["program"]);
        settings.env_set.insert("TOKEN".into(), "hidden".into());
        let shown = format!("{settings:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hidden"), "{shown}");
    }
}
