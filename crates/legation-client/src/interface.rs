//! Chooses how to call an agent: the interfaces of its card that this client speaks and that the
//! caller's trust covers, in the card's order and the caller's preference (Spec 8.3.2).

use legation_model::{AgentCard, AgentInterface};
use legation_wire::card::Interface;
use legation_wire::speech::Speech;
use url::Url;

use crate::origin::{origin, same_host, same_place};
use crate::transport::Endpoint;
use crate::{Binding, Error, Options, Version};

/// Interfaces that are considered at most. Each may be a place with connections of its own, and is
/// tried when those before it cannot be connected to.
const MOST: usize = 32;

/// The interfaces to call, the first one first.
pub(crate) fn choose(
    card: &AgentCard,
    found_at: &Url,
    options: &Options,
) -> Result<Vec<Endpoint>, Error> {
    let usable =
        card.supported_interfaces.iter().filter_map(|interface| usable(interface, found_at));
    let mut usable: Vec<Endpoint> = usable
        .filter(|endpoint| options.binding.is_none_or(|pinned| pinned == endpoint.binding()))
        .filter(|endpoint| options.version.is_none_or(|pinned| pinned == endpoint.version()))
        .collect();
    // The card's order stays among those that the caller likes alike.
    usable.sort_by_key(|endpoint| options.preference.rank(endpoint.binding(), endpoint.version()));
    let trusted = usable.iter().filter(|endpoint| is_trusted(endpoint, found_at, options));
    let trusted: Vec<_> = trusted.take(MOST).cloned().collect();
    match (trusted.is_empty(), usable.first()) {
        (false, _) => Ok(trusted),
        (true, Some(foreign)) => Err(Error::ForeignInterface {
            card: found_at.to_string(),
            interface: origin(&foreign.url),
        }),
        (true, None) => Err(none(card, found_at, options)),
    }
}

/// Whether the caller's trust covers an interface: it lies within the card's own origin or one that
/// was named. gRPC often has a port of its own on the card's host. Such a port is another origin, and
/// may be another's, so that no credential goes there unless it was named; without one there is
/// nothing to lose.
pub(crate) fn is_trusted(endpoint: &Endpoint, found_at: &Url, options: &Options) -> bool {
    let mut origins = std::iter::once(found_at).chain(&options.trusted_origins);
    origins.any(|origin| same_place(origin, &endpoint.url))
        || endpoint.binding() == Binding::Grpc
            && !options.credentials.go_to(&endpoint.url)
            && same_host(found_at, &endpoint.url)
}

/// The interface as something to call, when this client speaks its binding and version.
pub(crate) fn usable(interface: &AgentInterface, found_at: &Url) -> Option<Endpoint> {
    let binding = Binding::from_name(&interface.protocol_binding)?;
    let version = Version::parse(interface.protocol_version.trim())?;
    let url = match binding {
        Binding::Grpc => grpc_url(&interface.url, found_at.scheme())?,
        Binding::JsonRpc | Binding::HttpJson => Url::parse(&interface.url).ok()?,
    };
    let speech = Speech::of(Interface { binding, version })?;
    // Such a one would be called by nobody: see `legation_net`.
    let is_bare = url.username().is_empty() && url.password().is_none();
    (is_bare && !url.cannot_be_a_base()).then(|| Endpoint {
        speech,
        url,
        tenant: interface.tenant.clone(),
    })
}

/// The address of gRPC in any of the forms that cards have it in. Where it does not say whether there
/// is TLS, the card's own address does.
fn grpc_url(text: &str, scheme: &str) -> Option<Url> {
    let text = text.strip_prefix("dns:").map_or(text, |rest| rest.trim_start_matches('/'));
    let text = match text.split_once("://") {
        Some(("grpc", rest)) => format!("http://{rest}"),
        Some(("grpcs", rest)) => format!("https://{rest}"),
        Some(_) => text.to_owned(),
        None => format!("{scheme}://{text}"),
    };
    Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

fn none(card: &AgentCard, found_at: &Url, options: &Options) -> Error {
    let name = |interface: &AgentInterface| {
        format!("{} {}", interface.protocol_binding, interface.protocol_version)
    };
    let offered: Vec<_> = card.supported_interfaces.iter().map(name).collect();
    let bindings =
        Binding::ALL.iter().filter(|binding| options.binding.is_none_or(|it| it == **binding));
    let bindings: Vec<_> = bindings.map(|binding| binding.name()).collect();
    let versions = Version::SERVED.iter();
    let versions = versions.filter(|version| options.version.is_none_or(|it| it == **version));
    let versions: Vec<_> = versions.map(|version| version.name()).collect();
    Error::NoInterface {
        url: found_at.to_string(),
        wanted: format!("{} of A2A {}", bindings.join(" or "), versions.join(" or ")),
        offered: if offered.is_empty() { "nothing".into() } else { offered.join(", ") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credential, Preference};

    type Face = (&'static str, &'static str, &'static str);

    fn card(interfaces: &[Face]) -> AgentCard {
        let one = |(binding, version, url): &Face| AgentInterface {
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

    fn check(faces: &[Face], options: Options, expected: &str) {
        let url = Url::parse("https://a/.well-known/agent-card.json").expect("a URL");
        let told = |endpoint: &Endpoint| {
            let (binding, version) = (endpoint.binding().name(), endpoint.version().name());
            format!("{binding} {version} {}", endpoint.url)
        };
        let got = match choose(&card(faces), &url, &options) {
            Ok(endpoints) => endpoints.iter().map(told).collect::<Vec<_>>().join(", "),
            Err(error) => error.to_string(),
        };
        assert!(
            got == expected || got.starts_with("the ") && got.ends_with(expected),
            "{faces:?}: {got}"
        );
    }

    const RPC: Face = ("JSONRPC", "1.0", "https://a/rpc");
    const REST: Face = ("HTTP+JSON", "1.0.1", "https://a/");
    const OLD: Face = ("JSONRPC", "0.3.0", "https://a/old");
    const FAR: Face = ("JSONRPC", "1.0", "https://b/rpc");
    const DOWN: Face = ("JSONRPC", "1.0", "http://a/rpc");
    const GRPC: Face = ("GRPC", "1.0", "a:443");
    const PORT: Face = ("GRPC", "0.3", "a:7");

    #[test]
    fn the_card_has_an_order_and_the_caller_a_preference() {
        let any = Options::default;
        let pinned = |binding, version| Options { binding, version, ..any() };
        check(&[RPC, REST], any(), "JSONRPC 1.0 https://a/rpc, HTTP+JSON 1.0 https://a/");
        check(&[OLD, RPC], any(), "JSONRPC 0.3 https://a/old, JSONRPC 1.0 https://a/rpc");
        check(&[OLD, RPC], pinned(None, Some(Version::V1_0)), "JSONRPC 1.0 https://a/rpc");
        check(&[RPC, REST], pinned(Some(Binding::HttpJson), None), "HTTP+JSON 1.0 https://a/");
        check(
            &[("SOAP", "1.0", "https://a/"), ("JSONRPC", "2.0", "https://a/"), GRPC],
            any(),
            "GRPC 1.0 https://a/",
        );
        let bindings = vec![Binding::Grpc, Binding::HttpJson];
        let preference = Preference { bindings, versions: Vec::new() };
        let preferring = Options { preference, ..any() };
        check(
            &[RPC, REST, GRPC],
            preferring,
            "GRPC 1.0 https://a/, HTTP+JSON 1.0 https://a/, JSONRPC 1.0 https://a/rpc",
        );
        let preference = Preference { bindings: Vec::new(), versions: vec![Version::V1_0] };
        let preferring = Options { preference, ..any() };
        check(&[OLD, REST], preferring, "HTTP+JSON 1.0 https://a/, JSONRPC 0.3 https://a/old");
        check(
            &[OLD],
            pinned(None, Some(Version::V1_0)),
            "offers no JSONRPC or HTTP+JSON or GRPC of A2A 1.0, only JSONRPC 0.3.0",
        );
        check(
            &[RPC],
            pinned(Some(Binding::HttpJson), None),
            "offers no HTTP+JSON of A2A 1.0 or 0.3 or 0.2 or 0.1, only JSONRPC 1.0",
        );
        check(&[], any(), "only nothing");
    }

    #[test]
    fn a_card_cannot_make_a_caller_scan_ports() {
        let urls: Vec<String> = (1..100).map(|port| format!("a:{port}")).collect();
        let faces: Vec<AgentInterface> = urls
            .into_iter()
            .map(|url| AgentInterface {
                url,
                protocol_binding: "GRPC".into(),
                tenant: None,
                protocol_version: "1.0".into(),
            })
            .collect();
        let card = AgentCard { supported_interfaces: faces, ..card(&[]) };
        let url = Url::parse("https://a/").expect("a URL");
        let chosen = choose(&card, &url, &Options::default()).expect("ways");
        assert_eq!(chosen.len(), MOST);
        assert_eq!(chosen[0].url.port(), Some(1));
    }

    #[test]
    fn trust_is_for_an_origin() {
        let any = Options::default;
        let trusting = |origin: &str| Options {
            trusted_origins: vec![Url::parse(origin).expect("a URL")],
            ..any()
        };
        let token = || Options { credentials: Credential::bearer("secret").into(), ..any() };
        check(&[FAR, REST], any(), "HTTP+JSON 1.0 https://a/");
        check(&[FAR], any(), "sends callers to another origin, https://b");
        check(&[FAR], trusting("https://b/x"), "JSONRPC 1.0 https://b/rpc");
        check(&[DOWN], any(), "sends callers to another origin, http://a");
        // A port of gRPC's own on the same host: without a credential, or when it was named.
        check(&[PORT], any(), "GRPC 0.3 https://a:7/");
        check(&[PORT, RPC], token(), "JSONRPC 1.0 https://a/rpc");
        check(&[PORT], token(), "sends callers to another origin, https://a:7");
        check(
            &[PORT],
            Options { credentials: Credential::bearer("s").into(), ..trusting("https://a:7") },
            "GRPC 0.3 https://a:7/",
        );
        check(&[("GRPC", "1.0", "b:443")], any(), "sends callers to another origin, https://b");
        check(
            &[("GRPC", "1.0", "http://a:443")],
            any(),
            "sends callers to another origin, http://a:443",
        );
    }

    #[test]
    fn addresses_of_grpc_come_in_many_forms() {
        let cases = [
            ("a:7", Some("https://a:7/")),
            ("a", Some("https://a/")),
            ("[::1]:7", Some("https://[::1]:7/")),
            ("dns:///a:7", Some("https://a:7/")),
            ("grpc://a:7", Some("http://a:7/")),
            ("grpcs://a:7", Some("https://a:7/")),
            ("http://a:7/base", Some("http://a:7/base")),
            ("ftp://a:7", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let got = grpc_url(text, "https");
            assert_eq!(got.as_ref().map(Url::as_str), expected, "{text}");
        }
    }
}
