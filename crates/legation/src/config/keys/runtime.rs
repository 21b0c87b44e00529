//! What does an agent's work.

use std::time::Duration;

use crate::config::form::{self, Secret, bytes, choice, count, time, time_from_none};
use crate::config::setting::{
    Either, Group, Named, Row, Slot, Tagged, Variant, group, leaf, leaves, maybe, named, required,
    row, unset,
};

/// What does an agent's work.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Runtime {
    /// The built-in Data Analyst.
    Analyst(Analyst),
    /// A program on this machine.
    Exec(Exec),
    /// An endpoint that takes a message and gives an answer.
    Http(Http),
    /// A chat endpoint as OpenAI's is.
    OpenAi(OpenAi),
}

impl Tagged for Runtime {
    const VARIANTS: &'static [Variant<Self>] = &[
        Variant {
            name: "analyst",
            says: "The built-in Data Analyst, which needs no model",
            make: Ok(|| Self::Analyst(Analyst)),
        },
        Variant {
            name: "exec",
            says: "A program on this machine, in any language",
            make: Ok(|| Self::Exec(Exec::default())),
        },
        Variant {
            name: "http",
            says: "An endpoint that takes a message and answers, at once or as a stream",
            make: Ok(|| Self::Http(Http::default())),
        },
        Variant {
            name: "openai",
            says: "A model behind a chat endpoint as OpenAI's is",
            make: Ok(|| Self::OpenAi(OpenAi::default())),
        },
        Variant {
            name: "remote",
            says: "Another agent on the A2A network",
            make: Err("agents elsewhere"),
        },
    ];

    fn inside(&mut self) -> (&'static str, Slot<'_>) {
        match self {
            Self::Analyst(analyst) => ("analyst", group(analyst)),
            Self::Exec(exec) => ("exec", group(exec)),
            Self::Http(http) => ("http", group(http)),
            Self::OpenAi(model) => ("openai", group(model)),
        }
    }
}

/// Nothing is to be said of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Analyst;

impl Group for Analyst {
    const ROWS: &'static [Row<Self>] = &[];
}

/// A program on this machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exec {
    pub(crate) command: Vec<String>,
    pub(crate) mode: Mode,
    pub(crate) processes: usize,
    pub(crate) workers: usize,
    pub(crate) env: Env,
    /// Once the file is resolved, never absent and never relative.
    pub(crate) cwd: Option<String>,
    pub(crate) memory: u64,
    pub(crate) run_time: Duration,
    pub(crate) idle_time: Duration,
    pub(crate) output: u64,
    pub(crate) stop_grace: Duration,
}

/// How processes and tasks go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A process for each task.
    PerTask,
    /// Processes that live on and serve many tasks.
    Pool,
}

/// What a program sees of the environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Env {
    pub(crate) allow: Vec<String>,
    pub(crate) set: Named<Secret>,
}

impl Default for Exec {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            mode: Mode::PerTask,
            processes: 32,
            workers: 4,
            env: Env::default(),
            cwd: None,
            memory: 1 << 30,
            run_time: Duration::from_secs(3_600),
            idle_time: Duration::from_secs(300),
            output: 64 << 20,
            stop_grace: Duration::from_secs(2),
        }
    }
}

const MODES: [(&str, Mode); 2] = [("per_task", Mode::PerTask), ("pool", Mode::Pool)];

impl Group for Exec {
    const ROWS: &'static [Row<Self>] = &[
        required(row(
            "command",
            "The program and its arguments: a list, or a text that is split into words; no shell is involved",
            |e| {
                Box::new(Either {
                    place: &mut e.command,
                    short: |words| leaf(words, form::words_of_command()),
                    long: |words| leaves(words, form::any_text()),
                    is_short: |_| false,
                })
            },
        )),
        row("mode", "A process for each task, or processes that live on and serve many", |e| {
            leaf(&mut e.mode, choice(&MODES))
        }),
        row("processes", "Processes at once with `per_task`; further tasks wait", |e| {
            leaf(&mut e.processes, count())
        }),
        row("workers", "Processes of a pool", |e| leaf(&mut e.workers, count())),
        row("env", "What the program sees of the environment", |e| group(&mut e.env)),
        unset(
            "the file's directory",
            row("cwd", "The directory it works in; from the file's directory", |e| {
                maybe(&mut e.cwd, form::path())
            }),
        ),
        row("memory", "Memory of one process for its data, on Linux", |e| {
            leaf(&mut e.memory, bytes())
        }),
        row("run_time", "How long one task may take", |e| leaf(&mut e.run_time, time())),
        row("idle_time", "How long the program may say nothing while it works", |e| {
            leaf(&mut e.idle_time, time())
        }),
        row("output", "Size of what it may say for one task", |e| leaf(&mut e.output, bytes())),
        row("stop_grace", "How long it may go on after it was asked to stop", |e| {
            leaf(&mut e.stop_grace, time_from_none())
        }),
    ];
}

impl Group for Env {
    const ROWS: &'static [Row<Self>] = &[
        row("allow", "Names of the server's own variables that it sees", |e| {
            leaves(&mut e.allow, form::variable())
        }),
        row("set", "Variables with their values", |e| {
            named(&mut e.set, |value| leaf(value, form::any_text().secret()))
        }),
    ];
}

/// An endpoint that takes a message and gives an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Http {
    pub(crate) url: String,
    pub(crate) headers: Named<Secret>,
    pub(crate) timeout: Duration,
    pub(crate) stream: bool,
    pub(crate) allow_private: bool,
}

impl Default for Http {
    fn default() -> Self {
        let (url, headers, timeout) = (String::new(), Vec::new(), Duration::from_secs(300));
        Self { url, headers, timeout, stream: true, allow_private: false }
    }
}

impl Group for Http {
    const ROWS: &'static [Row<Self>] = &[
        required(row("url", "Where messages are sent", |h| leaf(&mut h.url, form::url()))),
        row("headers", "Headers that are sent along", |h| {
            named(&mut h.headers, |value| leaf(value, form::header_value()))
        }),
        row("timeout", "How long one message may take in all", |h| leaf(&mut h.timeout, time())),
        row("stream", "Whether its answer is asked for as a stream", |h| {
            leaf(&mut h.stream, form::flag())
        }),
        row("allow_private", "Whether it may be on this machine or in a private network", |h| {
            leaf(&mut h.allow_private, form::flag())
        }),
    ];
}

/// A chat endpoint as OpenAI's is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OpenAi {
    pub(crate) url: String,
    pub(crate) model: String,
    pub(crate) api_key: Option<Secret>,
    pub(crate) system: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) stream: bool,
    pub(crate) allow_private: bool,
}

impl Default for OpenAi {
    fn default() -> Self {
        let (url, model) = ("https://api.openai.com/v1".into(), String::new());
        let timeout = Duration::from_secs(300);
        let (api_key, system) = (None, None);
        Self { url, model, api_key, system, timeout, stream: true, allow_private: false }
    }
}

impl Group for OpenAi {
    const ROWS: &'static [Row<Self>] = &[
        row("url", "The endpoint, up to and with its version", |m| leaf(&mut m.url, form::url())),
        required(row("model", "The name of the model", |m| leaf(&mut m.model, form::text()))),
        unset(
            "none is sent",
            row("api_key", "The key of the endpoint", |m| {
                maybe(&mut m.api_key, form::header_value())
            }),
        ),
        unset(
            "made of role, goal and backstory",
            row("system", "What the model is told before everything else", |m| {
                maybe(&mut m.system, form::text())
            }),
        ),
        row("timeout", "How long one message may take in all", |m| leaf(&mut m.timeout, time())),
        row("stream", "Whether the answer is given as the model writes it", |m| {
            leaf(&mut m.stream, form::flag())
        }),
        row("allow_private", "Whether it may be on this machine or in a private network", |m| {
            leaf(&mut m.allow_private, form::flag())
        }),
    ];
}
