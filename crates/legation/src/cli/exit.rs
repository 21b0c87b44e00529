//! How the command ends: exit codes, and what is said about failures.

use std::io;
use std::process::ExitCode;

use legation_client::Error;
use legation_client::credentials::Fault;
use legation_model::{ErrorKind, TaskState};

use super::out::note;
use super::target::Target;
use super::text::quote;

/// How a call of an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Waiting = 3,
    Unreachable = 4,
    Refused = 5,
    Protocol = 6,
    Interrupted = 130,
}

const MEANINGS: [(Exit, &str); 8] = [
    (Exit::Done, "the task completed, or the question was answered"),
    (
        Exit::Failed,
        "the task failed, was rejected or was canceled; `card --verify` found no good signature; or \
         `doctor` found something that is wrong",
    ),
    (Exit::Usage, "the command line is wrong"),
    (Exit::Waiting, "the task waits for more input or for a credential"),
    (Exit::Unreachable, "the agent cannot be reached, or is unavailable"),
    (Exit::Refused, "the agent does not let this caller in (401, 403)"),
    (Exit::Protocol, "the agent answered with an error or with something that is not A2A"),
    (Exit::Interrupted, "Ctrl-C; a task that was begun goes on"),
];

const REFUSALS: [ErrorKind; 2] = [ErrorKind::Unauthenticated, ErrorKind::PermissionDenied];
const OUTAGES: [ErrorKind; 2] = [ErrorKind::Unavailable, ErrorKind::RateLimited];

/// The exit codes as help shows them.
pub(crate) fn help() -> String {
    let rows = MEANINGS.iter().map(|(exit, meaning)| format!("  {:>3}  {meaning}", *exit as u8));
    format!("Exit codes:\n{}", rows.collect::<Vec<_>>().join("\n"))
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<TaskState> for Exit {
    /// What the end of following a task means.
    fn from(state: TaskState) -> Self {
        match state {
            TaskState::Failed | TaskState::Canceled | TaskState::Rejected => Self::Failed,
            TaskState::InputRequired | TaskState::AuthRequired => Self::Waiting,
            TaskState::Completed
            | TaskState::Unspecified
            | TaskState::Submitted
            | TaskState::Working => Self::Done,
        }
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// What was attempted on what, and what to do next; empty when there is nobody to read it.
    text: String,
}

impl Failure {
    /// The command line asks for something that cannot be.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    /// What was asked for cannot be done.
    pub(crate) fn of_command(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, text: text.into() }
    }

    /// A call failed.
    pub(crate) fn of_call(error: &Error, target: &Target) -> Self {
        let mut text = match error {
            Error::GaveUp { last, .. } => format!("{error}: {last}"),
            Error::Agent { operation, error } => {
                format!("{} answered {operation} with an error: {error}", target.url())
            }
            Error::Denied { operation, error, needs } => {
                let needs = if needs.is_empty() { String::new() } else { format!("; {needs}") };
                format!("{} answered {operation} with an error: {error}{needs}", target.url())
            }
            Error::Setup(source) => format!("{error}: {source}"),
            Error::Address { .. }
            | Error::Unreachable { .. }
            | Error::Lost { .. }
            | Error::Unsatisfied { .. }
            | Error::Token(_)
            | Error::Card { .. }
            | Error::Keys { .. }
            | Error::Unverified { .. }
            | Error::Unsayable { .. }
            | Error::NoInterface { .. }
            | Error::ForeignInterface { .. }
            | Error::BadAnswer { .. }
            | Error::Late { .. }
            | Error::Cut { .. }
            | Error::Empty
            | Error::Gap { .. } => error.to_string(),
        };
        if let Some(advice) = advice(error, target) {
            // What agents say is often a sentence already.
            text = format!("{}. {advice}", text.trim_end_matches(['.', ' ']));
        }
        Self { exit: exit_of(error), text }
    }

    /// A card that no trusted key has signed.
    pub(crate) fn unverified(text: String) -> Self {
        Self { exit: Exit::Failed, text }
    }

    /// Tells the person; gives what the shell is told.
    pub(crate) fn tell(self) -> Exit {
        if !self.text.is_empty() {
            note(&format!("legation: {}", self.text));
        }
        self.exit
    }
}

impl From<io::Error> for Failure {
    /// A reader that has seen enough, such as `head`, is no failure.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { exit: Exit::Done, text: String::new() };
        }
        Self { exit: Exit::Failed, text: format!("cannot write the output: {error}") }
    }
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Address { .. } => Exit::Usage,
        Error::Unreachable { .. } | Error::Lost { .. } | Error::Late { .. } | Error::Cut { .. } => {
            Exit::Unreachable
        }
        Error::GaveUp { last, .. } => exit_of(last),
        Error::Denied { .. } | Error::Unsatisfied { .. } | Error::Token(_) => Exit::Refused,
        Error::Agent { error, .. } if REFUSALS.contains(&error.kind) => Exit::Refused,
        Error::Agent { error, .. } if OUTAGES.contains(&error.kind) => Exit::Unreachable,
        Error::Setup(_) | Error::Unverified { .. } | Error::Unsayable { .. } => Exit::Failed,
        Error::Agent { .. }
        | Error::Card { .. }
        | Error::Keys { .. }
        | Error::NoInterface { .. }
        | Error::ForeignInterface { .. }
        | Error::BadAnswer { .. }
        | Error::Empty
        | Error::Gap { .. } => Exit::Protocol,
    }
}

/// What to do next.
fn advice(error: &Error, target: &Target) -> Option<String> {
    Some(match error {
        Error::Unreachable { reason, .. } if reason.is_distrust() => {
            "If you know whose certificate that is, name the authority that signed it with --ca"
                .into()
        }
        Error::Unreachable { .. } if target.is_loopback() => {
            "Is the server running? Start one with `legation serve`".into()
        }
        Error::Unreachable { .. } => "Is the address right, and the agent up?".into(),
        Error::Lost { .. } | Error::Late { .. } | Error::Empty => {
            format!("It may have been received; `{}` shows", target.command(&["task", "list"], &[]))
        }
        Error::GaveUp { task, .. } | Error::Gap { task, .. } | Error::Cut { task } => {
            let look = target.command(&["task", "get"], &[task.as_str()]);
            format!("The task may still be running; `{look}` shows")
        }
        Error::Card { .. } => {
            "Give the address of an agent, or of its card (a `.json` document)".into()
        }
        Error::NoInterface { .. } | Error::Unsayable { .. } if target.pins_interface() => {
            "Try without --binding and --protocol-version".into()
        }
        Error::ForeignInterface { interface, .. } => {
            format!("If you trust that address, add `--allow-origin {}`", quote(interface))
        }
        Error::Agent { error, .. } | Error::Denied { error, .. } => of_kind(error.kind, target)?,
        Error::Address { .. } => {
            "It looks like `http://127.0.0.1:8080`, or is a name in your profiles".into()
        }
        Error::Token(Fault::LogIn { .. }) => {
            format!("`{}` does that", target.command(&["login"], &[]))
        }
        Error::Setup(_)
        | Error::Unsatisfied { .. }
        | Error::Token(_)
        | Error::Keys { .. }
        | Error::Unverified { .. }
        | Error::Unsayable { .. }
        | Error::NoInterface { .. }
        | Error::BadAnswer { .. } => return None,
    })
}

fn of_kind(kind: ErrorKind, target: &Target) -> Option<String> {
    if kind == ErrorKind::Unauthenticated {
        const ADVICE: &str = "Give a token with --token or in LEGATION_TOKEN; that of a server on \
            this machine is in the file `token` of its data directory (--data-dir)";
        return Some(ADVICE.into());
    }
    let list = || target.command(&["task", "list"], &[]);
    (kind == ErrorKind::TaskNotFound).then(|| format!("`{}` shows the tasks you can see", list()))
}
