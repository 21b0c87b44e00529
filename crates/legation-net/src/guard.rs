//! The guard of calls whose address a stranger or a file chose: the public internet, the networks that
//! were allowed beside it, and nothing else.
//!
//! An address is judged as the number that is connected to: numbers in the URL, in whatever spelling,
//! before anything is done, and names by what they resolve to. The connection goes to the numbers
//! that were judged, so a name that changes its mind in between changes nothing. Where a proxy
//! connects, it resolves as well, and only what a name says by itself can be judged here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::Network;

/// What of IPv4 is not the public internet (RFC 6890 and its registry), with the bits that count.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];
/// The one block of IPv6 that is public, and what within it is not: those that stand for IPv4
/// addresses (Teredo, 6to4) could hide any of the above.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
/// Ports from 1024 on where databases, queues and desktops listen, some of which take HTTP for an
/// order.
const NOT_WEB: [u16; 14] =
    [1433, 1521, 2049, 2375, 2376, 3306, 3389, 5432, 5672, 5900, 6379, 9200, 11211, 27017];

/// Names that are of a machine or a network by definition (RFC 6761, RFC 6762, RFC 8375, and ICANN's
/// reservation of `internal`).
const LOCAL_NAMES: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

/// An address that is not called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Judges addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    /// What is called beside the public internet.
    pub(crate) allowed: Vec<Network>,
}

impl Guard {
    /// Judges what can be judged before a name is resolved.
    ///
    /// # Errors
    /// When the port is not one of the web, or the host is a number that is not public.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Refused> {
        let port = url.port_or_known_default().unwrap_or_default();
        if !(matches!(port, 80 | 443) || port >= 1024) || NOT_WEB.contains(&port) {
            return Err(Refused(format!("port {port} is not one of the web")));
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_number(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.check_number(IpAddr::V6(address)),
            Some(Host::Domain(_)) => Ok(()),
            None => Err(Refused("the address has no host".into())),
        }
    }

    /// Judges an address that a proxy will resolve and connect to, by its name.
    ///
    /// # Errors
    /// As [`Guard::check`], and when the name is of a machine or a network by definition, or has no
    /// dot and so is completed by the resolver of whoever looks it up.
    pub(crate) fn check_by_name(&self, url: &Url) -> Result<(), Refused> {
        self.check(url)?;
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        let name = name.trim_end_matches('.');
        let is_under = |suffix: &&str| {
            let rest = name.strip_suffix(*suffix);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if !name.contains('.') || LOCAL_NAMES.iter().any(is_under) {
            return Err(Refused(format!("`{name}` is not a name of the public internet")));
        }
        Ok(())
    }

    pub(crate) fn check_number(&self, address: IpAddr) -> Result<(), Refused> {
        if is_public(address) || self.allowed.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        Err(Refused(format!("{address} is not an address of the public internet")))
    }

    /// Judges what a name was resolved to. One wrong number among others is enough: it would be
    /// connected to sooner or later.
    pub(crate) fn check_resolved(&self, name: &str, found: &[IpAddr]) -> Result<(), Refused> {
        let checked = found.iter().try_for_each(|address| self.check_number(*address));
        checked.map_err(|Refused(why)| Refused(format!("`{name}` resolves elsewhere: {why}")))
    }
}

/// Whether a number is of the public internet: none of a machine's own, of a private network or of a
/// link.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4
            .iter()
            .any(|&(network, bits)| (address.to_bits() ^ network.to_bits()) >> (32 - bits) == 0),
        IpAddr::V6(address) => {
            let within = |(network, bits): (Ipv6Addr, u32)| {
                (address.to_bits() ^ network.to_bits()) >> (128 - bits) == 0
            };
            within(PUBLIC_V6) && !NOT_PUBLIC_V6.into_iter().any(within)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(guard: &Guard, text: &str) -> Result<(), Refused> {
        guard.check(&Url::parse(text).expect("a URL"))
    }

    #[test]
    fn only_the_public_internet_is_called() {
        let refused = [
            "http://127.0.0.1/",
            "http://127.9.9.9/",
            "http://0.0.0.0/",
            "http://0.1.2.3/",
            "http://10.0.0.1/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://100.127.255.255/",
            "http://198.18.0.1/",
            "http://198.19.255.255/",
            "http://192.0.0.8/",
            "http://192.0.2.1/",
            "http://198.51.100.1/",
            "http://203.0.113.1/",
            "http://224.0.0.1/",
            "http://239.255.255.255/",
            "http://240.0.0.1/",
            "http://255.255.255.255/",
            // Other spellings of the same.
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://127。0。0。1/",
            "http://１２７.0.0.1/",
            "http://[::]/",
            "http://[::1]/",
            "http://[fe80::1]/",
            "http://[fc00::1]/",
            "http://[fdff::1]/",
            "http://[ff02::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:8.8.8.8]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[64:ff9b:1::1]/",
            "http://[2001::1]/",
            "http://[2001:db8::1]/",
            "http://[2002:7f00:1::]/",
            "http://[3fff::1]/",
            "http://[100::1]/",
            "http://[5f00::1]/",
            // Ports that are not of the web.
            "http://8.8.8.8:22/",
            "http://8.8.8.8:25/",
            "http://8.8.8.8:6379/",
            "https://example.com:5432/",
            "http://8.8.8.8:0/",
        ];
        let guard = Guard::default();
        for text in refused {
            assert!(verdict(&guard, text).is_err(), "{text}");
        }
        let taken = [
            "http://8.8.8.8/",
            "http://100.63.255.255/",
            "http://100.128.0.0/",
            "http://172.32.0.1/",
            "http://198.20.0.1/",
            "https://1.1.1.1:8443/",
            "http://[2606:4700::1111]/",
            "http://[2001:4860:4860::8888]/",
            "https://example.com/",
            "http://example.com:8080/",
        ];
        for text in taken {
            assert_eq!(verdict(&guard, text), Ok(()), "{text}");
        }
    }

    #[test]
    fn an_allowance_opens_what_it_says_and_no_port() {
        let allowed = ["10.1.0.0/16", "127.0.0.1", "fd00:1::/32"];
        let allowed = allowed.map(|text| text.parse().expect("a network")).to_vec();
        let guard = Guard { allowed };
        let cases = [
            ("http://10.1.0.0/", true),
            ("http://10.1.255.255/", true),
            ("http://10.0.255.255/", false),
            ("http://10.2.0.0/", false),
            ("http://127.0.0.1:8080/", true),
            ("http://0x7f.1:8080/", true),
            ("http://127.0.0.2/", false),
            ("http://[::ffff:127.0.0.1]/", false),
            ("http://[::1]/", false),
            ("http://[fd00:1::9]/", true),
            ("http://[fd00:2::9]/", false),
            ("http://10.1.0.1:6379/", false),
            ("http://10.1.0.1:22/", false),
            ("https://1.1.1.1/", true),
        ];
        for (text, good) in cases {
            assert_eq!(verdict(&guard, text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn where_a_proxy_resolves_names_of_networks_are_refused() {
        let cases = [
            ("https://example.com/", true),
            ("https://example.com./", true),
            ("https://localhost.example.com/", true),
            ("https://mylocal/", false),
            ("https://xlocal.example/", true),
            ("http://localhost/", false),
            ("http://LOCALHOST./", false),
            ("http://a.localhost/", false),
            ("http://printer.local/", false),
            ("http://metadata.google.internal/", false),
            ("http://router.home.arpa/", false),
            ("http://intranet/", false),
            ("http://10.0.0.1/", false),
            ("http://[::1]/", false),
            ("http://169.254.169.254/", false),
            ("https://example.com:22/", false),
            ("http://8.8.8.8/", true),
        ];
        for (text, good) in cases {
            let url = Url::parse(text).expect("a URL");
            assert_eq!(Guard::default().check_by_name(&url).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn one_inner_number_among_those_of_a_name_is_enough() {
        let cases: [(&[&str], bool); 5] = [
            (&["8.8.8.8", "2606:4700::1111"], true),
            (&["8.8.8.8", "127.0.0.1"], false),
            (&["10.0.0.1", "8.8.8.8"], false),
            (&["8.8.8.8", "::1"], false),
            (&["::ffff:8.8.8.8"], false),
        ];
        for (numbers, good) in cases {
            let found: Vec<IpAddr> =
                numbers.iter().map(|text| text.parse().expect("a number")).collect();
            let checked = Guard::default().check_resolved("a.example", &found);
            assert_eq!(checked.is_ok(), good, "{numbers:?}");
        }
    }
}
