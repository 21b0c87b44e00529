//! A user with a shell: runs the command, reads what it says.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long anything here may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The command with these words, in a home of its own.
pub(crate) fn legation(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_legation"));
    command.args(words).env_clear().env("XDG_DATA_HOME", home).stdin(Stdio::null());
    command
}

/// What the command says, once it has ended.
pub(crate) fn run(home: &Path, words: &[&str]) -> Output {
    legation(home, words).output().expect("the command starts")
}

/// A server of the command, which ends with the test.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) url: String,
    pub(crate) greeting: String,
}

impl Serving {
    /// Starts it and waits until it says that it is there.
    pub(crate) fn start(home: &Path, words: &[&str]) -> Self {
        Self::of(&mut legation(home, &[&["serve", "--listen", "127.0.0.1:0"], words].concat()))
    }

    /// Starts what serves, and waits until it says that it is there.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = lines_of(child.stdout.take().expect("piped"));
        let mut greeting = String::new();
        loop {
            let line = lines.recv_timeout(PATIENCE).expect("a greeting to its end");
            greeting += &line;
            greeting.push('\n');
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        let url = greeting.lines().next().and_then(|line| line.rsplit(' ').next());
        let url = url.expect("the greeting begins with the address").to_owned();
        Self { child, url, greeting }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines as they come, so that waiting for one has an end.
pub(crate) fn lines_of(output: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// An address that was free a moment ago, for a server that has to come back to it.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound address").to_string()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
