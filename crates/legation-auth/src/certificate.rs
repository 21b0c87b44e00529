//! Client certificates: who they are for, by their alternative names and never by the common name.
//!
//! The transport has verified the chain. A proxy that ends TLS before the server may pass the
//! certificate on in a header, which is believed of proxies that the operator named and of nobody
//! else.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use legation_core::{Caller, Credentials, Field, Scopes};
use legation_model::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::chain::{Failure, Verified};
use crate::claims::timestamp;

/// The header of RFC 9440, and the one of Envoy and its like.
const CLIENT_CERT: &str = "client-cert";
const FORWARDED: &str = "x-forwarded-client-cert";

type IsProxy = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Knows callers by their certificates.
#[derive(Clone)]
pub struct Certificates {
    scheme: Arc<str>,
    /// The tenant of everybody with a certificate.
    tenant: Arc<str>,
    scopes: Scopes,
    /// The proxies that are believed when they pass a certificate on.
    is_proxy: Option<IsProxy>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Certificates {
    /// Knows the holders of certificates of the authority that the transport trusts, under the name
    /// of a scheme. All are of one tenant and have these scopes.
    pub fn new(scheme: impl Into<Arc<str>>, tenant: impl Into<Arc<str>>, scopes: Scopes) -> Self {
        Self { scheme: scheme.into(), tenant: tenant.into(), scopes, is_proxy: None }
    }

    /// Believes these proxies when they pass a certificate on, in `Client-Cert` (RFC 9440) or
    /// `X-Forwarded-Client-Cert`. Each has to set or remove both.
    #[must_use]
    pub fn from_proxies(self, is_proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self { is_proxy: Some(Arc::new(is_proxy)), ..self }
    }

    /// Who calls; `None` when there is no certificate.
    pub(crate) fn verify(&self, credentials: &Credentials<'_>) -> Option<Verified> {
        // A trusted proxy's own certificate is not its callers', also of those who have none.
        let forwarded = match self.is_from_proxy(credentials).then(|| forwarded(credentials)) {
            Some(Ok(forwarded)) => Some(forwarded?),
            Some(Err(reason)) => return Some(Err(Failure::Invalid(reason))),
            None => None,
        };
        let own = || credentials.certificates.and_then(|chain| chain.first());
        let der = forwarded.as_ref().or_else(own)?;
        let named = identity(der, Timestamp::now()).map_err(Failure::Invalid);
        Some(named.map(|(subject, expires)| Caller {
            scopes: self.scopes.clone(),
            scheme: self.scheme.clone(),
            expires,
            ..Caller::new(self.tenant.clone(), subject)
        }))
    }

    fn is_from_proxy(&self, credentials: &Credentials<'_>) -> bool {
        let asked = self.is_proxy.as_ref().zip(credentials.peer);
        asked.is_some_and(|(is_proxy, peer)| is_proxy(peer))
    }
}

/// The certificate that a proxy passes on.
fn forwarded(credentials: &Credentials<'_>) -> Result<Option<Vec<u8>>, &'static str> {
    let standard = match credentials.header(CLIENT_CERT) {
        Field::Absent => None,
        Field::One(value) => Some(byte_sequence(value).ok_or("a header that is none")?),
        Field::Unclear => return Err("several certificates passed on"),
    };
    let common = match credentials.header(FORWARDED) {
        Field::Absent => None,
        Field::One(value) => Some(envoy(value)?),
        Field::Unclear => return Err("several certificates passed on"),
    };
    match (standard, common) {
        (Some(one), Some(other)) if one != other => Err("two certificates passed on"),
        (one, other) => Ok(one.or(other)),
    }
}

/// A byte sequence of a structured field (RFC 8941 3.3.5): `:base64:`.
fn byte_sequence(value: &str) -> Option<Vec<u8>> {
    let text = value.trim().strip_prefix(':')?.strip_suffix(':')?;
    BASE64_STANDARD.decode(text).ok()
}

/// The certificate of `X-Forwarded-Client-Cert`: of its one element, the one pair `Cert` with PEM.
fn envoy(value: &str) -> Result<Vec<u8>, &'static str> {
    const ODD: &str = "a header whose quotes do not end";
    let mut elements = outside_quotes(value, ',').ok_or(ODD)?.into_iter();
    // Each proxy that passes it on may add an element; whose is whose, nobody can tell.
    let (Some(element), None) = (elements.next(), elements.next()) else {
        return Err("certificates of several proxies");
    };
    let pairs = outside_quotes(element, ';').ok_or(ODD)?;
    let pairs = pairs.into_iter().filter_map(|pair| pair.trim().split_once('='));
    let mut certs = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("cert"));
    let (Some((_, cert)), None) = (certs.next(), certs.next()) else {
        return Err("a header without one certificate itself");
    };
    let cert = cert.trim();
    let cert = cert.strip_prefix('"').and_then(|cert| cert.strip_suffix('"')).unwrap_or(cert);
    let pem = percent_decoded(cert);
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    BASE64_STANDARD.decode(body.trim()).map_err(|_| "a header whose certificate is none")
}

/// The parts of a text between separators that do not stand in quotes, within which a backslash
/// takes the meaning of what follows it; `None` when quotes do not end.
fn outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut in_quotes, mut escaped) = (false, false);
    let parts = text.split(|letter| {
        let is_plain = !std::mem::take(&mut escaped);
        escaped = in_quotes && is_plain && letter == '\\';
        in_quotes ^= is_plain && letter == '"';
        letter == separator && !in_quotes
    });
    let parts = parts.collect();
    (!in_quotes).then_some(parts)
}

fn percent_decoded(text: &str) -> String {
    // In PEM a plus is a letter of base64.
    let plus_kept = text.replace('+', "%2B");
    form_urlencoded::parse(plus_kept.as_bytes())
        .map(
            |(name, value)| {
                if value.is_empty() { name.into_owned() } else { format!("{name}={value}") }
            },
        )
        .collect()
}

/// Who a certificate is for, and when it ends: its one URI, else its one DNS name.
fn identity(der: &[u8], now: Timestamp) -> Result<(String, Option<Timestamp>), &'static str> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| "not a certificate")?;
    if !rest.is_empty() {
        return Err("more than a certificate");
    }
    let (begin, end) = (certificate.validity().not_before, certificate.validity().not_after);
    let seconds = now.as_millis().div_euclid(1000);
    if !(begin.timestamp()..=end.timestamp()).contains(&seconds) {
        return Err("a certificate out of its time");
    }
    if certificate.is_ca() {
        return Err("the certificate of an authority");
    }
    let usage = certificate.extended_key_usage().map_err(|_| "odd purposes")?;
    // A certificate that names no purpose serves any (RFC 5280 4.2.1.12).
    if usage.is_some_and(|usage| !usage.value.client_auth && !usage.value.any) {
        return Err("a certificate for another purpose than clients");
    }
    let names = certificate.subject_alternative_name().map_err(|_| "odd names")?;
    let names = names.map(|names| &names.value.general_names[..]).unwrap_or_default();
    let uris = names
        .iter()
        .filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None });
    let hosts = names
        .iter()
        .filter_map(|name| if let GeneralName::DNSName(host) = name { Some(*host) } else { None });
    let subject = match (only(uris)?, only(hosts)) {
        (Some(uri), _) => uri.to_owned(),
        (None, Ok(Some(host))) => format!("dns:{}", host.to_ascii_lowercase()),
        (None, Ok(None)) => return Err("a certificate without a name for machines"),
        (None, Err(error)) => return Err(error),
    };
    if subject.contains('*') || subject.chars().any(char::is_control) {
        return Err("a certificate for more than one");
    }
    Ok((subject, timestamp(end.timestamp())))
}

fn only<'n>(mut names: impl Iterator<Item = &'n str>) -> Result<Option<&'n str>, &'static str> {
    match (names.next(), names.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err("a certificate with several names"),
    }
}
