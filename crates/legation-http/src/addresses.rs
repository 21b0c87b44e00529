//! Where callers reach what: the one place that makes addresses.

use std::net::SocketAddr;

use legation_model::AgentInterface;
use legation_wire::card::{Binding, Interface};

/// Where the crew is called by JSON-RPC. By REST it is called at the root.
pub(crate) const CREW: &str = "/a2a";

/// Where the agents are mounted.
pub(crate) const AGENTS: &str = "/a2a/agents/";

/// The addresses of a mount, one for each binding.
pub(crate) struct Addresses {
    rpc: String,
    rest: String,
}

impl Addresses {
    /// Those of an agent, or of the crew, below a base without a slash at its end.
    pub(crate) fn of(base: &str, agent: Option<&str>) -> Self {
        match agent {
            None => Self { rpc: format!("{base}{CREW}"), rest: base.to_owned() },
            Some(slug) => {
                let mount = format!("{base}{AGENTS}{slug}");
                Self { rpc: mount.clone(), rest: mount }
            }
        }
    }

    /// Interfaces as a card lists them.
    pub(crate) fn list_all(&self, interfaces: &[Interface]) -> Vec<AgentInterface> {
        interfaces.iter().map(|interface| self.list(*interface)).collect()
    }

    /// Where the server is called by a binding; of one that it does not have, where by JSON-RPC.
    pub(crate) fn by(&self, binding: &str) -> &str {
        if binding == Binding::HttpJson.name() { &self.rest } else { &self.rpc }
    }

    fn list(&self, interface: Interface) -> AgentInterface {
        let url = match interface.binding {
            Binding::JsonRpc => &self.rpc,
            Binding::HttpJson => &self.rest,
        };
        AgentInterface {
            url: url.clone(),
            protocol_binding: interface.binding.name().to_owned(),
            tenant: None,
            protocol_version: interface.version.name().to_owned(),
        }
    }
}

/// The base of addresses when nobody says otherwise: where the listener listens.
pub(crate) fn base_of(listener: SocketAddr, has_tls: bool) -> String {
    let scheme = if has_tls { "https" } else { "http" };
    format!("{scheme}://{listener}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mount_has_an_address_for_each_binding() {
        let listed = |agent| {
            let addresses = Addresses::of("https://a.example/x", agent);
            Interface::DEFAULT.map(|interface| {
                let AgentInterface { url, protocol_binding, protocol_version, .. } =
                    addresses.list(interface);
                format!("{protocol_binding} {protocol_version} {url}")
            })
        };
        assert_eq!(
            listed(None),
            [
                "JSONRPC 1.0 https://a.example/x/a2a",
                "HTTP+JSON 1.0 https://a.example/x",
                "JSONRPC 0.3 https://a.example/x/a2a",
                "HTTP+JSON 0.3 https://a.example/x",
            ]
        );
        assert_eq!(listed(Some("b"))[0], "JSONRPC 1.0 https://a.example/x/a2a/agents/b");
        assert_eq!(listed(Some("b"))[3], "HTTP+JSON 0.3 https://a.example/x/a2a/agents/b");
        let address = ([127, 0, 0, 1], 80).into();
        assert_eq!(base_of(address, false), "http://127.0.0.1:80");
        assert_eq!(base_of(address, true), "https://127.0.0.1:80");
    }
}
