//! Where an agent is called: the interfaces of 1.0, and the main and further ones of the versions before.

use std::collections::HashSet;

use legation_model::AgentInterface;

use super::members::{Findings, Object};
use super::{CURRENT, EVERYBODY, OLDER};
use crate::card::Binding;
use crate::version::Version;

/// The interfaces in the card's order, those of 1.0 first.
pub(super) fn read(card: &Object<'_>, findings: &mut Findings) -> Vec<AgentInterface> {
    let mut interfaces: Vec<AgentInterface> = Vec::new();
    for interface in card.objects("supportedInterfaces", findings) {
        interfaces.extend(current(&interface, findings));
    }
    if card.has("supportedInterfaces") && interfaces.is_empty() {
        let remedy = "list where the agent is called";
        findings.unreadable(
            card.path("supportedInterfaces"),
            CURRENT,
            "names no interface",
            remedy,
        );
    }
    let older = older(card, findings);
    match (card.has("supportedInterfaces"), card.has("url")) {
        (true, true) => {}
        (true, false) => {
            let remedy =
                "add `url`, `preferredTransport` and `protocolVersion` of an interface of 0.3";
            findings.grave(card.path("url"), OLDER, "is missing: they see no address", remedy);
        }
        (false, _) => {
            let remedy = "list the interfaces with `url`, `protocolBinding` and `protocolVersion`";
            let path = card.path("supportedInterfaces");
            findings.unreadable(path, CURRENT, "is missing: they see no address", remedy);
        }
    }
    // A hybrid says the same interfaces in both ways.
    let known: HashSet<_> = interfaces.iter().map(meaning).collect();
    let further: Vec<_> =
        older.into_iter().filter(|interface| !known.contains(&meaning(interface))).collect();
    interfaces.extend(further);
    interfaces
}

/// What an interface comes to, however it is written. A card may have as many as fit into it, so they
/// are not compared one by one.
fn meaning(interface: &AgentInterface) -> (&str, &str, Option<Version>) {
    let version = Version::parse(&interface.protocol_version);
    (bare(&interface.url), &interface.protocol_binding, version)
}

fn current(interface: &Object<'_>, findings: &mut Findings) -> Option<AgentInterface> {
    let url = interface.required_text("url", EVERYBODY, findings);
    let binding = interface.text("protocolBinding", findings);
    if binding.is_none() {
        findings.missing(interface.path("protocolBinding"), CURRENT);
    }
    // The name it had before.
    let binding = binding.or_else(|| interface.text("transport", findings));
    let version = interface.text("protocolVersion", findings);
    if version.is_none() {
        findings.missing(interface.path("protocolVersion"), CURRENT);
    }
    (!url.is_empty()).then(|| AgentInterface {
        url,
        protocol_binding: binding.unwrap_or_else(|| Binding::JsonRpc.name().into()),
        tenant: interface.text("tenant", findings),
        protocol_version: version.unwrap_or_else(|| Version::V1_0.name().into()),
    })
}

/// The interfaces before 1.0, the main one first, in each version that the card may mean.
fn older(card: &Object<'_>, findings: &mut Findings) -> Vec<AgentInterface> {
    let mut named: Vec<(String, String)> = Vec::new();
    let mut seen: HashSet<(String, String)> = HashSet::new();
    if let Some(url) = card.text("url", findings) {
        let transport = card.text("preferredTransport", findings);
        let transport = transport.unwrap_or_else(|| Binding::JsonRpc.name().into());
        seen.insert((url.clone(), transport.clone()));
        named.push((url, transport));
    }
    for interface in card.objects("additionalInterfaces", findings) {
        let url = interface.required_text("url", OLDER, findings);
        let transport = interface.required_text("transport", OLDER, findings);
        if !url.is_empty() && seen.insert((url.clone(), transport.clone())) {
            named.push((url, transport));
        }
    }
    let versions = versions(card, findings);
    let each = |(url, transport): (String, String)| {
        let one = move |(binding, version): &(Option<Binding>, String)| AgentInterface {
            url: url.clone(),
            protocol_binding: binding
                .map_or(transport.as_str(), |binding| binding.name())
                .to_owned(),
            tenant: None,
            protocol_version: version.clone(),
        };
        versions.iter().map(one)
    };
    named.into_iter().flat_map(each).collect()
}

/// The versions that a card before 1.0 may be of, the likeliest first, and by which binding where the
/// card does not tell.
fn versions(card: &Object<'_>, findings: &mut Findings) -> Vec<(Option<Binding>, String)> {
    if let Some(version) = card.text("protocolVersion", findings) {
        // What is said of 1.0 and later is said by its interfaces.
        let is_older = version.starts_with("0.") || !card.has("supportedInterfaces");
        let version = if is_older { version } else { Version::V0_3.name().into() };
        return vec![(None, version)];
    }
    if card.has("supportedInterfaces") || card.has("additionalInterfaces") {
        return vec![(None, Version::V0_3.name().into())];
    }
    // Until 0.2.5 no card said its version. 0.1 had its own member for how to authenticate, and its
    // servers took JSON-RPC at one address or each method at its own path.
    let remedy = "say the version that the agent speaks";
    findings.add(card.path("protocolVersion"), OLDER, "is missing: they have to guess", remedy);
    let newer = [(None, Version::V0_2.name().to_owned())];
    let oldest = [Binding::JsonRpc, Binding::HttpJson]
        .map(|binding| (Some(binding), Version::V0_1.name().to_owned()));
    let looks_newer = card.has("securitySchemes") || card.has("defaultInputModes");
    if card.has("authentication") || !looks_newer {
        oldest.into_iter().chain(newer).collect()
    } else {
        newer.into_iter().chain(oldest).collect()
    }
}

/// An address without its scheme and the slash behind it: that of gRPC is written with a scheme before
/// 1.0 and without one since.
fn bare(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/')
}
