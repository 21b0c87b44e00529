//! Cards made of profiles, complete but for the addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use legation_core::{Access, Names, Profile, Usable};
use legation_model::{
    AgentCapabilities, AgentCard, AgentExtension, AgentSkill, SecurityRequirement, SecurityScheme,
    StringList,
};
use legation_wire::card::{self, BadMember};
use serde_json::{Map, Value};

use crate::addresses::{Addresses, GrpcPort};
use crate::settings::{Crew, Settings};

/// What every card says the same of.
#[derive(Clone, Copy)]
pub(super) struct Common<'s> {
    pub(super) settings: &'s Settings,
    pub(super) extensions: &'s [AgentExtension],
}

/// A card at any address.
#[derive(Clone, Debug)]
pub(super) struct Template {
    card: AgentCard,
    /// Whether its owner says by which interfaces it is reached.
    is_placed: bool,
    of: Of,
}

/// Whose card it is, which decides what its extended card has.
#[derive(Clone, Debug)]
enum Of {
    Agent {
        slug: Arc<str>,
        access: Access,
    },
    /// The cards of its agents, by slug.
    Crew(Vec<(Arc<str>, Template)>),
}

impl Template {
    /// The card of an agent.
    ///
    /// # Errors
    /// When what its owner says otherwise makes it no card.
    pub(super) fn of_agent(profile: &Profile, common: Common<'_>) -> Result<Self, BadMember> {
        let mut access = profile.access.clone();
        let schemes = profile.schemes.as_ref();
        let names: Vec<_> = common.settings.security.of(schemes).map(|(name, _)| name).collect();
        let needing = |skill: AgentSkill| with_needs(skill, &access, &names);
        let extended = access.extended_skills.iter().cloned().map(needing).collect();
        let skills = skills(profile).into_iter().map(needing).collect();
        let has_extended = access.extended_card;
        access.extended_skills = extended;
        let card = AgentCard {
            provider: profile.provider.clone(),
            version: profile.version.clone(),
            default_input_modes: profile.input_modes.clone(),
            default_output_modes: profile.output_modes.clone(),
            skills,
            ..blank((&profile.name, &profile.description), schemes, has_extended, common)
        };
        Self::patched(card, &profile.card, Of::Agent { slug: profile.slug.clone(), access })
    }

    /// The card of a crew: each of its agents is a skill. The first agent lends what nobody says
    /// of the crew, because it is the one that answers when a message names no agent.
    ///
    /// # Errors
    /// When what its owner says otherwise makes it no card.
    pub(super) fn of_crew(
        crew: Option<&Crew>,
        agents: &[(&str, Self)],
        common: Common<'_>,
    ) -> Result<Self, BadMember> {
        let first = &agents.first().expect("a service has an agent").1.card;
        let (name, description) =
            crew.map_or((&first.name, &first.description), |crew| (&crew.name, &crew.description));
        let input_modes = union(agents, |card| &card.default_input_modes);
        let output_modes = union(agents, |card| &card.default_output_modes);
        let skill = |(slug, agent): &(&str, Self)| AgentSkill {
            input_modes: unless(&input_modes, &agent.card.default_input_modes),
            output_modes: unless(&output_modes, &agent.card.default_output_modes),
            ..skill_of(slug, &agent.card)
        };
        let card = AgentCard {
            provider: first.provider.clone(),
            version: first.version.clone(),
            skills: agents.iter().map(skill).collect(),
            default_input_modes: input_modes.clone(),
            default_output_modes: output_modes.clone(),
            ..blank(
                (name, description),
                None,
                agents.iter().any(|(_, it)| it.has_extended()),
                common,
            )
        };
        let own = agents.iter().map(|(slug, agent)| ((*slug).into(), agent.clone())).collect();
        Self::patched(card, crew.map_or(&Map::new(), |crew| &crew.card), Of::Crew(own))
    }

    /// Whether the card says that there is an extended one.
    pub(super) fn offers_extended(&self) -> bool {
        self.card.capabilities.extended_agent_card == Some(true)
    }

    /// Whether there is an extended card.
    pub(super) fn has_extended(&self) -> bool {
        match &self.of {
            Of::Agent { access, .. } => access.extended_card,
            Of::Crew(agents) => agents.iter().any(|(_, agent)| agent.has_extended()),
        }
    }

    /// The skills of the extended card of those who may use this: on that of an agent the skills,
    /// and on that of a crew each agent, with its skills behind it.
    pub(super) fn skills_for(&self, usable: &Usable) -> Vec<AgentSkill> {
        match &self.of {
            Of::Agent { slug, access } => {
                let mut agents = usable.agents.iter();
                let Some(usable) = agents.find(|agent| agent.slug == *slug) else {
                    return Vec::new();
                };
                let all = self.card.skills.iter().chain(&access.extended_skills);
                all.filter(|skill| usable.may_use(access, &skill.id)).cloned().collect()
            }
            Of::Crew(agents) => {
                let within = |slug: &str| {
                    let (_, agent) = agents.iter().find(|(known, _)| **known == *slug)?;
                    Some((agent, agent.skills_for(usable)))
                };
                let each = self.card.skills.iter().flat_map(|skill| match within(&skill.id) {
                    // What the owner of a crew says of it for everybody.
                    None => vec![skill.clone()],
                    Some((_, own)) if own.is_empty() => Vec::new(),
                    Some((agent, own)) => {
                        let own = own.into_iter().filter(|own| own.id != skill.id);
                        let own = own.map(|own| self.of_agent_in_crew(&skill.id, agent, own));
                        std::iter::once(skill.clone()).chain(own).collect()
                    }
                });
                each.collect()
            }
        }
    }

    /// A skill of an agent on the card of its crew, where another agent may have one of its name.
    fn of_agent_in_crew(&self, slug: &str, agent: &Self, skill: AgentSkill) -> AgentSkill {
        let modes = |own: Vec<String>, of: fn(&AgentCard) -> &Vec<String>| {
            if own.is_empty() { unless(of(&self.card), of(&agent.card)) } else { own }
        };
        AgentSkill {
            id: format!("{slug}/{}", skill.id),
            input_modes: modes(skill.input_modes, |card| &card.default_input_modes),
            output_modes: modes(skill.output_modes, |card| &card.default_output_modes),
            ..skill
        }
    }

    /// The card at these addresses.
    pub(super) fn at(&self, addresses: &Addresses, settings: &Settings) -> AgentCard {
        let mut card = self.card.clone();
        if !self.is_placed {
            card.supported_interfaces = addresses.list_all(&settings.interfaces);
        }
        // An owner may choose interfaces without knowing the server's address, and without knowing
        // whether the server has them.
        card.supported_interfaces.retain_mut(|interface| {
            if interface.url.is_empty() {
                let url = addresses.by(&interface.protocol_binding);
                interface.url = url.unwrap_or_default().to_owned();
            }
            !interface.url.is_empty()
        });
        if card.supported_interfaces.is_empty() {
            card.supported_interfaces = addresses.list_all(&settings.interfaces);
        }
        card
    }

    fn patched(card: AgentCard, patch: &Map<String, Value>, of: Of) -> Result<Self, BadMember> {
        let card = card::patch(&card, patch)?;
        Ok(Self { card, is_placed: patch.contains_key("supportedInterfaces"), of })
    }
}

/// What every card has.
fn blank(
    (name, description): (&str, &str),
    schemes: Option<&Names>,
    has_extended: bool,
    common: Common<'_>,
) -> AgentCard {
    let Common { settings, extensions } = common;
    // Where everybody may call, nobody is known to whom more could be shown.
    let has_extended = has_extended && !settings.security.schemes.is_empty();
    let (security_schemes, security_requirements) = security(settings.security.of(schemes));
    AgentCard {
        name: name.to_owned(),
        description: description.to_owned(),
        // Any will do: those of the address in question take their place.
        supported_interfaces: Addresses::of("", None, GrpcPort::Main)
            .list_all(&settings.interfaces),
        provider: None,
        version: String::new(),
        documentation_url: None,
        capabilities: AgentCapabilities {
            streaming: Some(true),
            push_notifications: Some(false),
            extensions: extensions.to_vec(),
            extended_agent_card: Some(has_extended),
        },
        security_schemes,
        security_requirements,
        default_input_modes: Vec::new(),
        default_output_modes: Vec::new(),
        skills: Vec::new(),
        signatures: Vec::new(),
        icon_url: None,
    }
}

type Schemes = BTreeMap<String, SecurityScheme>;

/// The schemes, each of which is enough by itself.
fn security<'s>(
    schemes: impl Iterator<Item = &'s (Arc<str>, SecurityScheme)>,
) -> (Schemes, Vec<SecurityRequirement>) {
    let require = |(name, scheme): &(Arc<str>, SecurityScheme)| {
        let required = [(name.to_string(), StringList::default())];
        let required = SecurityRequirement { schemes: required.into() };
        ((name.to_string(), scheme.clone()), required)
    };
    schemes.map(require).unzip()
}

/// The skill with the scopes that it needs, by any of these schemes. Those of a scheme that has no
/// scopes are what the credentials have to be good for (OpenAPI 3.1, Security Requirement Object).
fn with_needs(mut skill: AgentSkill, access: &Access, schemes: &[&Arc<str>]) -> AgentSkill {
    let scopes = access.needs_of(&skill.id).map_or(&[][..], |needs| &needs.scopes);
    if scopes.is_empty() || !skill.security_requirements.is_empty() {
        return skill;
    }
    let scopes = StringList { list: scopes.iter().map(|scope| scope.to_string()).collect() };
    let require = |name: &&Arc<str>| SecurityRequirement {
        schemes: [(name.to_string(), scopes.clone())].into(),
    };
    skill.security_requirements = schemes.iter().map(require).collect();
    skill
}

/// The skills; an agent that names none is its one skill, because a card needs at least one.
fn skills(profile: &Profile) -> Vec<AgentSkill> {
    if !profile.skills.is_empty() {
        return profile.skills.clone();
    }
    let slug = profile.slug.to_string();
    vec![AgentSkill {
        id: slug.clone(),
        name: profile.name.clone(),
        description: profile.description.clone(),
        tags: vec![slug],
        ..AgentSkill::default()
    }]
}

/// An agent as a skill of its crew, to be found by the words of its own skills.
fn skill_of(slug: &str, card: &AgentCard) -> AgentSkill {
    let tags = distinct(card.skills.iter().flat_map(|skill| &skill.tags));
    AgentSkill {
        id: slug.to_owned(),
        name: card.name.clone(),
        description: card.description.clone(),
        tags: if tags.is_empty() { vec![slug.to_owned()] } else { tags },
        examples: distinct(card.skills.iter().flat_map(|skill| &skill.examples)),
        ..AgentSkill::default()
    }
}

/// What any of the agents' cards has.
fn union(agents: &[(&str, Template)], of: fn(&AgentCard) -> &Vec<String>) -> Vec<String> {
    distinct(agents.iter().flat_map(|(_, agent)| of(&agent.card)))
}

fn distinct<'t>(texts: impl Iterator<Item = &'t String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for text in texts {
        if !distinct.contains(text) {
            distinct.push(text.clone());
        }
    }
    distinct
}

/// An agent's modes as its skill states them: not at all when they are the crew's.
fn unless(crew: &[String], own: &[String]) -> Vec<String> {
    if crew == own { Vec::new() } else { own.to_vec() }
}
