//! Lines from the person who talks: with a line editor on a terminal, as they come otherwise.
//!
//! Reading waits in a thread of its own, which ends with the process: a call cannot be interrupted
//! while the runtime's only thread reads.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc as std_mpsc;
use std::thread;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tokio::sync::mpsc;

use super::exit::Failure;

/// What was heard.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A line, without its end.
    Line(String),
    /// Ctrl-C instead of a line.
    Interrupted,
    /// Ctrl-D, or the end of the input.
    End,
}

/// Where lines come from.
pub(crate) struct Lines {
    ask: std_mpsc::Sender<String>,
    heard: mpsc::Receiver<io::Result<Heard>>,
    is_terminal: bool,
}

impl Lines {
    /// Begins to listen to standard input.
    pub(crate) fn new() -> Result<Self, Failure> {
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        let mut source = if is_terminal {
            let editor = DefaultEditor::new().map_err(io::Error::other)?;
            Source::Editor(Box::new(editor))
        } else {
            Source::Input
        };
        let (ask, asked) = std_mpsc::channel::<String>();
        // One line is asked for at a time.
        let (say, heard) = mpsc::channel(1);
        thread::Builder::new().name("lines".into()).spawn(move || {
            for prompt in asked {
                if say.blocking_send(source.next(&prompt)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { ask, heard, is_terminal })
    }

    /// Whether a person sits there.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// The next line. Ask again only after this has answered.
    pub(crate) async fn next(&mut self, prompt: &str) -> Result<Heard, Failure> {
        if self.ask.send(prompt.to_owned()).is_err() {
            return Ok(Heard::End);
        }
        tokio::select! {
            heard = self.heard.recv() => match heard {
                Some(heard) => heard.map_err(|error| {
                    Failure::usage(format!("cannot read from standard input: {error}"))
                }),
                None => Ok(Heard::End),
            },
            // A line editor takes Ctrl-C for itself; without one it is a signal.
            _ = tokio::signal::ctrl_c() => Ok(Heard::End),
        }
    }
}

enum Source {
    Editor(Box<DefaultEditor>),
    Input,
}

impl Source {
    fn next(&mut self, prompt: &str) -> io::Result<Heard> {
        match self {
            Self::Editor(editor) => match editor.readline(prompt) {
                Ok(line) => {
                    // A line that cannot be remembered was heard all the same.
                    let _ = editor.add_history_entry(&line);
                    Ok(Heard::Line(line))
                }
                Err(ReadlineError::Eof) => Ok(Heard::End),
                Err(ReadlineError::Interrupted) => Ok(Heard::Interrupted),
                Err(error) => Err(io::Error::other(error)),
            },
            Self::Input => {
                let mut line = String::new();
                if io::stdin().read_line(&mut line)? == 0 {
                    return Ok(Heard::End);
                }
                Ok(Heard::Line(line.trim_end_matches(['\n', '\r']).to_owned()))
            }
        }
    }
}
