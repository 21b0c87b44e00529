//! An agent.

use legation::{AnswerIn, OnRestart};
use serde_json::Map;

use super::{A2a, Runtime};
use crate::config::form::{self, choice, count};
use crate::config::setting::{
    Either, Group, Item, Row, Slot, each, free, group, later, leaf, maybe, required, row, tagged,
    unset,
};

/// An agent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Agent {
    pub(crate) role: Option<String>,
    pub(crate) goal: Option<String>,
    pub(crate) backstory: Option<String>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) exposed: bool,
    pub(crate) runtime: Option<Runtime>,
    pub(crate) a2a: A2a,
    pub(crate) concurrency: Option<usize>,
    pub(crate) answer_in: AnswerIn,
    pub(crate) on_restart: Option<OnRestart>,
    pub(crate) lenient_extensions: bool,
    pub(crate) card: Map<String, serde_json::Value>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            role: None,
            goal: None,
            backstory: None,
            tools: Vec::new(),
            exposed: true,
            runtime: None,
            a2a: A2a::default(),
            concurrency: None,
            answer_in: AnswerIn::default(),
            on_restart: None,
            lenient_extensions: false,
            card: Map::new(),
        }
    }
}

const ANSWERS: [(&str, AnswerIn); 3] =
    [("both", AnswerIn::Both), ("artifact", AnswerIn::Artifact), ("status", AnswerIn::Status)];

const RESTARTS: [(&str, OnRestart); 3] =
    [("retry", OnRestart::Retry), ("resume", OnRestart::Resume), ("fail", OnRestart::Fail)];

impl Group for Agent {
    const ROWS: &'static [Row<Self>] = &[
        unset(
            "required, except for the analyst",
            row("role", "What it is, such as `Data Analyst`; public", |a| {
                maybe(&mut a.role, form::text())
            }),
        ),
        row("goal", "What it is to reach; public", |a| maybe(&mut a.goal, form::text())),
        row("backstory", "Where it comes from; public", |a| maybe(&mut a.backstory, form::text())),
        later("llm", "The model that it thinks with", "models for agents"),
        row(
            "tools",
            "What it works with: names, or names with descriptions. Each is a skill on its card",
            |a| each(&mut a.tools),
        ),
        row("exposed", "Whether it is served", |a| leaf(&mut a.exposed, form::flag())),
        required(row("runtime", "What does its work", |a| tagged(&mut a.runtime))),
        row("a2a", "What it is on the A2A network", |a| group(&mut a.a2a)),
        unset(
            "as many as there may be in all",
            row(
                "concurrency",
                "Messages it works on at once, on each replica; others wait, tenants and callers taking turns",
                |a| maybe(&mut a.concurrency, count()),
            ),
        ),
        row(
            "answer_in",
            "Where the answer of a task is to be found: in an artifact, in the message of the last status, or in both",
            |a| leaf(&mut a.answer_in, choice(&ANSWERS)),
        ),
        unset(
            "the runtime's own policy",
            row("on_restart", "What becomes of a run that was lost with its process", |a| {
                maybe(&mut a.on_restart, choice(&RESTARTS))
            }),
        ),
        row(
            "lenient_extensions",
            "Whether calls pass that do not ask for a required extension",
            |a| leaf(&mut a.lenient_extensions, form::flag()),
        ),
        row(
            "card",
            "What its card says otherwise: a JSON merge patch over the A2A 1.0 card",
            |a| free(&mut a.card),
        ),
    ];
}

/// Something that an agent works with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tool(pub(crate) Described);

/// A name with a description.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
}

impl Item for Tool {
    fn slot(&mut self) -> Slot<'_> {
        Box::new(Either {
            place: &mut self.0,
            short: |tool| leaf(&mut tool.name, form::text()),
            long: |tool| group(tool),
            is_short: |tool| tool.description.is_none(),
        })
    }
}

impl Group for Described {
    const ROWS: &'static [Row<Self>] = &[
        required(row("name", "What it is called", |t| leaf(&mut t.name, form::text()))),
        row("description", "What it does", |t| maybe(&mut t.description, form::text())),
    ];
}
