//! The card as 0.3 and 0.2 have it, alone or with the members of 1.0 among its own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use legation_model::{
    AgentCapabilities, AgentCard, AgentCardSignature, AgentExtension, AgentInterface,
    AgentProvider, AgentSkill, SecurityRequirement,
};
use serde::Serialize;

use super::scheme::{Authentication, Scheme};
use super::{Binding, CardForm};

/// A card with the members of 0.3. What a form leaves out is absent or empty.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Card<'c> {
    protocol_version: &'static str,
    name: &'c str,
    description: &'c str,
    url: Cow<'c, str>,
    preferred_transport: &'c str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    additional_interfaces: Vec<Interface<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supported_interfaces: Option<&'c [AgentInterface]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'c AgentProvider>,
    version: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation_url: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon_url: Option<&'c str>,
    capabilities: Capabilities<'c>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supports_authenticated_extended_card: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<Authentication<'c>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    security_schemes: BTreeMap<&'c str, Scheme<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    security: Vec<Alternative<'c>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    security_requirements: &'c [SecurityRequirement],
    default_input_modes: &'c [String],
    default_output_modes: &'c [String],
    skills: Vec<Skill<'c>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    signatures: &'c [AgentCardSignature],
}

/// A transport and where it is.
#[derive(Clone, PartialEq, Serialize)]
struct Interface<'c> {
    url: Cow<'c, str>,
    transport: &'c str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Capabilities<'c> {
    #[serde(skip_serializing_if = "Option::is_none")]
    streaming: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push_notifications: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_transition_history: Option<bool>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    extensions: &'c [AgentExtension],
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_agent_card: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Skill<'c> {
    id: &'c str,
    name: &'c str,
    description: &'c str,
    tags: &'c [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    examples: &'c [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    input_modes: &'c [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    output_modes: &'c [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    security: Vec<Alternative<'c>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    security_requirements: &'c [SecurityRequirement],
}

/// Schemes that are needed together, with the scopes each needs.
type Alternative<'c> = BTreeMap<&'c str, &'c [String]>;

impl<'c> Card<'c> {
    /// Makes the card of a form other than [`CardForm::V1_0`].
    pub(super) fn of(card: &'c AgentCard, form: CardForm) -> Self {
        let hybrid = form == CardForm::Hybrid;
        let old = form == CardForm::V0_2;
        let (main, interfaces) = interfaces(&card.supported_interfaces);
        let schemes = card.security_schemes.iter().filter_map(|(name, scheme)| {
            Scheme::of(scheme, form).map(|scheme| (name.as_str(), scheme))
        });
        let security_schemes: BTreeMap<_, _> = schemes.collect();
        let is_lost = |name: &str| {
            card.security_schemes.contains_key(name) && !security_schemes.contains_key(name)
        };
        let security = alternatives(&card.security_requirements, is_lost);
        let skills = card.skills.iter().map(|skill| Skill::of(skill, form)).collect();
        Self {
            protocol_version: if old { "0.2.6" } else { "0.3.0" },
            name: &card.name,
            description: &card.description,
            url: main.url,
            preferred_transport: main.transport,
            additional_interfaces: interfaces,
            supported_interfaces: hybrid.then_some(&*card.supported_interfaces),
            provider: card.provider.as_ref(),
            version: &card.version,
            documentation_url: card.documentation_url.as_deref(),
            icon_url: card.icon_url.as_deref(),
            capabilities: Capabilities::of(&card.capabilities, form),
            supports_authenticated_extended_card: card.capabilities.extended_agent_card,
            authentication: if old { Authentication::of(card) } else { None },
            security_schemes,
            security,
            security_requirements: if hybrid { &card.security_requirements } else { &[] },
            default_input_modes: &card.default_input_modes,
            default_output_modes: &card.default_output_modes,
            skills,
            // They are over the members of 1.0, so that without those they would not verify.
            signatures: if hybrid { &card.signatures } else { &[] },
        }
    }
}

impl<'c> Capabilities<'c> {
    fn of(capabilities: &'c AgentCapabilities, form: CardForm) -> Self {
        Self {
            streaming: capabilities.streaming,
            push_notifications: capabilities.push_notifications,
            // Streams show every change of state and can be read again from any of them. Nobody
            // asked for this flag after 0.2.
            state_transition_history: (form == CardForm::V0_2).then_some(true),
            extensions: &capabilities.extensions,
            extended_agent_card: (form == CardForm::Hybrid)
                .then_some(capabilities.extended_agent_card)
                .flatten(),
        }
    }
}

impl<'c> Skill<'c> {
    fn of(skill: &'c AgentSkill, form: CardForm) -> Self {
        let security = match form {
            // It has no word for it.
            CardForm::V0_2 => Vec::new(),
            CardForm::Hybrid | CardForm::V1_0 | CardForm::V0_3 => {
                alternatives(&skill.security_requirements, |_| false)
            }
        };
        let hybrid = form == CardForm::Hybrid;
        Self {
            id: &skill.id,
            name: &skill.name,
            description: &skill.description,
            tags: &skill.tags,
            examples: &skill.examples,
            input_modes: &skill.input_modes,
            output_modes: &skill.output_modes,
            security,
            security_requirements: if hybrid { &skill.security_requirements } else { &[] },
        }
    }
}

/// The main interface, and all of them once each.
///
/// These are the interfaces of 0.x, with the first of 0.3 as the main one; when there is none, the
/// card's are better than nothing. 0.3 wants the main interface among the others as well.
fn interfaces(all: &[AgentInterface]) -> (Interface<'_>, Vec<Interface<'_>>) {
    let is_older = |interface: &&AgentInterface| interface.protocol_version.starts_with("0.");
    let mut usable: Vec<&AgentInterface> = all.iter().filter(is_older).collect();
    if usable.is_empty() {
        usable = all.iter().collect();
    }
    let is_0_3 = |interface: &&AgentInterface| {
        let mut numbers = interface.protocol_version.split('.');
        (numbers.next(), numbers.next()) == (Some("0"), Some("3"))
    };
    if let Some(main) = usable.iter().position(is_0_3) {
        usable[..=main].rotate_right(1);
    }
    let mut once: Vec<Interface<'_>> = Vec::new();
    for interface in usable {
        let url = with_scheme(interface, all);
        let interface = Interface { url, transport: &interface.protocol_binding };
        if !once.contains(&interface) {
            once.push(interface);
        }
    }
    let main = once.first().cloned();
    (main.unwrap_or(Interface { url: Cow::default(), transport: "" }), once)
}

/// The address of an interface. In 1.0 that of gRPC is a host and a port; before, it is a URL like
/// the others, and of the scheme of the others.
fn with_scheme<'c>(interface: &'c AgentInterface, all: &[AgentInterface]) -> Cow<'c, str> {
    let is_bare = interface.protocol_binding == Binding::Grpc.name()
        && !interface.url.is_empty()
        && !interface.url.contains("://");
    if !is_bare {
        return Cow::Borrowed(&interface.url);
    }
    let mut schemes = all.iter().filter_map(|other| other.url.split_once("://"));
    let scheme = schemes.next().map_or("http", |(scheme, _)| scheme);
    Cow::Owned(format!("{scheme}://{}", interface.url))
}

/// The alternatives without the schemes for which the form has no word. One that is left with none
/// goes as well: it would say that nothing is needed.
fn alternatives<'c>(
    requirements: &'c [SecurityRequirement],
    is_lost: impl Fn(&str) -> bool,
) -> Vec<Alternative<'c>> {
    let alternative = |requirement: &'c SecurityRequirement| {
        let named = requirement.schemes.iter().filter(|(name, _)| !is_lost(name));
        let named: Alternative<'c> =
            named.map(|(name, scopes)| (name.as_str(), &*scopes.list)).collect();
        (requirement.schemes.is_empty() || !named.is_empty()).then_some(named)
    };
    requirements.iter().filter_map(alternative).collect()
}
