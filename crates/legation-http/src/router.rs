//! Where a path leads.

use std::sync::Arc;

use http::Method;

use crate::addresses::{AGENTS, CALLBACK, CREW};
use crate::resource::WELL_KNOWN;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'p> {
    /// The card of a mount.
    Card(Mount<'p>),
    /// The card of a mount where readers of 0.2 and before look for it.
    OldCard(Mount<'p>),
    /// What a mount is to OAuth 2.0.
    Resource(Mount<'p>),
    /// The public keys of those that sign the cards.
    Keys,
    /// Where authorizations that tasks wait for arrive.
    Callback,
    /// Whether the process lives.
    Health,
    /// Whether new work is taken.
    Ready,
    /// What was measured.
    Metrics,
    /// JSON-RPC, and nothing else.
    Rpc,
    /// JSON-RPC by POST, the card by GET: clients look for the card at the very address they
    /// were given.
    RpcOrCard(Mount<'p>),
    /// A REST path below a mount.
    Rest(Mount<'p>, &'p str),
    /// Nothing: there is no such agent.
    Nothing,
}

/// The slug of the agent whose mount is called; `None` at the crew's.
pub(crate) type Mount<'p> = Option<&'p Arc<str>>;

/// The paths that do not depend on the agents.
const FIXED: [(&str, Place<'static>); 12] = [
    ("/.well-known/agent-card.json", Place::Card(None)),
    ("/.well-known/agent.json", Place::OldCard(None)),
    ("/a2a/.well-known/agent-card.json", Place::Card(None)),
    ("/a2a/.well-known/agent.json", Place::OldCard(None)),
    ("/.well-known/jwks.json", Place::Keys),
    (CALLBACK, Place::Callback),
    ("/healthz", Place::Health),
    ("/readyz", Place::Ready),
    ("/metrics", Place::Metrics),
    ("/", Place::Rpc),
    ("/a2a", Place::RpcOrCard(None)),
    ("/a2a/", Place::RpcOrCard(None)),
];

/// Finds the place of a path where agents of these slugs are mounted.
pub(crate) fn find<'p>(slugs: &'p [Arc<str>], path: &'p str) -> Place<'p> {
    if let Some((_, place)) = FIXED.iter().find(|(fixed, _)| *fixed == path) {
        return *place;
    }
    if let Some(path) = path.strip_prefix(WELL_KNOWN) {
        return match find_mount(slugs, path) {
            Some(mount) => Place::Resource(mount),
            None => Place::Nothing,
        };
    }
    // Slugs are never `agents`, so the shorter way to an agent is never the beginning of the other.
    let below = path.strip_prefix(AGENTS).or_else(|| path.strip_prefix(CREW)?.strip_prefix('/'));
    let Some(below) = below else { return Place::Rest(None, path) };
    let (slug, rest) = below.split_at(below.find('/').unwrap_or(below.len()));
    let Some(agent) = slugs.iter().find(|known| ***known == *slug) else {
        return Place::Nothing;
    };
    match rest {
        "" | "/" => Place::RpcOrCard(Some(agent)),
        "/.well-known/agent-card.json" => Place::Card(Some(agent)),
        "/.well-known/agent.json" => Place::OldCard(Some(agent)),
        rest => Place::Rest(Some(agent), rest),
    }
}

/// The mount at a path that is given to its end.
fn find_mount<'p>(slugs: &'p [Arc<str>], path: &'p str) -> Option<Mount<'p>> {
    match path {
        "" | "/" => Some(None),
        path if path.starts_with(CREW) => {
            if let Place::RpcOrCard(mount) = find(slugs, path) {
                Some(mount)
            } else {
                None
            }
        }
        _ => None,
    }
}

impl Place<'_> {
    /// The methods by which the place goes, as `Allow` lists them; `None` where the table of
    /// operations knows.
    pub(crate) fn methods(self) -> Option<&'static str> {
        match self {
            Self::Card(_)
            | Self::OldCard(_)
            | Self::Resource(_)
            | Self::Keys
            | Self::Health
            | Self::Ready
            | Self::Metrics => Some("GET, HEAD"),
            // A look at the head would use the answer up.
            Self::Callback => Some("GET"),
            Self::Rpc => Some("POST"),
            Self::RpcOrCard(_) => Some("POST, GET, HEAD"),
            Self::Rest(..) | Self::Nothing => None,
        }
    }
}

/// Whether the method is one of those listed.
pub(crate) fn allows(methods: &str, method: &Method) -> bool {
    methods.split(", ").any(|known| known == method.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_places() {
        let slugs: [Arc<str>; 2] = ["one".into(), "two".into()];
        let two = Some(&slugs[1]);
        let cases = [
            ("/", Place::Rpc),
            ("/a2a", Place::RpcOrCard(None)),
            ("/a2a/", Place::RpcOrCard(None)),
            ("/readyz", Place::Ready),
            ("/metrics", Place::Metrics),
            ("/.well-known/jwks.json", Place::Keys),
            ("/.well-known/agent-card.json", Place::Card(None)),
            ("/.well-known/agent.json", Place::OldCard(None)),
            ("/a2a/.well-known/agent.json", Place::OldCard(None)),
            ("/a2a/agents/two", Place::RpcOrCard(two)),
            ("/a2a/agents/two/", Place::RpcOrCard(two)),
            ("/a2a/agents/two/tasks/7", Place::Rest(two, "/tasks/7")),
            ("/a2a/agents/two/.well-known/agent-card.json", Place::Card(two)),
            ("/a2a/agents/two/.well-known/agent.json", Place::OldCard(two)),
            ("/a2a/two", Place::RpcOrCard(two)),
            ("/a2a/two/", Place::RpcOrCard(two)),
            ("/a2a/two/v1/message:send", Place::Rest(two, "/v1/message:send")),
            ("/a2a/two/.well-known/agent.json", Place::OldCard(two)),
            ("/.well-known/oauth-protected-resource", Place::Resource(None)),
            ("/.well-known/oauth-protected-resource/a2a", Place::Resource(None)),
            ("/.well-known/oauth-protected-resource/a2a/agents/two", Place::Resource(two)),
            ("/.well-known/oauth-protected-resource/a2a/three", Place::Nothing),
            ("/.well-known/oauth-protected-resourceful", Place::Nothing),
            ("/a2a/three", Place::Nothing),
            ("/a2a/message:send", Place::Nothing),
            ("/a2a/agents/three", Place::Nothing),
            ("/a2a/agents/", Place::Nothing),
            ("/a2a/callback", Place::Callback),
            ("/a2a/callback/", Place::Nothing),
            ("/a2a/agents", Place::Nothing),
            ("/a2atwo", Place::Rest(None, "/a2atwo")),
            ("/message:send", Place::Rest(None, "/message:send")),
            ("", Place::Rest(None, "")),
        ];
        for (path, expected) in cases {
            assert_eq!(find(&slugs, path), expected, "{path}");
        }
    }
}
