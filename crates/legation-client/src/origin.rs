//! Which addresses are the same place. A credential and a message go where their owner said, and
//! an agent card, which anybody may write, cannot send them elsewhere.

use url::{Host, Url};

/// Whether an address is on this machine: a loopback number, or the name `localhost` (RFC 6761).
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether two addresses have the same origin. The names of this machine are one host: a server on
/// `127.0.0.1` may well write `localhost` into its card.
pub(crate) fn same_place(one: &Url, other: &Url) -> bool {
    let same_host = one.host() == other.host() || (is_loopback(one) && is_loopback(other));
    let same_port = one.port_or_known_default() == other.port_or_known_default();
    one.scheme() == other.scheme() && same_host && same_port
}

/// Whether two addresses have the same scheme and host, whatever their ports.
pub(crate) fn same_host(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme() && one.host().is_some() && one.host() == other.host()
}

/// The origin as people write it.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn loopback_is_a_number_or_localhost() {
        let cases = [
            ("http://127.0.0.1:8080", true),
            ("http://127.9.9.9", true),
            ("http://2130706433/", true),
            ("http://[::1]:1", true),
            ("http://LOCALHOST", true),
            ("http://localhost.evil.example", false),
            ("http://127.0.0.1.evil.example", false),
            ("http://0.0.0.0", false),
            ("http://10.0.0.1", false),
            ("http://[::ffff:10.0.0.1]", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_loopback(&url(text)), expected, "{text}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let cases = [
            ("https://a/x", "https://a:443/y", true),
            ("http://127.0.0.1:80", "http://localhost", true),
            ("http://127.0.0.1:1", "http://localhost:2", false),
            ("https://a", "http://a", false),
            ("https://a", "https://b.a", false),
            ("https://a", "http://localhost", false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(same_place(&url(one), &url(other)), expected, "{one} {other}");
        }
    }
}
