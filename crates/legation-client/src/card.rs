//! Finds and reads an agent card.

mod cache;

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use legation_model::AgentCard;
use legation_net::{Http, Request};
use legation_wire::card::{self as wire, Reading};
use legation_wire::signature::{KeySet, Verdict, verify};
use legation_wire::version::{VERSION, Version};
use url::Url;

use crate::credentials::{Access, Needs};
use crate::exchange::{denied, told};
use crate::origin::same_place;
use crate::{Error, Options, Signatures};

pub use cache::CardCache;

/// Where a card is, below the address of its agent (Spec 14.3), and where it was before 0.3.
const WELL_KNOWN: [&str; 2] = ["/.well-known/agent-card.json", "/.well-known/agent.json"];
/// Where servers publish the keys that sign their cards.
const KEYS: &str = "/.well-known/jwks.json";
/// No honest card is larger.
const MAX_BYTES: u64 = 1 << 20;
const OPERATION: &str = "GetAgentCard";

/// A card that was found.
pub(crate) struct Found {
    pub(crate) card: AgentCard,
    /// Where.
    pub(crate) url: Url,
    reading: Reading,
    sent: Bytes,
}

/// The places where the card of this address may be: the address itself when it names a document, else
/// the well-known places below it, and then the address, where some servers have it.
pub(crate) fn places(address: &str) -> Result<Vec<Url>, Error> {
    let url = parse(address)?;
    if url.path().ends_with(".json") {
        return Ok(vec![url]);
    }
    let below = WELL_KNOWN.map(|place| {
        let mut below = url.clone();
        below.set_path(&format!("{}{place}", url.path().trim_end_matches('/')));
        below
    });
    Ok(below.into_iter().chain([url]).collect())
}

fn parse(address: &str) -> Result<Url, Error> {
    let refuse = |reason: String| Error::Address { address: address.to_owned(), reason };
    // Without this `localhost:8080` would be an address with the scheme `localhost`.
    if !["http://", "https://"].iter().any(|scheme| address.starts_with(scheme)) {
        return Err(refuse("it must begin with http:// or https://".into()));
    }
    let mut url = Url::parse(address).map_err(|fault| refuse(fault.to_string()))?;
    url.set_fragment(None);
    Ok(url)
}

/// Reads the card of the agent at this address, or at this card's own address, in whatever version it
/// is written.
///
/// # Errors
/// When the address is none, nobody is there (it is tried once), or there is no card.
pub async fn fetch_card(url: &str, options: &Options) -> Result<AgentCard, Error> {
    find(url, options).await.map(|found| found.card)
}

/// Reads a card as [`fetch_card`] does, with the bytes that came: signatures are over what was sent.
///
/// # Errors
/// As [`fetch_card`].
pub async fn fetch_card_as_sent(url: &str, options: &Options) -> Result<(AgentCard, Bytes), Error> {
    let found = find(url, options).await?;
    Ok((found.card, found.sent))
}

/// Reads a card as [`fetch_card`] does, with what is wrong with it.
///
/// # Errors
/// As [`fetch_card`].
pub async fn examine_card(url: &str, options: &Options) -> Result<Reading, Error> {
    find(url, options).await.map(|found| found.reading)
}

/// Reads the public keys that the server of an agent publishes. It may be anybody's server, so they
/// are to be believed only when they are known from elsewhere: see [`KeySet::keep_pinned`].
///
/// # Errors
/// When the address is none, nobody is there, or there are no keys.
pub async fn fetch_keys_of(agent: &str, options: &Options) -> Result<KeySet, Error> {
    let mut url = parse(agent)?;
    url.set_path(KEYS);
    url.set_query(None);
    fetch_keys(&url, options).await
}

/// Reads public keys (JWKS) at an address. No credential is sent.
///
/// # Errors
/// When nobody is there, or there are no keys.
pub async fn fetch_keys(url: &Url, options: &Options) -> Result<KeySet, Error> {
    let unreadable = |reason: String| Error::Keys { url: url.to_string(), reason };
    let mut request = Request::new(Method::GET, url.clone());
    request.limits = options.limits.of_answer(options.limits.answer, MAX_BYTES);
    let failed = |reason| Error::of_net("GetKeys", url, reason);
    let response = options.connections(url)?.send(request).await.map_err(failed)?;
    let status = response.status();
    if !status.is_success() {
        return Err(unreadable(format!("HTTP status {status}")));
    }
    let body = response.bytes().await.map_err(failed)?;
    KeySet::read(&body).map_err(|fault| unreadable(fault.to_string()))
}

/// Finds the card of an agent. Each place is tried once: who is not there when first called may not
/// exist.
pub(crate) async fn find(address: &str, options: &Options) -> Result<Found, Error> {
    let (places, mut nowhere) = (places(address)?, None);
    // All of them have one origin.
    let http = options.connections(&places[0])?;
    for url in places {
        match fetch(&http, &url, options).await {
            // What is at the first place says most of why there is no card.
            Err(error @ Error::Card { .. }) => drop(nowhere.get_or_insert(error)),
            Ok(found) => {
                check_signatures(&found, &options.signatures)?;
                return Ok(found);
            }
            Err(error) => return Err(error),
        }
    }
    Err(nowhere.expect("there is at least one place"))
}

async fn fetch(http: &Http, url: &Url, options: &Options) -> Result<Found, Error> {
    let (url, sent) = get(http, url, options).await?;
    let reading = wire::read(&sent)
        .map_err(|fault| Error::Card { url: url.to_string(), reason: fault.to_string() })?;
    Ok(Found { card: reading.card.clone(), url, reading, sent })
}

/// Where a card counts as found that redirects led to. The caller's trust is in the address that was
/// asked, and no redirect takes it elsewhere but from plain HTTP to TLS on the same host.
pub(crate) fn found_at(asked: &Url, answered: &Url) -> Url {
    let is_upgrade = asked.scheme() == "http" && answered.scheme() == "https";
    let is_same = same_place(asked, answered) || is_upgrade && asked.host() == answered.host();
    if is_same { answered.clone() } else { asked.clone() }
}

/// Checks a card as it was sent by the caller's policy.
fn check_signatures(found: &Found, policy: &Signatures) -> Result<(), Error> {
    let (keys, required) = match policy {
        Signatures::Off => return Ok(()),
        Signatures::IfPresent(keys) => (keys, false),
        Signatures::Required(keys) => (keys, true),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let reason = match verify(&found.sent, keys, now.try_into().unwrap_or(i64::MAX)) {
        Ok(Verdict::Verified { .. }) => return Ok(()),
        Ok(Verdict::Unsigned) if !required => return Ok(()),
        Ok(Verdict::Unsigned) => "it is not signed".into(),
        Ok(Verdict::UnknownKey { keys }) => {
            format!("it is signed by keys that are not trusted: {}", keys.join(", "))
        }
        Ok(Verdict::BadSignature { reason }) => reason,
        Err(fault) => fault.to_string(),
    };
    Err(Error::Unverified { url: found.url.to_string(), reason })
}

/// The bytes of a card, and where it counts as found.
async fn get(http: &Http, url: &Url, options: &Options) -> Result<(Url, Bytes), Error> {
    let unreadable = |reason: String| Error::Card { url: url.to_string(), reason };
    let mut request = Request::new(Method::GET, url.clone());
    request.limits = options.limits.of_answer(options.limits.answer, MAX_BYTES);
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.headers.insert(VERSION, HeaderValue::from_static(Version::V1_0.name()));
    let access = Access::offhand(&options.credentials, url);
    access.sign(&mut request).await.map_err(Error::Token)?;
    // What is asked, and by whom: credentials may stand in headers and in the query.
    let asked = (request.url.clone(), request.headers.clone());
    let kept = options.cards.find(&asked);
    if let Some(kept) = &kept {
        if kept.is_fresh() {
            return Ok((kept.url.clone(), kept.body.clone()));
        }
        kept.ask_for_change(&mut request.headers);
    }
    let failed = |reason| Error::of_net(OPERATION, url, reason);
    let response = http.follow(request, options.limits.redirects).await.map_err(failed)?;
    let found_at = found_at(url, response.url());
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        let response = response.within(options.limits.of_refusal());
        return Err(denied(OPERATION, url, Version::V1_0, Needs::default(), response).await);
    }
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(failed)?;
    if let Some(kept) = kept.filter(|_| status == StatusCode::NOT_MODIFIED) {
        let body = kept.body.clone();
        options.cards.keep(asked, (found_at.clone(), body.clone()), &headers, Some(&kept));
        return Ok((found_at, body));
    }
    if status.is_success() {
        options.cards.keep(asked, (found_at.clone(), body.clone()), &headers, None);
        return Ok((found_at, body));
    }
    // These are about the moment; the others say that there is no card.
    const OF_THE_CALL: [u16; 4] = [429, 502, 503, 504];
    let said = told(Version::V1_0, status, &headers, &body);
    match said.filter(|_| OF_THE_CALL.contains(&status.as_u16())) {
        Some(error) => Err(Error::Agent { operation: OPERATION, error }),
        None => Err(unreadable(format!("HTTP status {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_redirect_takes_trust_elsewhere_but_to_tls() {
        let cases = [
            ("http://a/x", "http://a/y", "http://a/y"),
            ("http://a/x", "https://a/x", "https://a/x"),
            ("http://a:8080/x", "https://a:8443/x", "https://a:8443/x"),
            ("https://a/x", "https://www.a/x", "https://a/x"),
            ("https://a/x", "https://a:8443/x", "https://a/x"),
            ("http://a/x", "https://b/x", "http://a/x"),
        ];
        for (asked, answered, expected) in cases {
            let url = |text| Url::parse(text).expect("a URL");
            assert_eq!(found_at(&url(asked), &url(answered)).as_str(), expected, "{asked}");
        }
    }

    #[test]
    fn a_card_is_below_its_agent_unless_it_is_named() {
        let cases = [
            (
                "http://a",
                "http://a/.well-known/agent-card.json http://a/.well-known/agent.json http://a/",
            ),
            (
                "https://a:1/b/c/#x",
                "https://a:1/b/c/.well-known/agent-card.json https://a:1/b/c/.well-known/agent.json https://a:1/b/c/",
            ),
            ("http://a/cards/mine.json?v=1", "http://a/cards/mine.json?v=1"),
            ("http://a/.well-known/agent.json", "http://a/.well-known/agent.json"),
            ("localhost:8080", "none"),
            ("ftp://a", "none"),
            ("file:///a.json", "none"),
            ("", "none"),
        ];
        for (address, expected) in cases {
            let got = places(address)
                .map(|places| places.iter().map(Url::as_str).collect::<Vec<_>>().join(" "));
            assert_eq!(got.unwrap_or_else(|_| "none".into()), expected, "{address}");
        }
    }
}
