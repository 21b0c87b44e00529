//! Reads the card of any version, and hybrids, into that of 1.0, and says what is wrong with it.
//!
//! Nothing is refused that can be understood: what is missing gets the default that its version has, or
//! none, and what is odd is passed over. Each of these is a [`Finding`], so that whoever looks after the
//! card can be told who stumbles over it and what to change.

mod interfaces;
mod members;
mod security;

use std::fmt;

use legation_model::{
    AgentCapabilities, AgentCard, AgentCardSignature, AgentExtension, AgentProvider, AgentSkill,
};
use serde_json::Value;

use crate::version::Version;
use members::{Findings, Object};

/// A card as it was understood, and what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The card, in 1.0.
    pub card: AgentCard,
    /// What is wrong with it, in the order of its members.
    pub findings: Vec<Finding>,
}

/// Something in a card over which readers stumble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it is, such as `skills[0].tags`.
    pub path: String,
    /// The versions whose readers stumble.
    pub readers: &'static [Version],
    /// What is wrong there.
    pub problem: String,
    /// What to change.
    pub remedy: String,
    /// The versions whose official SDKs refuse the card for it; the others pass it over.
    pub refused_by: &'static [Version],
}

/// What was read is no card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoCard(String);

impl fmt::Display for NoCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoCard {}

/// The readers of every version.
const EVERYBODY: &[Version] = &Version::SERVED;
/// Those of 1.0.
const CURRENT: &[Version] = EVERYBODY.split_at(1).0;
/// Those before it.
const OLDER: &[Version] = EVERYBODY.split_at(1).1;
/// Those that want what 0.1 had a default for.
const SINCE_0_2: &[Version] = EVERYBODY.split_at(3).0;

/// No honest card is larger, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// Reads a card.
///
/// # Errors
/// When it is larger than a megabyte or no JSON object, or says no way at all in which the agent is called.
pub fn read(document: &[u8]) -> Result<Reading, NoCard> {
    if document.len() > MAX_BYTES {
        return Err(NoCard(format!("it is larger than {MAX_BYTES} bytes")));
    }
    let value: Value = serde_json::from_slice(document)
        .map_err(|fault| NoCard(format!("it is not JSON: {fault}")))?;
    let Value::Object(members) = &value else {
        return Err(NoCard("it is not a JSON object".into()));
    };
    let mut findings = Findings::default();
    let card = Object::of(members);
    if !["supportedInterfaces", "url", "additionalInterfaces"].iter().any(|name| card.has(name)) {
        return Err(NoCard(
            "it says neither `supportedInterfaces` nor `url`, where to call".into(),
        ));
    }
    let card = read_card(&card, &mut findings);
    Ok(Reading { card, findings: findings.0 })
}

fn read_card(card: &Object<'_>, findings: &mut Findings) -> AgentCard {
    let name = card.required_text("name", EVERYBODY, findings);
    let description = card.required_text("description", SINCE_0_2, findings);
    let supported_interfaces = interfaces::read(card, findings);
    let version = card.required_text("version", EVERYBODY, findings);
    let capabilities = capabilities(card, findings);
    let security_schemes = security::schemes(card, findings);
    AgentCard {
        name,
        description,
        supported_interfaces,
        provider: provider(card, findings),
        version,
        documentation_url: card.text("documentationUrl", findings),
        capabilities,
        security_requirements: security::requirements(card, &security_schemes, findings),
        security_schemes,
        default_input_modes: modes(card, "defaultInputModes", findings),
        default_output_modes: modes(card, "defaultOutputModes", findings),
        skills: skills(card, findings),
        signatures: signatures(card, findings),
        icon_url: card.text("iconUrl", findings),
    }
}

fn provider(card: &Object<'_>, findings: &mut Findings) -> Option<AgentProvider> {
    let provider = card.object("provider", findings)?;
    let url = provider.required_text("url", SINCE_0_2, findings);
    let organization = provider.required_text("organization", EVERYBODY, findings);
    Some(AgentProvider { url, organization })
}

fn capabilities(card: &Object<'_>, findings: &mut Findings) -> AgentCapabilities {
    // Before 1.0 the card itself says it.
    let fuller = card.truth("supportsAuthenticatedExtendedCard", findings);
    let Some(capabilities) = card.object("capabilities", findings) else {
        if !card.has("capabilities") {
            let remedy = "add `\"capabilities\": {}`, with what the agent offers";
            findings.grave(card.path("capabilities"), EVERYBODY, "is missing", remedy);
        }
        return AgentCapabilities { extended_agent_card: fuller, ..AgentCapabilities::default() };
    };
    let extension = |value: &Value| serde_json::from_value::<AgentExtension>(value.clone());
    AgentCapabilities {
        streaming: capabilities.truth("streaming", findings),
        push_notifications: capabilities.truth("pushNotifications", findings),
        extensions: capabilities.list("extensions", extension, findings),
        extended_agent_card: capabilities.truth("extendedAgentCard", findings).or(fuller),
    }
}

fn modes(card: &Object<'_>, name: &'static str, findings: &mut Findings) -> Vec<String> {
    let modes = card.texts(name, findings);
    if modes.is_empty() {
        // What 0.1 has for its default.
        let remedy = "list the media types, such as `text/plain`";
        findings.none(card, name, SINCE_0_2, "names no media type", remedy);
        return vec!["text/plain".into()];
    }
    modes
}

fn skills(card: &Object<'_>, findings: &mut Findings) -> Vec<AgentSkill> {
    let skills = card.objects("skills", findings);
    if skills.is_empty() {
        let remedy = "describe at least one thing that the agent can do";
        findings.none(card, "skills", EVERYBODY, "names no skill", remedy);
    }
    skills.iter().map(|skill| read_skill(skill, findings)).collect()
}

fn read_skill(skill: &Object<'_>, findings: &mut Findings) -> AgentSkill {
    let id = skill.text("id", findings);
    let name = skill.text("name", findings);
    for (member, said) in [("id", &id), ("name", &name)] {
        if said.is_none() {
            findings.missing(skill.path(member), EVERYBODY);
        }
    }
    // One of them names the skill well enough.
    let either = id.clone().or(name.clone()).unwrap_or_default();
    let tags = skill.texts("tags", findings);
    if tags.is_empty() {
        let remedy = "list at least one word to find the skill by";
        findings.none(skill, "tags", SINCE_0_2, "holds no tag", remedy);
    }
    AgentSkill {
        id: id.unwrap_or(either.clone()),
        name: name.unwrap_or(either),
        description: skill.required_text("description", SINCE_0_2, findings),
        tags,
        examples: skill.texts("examples", findings),
        input_modes: skill.texts("inputModes", findings),
        output_modes: skill.texts("outputModes", findings),
        security_requirements: security::named(skill, findings),
    }
}

fn signatures(card: &Object<'_>, findings: &mut Findings) -> Vec<AgentCardSignature> {
    card.list("signatures", |value| serde_json::from_value(value.clone()), findings)
}

#[cfg(test)]
mod tests;
