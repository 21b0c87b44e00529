//! The agent card: how an agent describes itself (Spec 4.4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rules;
use crate::{Metadata, SecurityRequirement, SecurityScheme};

/// An agent's description of itself (Spec 4.4.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentCard {
    /// A name for people.
    pub name: String,
    /// What the agent does.
    pub description: String,
    /// Where it is reached, the preferred way first.
    #[serde(alias = "supported_interfaces")]
    pub supported_interfaces: Vec<AgentInterface>,
    /// Who offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<AgentProvider>,
    /// The version of the agent itself.
    pub version: String,
    /// Where people read about it.
    #[serde(default, alias = "documentation_url", skip_serializing_if = "Option::is_none")]
    pub documentation_url: Option<String>,
    /// Which optional parts of the protocol it offers.
    pub capabilities: AgentCapabilities,
    /// The ways to authenticate, by name.
    #[serde(default, alias = "security_schemes", deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub security_schemes: BTreeMap<String, SecurityScheme>,
    /// Which of them a call needs: any one entry of the list.
    #[serde(default, alias = "security_requirements", deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_requirements: Vec<SecurityRequirement>,
    /// Media types it takes unless a skill says otherwise.
    #[serde(alias = "default_input_modes")]
    pub default_input_modes: Vec<String>,
    /// Media types it gives unless a skill says otherwise.
    #[serde(alias = "default_output_modes")]
    pub default_output_modes: Vec<String>,
    /// What it can do.
    pub skills: Vec<AgentSkill>,
    /// Signatures over the card.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<AgentCardSignature>,
    /// A picture for people.
    #[serde(default, alias = "icon_url", skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<String>,
}

/// One way to reach an agent (Spec 4.4.6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentInterface {
    /// Where it listens.
    pub url: String,
    /// `JSONRPC`, `GRPC`, `HTTP+JSON` or the URI of another binding.
    #[serde(alias = "protocol_binding")]
    pub protocol_binding: String,
    /// The tenant a caller must send along.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The protocol version spoken there, such as `1.0`.
    #[serde(alias = "protocol_version")]
    pub protocol_version: String,
}

/// Who offers an agent (Spec 4.4.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentProvider {
    /// Their site.
    pub url: String,
    /// Their name.
    pub organization: String,
}

/// The optional parts of the protocol that an agent offers (Spec 4.4.3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentCapabilities {
    /// Streams of updates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streaming: Option<bool>,
    /// Webhooks.
    #[serde(default, alias = "push_notifications", skip_serializing_if = "Option::is_none")]
    pub push_notifications: Option<bool>,
    /// Extensions it understands.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<AgentExtension>,
    /// Whether authenticated callers get a fuller card.
    #[serde(default, alias = "extended_agent_card", skip_serializing_if = "Option::is_none")]
    pub extended_agent_card: Option<bool>,
}

/// An extension of the protocol (Spec 4.4.4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentExtension {
    /// Names the extension and its version.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    pub uri: String,
    /// How this agent uses it.
    #[serde(default, deserialize_with = "rules::text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether callers must understand it.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Metadata>,
}

/// One thing an agent can do (Spec 4.4.5).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentSkill {
    /// Names the skill within the agent.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Things one might ask.
    #[serde(default, deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// Media types it takes, when not the card's.
    #[serde(default, alias = "input_modes", deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input_modes: Vec<String>,
    /// Media types it gives, when not the card's.
    #[serde(default, alias = "output_modes", deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output_modes: Vec<String>,
    /// What a caller needs for it beyond the card's requirements.
    #[serde(default, alias = "security_requirements", deserialize_with = "rules::null_as_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_requirements: Vec<SecurityRequirement>,
}

/// A detached JWS over the card (Spec 8.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentCardSignature {
    /// The protected header, base64url.
    pub protected: String,
    /// The signature, base64url.
    pub signature: String,
    /// The unprotected header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Metadata>,
}
