//! What the head of a request says about a call, the same on every binding.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Response};
use legation_core::{
    Authenticator, Call, Caller, CertificateChain, Credentials, Entrusted, Headers, Manners, Names,
    Refused,
};
use legation_model::A2aError;
use legation_wire::header;
use legation_wire::version::{self, Version};

use crate::answer::A2A_VERSION;
use crate::bounds::Bounds;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(header::IDEMPOTENCY_KEY);
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static(header::LAST_EVENT_ID);

/// The header that names extensions, and its name before 1.0. Either is taken in any version.
pub(crate) static EXTENSIONS: [HeaderName; 2] =
    [HeaderName::from_static("a2a-extensions"), HeaderName::from_static("x-a2a-extensions")];

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// What it showed and TLS verified.
    pub(crate) certificates: Option<CertificateChain>,
}

/// Headers as authenticators ask for them.
struct Lines<'h>(&'h HeaderMap);

impl Headers for Lines<'_> {
    fn line(&self, name: &str, number: usize) -> Option<&[u8]> {
        self.0.get_all(name).iter().nth(number).map(HeaderValue::as_bytes)
    }
}

/// Says who sent a request.
///
/// # Errors
/// When the authenticator refuses.
pub(crate) async fn authenticate(
    authenticator: &dyn Authenticator,
    peer: &Peer,
    client: Option<IpAddr>,
    head: &Parts,
    (agent, schemes): (Option<&str>, Option<&Names>),
) -> Result<Caller, Refused> {
    let credentials = Credentials {
        headers: &Lines(&head.headers),
        query: head.uri.query(),
        peer: Some(peer.address),
        client,
        certificates: peer.certificates.as_ref(),
        schemes,
        agent,
    };
    authenticator.authenticate(credentials).await
}

/// What the head of a request says beside who calls.
#[derive(Debug)]
pub(crate) struct Stated {
    version: Option<Version>,
    extensions: Extensions,
    idempotency_key: Option<String>,
    last_event: Option<u64>,
}

impl Stated {
    /// Reads the head of a request.
    ///
    /// # Errors
    /// `VersionNotSupported`, or `InvalidParams` with the name of the header.
    pub(crate) fn read(
        head: &Parts,
        is_supported: impl Fn(&str) -> bool,
        bounds: &Bounds,
    ) -> Result<Self, A2aError> {
        Ok(Self {
            version: read_version(head)?,
            extensions: read_extensions(&head.headers, is_supported, bounds.extensions)?,
            idempotency_key: read_key(&head.headers, bounds.idempotency_key)?,
            last_event: read_last_event(&head.headers)?,
        })
    }
}

/// A call with what the bindings have to know of it.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) call: Call,
    /// The version that the request states.
    pub(crate) stated: Option<Version>,
    /// The header that lists the activated extensions, under the name the caller used.
    activated: Option<(HeaderName, HeaderValue)>,
}

impl Arrival {
    /// What somebody asks of an agent, or of the crew, by a head that says this.
    pub(crate) fn new(stated: Stated, caller: Caller, agent: Option<Arc<str>>) -> Self {
        let Stated { version, extensions, idempotency_key, last_event } = stated;
        let (extensions, activated) = extensions;
        let call = Call { agent, extensions, idempotency_key, last_event, ..Call::by(caller) };
        Self { call, stated: version, activated }
    }

    /// Takes the manners of the version that the call turned out to be in.
    pub(crate) fn behave(&mut self, version: Version) {
        self.call.manners = match version {
            Version::V1_0 => Manners::default(),
            Version::V0_3 | Version::V0_2 => {
                Manners { streams_end_at_rest: true, names_tasks: false }
            }
            Version::V0_1 => Manners { streams_end_at_rest: true, names_tasks: true },
        };
    }

    /// Says in a response what was agreed on.
    pub(crate) fn echo<B>(&self, version: Version, response: &mut Response<B>) {
        let version = HeaderValue::from_static(version.name());
        response.headers_mut().insert(A2A_VERSION, version);
        if let Some((name, value)) = &self.activated {
            response.headers_mut().insert(name, value.clone());
        }
    }
}

/// The headers of these names, which may repeat. One that comes twice counts as none, as where
/// credentials are checked: what passed there has to be what the agent gets.
pub(crate) fn entrusted<'n>(
    headers: &HeaderMap,
    names: impl Iterator<Item = &'n String>,
) -> Entrusted {
    let mut known: Vec<&String> = names.collect();
    known.sort_unstable();
    known.dedup();
    let read = |name: &String| {
        let mut values = headers.get_all(name.as_str()).iter();
        let only = values.next().filter(|_| values.next().is_none())?;
        Some((name.clone(), only.to_str().ok()?.to_owned()))
    };
    known.into_iter().filter_map(read).collect()
}

/// The version that a request states.
///
/// # Errors
/// `VersionNotSupported`.
pub(crate) fn read_version(head: &Parts) -> Result<Option<Version>, A2aError> {
    let mut lines = head.headers.get_all(&A2A_VERSION).iter();
    let Some(first) = lines.next() else {
        let stated = head.uri.query().and_then(version::stated_in);
        return Version::stated(stated.as_deref());
    };
    // Lines that differ are read as the one line they are equal to, which is no version.
    let differing = lines.any(|line| line != first);
    let stated = if differing { "several" } else { first.to_str().unwrap_or("not text") };
    Version::stated(Some(stated))
}

type Extensions = (Vec<String>, Option<(HeaderName, HeaderValue)>);

fn read_extensions(
    headers: &HeaderMap,
    is_supported: impl Fn(&str) -> bool,
    most: usize,
) -> Result<Extensions, A2aError> {
    let (mut uris, mut used) = (Vec::new(), None);
    for name in &EXTENSIONS {
        for line in headers.get_all(name) {
            let line = line.to_str().map_err(|_| A2aError::invalid(name.as_str(), "not text"))?;
            uris.extend(line.split(',').map(str::trim).filter(|uri| !uri.is_empty()));
            used = used.or(Some(name));
        }
    }
    if uris.len() > most {
        let fault = format!("names more than {most} extensions");
        return Err(A2aError::invalid(EXTENSIONS[0].as_str(), fault));
    }
    let active: Vec<_> = uris.iter().copied().filter(|uri| is_supported(uri)).collect();
    let value = (!active.is_empty()).then(|| HeaderValue::from_str(&active.join(", ")));
    let activated = used.cloned().zip(value.and_then(Result::ok));
    Ok((uris.into_iter().map(str::to_owned).collect(), activated))
}

fn read_key(headers: &HeaderMap, most: usize) -> Result<Option<String>, A2aError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().ok().map(str::trim).filter(|key| (1..=most).contains(&key.len()));
    let fault = || A2aError::invalid("Idempotency-Key", format!("must be 1 to {most} letters"));
    key.map(|key| Some(key.to_owned())).ok_or_else(fault)
}

fn read_last_event(headers: &HeaderMap) -> Result<Option<u64>, A2aError> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let fault = || A2aError::invalid("Last-Event-ID", "must be the number of an event");
    number.map(Some).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use legation_core::CURSOR_EXTENSION;

    /// The extensions and the idempotency keys that are taken at most.
    static BOUNDS: LazyLock<Bounds> =
        LazyLock::new(|| Bounds { extensions: 3, idempotency_key: 8, ..Bounds::default() });

    type Lines<'l> = &'l [(&'l str, &'l str)];

    fn read(uri: &str, lines: Lines<'_>) -> Result<Arrival, A2aError> {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a valid request").into_parts();
        let is_known = |uri: &str| uri == CURSOR_EXTENSION;
        let stated = Stated::read(&head, is_known, &BOUNDS)?;
        Ok(Arrival::new(stated, Caller::anonymous(), None))
    }

    #[test]
    fn the_version_is_in_the_header_or_else_in_the_query() {
        type Stated = Result<Option<&'static str>, ()>;
        let cases: [(&str, Lines<'_>, Stated); 9] = [
            ("/", &[("a2a-version", "1.0")], Ok(Some("1.0"))),
            ("/?A2A-Version=1.0", &[], Ok(Some("1.0"))),
            ("/?a=1&a2a-version=0%2E3", &[], Ok(Some("0.3"))),
            ("/?A2A-Version=9.9", &[("a2a-version", "1.0")], Ok(Some("1.0"))),
            ("/?A2A-Version=1.0", &[("a2a-version", "9.9")], Err(())),
            ("/", &[("a2a-version", "1.0"), ("a2a-version", "1.0")], Ok(Some("1.0"))),
            ("/", &[("a2a-version", "1.0"), ("a2a-version", "0.3")], Err(())),
            ("/", &[("a2a-version", "")], Ok(None)),
            ("/", &[], Ok(None)),
        ];
        for (uri, lines, expected) in cases {
            let got = read(uri, lines).map(|arrival| arrival.stated.map(Version::name));
            assert_eq!(got.map_err(drop), expected, "{uri} {lines:?}");
        }
    }

    #[test]
    fn extensions_are_gathered_and_the_known_ones_echoed_under_the_name_used() {
        let version = ("a2a-version", "1.0");
        let lines = [
            version,
            ("x-a2a-extensions", "urn:a, ,urn:legation:a2a:extension:cursor:1"),
            ("x-a2a-extensions", "urn:b"),
        ];
        let arrival = read("/", &lines).expect("a good head");
        assert_eq!(arrival.call.extensions, ["urn:a", CURSOR_EXTENSION, "urn:b"]);
        let mut response = Response::new(());
        arrival.echo(Version::V1_0, &mut response);
        assert_eq!(response.headers()["a2a-version"], "1.0");
        assert_eq!(response.headers()["x-a2a-extensions"], CURSOR_EXTENSION);
        let arrival = read("/", &[version, ("a2a-extensions", "urn:a")]).expect("a good head");
        assert!(arrival.activated.is_none());
    }

    #[test]
    fn what_agents_are_let_see_is_unambiguous_and_does_not_show_itself() {
        let lines =
            [("authorization", "Bearer hidden"), ("x-key", "1"), ("x-key", "2"), ("x-no", "3")];
        let mut request = http::Request::builder();
        for (name, value) in lines {
            request = request.header(name, value);
        }
        let request = request.body(()).expect("a valid request");
        let names = ["authorization", "x-key", "x-absent", "authorization"].map(str::to_owned);
        let got = entrusted(request.headers(), names.iter());
        assert_eq!(got.iter().collect::<Vec<_>>(), [("authorization", "Bearer hidden")]);
        assert_eq!(format!("{got:?}"), r#"{"authorization"}"#);
    }

    #[test]
    fn headers_of_the_wrong_form_are_named() {
        let cases = [
            ("idempotency-key", "k-1", None),
            ("idempotency-key", "", Some("Idempotency-Key")),
            ("idempotency-key", "k-345678", None),
            ("idempotency-key", "k-3456789", Some("Idempotency-Key")),
            ("last-event-id", "7", None),
            ("last-event-id", "-1", Some("Last-Event-ID")),
            ("last-event-id", "99999999999999999999", Some("Last-Event-ID")),
            ("a2a-extensions", "urn:x,urn:x,urn:x", None),
            ("a2a-extensions", "urn:x,urn:x,urn:x,urn:x", Some("a2a-extensions")),
        ];
        for (name, value, field) in cases {
            let fault = read("/", &[("a2a-version", "1.0"), (name, value)]).err();
            let got = fault.map(|error| error.violations[0].field.clone());
            assert_eq!(got.as_deref(), field, "{name}: {value}");
        }
    }
}
