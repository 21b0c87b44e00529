//! The one place that writes to the terminal. All text is cleaned here, so nothing that came from
//! an agent reaches the terminal as it came.

use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::sync::OnceLock;

use serde::Serialize;

use super::text::{clean, clean_json};

/// When text is in colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Also where the output goes elsewhere
    Always,
    /// Nowhere
    Never,
}

static COLOR: OnceLock<Color> = OnceLock::new();

/// Says when text is in colours, once, before anything is written.
pub(crate) fn choose(color: Color) {
    let _ = COLOR.set(color);
}

impl Color {
    /// Whether standard output is painted (no-color.org).
    fn paints(self, is_terminal: bool) -> bool {
        let minds = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        match self {
            Self::Auto => is_terminal && !minds() && !dumb(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Waiting,
}

impl Style {
    /// The code that switches it on; none for plain text.
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
            Self::Waiting => "\x1b[33m",
        }
    }
}

/// Standard output, or what stands for it in a test.
pub(crate) struct Out {
    sink: Box<dyn Write>,
    painted: bool,
}

impl Out {
    /// Standard output, in colours where they are wanted.
    pub(crate) fn new() -> Self {
        let stdout = io::stdout().lock();
        let painted = COLOR.get().copied().unwrap_or_default().paints(stdout.is_terminal());
        Self { sink: Box::new(stdout), painted }
    }

    #[cfg(test)]
    pub(crate) fn to(sink: impl Write + 'static) -> Self {
        Self { sink: Box::new(sink), painted: false }
    }

    /// Writes a piece of text; line breaks are up to the caller.
    pub(crate) fn put(&mut self, style: Style, text: &str) -> io::Result<()> {
        let text = clean(text);
        if self.painted && style != Style::Plain {
            return write!(self.sink, "{}{text}\x1b[0m", style.code());
        }
        self.sink.write_all(text.as_bytes())
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, style: Style, text: &str) -> io::Result<()> {
        self.put(style, text)?;
        self.sink.write_all(b"\n")
    }

    /// Writes a line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(value)?;
        writeln!(self.sink, "{}", clean_json(&json))?;
        self.flush()
    }

    /// Writes text of our own as it is, such as a script.
    pub(crate) fn own(&mut self, text: &[u8]) -> io::Result<()> {
        self.sink.write_all(text)?;
        self.flush()
    }

    /// Hands over what was written. Text without a line break would wait for one otherwise.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Writes a line beside the output: failures, and how to go on.
pub(crate) fn note(text: &str) {
    // Nobody can be told that nobody can be told.
    let _ = writeln!(io::stderr().lock(), "{}", clean(text));
}

/// Writes a line about what is going on, when somebody is there to see it.
pub(crate) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        note(text);
    }
}

/// Asks on the terminal; an empty answer takes the default.
pub(crate) fn ask(question: &str, default: &str) -> io::Result<String> {
    let hint = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    note(&format!("{question}{hint}:"));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let answer = line.trim();
    Ok(if answer.is_empty() { default } else { answer }.to_owned())
}
