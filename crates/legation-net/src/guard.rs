//! The guard of calls whose address a stranger or a file chose: the public internet and nothing else.
//!
//! An address is judged as the number that is connected to: numbers in the URL, in whatever spelling,
//! before anything is done, and names by what they resolve to. The connection goes to the numbers
//! that were judged, so a name that changes its mind in between changes nothing.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

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

/// An address that is not called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Judges what can be judged before a name is resolved.
///
/// # Errors
/// When the port is not one of the web, or the host is a number that is not public.
pub(crate) fn check(url: &Url) -> Result<(), Refused> {
    let port = url.port_or_known_default().unwrap_or_default();
    if !(matches!(port, 80 | 443) || port >= 1024) || NOT_WEB.contains(&port) {
        return Err(Refused(format!("port {port} is not one of the web")));
    }
    match url.host() {
        Some(Host::Ipv4(address)) => check_number(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => check_number(IpAddr::V6(address)),
        Some(Host::Domain(_)) => Ok(()),
        None => Err(Refused("the address has no host".into())),
    }
}

fn check_number(address: IpAddr) -> Result<(), Refused> {
    if is_public(address) {
        return Ok(());
    }
    Err(Refused(format!("{address} is not an address of the public internet")))
}

fn is_public(address: IpAddr) -> bool {
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

/// Resolves names as the system does, and refuses those that lead elsewhere than to the public
/// internet. One such number among others is enough: it would be connected to sooner or later.
#[derive(Debug)]
pub(crate) struct Resolver;

impl Resolver {
    pub(crate) fn shared() -> Arc<Self> {
        Arc::new(Self)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.is_empty() {
                return Err(io::Error::other("the name has no address").into());
            }
            for address in &found {
                check_number(address.ip()).map_err(|Refused(why)| {
                    Refused(format!("`{}` resolves elsewhere: {why}", name.as_str()))
                })?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for text in refused {
            let url = Url::parse(text).expect("a URL");
            assert!(check(&url).is_err(), "{text}");
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
            let url = Url::parse(text).expect("a URL");
            assert_eq!(check(&url), Ok(()), "{text}");
        }
    }
}
