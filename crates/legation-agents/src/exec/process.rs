//! A process of a program: started without a shell and a borrowed environment, ended with all it
//! has started.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::Settings;
use super::protocol::PROTOCOL;

/// Where the processes of an agent belong; they end with it.
#[derive(Clone)]
pub(super) struct House {
    pub(super) settings: Arc<Settings>,
    pub(super) tasks: TaskTracker,
    pub(super) closing: CancellationToken,
}

/// A process at work. It is ended when this is dropped.
pub(super) struct Process {
    end: CancellationToken,
    ended: watch::Receiver<Option<Ended>>,
    _end_on_drop: DropGuard,
}

/// How a process ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) is_success: bool,
    /// What is said about it, behind "the program".
    pub(super) how: String,
}

/// What connects us with a process.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// Kills everything in a process group when it is dropped, so that nothing outlives a server that
/// ends without asking.
struct Group(Option<Pid>);

impl Process {
    /// Starts the program.
    ///
    /// # Errors
    /// When it cannot be started. Why is in the log alone, because it names files of ours.
    pub(super) fn start(house: &House, attempt: Option<u32>) -> Result<(Self, Pipes), String> {
        let settings = &house.settings;
        let fault = |error: std::io::Error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot start `{}`",
                settings.command[0]
            );
            "cannot be started".to_owned()
        };
        let mut child = command(settings, attempt).spawn().map_err(fault)?;
        let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
        let pipes = Pipes {
            stdin: child.stdin.take().expect("the input is piped"),
            stdout: child.stdout.take().expect("the output is piped"),
            stderr: child.stderr.take().expect("the errors are piped"),
        };
        let end = house.closing.child_token();
        let (tell, ended) = watch::channel(None);
        let (grace, asked) = (settings.stop_grace, end.clone());
        house.tasks.spawn(async move {
            let how = watch_over(child, group, asked, grace).await;
            tell.send_replace(Some(how));
        });
        let guard = end.clone().drop_guard();
        Ok((Self { end, ended, _end_on_drop: guard }, pipes))
    }

    /// Asks the process to end: SIGTERM for all of its group, and SIGKILL when the grace is over.
    pub(super) fn end(&self) {
        self.end.cancel();
    }

    /// Something that can ask it as well.
    pub(super) fn ending(&self) -> CancellationToken {
        self.end.clone()
    }

    /// Waits until it has ended, and tells how.
    pub(super) async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await;
        let ended = ended.ok().and_then(|ended| ended.clone());
        // Its watcher can only have gone with the runtime.
        ended.unwrap_or_else(|| Ended { is_success: false, how: "ended with the server".into() })
    }

    /// Completes when the process has ended, and nothing of its output can be on its way any more:
    /// what it left behind outside of its group may hold the pipe open for ever.
    pub(super) fn silence(&self, grace: Duration) -> impl Future<Output = ()> + use<> {
        let mut ended = self.ended.clone();
        async move {
            let _ = ended.wait_for(Option::is_some).await;
            tokio::time::sleep(grace).await;
        }
    }
}

/// Bounds the memory for data of itself, then becomes the program.
///
/// The bound has to be there before the program is: what a program has started is not bounded by
/// what is done to it later. To set it between fork and exec would need `unsafe` code. The shell
/// reads these words and nothing else; the command goes through it as it is. Data, not address
/// space, of which some runtimes reserve more than a machine has.
const BOUNDED: &str = r#"ulimit -d "$1" && shift && exec "$@""#;

fn command(settings: &Settings, attempt: Option<u32>) -> Command {
    let mut command = match settings.memory_bytes {
        None => Command::new(&settings.command[0]),
        Some(bytes) => {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", BOUNDED, "sh"]).arg((bytes >> 10).to_string());
            shell.arg(&settings.command[0]);
            shell
        }
    };
    command.args(&settings.command[1..]).env_clear();
    let allowed = settings.env_allow.iter();
    command.envs(allowed.filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(&settings.env_set);
    command.env("LEGATION_PROTOCOL", PROTOCOL.to_string());
    if let Some(attempt) = attempt {
        command.env("LEGATION_ATTEMPT", attempt.to_string());
    }
    if let Some(cwd) = &settings.cwd {
        command.current_dir(cwd);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    command
}

/// Waits for the end of a process, brings it about when asked, and leaves nothing behind.
async fn watch_over(
    mut child: Child,
    mut group: Group,
    asked: CancellationToken,
    grace: Duration,
) -> Ended {
    let status = tokio::select! {
        status = child.wait() => status,
        () = asked.cancelled() => end(&mut child, &group, grace).await,
    };
    // The leader's number is free now, but the kernel hands out all others first.
    group.kill();
    let is_success = status.as_ref().is_ok_and(ExitStatus::success);
    let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    Ended { is_success, how: format!("ended ({how})") }
}

async fn end(child: &mut Child, group: &Group, grace: Duration) -> std::io::Result<ExitStatus> {
    group.send(Signal::TERM);
    match tokio::time::timeout(grace, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            group.send(Signal::KILL);
            child.wait().await
        }
    }
}

impl Group {
    fn send(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It fails when nobody is left, which is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    fn kill(&mut self) {
        self.send(Signal::KILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
