//! Where callers reach what: the one place that makes addresses.

use std::net::SocketAddr;

use legation_model::AgentInterface;
use legation_wire::card::{Binding, Interface};

/// Where the crew is called by JSON-RPC. By REST it is called at the root.
pub(crate) const CREW: &str = "/a2a";

/// Where authorizations that tasks wait for arrive.
pub(crate) const CALLBACK: &str = "/a2a/callback";

/// Where the agents are mounted.
pub(crate) const AGENTS: &str = "/a2a/agents/";

/// The addresses of a mount, one for each binding.
pub(crate) struct Addresses {
    rpc: String,
    rest: String,
    grpc: Option<String>,
}

/// Where a mount is called by gRPC, whose calls name no mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrpcPort {
    /// Nowhere.
    None,
    /// Where everything is.
    Main,
    /// At a port of its own.
    Own(u16),
}

impl Addresses {
    /// Those of an agent, or of the crew, below a base without a slash at its end.
    pub(crate) fn of(base: &str, agent: Option<&str>, grpc: GrpcPort) -> Self {
        let grpc = authority(base, grpc);
        match agent {
            None => Self { rpc: format!("{base}{CREW}"), rest: base.to_owned(), grpc },
            Some(slug) => {
                let mount = format!("{base}{AGENTS}{slug}");
                Self { rpc: mount.clone(), rest: mount, grpc }
            }
        }
    }

    /// Interfaces as a card lists them.
    pub(crate) fn list_all(&self, interfaces: &[Interface]) -> Vec<AgentInterface> {
        interfaces.iter().filter_map(|interface| self.list(*interface)).collect()
    }

    /// Where the mount is called by a binding of this name, if it is; by one that the server does
    /// not have, where by JSON-RPC.
    pub(crate) fn by(&self, name: &str) -> Option<&str> {
        let binding = Binding::ALL.into_iter().find(|binding| binding.name() == name);
        self.at(binding.unwrap_or(Binding::JsonRpc))
    }

    fn at(&self, binding: Binding) -> Option<&str> {
        match binding {
            Binding::JsonRpc => Some(&self.rpc),
            Binding::HttpJson => Some(&self.rest),
            Binding::Grpc => self.grpc.as_deref(),
        }
    }

    fn list(&self, interface: Interface) -> Option<AgentInterface> {
        Some(AgentInterface {
            url: self.at(interface.binding)?.to_owned(),
            protocol_binding: interface.binding.name().to_owned(),
            tenant: None,
            protocol_version: interface.version.name().to_owned(),
        })
    }
}

/// Where authorizations arrive below a base.
pub(crate) fn callback(base: &str) -> String {
    format!("{base}{CALLBACK}")
}

/// A host and a port, as 1.0 lists gRPC.
fn authority(base: &str, grpc: GrpcPort) -> Option<String> {
    let (scheme, rest) = base.split_once("://").unwrap_or(("http", base));
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, stated) = split_port(authority);
    let usual = if scheme == "https" { 443 } else { 80 };
    match grpc {
        GrpcPort::None => None,
        GrpcPort::Main => Some(format!("{host}:{}", stated.unwrap_or(usual))),
        GrpcPort::Own(port) => Some(format!("{host}:{port}")),
    }
}

/// The host of an authority, and its port; an IPv6 address keeps its brackets.
pub(crate) fn split_port(authority: &str) -> (&str, Option<u16>) {
    let split = authority.rsplit_once(':');
    let split = split.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    split.map_or((authority, None), |(host, port)| (host, Some(port)))
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
        let listed = |agent, grpc| {
            let addresses = Addresses::of("https://a.example/x", agent, grpc);
            let listed = addresses.list_all(&Interface::DEFAULT).into_iter().map(|interface| {
                let AgentInterface { url, protocol_binding, protocol_version, .. } = interface;
                format!("{protocol_binding} {protocol_version} {url}")
            });
            listed.collect::<Vec<_>>()
        };
        assert_eq!(
            listed(None, GrpcPort::Main),
            [
                "JSONRPC 1.0 https://a.example/x/a2a",
                "HTTP+JSON 1.0 https://a.example/x",
                "GRPC 1.0 a.example:443",
                "JSONRPC 0.3 https://a.example/x/a2a",
                "HTTP+JSON 0.3 https://a.example/x",
                "GRPC 0.3 a.example:443",
            ]
        );
        let agent = listed(Some("b"), GrpcPort::Own(7));
        assert_eq!(agent[0], "JSONRPC 1.0 https://a.example/x/a2a/agents/b");
        assert_eq!(agent[2], "GRPC 1.0 a.example:7");
        let agent = listed(Some("b"), GrpcPort::None);
        assert_eq!(agent[3], "HTTP+JSON 0.3 https://a.example/x/a2a/agents/b");
        assert_eq!(agent.len(), 4);
        let port = |base| authority(base, GrpcPort::Main);
        assert_eq!(port("http://[::1]:8080").as_deref(), Some("[::1]:8080"));
        assert_eq!(port("http://[::1]").as_deref(), Some("[::1]:80"));
        let address = ([127, 0, 0, 1], 80).into();
        assert_eq!(base_of(address, false), "http://127.0.0.1:80");
        assert_eq!(base_of(address, true), "https://127.0.0.1:80");
    }
}
