//! What an examination found: results of checks, and what they mean for each kind of reader.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::checks::{CHECKS, Check};

/// Who calls agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Reader {
    /// The SDKs of A2A 1.0.
    #[serde(rename = "v1.0")]
    V1_0,
    /// The SDKs of A2A 0.3.
    #[serde(rename = "v0.3")]
    V0_3,
    /// Clients of 0.2 and of the first drafts.
    #[serde(rename = "older")]
    Older,
    /// CrewAI, which speaks 0.3 in its own way.
    #[serde(rename = "crewai")]
    CrewAi,
    /// Pages in browsers.
    #[serde(rename = "browser")]
    Browser,
}

impl Reader {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::V1_0, Self::V0_3, Self::Older, Self::CrewAi, Self::Browser];

    /// The name that programs know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "v1.0",
            Self::V0_3 => "v0.3",
            Self::Older => "older",
            Self::CrewAi => "crewai",
            Self::Browser => "browser",
        }
    }

    /// The name for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0 SDKs",
            Self::V0_3 => "0.3 SDKs",
            Self::Older => "0.2 and 0.1 clients",
            Self::CrewAi => "CrewAI",
            Self::Browser => "browsers",
        }
    }
}

/// What a group of checks is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Getting to the card.
    Reach,
    /// What the card says.
    Card,
    /// What CrewAI wants beyond other clients of 0.3.
    CrewAi,
    /// What pages in browsers need.
    Browser,
    /// How each interface answers.
    Interface,
    /// The answer to a message.
    Message,
    /// The stream of a message.
    Stream,
    /// What can be done with a task.
    Task,
}

impl Group {
    /// Every group, in the order in which they are examined.
    pub const ALL: [Self; 8] = [
        Self::Reach,
        Self::Card,
        Self::CrewAi,
        Self::Browser,
        Self::Interface,
        Self::Message,
        Self::Stream,
        Self::Task,
    ];

    /// The name for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Reach => "Reaching it",
            Self::Card => "The card",
            Self::CrewAi => "CrewAI",
            Self::Browser => "Browsers",
            Self::Interface => "Interfaces",
            Self::Message => "A message",
            Self::Stream => "A stream",
            Self::Task => "A task",
        }
    }
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Pass,
    /// It works, and should be otherwise.
    Warn,
    /// It is wrong.
    Fail,
    /// It could not be looked at, or was not to be.
    Skipped,
}

impl Outcome {
    /// The name that programs know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// Which check it was.
    pub id: &'static str,
    /// What it is about.
    pub group: Group,
    /// Which member of the card or which interface, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whom it concerns.
    #[serde(rename = "for")]
    pub readers: Vec<Reader>,
    /// How it went.
    pub outcome: Outcome,
    /// What was seen; of what was skipped, why.
    pub seen: String,
    /// What to do, when something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// How long it took.
    #[serde(rename = "millis", serialize_with = "millis")]
    pub took: Duration,
    /// Whether those whom it concerns cannot work with the agent while it is wrong.
    #[serde(skip)]
    pub blocks: bool,
}

fn millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_millis().try_into().unwrap_or(u64::MAX))
}

impl Checked {
    /// About this member of the card or this interface.
    #[must_use]
    pub(super) fn at(self, place: impl Into<String>) -> Self {
        Self { at: Some(place.into()), ..self }
    }

    /// With this remedy rather than the usual one.
    #[must_use]
    pub(super) fn fix(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// Of those whom the check concerns, only these.
    #[must_use]
    pub(super) fn among(mut self, readers: &[Reader]) -> Self {
        self.readers.retain(|reader| readers.contains(reader));
        self
    }

    /// Whoever it concerns has another way.
    #[must_use]
    pub(super) fn harmless(self) -> Self {
        Self { blocks: false, ..self }
    }
}

impl Check {
    /// It is as it should be.
    pub(super) fn passed(&self, seen: impl Into<String>) -> Checked {
        self.checked(Outcome::Pass, seen.into(), None)
    }

    /// It works, and should be otherwise.
    pub(super) fn warned(&self, seen: impl Into<String>) -> Checked {
        self.checked(Outcome::Warn, seen.into(), Some(self.remedy.to_owned()))
    }

    /// It is wrong.
    pub(super) fn failed(&self, seen: impl Into<String>) -> Checked {
        self.checked(Outcome::Fail, seen.into(), Some(self.remedy.to_owned()))
    }

    /// It was not looked at.
    pub(super) fn skipped(&self, why: impl Into<String>) -> Checked {
        self.checked(Outcome::Skipped, why.into(), None)
    }

    fn checked(&self, outcome: Outcome, seen: String, remedy: Option<String>) -> Checked {
        let Self { id, group, blocks, .. } = *self;
        let (at, readers, took) = (None, self.readers.to_vec(), Duration::ZERO);
        Checked { id, group, at, readers, outcome, seen, remedy, took, blocks }
    }
}

/// What an examination found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The address that was given.
    pub address: String,
    /// The agent, when its card could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Examined>,
    /// What it means for each kind of reader.
    pub readers: Vec<Verdict>,
    /// The results, in the order of the table.
    pub checks: Vec<Checked>,
}

/// The agent that was examined.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Examined {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Where its card is.
    pub card: String,
}

/// What the results mean for one kind of reader.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Who.
    pub reader: Reader,
    /// Whether the agent works for them.
    pub works: Works,
    /// The first reason, where it does not work or is not known to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The checks that failed or warned.
    pub troubles: Vec<&'static str>,
}

/// Whether an agent works for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Works {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// What would tell was not looked at.
    Unknown,
}

impl Report {
    /// A report of these results for these readers.
    pub(super) fn new(
        address: String,
        agent: Option<Examined>,
        mut checks: Vec<Checked>,
        readers: &[Reader],
    ) -> Self {
        checks.sort_by_key(|it| CHECKS.iter().position(|check| check.id == it.id));
        let readers = readers.iter().map(|reader| Verdict::of(*reader, &checks)).collect();
        Self { address, agent, readers, checks }
    }

    /// How many checks went like this.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|checked| checked.outcome == outcome).count()
    }

    /// Whether anything is wrong.
    pub fn has_failed(&self) -> bool {
        self.count(Outcome::Fail) > 0
    }
}

impl Verdict {
    fn of(reader: Reader, checks: &[Checked]) -> Self {
        let own = || checks.iter().filter(|checked| checked.readers.contains(&reader));
        let first = |outcome| own().find(|checked| checked.blocks && checked.outcome == outcome);
        let mut troubles: Vec<&'static str> = Vec::new();
        for checked in own().filter(|it| matches!(it.outcome, Outcome::Fail | Outcome::Warn)) {
            if !troubles.contains(&checked.id) {
                troubles.push(checked.id);
            }
        }
        let (works, reason) = match (first(Outcome::Fail), first(Outcome::Skipped)) {
            (Some(wrong), _) => (Works::No, Some(wrong)),
            (None, Some(skipped)) => (Works::Unknown, Some(skipped)),
            (None, None) if own().next().is_none() => (Works::Unknown, None),
            (None, None) => (Works::Yes, None),
        };
        let why = reason.map(|checked| match &checked.at {
            Some(at) => format!("{at}: {}", checked.seen),
            None => checked.seen.clone(),
        });
        Self { reader, works, why, troubles }
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{CONNECT, CREWAI_PLACE, MEMBERS, PREFLIGHT};
    use super::*;

    #[test]
    fn what_stops_a_reader_decides_over_what_was_not_looked_at() {
        let cases = [
            (vec![CONNECT.passed("")], "yes "),
            (vec![CONNECT.passed(""), MEMBERS.warned("odd")], "yes card.members"),
            (vec![CONNECT.passed(""), CREWAI_PLACE.failed("no card")], "no crewai.place"),
            (vec![CONNECT.failed("refused")], "no reach.connect"),
            (vec![CONNECT.skipped("later"), CREWAI_PLACE.failed("x")], "no crewai.place"),
            (vec![CONNECT.skipped("later")], "unknown "),
            (vec![CREWAI_PLACE.failed("x").harmless()], "yes crewai.place"),
            (vec![PREFLIGHT.failed("of others")], "unknown "),
            (vec![], "unknown "),
        ];
        for (checks, expected) in cases {
            let verdict = Verdict::of(Reader::CrewAi, &checks);
            let works = match verdict.works {
                Works::Yes => "yes",
                Works::No => "no",
                Works::Unknown => "unknown",
            };
            let got = format!("{works} {}", verdict.troubles.join(" "));
            assert_eq!(got, expected, "{checks:?}");
        }
    }
}
