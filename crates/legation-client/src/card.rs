//! Finds and reads an agent card.

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use legation_model::AgentCard;
use legation_net::{Http, Limits, Request};
use legation_wire::signature::KeySet;
use legation_wire::version::{VERSION, Version};
use serde_json::Value;
use url::Url;

use crate::credentials::{Access, Needs};
use crate::{Error, Options, exchange, fault};

/// Where a card is, below the address of its agent (Spec 14.3).
const WELL_KNOWN: &str = "/.well-known/agent-card.json";
/// Where servers publish the keys that sign their cards.
const KEYS: &str = "/.well-known/jwks.json";
/// No honest card is larger.
const MAX_BYTES: u64 = 1 << 20;

/// Where the card of this address is: the address itself when it names a document.
pub(crate) fn card_url(address: &str) -> Result<Url, Error> {
    let refuse = |reason: String| Error::Address { address: address.to_owned(), reason };
    // Without this `localhost:8080` would be an address with the scheme `localhost`.
    if !["http://", "https://"].iter().any(|scheme| address.starts_with(scheme)) {
        return Err(refuse("it must begin with http:// or https://".into()));
    }
    let mut url = Url::parse(address).map_err(|fault| refuse(fault.to_string()))?;
    url.set_fragment(None);
    if !url.path().ends_with(".json") {
        let path = format!("{}{WELL_KNOWN}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url)
}

/// Reads the card of the agent at this address, or at this card's own address.
///
/// # Errors
/// When the address is none, nobody is there (it is tried once), or there is no 1.0 card.
pub async fn fetch_card(url: &str, options: &Options) -> Result<AgentCard, Error> {
    fetch_card_as_sent(url, options).await.map(|(card, _)| card)
}

/// Reads a card as [`fetch_card`] does, with the bytes that came: signatures are over what was sent.
///
/// # Errors
/// As [`fetch_card`].
pub async fn fetch_card_as_sent(url: &str, options: &Options) -> Result<(AgentCard, Bytes), Error> {
    let url = card_url(url)?;
    let body = get(&options.connections(&url)?, &url, options).await?;
    Ok((read_at(&url, &body)?, body))
}

/// Reads the public keys that the server of an agent publishes. It may be anybody's server, so they
/// are to be believed only when they are known from elsewhere: see [`KeySet::keep_pinned`].
///
/// # Errors
/// When the address is none, nobody is there, or there are no keys.
pub async fn fetch_keys_of(agent: &str, options: &Options) -> Result<KeySet, Error> {
    let mut url = card_url(agent)?;
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
    request.limits = Limits { max_bytes: MAX_BYTES, ..Limits::SHORT };
    let failed = |reason| Error::of_net("GetKeys", url, reason);
    let response = options.connections(url)?.send(request).await.map_err(failed)?;
    let status = response.status();
    if !status.is_success() {
        return Err(unreadable(format!("HTTP status {status}")));
    }
    let body = response.bytes().await.map_err(failed)?;
    KeySet::read(&body).map_err(|fault| unreadable(fault.to_string()))
}

/// Fetches a card. It is tried once: who is not there when first called may not exist.
pub(crate) async fn fetch(http: &Http, url: &Url, options: &Options) -> Result<AgentCard, Error> {
    read_at(url, &get(http, url, options).await?)
}

fn read_at(url: &Url, body: &[u8]) -> Result<AgentCard, Error> {
    read(body).map_err(|reason| Error::Card { url: url.to_string(), reason })
}

async fn get(http: &Http, url: &Url, options: &Options) -> Result<Bytes, Error> {
    const OPERATION: &str = "GetAgentCard";
    let unreadable = |reason: String| Error::Card { url: url.to_string(), reason };
    let mut request = Request::new(Method::GET, url.clone());
    request.limits = Limits { max_bytes: MAX_BYTES, ..Limits::SHORT };
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.headers.insert(VERSION, HeaderValue::from_static(Version::V1_0.name()));
    let access = Access::offhand(&options.credentials, url);
    access.sign(&mut request).await.map_err(Error::Token)?;
    let failed = |reason| Error::of_net(OPERATION, url, reason);
    let response = http.send(request).await.map_err(failed)?;
    if matches!(response.status().as_u16(), 401 | 403) {
        return Err(exchange::denied(OPERATION, url, Needs::default(), response).await);
    }
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(failed)?;
    if status.is_success() {
        return Ok(body);
    }
    if let Some(target) = headers.get(header::LOCATION) {
        let target = target.to_str().unwrap_or("an unnamed place");
        return Err(unreadable(format!(
            "it redirects to {target}, and redirects are not followed"
        )));
    }
    // These are about the moment; the others say that there is no card.
    const OF_THE_CALL: [u16; 4] = [429, 502, 503, 504];
    match fault::of_answer(status, &headers, &body) {
        Some(error) if OF_THE_CALL.contains(&status.as_u16()) => {
            Err(Error::Agent { operation: OPERATION, error })
        }
        _ => Err(unreadable(format!("HTTP status {status}"))),
    }
}

fn read(body: &[u8]) -> Result<AgentCard, String> {
    let mut card: Value = serde_json::from_slice(body).map_err(|fault| fault.to_string())?;
    let older = card.get("supportedInterfaces").is_none()
        && card.get("supported_interfaces").is_none()
        && card.get("url").is_some();
    if older {
        return Err("the card is of a protocol version before 1.0".into());
    }
    for member in ["securitySchemes", "security_schemes"] {
        if let Some(Value::Object(schemes)) = card.get_mut(member) {
            schemes.retain(|_, scheme| keep_current_form(scheme));
        }
    }
    serde_json::from_value(card).map_err(|fault| fault.to_string())
}

/// Cards for several versions write a scheme in the older form, with the 1.0 form beside it in the
/// same object. Keeps the 1.0 form; false when there is none.
fn keep_current_form(scheme: &mut Value) -> bool {
    let Value::Object(members) = scheme else { return true };
    members.retain(|name, _| name.ends_with("SecurityScheme") || name.ends_with("security_scheme"));
    !members.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_below_its_agent_unless_it_is_named() {
        let cases = [
            ("http://a", Some("http://a/.well-known/agent-card.json")),
            ("http://a/", Some("http://a/.well-known/agent-card.json")),
            ("https://a:1/b/c/#x", Some("https://a:1/b/c/.well-known/agent-card.json")),
            ("http://a/cards/mine.json?v=1", Some("http://a/cards/mine.json?v=1")),
            ("http://a/.well-known/agent.json", Some("http://a/.well-known/agent.json")),
            ("localhost:8080", None),
            ("ftp://a", None),
            ("file:///a.json", None),
            ("", None),
        ];
        for (address, expected) in cases {
            let got = card_url(address).ok().map(String::from);
            assert_eq!(got.as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn cards_for_several_versions_are_read_and_older_ones_refused_in_words() {
        let card = |extra: &str| {
            format!(
                r#"{{"name":"n","description":"d","version":"1","capabilities":{{}},
                "defaultInputModes":[],"defaultOutputModes":[],"skills":[],{extra}}}"#
            )
        };
        const FACES: &str = r#""supportedInterfaces":[]"#;
        let hybrid = r#""url":"http://a","securitySchemes":{
            "b":{"type":"http","scheme":"bearer","httpAuthSecurityScheme":{"scheme":"bearer"}},
            "o":{"type":"apiKey","in":"header","name":"k"}}"#;
        let cases = [
            (card(FACES), "1"),
            (card(&format!("{FACES},{hybrid}")), "1"),
            (card(r#""url":"http://a""#), "before 1.0"),
            (card(r#""x":1"#), "supportedInterfaces"),
            ("<html>".into(), "expected value"),
        ];
        for (text, expected) in cases {
            let got = read(text.as_bytes()).map_or_else(|fault| fault, |card| card.version);
            assert!(got.contains(expected), "{text}: {got}");
        }
    }
}
