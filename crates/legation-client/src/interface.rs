//! Chooses how to call an agent: the first interface of its card that this client speaks and that
//! the caller's trust covers (Spec 8.3.2).

use legation_model::{AgentCard, AgentInterface};
use legation_wire::version::Version;
use url::Url;

use crate::origin::{origin, same_place};
use crate::transport::Endpoint;
use crate::{Binding, Error, Options};

/// The interface to call.
pub(crate) fn choose(
    card: &AgentCard,
    found_at: &Url,
    options: &Options,
) -> Result<Endpoint, Error> {
    let usable: Vec<Endpoint> = card
        .supported_interfaces
        .iter()
        .filter_map(usable)
        .filter(|endpoint| options.binding.is_none_or(|pinned| pinned == endpoint.binding))
        .collect();
    let trusted = |endpoint: &&Endpoint| {
        let mut origins = std::iter::once(found_at).chain(&options.trusted_origins);
        origins.any(|origin| same_place(origin, &endpoint.url))
    };
    match (usable.iter().find(trusted), usable.first()) {
        (Some(endpoint), _) => Ok(endpoint.clone()),
        (None, Some(foreign)) => Err(Error::ForeignInterface {
            card: found_at.to_string(),
            interface: origin(&foreign.url),
        }),
        (None, None) => Err(none(card, found_at, options.binding)),
    }
}

/// The interface as something to call, when this client speaks its binding and version.
fn usable(interface: &AgentInterface) -> Option<Endpoint> {
    let binding = Binding::from_name(&interface.protocol_binding)?;
    let mut numbers = interface.protocol_version.split('.');
    // A patch number must not be considered (Spec 3.6).
    let spoken = (numbers.next(), numbers.next()) == (Some("1"), Some("0"));
    let url = Url::parse(&interface.url).ok().filter(|url| !url.cannot_be_a_base())?;
    spoken.then(|| Endpoint { binding, url, tenant: interface.tenant.clone() })
}

fn none(card: &AgentCard, found_at: &Url, pinned: Option<Binding>) -> Error {
    let name = |interface: &AgentInterface| {
        format!("{} {}", interface.protocol_binding, interface.protocol_version)
    };
    let offered: Vec<_> = card.supported_interfaces.iter().map(name).collect();
    let wanted: Vec<_> = Binding::ALL
        .iter()
        .filter(|binding| pinned.is_none_or(|pinned| pinned == **binding))
        .map(|binding| format!("{} {}", binding.name(), Version::V1_0.name()))
        .collect();
    Error::NoInterface {
        url: found_at.to_string(),
        wanted: wanted.join(" or "),
        offered: if offered.is_empty() { "nothing".into() } else { offered.join(", ") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(interfaces: &[(&str, &str, &str)]) -> AgentCard {
        let one = |(binding, version, url): &(&str, &str, &str)| AgentInterface {
            url: (*url).to_owned(),
            protocol_binding: (*binding).to_owned(),
            tenant: None,
            protocol_version: (*version).to_owned(),
        };
        AgentCard {
            name: String::new(),
            description: String::new(),
            supported_interfaces: interfaces.iter().map(one).collect(),
            provider: None,
            version: String::new(),
            documentation_url: None,
            capabilities: Default::default(),
            security_schemes: Default::default(),
            security_requirements: Vec::new(),
            default_input_modes: Vec::new(),
            default_output_modes: Vec::new(),
            skills: Vec::new(),
            signatures: Vec::new(),
            icon_url: None,
        }
    }

    fn chosen(
        interfaces: &[(&str, &str, &str)],
        pinned: Option<Binding>,
        trusted: &[&str],
    ) -> String {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let trusted_origins = trusted.iter().map(|text| url(text)).collect();
        let options = Options { binding: pinned, trusted_origins, ..Options::default() };
        match choose(&card(interfaces), &url("https://a/.well-known/agent-card.json"), &options) {
            Ok(endpoint) => format!("{} {}", endpoint.binding.name(), endpoint.url),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_first_interface_that_is_spoken_and_trusted_is_called() {
        const RPC: (&str, &str, &str) = ("JSONRPC", "1.0", "https://a/rpc");
        const REST: (&str, &str, &str) = ("HTTP+JSON", "1.0", "https://a/");
        const OLD: (&str, &str, &str) = ("JSONRPC", "0.3", "https://a/old");
        const FAR: (&str, &str, &str) = ("JSONRPC", "1.0", "https://b/rpc");
        const DOWN: (&str, &str, &str) = ("JSONRPC", "1.0", "http://a/rpc");
        let rest = Some(Binding::Rest);
        check(&[RPC, REST], None, &[], "JSONRPC https://a/rpc");
        check(&[REST, RPC], None, &[], "HTTP+JSON https://a/");
        check(&[RPC, REST], rest, &[], "HTTP+JSON https://a/");
        check(&[("GRPC", "1.0", "a:1"), OLD, RPC], None, &[], "JSONRPC https://a/rpc");
        check(&[("JSONRPC", "1.0.1", "https://a/rpc")], None, &[], "JSONRPC https://a/rpc");
        check(&[FAR, REST], None, &[], "HTTP+JSON https://a/");
        check(&[FAR], None, &[], "sends callers to another origin, https://b");
        check(&[FAR], None, &["https://b/x"], "JSONRPC https://b/rpc");
        check(&[DOWN], None, &[], "sends callers to another origin, http://a");
        check(&[OLD], None, &[], "offers no JSONRPC 1.0 or HTTP+JSON 1.0, only JSONRPC 0.3");
        check(&[RPC], rest, &[], "offers no HTTP+JSON 1.0, only JSONRPC 1.0");
        check(&[], None, &[], "only nothing");
    }

    fn check(
        faces: &[(&str, &str, &str)],
        pinned: Option<Binding>,
        trusted: &[&str],
        expected: &str,
    ) {
        let got = chosen(faces, pinned, trusted);
        assert!(got.ends_with(expected) || got.contains(expected), "{faces:?}: {got}");
    }
}
