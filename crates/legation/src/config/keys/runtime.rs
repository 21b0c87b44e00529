//! What does an agent's work.

use std::time::Duration;

use http::HeaderName;
use legation_agents::HistoryOf;

use crate::config::form::{self, Secret, bytes, choice, count, count_to, time, time_from_none};
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
    pub(crate) credentials: Vec<HeaderName>,
    /// Once the file is resolved, never absent and never relative.
    pub(crate) cwd: Option<String>,
    pub(crate) memory: u64,
    pub(crate) run_time: Duration,
    pub(crate) idle_time: Duration,
    pub(crate) output: u64,
    pub(crate) line: usize,
    pub(crate) history: History,
    pub(crate) schema_attempts: u32,
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
            credentials: Vec::new(),
            cwd: None,
            memory: 1 << 30,
            run_time: Duration::from_secs(3_600),
            idle_time: Duration::from_secs(300),
            output: 64 << 20,
            line: 4 << 20,
            history: History::default(),
            schema_attempts: 2,
            stop_grace: Duration::from_secs(2),
        }
    }
}

/// What is told of what was said before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct History(pub(crate) legation_agents::History);

impl History {
    /// A word, or keys.
    fn slot(&mut self) -> Slot<'_> {
        Box::new(Either {
            place: self,
            short: |history| leaf(&mut history.0.of, choice(&HISTORIES)),
            long: |history| group(history),
            is_short: |_| false,
        })
    }
}

impl Group for History {
    const ROWS: &'static [Row<Self>] = &[
        row("of", "The task and those that a message refers to, or all of the context", |h| {
            leaf(&mut h.0.of, choice(&HISTORIES))
        }),
        row("messages", "Messages of other tasks, at most", |h| {
            leaf(&mut h.0.messages, count_to(1_000))
        }),
        row("size", "Size of the texts and data of other tasks, at most", |h| {
            leaf(&mut h.0.bytes, form::held())
        }),
    ];
}

const HISTORIES: [(&str, HistoryOf); 2] =
    [("task", HistoryOf::Task), ("context", HistoryOf::Context)];

const HISTORY: &str = "What it is told of what was said before";

const CREDENTIALS: &str = "Headers of a caller's request that it is told, such as `authorization`";

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
        row("credentials", CREDENTIALS, |e| leaves(&mut e.credentials, form::header_name())),
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
        row("line", "The longest line of the protocol that it may write", |e| {
            leaf(&mut e.line, form::held())
        }),
        row("history", HISTORY, |e| e.history.slot()),
        row(
            "schema_attempts",
            "How often it may answer until the answer satisfies a caller's schema",
            |e| leaf(&mut e.schema_attempts, count_to(10)),
        ),
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
    pub(crate) credentials: Vec<HeaderName>,
    pub(crate) history: History,
    pub(crate) timeout: Duration,
    pub(crate) stream: bool,
    pub(crate) allow_private: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            url: String::new(),
            headers: Vec::new(),
            credentials: Vec::new(),
            history: History::default(),
            timeout: Duration::from_secs(300),
            stream: true,
            allow_private: false,
        }
    }
}

impl Group for Http {
    const ROWS: &'static [Row<Self>] = &[
        required(row("url", "Where messages are sent", |h| leaf(&mut h.url, form::url()))),
        row("headers", "Headers that are sent along", |h| {
            named(&mut h.headers, |value| leaf(value, form::header_value()))
        }),
        row("credentials", CREDENTIALS, |h| leaves(&mut h.credentials, form::header_name())),
        row("history", HISTORY, |h| h.history.slot()),
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
    pub(crate) history: History,
    pub(crate) timeout: Duration,
    pub(crate) stream: bool,
    pub(crate) allow_private: bool,
}

impl Default for OpenAi {
    fn default() -> Self {
        let (url, model) = ("https://api.openai.com/v1".into(), String::new());
        let timeout = Duration::from_secs(300);
        let (api_key, system, history) = (None, None, History::default());
        Self { url, model, api_key, system, history, timeout, stream: true, allow_private: false }
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
        row("history", HISTORY, |m| m.history.slot()),
        row("timeout", "How long one message may take in all", |m| leaf(&mut m.timeout, time())),
        row("stream", "Whether the answer is given as the model writes it", |m| {
            leaf(&mut m.stream, form::flag())
        }),
        row("allow_private", "Whether it may be on this machine or in a private network", |m| {
            leaf(&mut m.allow_private, form::flag())
        }),
    ];
}
