//! Which skill a message says it is for.

use legation_model::{A2aError, Message, Metadata};

/// The members of metadata that name a skill. The second is what CrewAI's callers write.
const MEMBERS: [&str; 2] = ["skillId", "skill_id"];

/// A skill that a message names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Where it is named.
    field: String,
    pub(super) skill: String,
}

impl Named {
    /// The skill that a request to an agent names, in its message or beside it. The agent's own name
    /// is that of its skill on the card of a crew, and says no more than that the agent is meant.
    ///
    /// # Errors
    /// `InvalidParams` when it names two, or one by something else than a text: whoever checks
    /// one of them must not leave the agent another.
    pub(super) fn of_request(
        message: &Message,
        beside: Option<&Metadata>,
        agent: &str,
    ) -> Result<Option<Self>, A2aError> {
        let places = [("message.metadata", message.metadata.as_ref()), ("metadata", beside)];
        let mut found: Option<Self> = None;
        for (place, metadata) in places {
            for named in all(place, metadata) {
                let named = named?;
                match &found {
                    Some(first) if first.skill != named.skill => {
                        let text = format!("names another skill than `{}`", first.field);
                        return Err(A2aError::invalid(named.field, text));
                    }
                    Some(_) => {}
                    None => found = Some(named),
                }
            }
        }
        Ok(found.and_then(|named| named.within(agent)))
    }

    /// The skill that a message of a task names.
    pub(super) fn of(message: &Message, agent: &str) -> Option<Self> {
        all("", message.metadata.as_ref()).next()?.ok()?.within(agent)
    }

    /// The skill by its name within an agent; on the card of a crew that has the agent's before it.
    fn within(mut self, agent: &str) -> Option<Self> {
        if self.skill == agent {
            return None;
        }
        let below = self.skill.strip_prefix(agent).and_then(|rest| rest.strip_prefix('/'));
        if let Some(below) = below {
            self.skill = below.to_owned();
        }
        Some(self)
    }

    /// The refusal of a name that is no skill's.
    pub(super) fn unknown(self) -> A2aError {
        let skill: String = self.skill.chars().take(80).collect();
        A2aError::invalid(self.field, format!("this agent has no skill `{skill}`"))
    }
}

fn all(place: &str, metadata: Option<&Metadata>) -> impl Iterator<Item = Result<Named, A2aError>> {
    MEMBERS.into_iter().filter_map(move |member| {
        let value = metadata?.get(member)?;
        let field = format!("{place}.{member}");
        Some(match value.read() {
            Ok(skill) => Ok(Named { field, skill }),
            Err(_) => Err(A2aError::invalid(field, "must be the id of a skill, which is a text")),
        })
    })
}
