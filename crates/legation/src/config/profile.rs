//! How an agent presents itself, by what the file says of it.

use legation::model::{AgentProvider, AgentSkill};
use legation::{BadSlug, Binding, Interface, Profile, Tool};
use legation_agents::analyst::DataAnalyst;
use serde_json::{Map, Value as Json, json};

use super::keys::{self, A2aServer, Agent, Preferred, Runtime};

/// How an agent presents itself that is served under a name, by these interfaces unless it says
/// otherwise.
///
/// # Errors
/// When the name cannot stand in an address.
pub(super) fn profile(
    name: &str,
    agent: &Agent,
    interfaces: &[Interface],
) -> Result<Profile, BadSlug> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let tool = |tool: &keys::Tool| (tool.0.name.clone(), text(&tool.0.description));
    let tools: Vec<_> = agent.tools.iter().map(tool).collect();
    let tools: Vec<_> =
        tools.iter().map(|(name, description)| Tool { name, description }).collect();
    let built_in = DataAnalyst::profile();
    let role = agent.role.as_deref().unwrap_or(&built_in.name);
    let (goal, backstory) = (text(&agent.goal), text(&agent.backstory));
    let mut profile = Profile::of_role(Some(name), role, &goal, &backstory, &tools)?;
    if let Some(Runtime::Analyst(_)) = agent.runtime {
        if tools.is_empty() {
            profile.skills = built_in.skills;
        }
        if goal.is_empty() && backstory.is_empty() {
            profile.description = built_in.description;
        }
        profile.input_modes = built_in.input_modes;
        profile.output_modes = built_in.output_modes;
    }
    profile.concurrency = agent.concurrency;
    profile.answer_in = agent.answer_in;
    profile.lenient_extensions = agent.lenient_extensions;
    let server = agent.a2a.server.clone();
    let mut card = card(&server, interfaces);
    card.extend(agent.card.clone());
    profile.card = card;
    let A2aServer { name: shown, description, version, skills, provider, .. } = server;
    profile.name = shown.unwrap_or(profile.name);
    profile.description = description.unwrap_or(profile.description);
    profile.version = version.unwrap_or(profile.version);
    if !skills.is_empty() {
        profile.skills = skills.into_iter().map(|given| skill(given, name)).collect();
    }
    let extended = server.extended_skills.into_iter().map(|given| skill(given, name));
    profile.access.extended_skills = extended.collect();
    profile.input_modes = server.default_input_modes.unwrap_or(profile.input_modes);
    profile.output_modes = server.default_output_modes.unwrap_or(profile.output_modes);
    profile.provider = provider
        .map(|keys::Provider { organization, url }| AgentProvider { organization, url })
        .or(profile.provider);
    Ok(profile)
}

/// A skill; one without tags is found by its agent's name.
fn skill(given: keys::Skill, agent: &str) -> AgentSkill {
    let keys::Skill {
        id,
        name,
        description,
        mut tags,
        examples,
        input_modes,
        output_modes,
        needs: _,
    } = given;
    if tags.is_empty() {
        tags.push(agent.to_owned());
    }
    let skill = AgentSkill { id, name, description, tags, ..AgentSkill::default() };
    AgentSkill { examples, input_modes, output_modes, ..skill }
}

/// What the card says that a profile has no member for.
fn card(server: &A2aServer, interfaces: &[Interface]) -> Map<String, Json> {
    let mut card = Map::new();
    let urls = [("documentationUrl", &server.documentation_url), ("iconUrl", &server.icon_url)];
    for (member, url) in urls {
        card.extend(url.as_ref().map(|url| (member.to_owned(), json!(url))));
    }
    if let Some(listed) = list(server, interfaces) {
        card.insert("supportedInterfaces".into(), listed);
    }
    card
}

/// The interfaces, when the agent has an order or an address of its own for them. Those without an
/// address get the one at which the server serves them.
fn list(server: &A2aServer, interfaces: &[Interface]) -> Option<Json> {
    let preferred = server.transport.preferred.or(server.preferred_transport);
    let (url, version, more) =
        (&server.url, server.protocol_version, &server.additional_interfaces);
    if url.is_none() && preferred.is_none() && version.is_none() && more.is_empty() {
        return None;
    }
    let mut interfaces = interfaces.to_vec();
    let is_last = |interface: &Interface| {
        let other_version = version.is_some_and(|version| interface.version != version);
        let other_binding =
            preferred.is_some_and(|Preferred(binding)| interface.binding != binding);
        (other_binding, other_version)
    };
    interfaces.sort_by_key(is_last);
    let own = interfaces.iter().map(|interface| {
        // An agent's own address is that of HTTP; gRPC is where the server has it.
        let url = url.as_deref().filter(|_| interface.binding != Binding::Grpc);
        json!({
            "url": url.unwrap_or_default(),
            "protocolBinding": interface.binding.name(),
            "protocolVersion": interface.version.name(),
        })
    });
    let more = more.iter().map(|other| {
        json!({
            "url": other.url,
            "protocolBinding": other.transport,
            "protocolVersion": other.protocol_version.name(),
        })
    });
    Some(own.chain(more).collect())
}
