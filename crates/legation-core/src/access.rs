//! Which skills of an agent are for whom.
//!
//! A message is checked for the skill that its sender names and for the one that the agent finds in
//! it. What a caller may not use and cannot see is, to that caller, not there.

mod expression;
mod named;
mod needs;

use std::sync::Arc;

use legation_model::{A2aError, AgentSkill, ErrorKind, Message, Metadata, Role};

use crate::{Caller, Exposed, Profile};
use named::Named;

pub use expression::{BadExpression, Expression};
pub use needs::Needs;

/// Which skills of an agent are for whom. By default all are for everybody who may call the agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// What skills need, by their ids: those of the card, and those below.
    pub needs: Vec<(Arc<str>, Needs)>,
    /// Skills that stand on the extended card alone. They are for callers that are known, also where
    /// nothing else is needed: those of whom [`Caller::scheme`] says by what.
    pub extended_skills: Vec<AgentSkill>,
    /// What a message needs that is for no skill in particular. It may come to any of them, so
    /// without this it needs what all of them need.
    pub without_skill: Option<Needs>,
    /// Whether known callers may ask for the card with the skills that they may use.
    pub extended_card: bool,
}

/// What a caller may use of what is served: what its extended card shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Usable {
    /// The agents that the caller may call.
    pub agents: Vec<UsableAgent>,
}

/// What a caller may use of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UsableAgent {
    /// The agent.
    pub slug: Arc<str>,
    /// The ids of those of its guarded skills that the caller may use. The others are for everybody.
    pub skills: Vec<Arc<str>>,
}

impl UsableAgent {
    /// What a caller may use of an agent that it may call.
    pub(crate) fn of(caller: &Caller, profile: &Profile) -> Self {
        let slug = profile.slug.clone();
        Self { skills: profile.access.usable(caller, &slug), slug }
    }

    /// Whether the caller may use a skill.
    pub fn may_use(&self, access: &Access, skill: &str) -> bool {
        !access.guards(skill) || self.skills.iter().any(|usable| **usable == *skill)
    }
}

impl Access {
    /// Whether a skill is not for everybody.
    pub fn guards(&self, skill: &str) -> bool {
        self.guarded().any(|(known, _)| known == skill)
    }

    /// Whether a skill stands on the extended card alone.
    pub fn extends(&self, skill: &str) -> bool {
        self.extended_skills.iter().any(|extended| extended.id == skill)
    }

    /// What a skill needs, if it needs anything.
    pub fn needs_of(&self, skill: &str) -> Option<&Needs> {
        self.needs.iter().find(|(known, _)| **known == *skill).map(|(_, needs)| needs)
    }

    fn is_open(&self) -> bool {
        self.guarded().next().is_none() && self.without_skill.is_none()
    }

    /// The skills that are not for everybody, each once, with what they need.
    fn guarded(&self) -> impl Iterator<Item = (&str, Option<&Needs>)> {
        let needing = self.needs.iter().map(|(skill, needs)| (&**skill, Some(needs)));
        let others = self.extended_skills.iter().map(|skill| (&*skill.id, None));
        needing.chain(others.filter(|(skill, _)| self.needs_of(skill).is_none()))
    }

    fn usable(&self, caller: &Caller, agent: &str) -> Vec<Arc<str>> {
        let is_known = !caller.scheme.is_empty();
        let may = |(skill, needs): &(&str, Option<&Needs>)| {
            (is_known || !self.extends(skill))
                && needs.is_none_or(|needs| needs.lack(caller, agent, skill).is_none())
        };
        self.guarded().filter(may).map(|(skill, _)| skill.into()).collect()
    }
}

/// Checks that a caller may use what a message to an agent is for: the skill that it names, or that
/// the task's last message to name one did, and the skill that the agent finds in it.
///
/// # Errors
/// `InvalidParams` for a name that is no skill's as far as the caller can see, and
/// `PermissionDenied` with the scope that is missing, if that is what is missing.
pub(crate) fn check(
    caller: &Caller,
    exposed: &Exposed,
    (message, beside): (&Message, Option<&Metadata>),
    history: impl FnOnce() -> Vec<Message>,
) -> Result<(), Refused> {
    let profile = &*exposed.profile;
    if profile.access.is_open() {
        return Ok(());
    }
    let usable = UsableAgent::of(caller, profile);
    let check = Check { caller, profile, usable };
    let named = Named::of_request(message, beside, &profile.slug)?;
    // What was named in a task was found to be a skill then; if it is none any more, nobody named it.
    let earlier = || {
        let said = history().into_iter().rev().filter(|message| message.role != Role::Agent);
        let named = said.filter_map(|message| Named::of(&message, &profile.slug)).next();
        named.filter(|named| check.is_there(&named.skill))
    };
    let found = exposed.agent.skill(message).filter(|skill| check.has(skill));
    let is_for_none = match named {
        Some(named) if !check.is_there(&named.skill) => {
            let hidden = check.has(&named.skill).then(|| named.skill.clone());
            return Err(Refused { error: named.unknown(), hidden });
        }
        Some(named) => check.skill(&named.skill).map(|()| false)?,
        None => match earlier() {
            Some(named) => check.skill(&named.skill).map(|()| false)?,
            None => found.is_none(),
        },
    };
    if let Some(found) = found {
        check.skill(&found)?;
    }
    if is_for_none { Ok(check.none()?) } else { Ok(()) }
}

/// Why a message may not come to an agent.
#[derive(Debug)]
pub(crate) struct Refused {
    /// What the caller is told.
    pub(crate) error: A2aError,
    /// The skill that the message names and that the caller is told does not exist.
    pub(crate) hidden: Option<String>,
}

impl From<A2aError> for Refused {
    fn from(error: A2aError) -> Self {
        Self { error, hidden: None }
    }
}

/// What a caller may use of one agent.
struct Check<'c> {
    caller: &'c Caller,
    profile: &'c Profile,
    usable: UsableAgent,
}

impl Check<'_> {
    /// Whether there is a skill, as far as the caller can see.
    fn is_there(&self, skill: &str) -> bool {
        self.profile.shows(skill) || self.usable.skills.iter().any(|usable| **usable == *skill)
    }

    /// Whether there is a skill.
    fn has(&self, skill: &str) -> bool {
        self.profile.shows(skill) || self.profile.access.extends(skill)
    }

    fn skill(&self, skill: &str) -> Result<(), A2aError> {
        let access = &self.profile.access;
        if self.usable.may_use(access, skill) {
            return Ok(());
        }
        // Only what is public is called by its name.
        let needs = access.needs_of(skill).filter(|_| self.profile.shows(skill));
        let lack = needs.and_then(|needs| needs.lack(self.caller, &self.profile.slug, skill));
        Err(match lack {
            Some(lack) => lack.refuse(&format!("the skill `{skill}`")),
            None => denied("these credentials are not for what this message asks"),
        })
    }

    /// Checks a message that is for no skill in particular.
    fn none(&self) -> Result<(), A2aError> {
        let access = &self.profile.access;
        match &access.without_skill {
            Some(needs) => match needs.lack(self.caller, &self.profile.slug, "") {
                Some(lack) => Err(lack.refuse("a message that names no skill")),
                None => Ok(()),
            },
            None if self.usable.skills.len() == access.guarded().count() => Ok(()),
            None => Err(denied(
                "these credentials are not for every skill of this agent; name the one that the \
                 message is for in `metadata.skillId`",
            )),
        }
    }
}

fn denied(text: &str) -> A2aError {
    A2aError::new(ErrorKind::PermissionDenied, text)
}

#[cfg(test)]
mod tests;
