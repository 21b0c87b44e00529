//! Agent cards: made once from the agents' profiles, served from memory (Spec 8).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use legation_core::{CURSOR_EXTENSION, Profile};
use legation_model::{
    AgentCapabilities, AgentCard, AgentExtension, AgentInterface, AgentSkill,
    HttpAuthSecurityScheme, SecurityRequirement, SecurityScheme, StringList,
};
use legation_wire::version::Version;

use crate::answer::{Answer, JSON, answer};
use crate::body::Body;
use crate::settings::Security;

/// How long a card may be taken for current without asking (Spec 8.6.1).
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The name of the bearer scheme within a card.
const BEARER: &str = "bearer";

/// The card of an agent that is reached by JSON-RPC at one address and by REST at another.
pub(crate) fn card(profile: &Profile, security: Security, rpc: &str, rest: &str) -> AgentCard {
    let interface = |url: &str, binding: &str| AgentInterface {
        url: url.to_owned(),
        protocol_binding: binding.to_owned(),
        tenant: None,
        protocol_version: Version::V1_0.name().to_owned(),
    };
    let (schemes, requirements) = match security {
        Security::Open => Default::default(),
        Security::Bearer => bearer(),
    };
    AgentCard {
        name: profile.name.clone(),
        description: profile.description.clone(),
        supported_interfaces: vec![interface(rpc, "JSONRPC"), interface(rest, "HTTP+JSON")],
        provider: profile.provider.clone(),
        version: profile.version.clone(),
        documentation_url: None,
        capabilities: capabilities(),
        security_schemes: schemes,
        security_requirements: requirements,
        default_input_modes: profile.input_modes.clone(),
        default_output_modes: profile.output_modes.clone(),
        skills: skills(profile),
        signatures: Vec::new(),
        icon_url: None,
    }
}

fn capabilities() -> AgentCapabilities {
    let cursor = AgentExtension {
        uri: CURSOR_EXTENSION.to_owned(),
        description: Some("Numbers each update, so that a stream can be resumed".into()),
        ..AgentExtension::default()
    };
    AgentCapabilities {
        streaming: Some(true),
        push_notifications: Some(false),
        extensions: vec![cursor],
        extended_agent_card: Some(false),
    }
}

type Schemes = std::collections::BTreeMap<String, SecurityScheme>;

fn bearer() -> (Schemes, Vec<SecurityRequirement>) {
    let scheme = HttpAuthSecurityScheme { scheme: "Bearer".into(), ..Default::default() };
    let schemes = [(BEARER.to_owned(), SecurityScheme::HttpAuthSecurityScheme(scheme))];
    let required = [(BEARER.to_owned(), StringList::default())];
    (schemes.into(), vec![SecurityRequirement { schemes: required.into() }])
}

/// The skills; an agent that names none is its one skill, because a card needs at least one.
fn skills(profile: &Profile) -> Vec<AgentSkill> {
    if !profile.skills.is_empty() {
        return profile.skills.clone();
    }
    let slug = profile.slug.to_string();
    vec![AgentSkill {
        id: slug.clone(),
        name: profile.name.clone(),
        description: profile.description.clone(),
        tags: vec![slug],
        ..AgentSkill::default()
    }]
}

/// A document as it is served, with what caches need.
#[derive(Debug)]
pub(crate) struct Served {
    json: Bytes,
    etag: HeaderValue,
    modified: Timestamp,
    last_modified: HeaderValue,
}

impl Served {
    /// Serves a card that is as it is since now.
    pub(crate) fn since_now(card: &AgentCard) -> Self {
        let json = serde_json::to_vec(card).expect("cards have text keys only");
        let hash = digest::digest(&digest::SHA256, &json);
        let etag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]));
        // HTTP's times have whole seconds.
        let modified = Timestamp::from_second(Timestamp::now().as_second())
            .expect("the present is within range");
        let date = DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&modified)
            .expect("the present has a year of four digits");
        Self {
            json: json.into(),
            etag: HeaderValue::from_str(&etag).expect("base64 is printable"),
            modified,
            last_modified: HeaderValue::from_str(&date).expect("a date is printable"),
        }
    }

    /// The response to a GET or HEAD with these headers.
    pub(crate) fn respond(&self, headers: &HeaderMap) -> Answer {
        let mut response = if self.is_known(headers) {
            let mut response = Answer::new(Body::full(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            answer(StatusCode::OK, JSON, Body::full(self.json.clone()))
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, CACHE);
        headers.insert(ETAG, self.etag.clone());
        headers.insert(LAST_MODIFIED, self.last_modified.clone());
        response
    }

    /// Whether the asker has this document already. Its tag says so if it sends one, else the
    /// date (RFC 9110 13.2.2).
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let mut tags = headers.get_all(IF_NONE_MATCH).iter().peekable();
        if tags.peek().is_some() {
            let tags = tags.filter_map(|tags| tags.to_str().ok()).flat_map(|tags| tags.split(','));
            let ours = self.etag.to_str().unwrap_or_default();
            return tags
                .map(|tag| tag.trim().trim_start_matches("W/"))
                .any(|tag| tag == "*" || tag == ours);
        }
        let since = headers.get(IF_MODIFIED_SINCE).and_then(|date| date.to_str().ok());
        let since = since.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
        since.is_some_and(|since| self.modified <= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served() -> Served {
        let profile = Profile::new("echo", "Echo", "Says it again");
        let url = "https://a.example";
        Served::since_now(&card(&profile, Security::Bearer, "https://a.example/a2a", url))
    }

    #[test]
    fn a_card_is_pure_1_0() {
        let json = String::from_utf8(served().json.to_vec()).expect("JSON");
        insta::assert_snapshot!(json, @r#"{"name":"Echo","description":"Says it again","supportedInterfaces":[{"url":"https://a.example/a2a","protocolBinding":"JSONRPC","protocolVersion":"1.0"},{"url":"https://a.example","protocolBinding":"HTTP+JSON","protocolVersion":"1.0"}],"version":"0.1.0","capabilities":{"streaming":true,"pushNotifications":false,"extensions":[{"uri":"urn:legation:a2a:extension:cursor:1","description":"Numbers each update, so that a stream can be resumed"}],"extendedAgentCard":false},"securitySchemes":{"bearer":{"httpAuthSecurityScheme":{"scheme":"Bearer"}}},"securityRequirements":[{"schemes":{"bearer":{"list":[]}}}],"defaultInputModes":["text/plain","application/json"],"defaultOutputModes":["text/plain","application/json"],"skills":[{"id":"echo","name":"Echo","description":"Says it again","tags":["echo"]}]}"#);
    }

    #[test]
    fn whoever_has_the_card_is_told_so() {
        let served = served();
        let etag = served.etag.to_str().expect("printable").to_owned();
        let date = served.last_modified.to_str().expect("printable").to_owned();
        let cases = [
            (IF_NONE_MATCH, etag.clone(), 304),
            (IF_NONE_MATCH, format!("\"x\", W/{etag}"), 304),
            (IF_NONE_MATCH, "*".into(), 304),
            (IF_NONE_MATCH, "\"x\"".into(), 200),
            (IF_MODIFIED_SINCE, date, 304),
            (IF_MODIFIED_SINCE, "Thu, 01 Jan 1970 00:00:00 GMT".into(), 200),
            (IF_MODIFIED_SINCE, "yesterday".into(), 200),
        ];
        for (name, value, status) in cases {
            let value = HeaderValue::from_str(&value).expect("printable");
            let headers = HeaderMap::from_iter([(name.clone(), value.clone())]);
            let response = served.respond(&headers);
            assert_eq!(response.status(), status, "{name}: {value:?}");
            assert!(response.headers().contains_key(ETAG));
        }
    }
}
