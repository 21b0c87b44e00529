//! What proxies say about how a caller reached them: `Forwarded` (RFC 7239) and `X-Forwarded-*`.
//!
//! Only a proxy that the operator trusts is believed, and of a list only what such a proxy has
//! written. A trusted proxy has to set or remove these headers; it may let them pass by mistake, so
//! where the two kinds contradict each other, neither is believed.

use std::net::IpAddr;
use std::str::FromStr;

use http::header::{FORWARDED, HOST, VIA};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName};

/// Addresses that begin with the same bits, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// A text is neither an address nor a network such as `10.0.0.0/8` or `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadNetwork;

impl std::fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("expected an address or a network such as 10.0.0.0/8 or fd00::/8")
    }
}

impl std::error::Error for BadNetwork {}

impl Network {
    /// Whether an address is one of the network's.
    pub fn contains(&self, address: IpAddr) -> bool {
        // An IPv4 peer of a listener for both families has an IPv6 address.
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| BadNetwork)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), |bits| bits.parse().map_err(|_| BadNetwork))?;
        if bits <= all { Ok(Self { address, bits }) } else { Err(BadNetwork) }
    }
}

/// The longest path that is taken for a prefix, in bytes. It is what an operator has written into a
/// proxy, and it ends up in every address on a card.
const MAX_PREFIX: usize = 256;

const X_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The headers that are read here, as `Vary` lists them.
pub(crate) const READ: &str =
    "Forwarded, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Prefix";

/// The base of the addresses by which the caller of this request reaches the server; `None` when
/// no trusted proxy says so.
pub(crate) fn base(trusted: &[Network], peer: IpAddr, head: &Parts) -> Option<String> {
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer) {
        return None;
    }
    let standard = standard(&head.headers, is_trusted)?;
    let common = common(&head.headers, is_trusted);
    let host = either(standard.host, common.host)?;
    let proto = either(standard.proto, common.proto)?;
    let prefix = common.prefix;
    if host.is_none() && proto.is_none() && prefix.is_none() {
        return None;
    }
    // A proxy that says nothing of the host passes it on.
    let own = || head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.authority().map(Authority::as_str)).or_else(own)?;
    let proto = proto.unwrap_or("http");
    let prefix = prefix.unwrap_or_default().trim_end_matches('/');
    let is_sound = is_host(host) && is_scheme(proto) && is_prefix(prefix);
    is_sound.then(|| format!("{}://{host}{prefix}", proto.to_ascii_lowercase()))
}

/// The address of the caller that a trusted proxy calls for; `None` when no trusted proxy says so,
/// or two headers contradict each other.
pub(crate) fn client(trusted: &[Network], peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(*address));
    if !is_trusted(&peer) {
        return None;
    }
    let lines = |name: &HeaderName| {
        let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| split(line, ',')).collect::<Vec<_>>()
    };
    let first_other = |nodes: Vec<Option<IpAddr>>| {
        // What a trusted proxy did not write is anybody's word, and so is what is no address.
        nodes.into_iter().rev().find(|node| !node.as_ref().is_some_and(is_trusted)).flatten()
    };
    let by_name = |element: &str| {
        let pairs = split(element, ';').into_iter().filter_map(|pair| pair.split_once('='));
        let mut named = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for"));
        node(unquoted(named.next()?.1))
    };
    let standard = first_other(lines(&FORWARDED).into_iter().map(by_name).collect());
    let common = first_other(lines(&X_FOR).into_iter().map(node).collect());
    match (standard, common) {
        (Some(one), Some(other)) if one != other => None,
        (one, other) => one.or(other),
    }
}

/// The address of whoever sends a request, where one has to be sure of it: that of the peer, when
/// nobody speaks through it, or the one that a trusted proxy tells. A proxy that nobody has named here
/// would lend its own address to all who call through it, so where there are its headers there is
/// no address.
pub(crate) fn sender(trusted: &[Network], peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
    if trusted.iter().any(|network| network.contains(peer)) {
        return client(trusted, peer, headers);
    }
    let proxied = [FORWARDED, X_FOR, X_HOST, X_PROTO, X_PREFIX, VIA];
    (!proxied.iter().any(|name| headers.contains_key(name))).then_some(peer)
}

/// What one kind of header says.
#[derive(Default)]
struct Said<'h> {
    host: Option<&'h str>,
    proto: Option<&'h str>,
    prefix: Option<&'h str>,
}

/// What both say or only one does; `None` when they contradict each other.
fn either<'h>(one: Option<&'h str>, other: Option<&'h str>) -> Option<Option<&'h str>> {
    match (one, other) {
        (Some(one), Some(other)) if !one.eq_ignore_ascii_case(other) => None,
        (one, other) => Some(one.or(other)),
    }
}

/// What `Forwarded` says; `None` when it has not its form.
fn standard<'h>(headers: &'h HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Option<Said<'h>> {
    let mut said = Said::default();
    // Each proxy adds an element at the end: of how it was called, and by whom.
    for line in headers.get_all(FORWARDED).iter().rev() {
        for element in split(line.to_str().ok()?, ',').into_iter().rev() {
            let mut by = None;
            said = Said::default();
            for pair in split(element, ';') {
                let (name, value) = pair.split_once('=')?;
                let value = unquoted(value);
                match name.to_ascii_lowercase().as_str() {
                    "host" => said.host = Some(value),
                    "proto" => said.proto = Some(value),
                    "for" => by = node(value),
                    _ => {}
                }
            }
            // What stands before is of the one who called that proxy.
            if !by.is_some_and(&is_trusted) {
                return Some(said);
            }
        }
    }
    Some(said)
}

/// What the `X-Forwarded-*` headers say.
fn common(headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Said<'_> {
    let list = |name: &HeaderName| -> Vec<&str> {
        let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).map(str::trim).collect()
    };
    let callers = list(&X_FOR);
    let callers = callers.iter().rev().map(|caller| node(caller));
    let proxies = callers.take_while(|caller| caller.is_some_and(&is_trusted)).count();
    // Some proxies add to the lists and some write them anew, which makes them shorter.
    let last_trusted = |name: &HeaderName| {
        let values = list(name);
        let index = values.len().checked_sub(1)?.saturating_sub(proxies);
        Some(values[index]).filter(|value| !value.is_empty())
    };
    Said {
        host: last_trusted(&X_HOST),
        proto: last_trusted(&X_PROTO),
        prefix: last_trusted(&X_PREFIX),
    }
}

/// The parts of a text between separators that do not stand in quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut in_quotes = false;
    let parts = text.split(|letter| {
        in_quotes ^= letter == '"';
        letter == separator && !in_quotes
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// The address of a node, which may have a port; an obfuscated node has none.
fn node(text: &str) -> Option<IpAddr> {
    let host = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    host.parse().ok()
}

fn is_host(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    text.len() <= 261 && text.bytes().all(is_name) && text.parse::<Authority>().is_ok()
}

fn is_scheme(text: &str) -> bool {
    ["http", "https"].iter().any(|scheme| scheme.eq_ignore_ascii_case(text))
}

/// Whether a text is a path, or nothing.
fn is_prefix(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let is_path = text.starts_with('/') && !text.contains("//") && text.bytes().all(is_letter);
    text.is_empty()
        || is_path && text.len() <= MAX_PREFIX && text.split('/').all(|part| part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_behind_proxies_is_whom_the_first_trusted_one_names() {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        type Lines = &'static [(&'static str, &'static str)];
        let cases: [(&str, Lines, Option<&str>); 8] = [
            ("10.0.0.1", &[("x-forwarded-for", "1.2.3.4")], Some("1.2.3.4")),
            ("9.9.9.9", &[("x-forwarded-for", "1.2.3.4")], None),
            ("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.2")], Some("1.2.3.4")),
            ("10.0.0.1", &[("forwarded", "for=\"[2001:db8::1]:80\"")], Some("2001:db8::1")),
            ("10.0.0.1", &[("forwarded", "for=1.2.3.4, for=_hidden")], None),
            ("10.0.0.1", &[("forwarded", "for=1.2.3.4"), ("x-forwarded-for", "6.6.6.6")], None),
            ("10.0.0.1", &[("x-forwarded-for", "nobody")], None),
            ("10.0.0.1", &[], None),
        ];
        for (peer, lines, expected) in cases {
            let name = |name: &'static str| HeaderName::from_static(name);
            let line = |(key, value): &(&'static str, &'static str)| {
                (name(key), http::HeaderValue::from_static(value))
            };
            let headers = HeaderMap::from_iter(lines.iter().map(line));
            let peer = peer.parse().expect("an address");
            let expected = expected.map(|address| address.parse().expect("an address"));
            assert_eq!(client(&trusted, peer, &headers), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn whoever_sends_is_told_by_the_peer_or_by_a_trusted_proxy() {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        type Lines = &'static [(&'static str, &'static str)];
        let cases: [(&str, Lines, Option<&str>); 7] = [
            ("127.0.0.1", &[], Some("127.0.0.1")),
            ("127.0.0.1", &[("x-forwarded-for", "127.0.0.1")], None),
            ("127.0.0.1", &[("forwarded", "for=127.0.0.1")], None),
            ("127.0.0.1", &[("via", "1.1 proxy")], None),
            ("10.0.0.1", &[], None),
            ("10.0.0.1", &[("x-forwarded-for", "1.2.3.4")], Some("1.2.3.4")),
            ("10.0.0.1", &[("x-forwarded-for", "10.0.0.9")], None),
        ];
        for (peer, lines, expected) in cases {
            let line = |(key, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(key), http::HeaderValue::from_static(value))
            };
            let headers = HeaderMap::from_iter(lines.iter().map(line));
            let got = sender(&trusted, peer.parse().expect("an address"), &headers);
            assert_eq!(got.map(|it| it.to_string()).as_deref(), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn networks_hold_the_addresses_that_begin_alike() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.0.0.0/8", "::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "fe80::1", true),
            ("::1", "::1", true),
        ];
        for (network, address, within) in cases {
            let network: Network = network.parse().expect("a network");
            let address = address.parse().expect("an address");
            assert_eq!(network.contains(address), within, "{network:?} {address}");
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "a/8"] {
            assert_eq!(text.parse::<Network>(), Err(BadNetwork), "{text}");
        }
    }

    type Lines<'l> = &'l [(&'l str, &'l str)];

    fn says(peer: &str, lines: Lines<'_>) -> Option<String> {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("a network"));
        let mut request = http::Request::builder().uri("/").header("host", "inner:8080");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a valid request").into_parts();
        base(&trusted, peer.parse().expect("an address"), &head)
    }

    #[test]
    fn a_trusted_proxy_says_how_it_was_called() {
        const FORWARDED: &str = "forwarded";
        const HOST: (&str, &str) = ("x-forwarded-host", "a.example:8443");
        const PROTO: (&str, &str) = ("x-forwarded-proto", "https");
        const PREFIX: (&str, &str) = ("x-forwarded-prefix", "/x/y/");
        let cases: [(Lines<'_>, Option<&str>); 20] = [
            (&[], None),
            (&[("x-forwarded-for", "203.0.113.9")], None),
            (&[HOST, PROTO, PREFIX], Some("https://a.example:8443/x/y")),
            (&[HOST], Some("http://a.example:8443")),
            (&[PROTO], Some("https://inner:8080")),
            (&[PREFIX], Some("http://inner:8080/x/y")),
            (
                &[(FORWARDED, "for=203.0.113.9;Host=a.example;proto=HTTPS")],
                Some("https://a.example"),
            ),
            (
                &[(FORWARDED, r#"host="[2001:db8::1]:443";proto=https"#)],
                Some("https://[2001:db8::1]:443"),
            ),
            (&[(FORWARDED, "host=a.example"), PROTO, PREFIX], Some("https://a.example/x/y")),
            // A client wrote the first element; the proxy that we trust wrote the last.
            (
                &[(FORWARDED, "host=evil.example, for=203.0.113.9;host=a.example")],
                Some("http://a.example"),
            ),
            (
                &[(FORWARDED, "host=evil.example"), (FORWARDED, "host=a.example")],
                Some("http://a.example"),
            ),
            // Behind two proxies that we trust.
            (
                &[(
                    FORWARDED,
                    r#"for=203.0.113.9;host=a.example;proto=https, for="10.0.0.1:99";host=b"#,
                )],
                Some("https://a.example"),
            ),
            (
                &[
                    ("x-forwarded-for", "203.0.113.9, 10.0.0.2"),
                    ("x-forwarded-host", "a, b"),
                    PROTO,
                ],
                Some("https://a"),
            ),
            (
                &[("x-forwarded-for", "10.0.0.2, 203.0.113.9"), ("x-forwarded-host", "evil, a")],
                Some("http://a"),
            ),
            // The two kinds contradict each other.
            (&[(FORWARDED, "host=evil.example"), HOST], None),
            (&[(FORWARDED, "host")], None),
            (&[("x-forwarded-host", "a.example/path")], None),
            (&[("x-forwarded-host", "user@a.example")], None),
            (&[HOST, ("x-forwarded-proto", "javascript")], None),
            (&[HOST, ("x-forwarded-prefix", "//evil.example")], None),
        ];
        for (lines, expected) in cases {
            assert_eq!(says("10.0.0.7", lines).as_deref(), expected, "{lines:?}");
            assert_eq!(says("192.0.2.1", lines), None, "nobody trusts that peer: {lines:?}");
        }
    }

    #[test]
    fn prefixes_are_paths() {
        let cases = [
            ("", true),
            ("/a", true),
            ("/a-b/c.d/~e", true),
            ("a", false),
            ("/a/../b", false),
            ("/a//b", false),
            ("/a?b", false),
            ("/a\"b", false),
        ];
        for (prefix, taken) in cases {
            assert_eq!(is_prefix(prefix), taken, "{prefix}");
        }
        assert!(!is_prefix(&format!("/{}", "a".repeat(MAX_PREFIX))));
    }
}
