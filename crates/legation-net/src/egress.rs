//! By what way calls leave: whose addresses they may have, who is believed, and what is between.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::{Host, Url};

use crate::Names;
use crate::guard::Guard;

/// By what way calls leave. The default is the strict one: the public internet, no proxy, the
/// authorities of the system.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Which addresses are called.
    pub reach: Reach,
    /// The authorities whose certificates are believed; those of the system when absent.
    pub authorities: Option<Authorities>,
    /// By what certificate this side is known to servers that ask for one.
    pub identity: Option<Identity>,
    /// Who connects in our place. The variables of the environment that name proxies are not heard.
    pub proxy: Option<Proxy>,
    /// Who knows the numbers of names; the system when absent.
    pub names: Option<Arc<dyn Names>>,
}

impl Egress {
    /// The same way to any address, or to what it is for: the operator chose the address, or nobody.
    #[must_use]
    pub fn to_any_if(self, is_chosen: bool) -> Self {
        if is_chosen { Self { reach: Reach::Any, ..self } } else { self }
    }

    /// The guard of what is called; none where that is anything.
    pub(crate) fn guard(&self) -> Option<Guard> {
        match &self.reach {
            Reach::Any => None,
            Reach::Public(allowed) => Some(Guard { allowed: allowed.clone() }),
        }
    }
}

/// Which addresses are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any: they were chosen by a person at the keyboard or by the operator.
    Any,
    /// Those of the public internet and of these networks: a stranger chose them.
    Public(Vec<Network>),
}

impl Default for Reach {
    fn default() -> Self {
        Self::Public(Vec::new())
    }
}

/// A network, as its first number and the bits that count (`10.1.0.0/16`), or one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// A text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a network such as `10.1.0.0/16` or a number such as `10.1.2.3`")]
pub struct NoNetwork;

impl Network {
    /// Whether a number is in it. A number of IPv4 in IPv6's clothes is one of IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let network = text.parse().ok().or_else(one).ok_or(NoNetwork)?;
        // Bits after those that count are a mistake more often than a habit.
        if network.trunc() == network { Ok(Self(network)) } else { Err(NoNetwork) }
    }
}

/// Certificate authorities that are believed instead of those of the system.
#[derive(Clone, Debug)]
pub struct Authorities(pub(crate) Vec<CertificateDer<'static>>);

impl Authorities {
    /// Those in a text in PEM; `None` when there are none in it, or they are broken.
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        certificates(pem).map(Self)
    }
}

/// A certificate with its key, by which this side is known (mutual TLS).
pub struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// The certificates in a text in PEM; `None` when there are none in it, or they are broken.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!certificates.is_empty()).then_some(certificates)
}

impl Identity {
    /// The chain, its end first, and the key of that, both in PEM; they may be in one file, which is
    /// then given twice. `None` when there is no certificate or no key.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Option<Self> {
        let key = PrivateKeyDer::from_pem_slice(key).ok()?;
        Some(Self { chain: certificates(chain)?, key })
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// A proxy that connects in our place, and whom it is not asked for.
#[derive(Clone)]
pub struct Proxy {
    /// Without credentials.
    url: Url,
    credentials: Option<(String, String)>,
    direct: Vec<Direct>,
}

/// Whom the proxy is not asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Direct {
    /// A name and all below it.
    Domain(String),
    Network(Network),
}

/// A proxy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProxy {
    /// The address of the proxy is none. It is not shown: it may hold a password.
    #[error("the address of a proxy begins with http:// or https:// and has a host and no path")]
    Address,
    /// An exception is neither a name nor a network.
    #[error("`{0}` is neither a name nor a network that the proxy could be passed over for")]
    Exception(String),
}

impl Proxy {
    /// The proxy at an address, which may hold a user name and a password, but for these names (with
    /// all names below them) and networks, which are connected to directly.
    ///
    /// # Errors
    /// When one of them is not what it should be.
    pub fn new<T: AsRef<str>>(url: &str, direct: &[T]) -> Result<Self, BadProxy> {
        let mut url = Url::parse(url).map_err(|_| BadProxy::Address)?;
        let fit = matches!(url.scheme(), "http" | "https") && matches!(url.path(), "" | "/");
        if !fit || !url.has_host() || url.query().is_some() || url.fragment().is_some() {
            return Err(BadProxy::Address);
        }
        let user = decoded(url.username()).ok_or(BadProxy::Address)?;
        let password = decoded(url.password().unwrap_or_default()).ok_or(BadProxy::Address)?;
        let credentials = (!user.is_empty() || !password.is_empty()).then_some((user, password));
        url.set_username("")
            .and_then(|()| url.set_password(None))
            .map_err(|()| BadProxy::Address)?;
        let direct = direct.iter().map(|text| Direct::parse(text.as_ref()));
        Ok(Self { url, credentials, direct: direct.collect::<Result<_, _>>()? })
    }

    /// Whether it is asked to connect to an address.
    pub(crate) fn is_for(&self, url: &Url) -> bool {
        !self.direct.iter().any(|direct| direct.covers(url))
    }

    /// The name of its host, when that is no number.
    pub(crate) fn name(&self) -> Option<&str> {
        self.url.domain()
    }

    pub(crate) fn for_library(&self) -> reqwest::Proxy {
        let this = self.clone();
        let choose = move |url: &Url| this.is_for(url).then(|| this.url.clone());
        let proxy = reqwest::Proxy::custom(choose);
        match &self.credentials {
            Some((user, password)) => proxy.basic_auth(user, password),
            None => proxy,
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Proxy");
        shown.field("url", &self.url.as_str()).field("direct", &self.direct);
        shown.finish_non_exhaustive()
    }
}

impl Direct {
    fn parse(text: &str) -> Result<Self, BadProxy> {
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        let name = text.trim_start_matches('.').trim_end_matches('.').to_ascii_lowercase();
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if name.is_empty() || !name.bytes().all(fit) {
            return Err(BadProxy::Exception(text.to_owned()));
        }
        Ok(Self::Domain(name))
    }

    fn covers(&self, url: &Url) -> bool {
        match (self, url.host()) {
            (Self::Network(network), Some(Host::Ipv4(address))) => network.contains(address.into()),
            (Self::Network(network), Some(Host::Ipv6(address))) => network.contains(address.into()),
            (Self::Domain(name), Some(Host::Domain(host))) => {
                let rest = host.trim_end_matches('.').strip_suffix(name.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Network(_) | Self::Domain(_), _) => false,
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_exactly() {
        let cases = [
            ("10.1.0.0/16", true),
            ("10.1.2.3", true),
            ("10.1.2.3/32", true),
            ("fd00::/8", true),
            ("::1", true),
            ("10.1.2.3/16", false),
            ("10.1.0.0/33", false),
            ("10.1", false),
            ("localhost", false),
            ("", false),
        ];
        for (text, good) in cases {
            assert_eq!(text.parse::<Network>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_proxy_is_asked_but_for_its_exceptions() {
        let proxy = Proxy::new("http://p:3128", &["inner.example", ".corp", "10.0.0.0/8", "::1"]);
        let proxy = proxy.expect("a proxy");
        let cases = [
            ("https://example.com/", true),
            ("https://inner.example/", false),
            ("https://a.inner.example./", false),
            ("https://dinner.example/", true),
            ("https://a.corp/", false),
            ("http://10.9.9.9/", false),
            ("http://11.9.9.9/", true),
            ("http://[::1]/", false),
            ("http://[::2]/", true),
        ];
        for (text, expected) in cases {
            assert_eq!(proxy.is_for(&Url::parse(text).expect("a URL")), expected, "{text}");
        }
    }

    #[test]
    fn the_address_of_a_proxy_is_checked_and_its_password_shown_nowhere() {
        let proxy = Proxy::new("http://u:s%2fcret@p:3128/", &[""; 0]).expect("a proxy");
        assert_eq!(proxy.credentials, Some(("u".into(), "s/cret".into())));
        assert!(!format!("{proxy:?}").contains("cret"));
        for bad in
            ["p:3128", "socks5://p", "http://p/x", "http://p?x", "http://", "", "http://u:s@"]
        {
            assert_eq!(Proxy::new(bad, &[""; 0]).err(), Some(BadProxy::Address), "{bad}");
        }
        for bad in ["", "*", "a b", "http://a"] {
            assert!(Proxy::new("http://p", &[bad]).is_err(), "{bad}");
        }
    }
}
