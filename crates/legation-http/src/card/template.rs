//! Cards made of profiles, complete but for the addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use legation_core::{Names, Profile};
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
}

impl Template {
    /// The card of an agent.
    ///
    /// # Errors
    /// When what its owner says otherwise makes it no card.
    pub(super) fn of_agent(profile: &Profile, common: Common<'_>) -> Result<Self, BadMember> {
        let card = AgentCard {
            provider: profile.provider.clone(),
            version: profile.version.clone(),
            default_input_modes: profile.input_modes.clone(),
            default_output_modes: profile.output_modes.clone(),
            skills: skills(profile),
            ..blank(&profile.name, &profile.description, profile.schemes.as_ref(), common)
        };
        Self::patched(card, &profile.card)
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
            ..blank(name, description, None, common)
        };
        Self::patched(card, crew.map_or(&Map::new(), |crew| &crew.card))
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

    fn patched(card: AgentCard, patch: &Map<String, Value>) -> Result<Self, BadMember> {
        let card = card::patch(&card, patch)?;
        Ok(Self { card, is_placed: patch.contains_key("supportedInterfaces") })
    }
}

/// What every card has.
fn blank(name: &str, description: &str, schemes: Option<&Names>, common: Common<'_>) -> AgentCard {
    let Common { settings, extensions } = common;
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
            extended_agent_card: Some(false),
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
