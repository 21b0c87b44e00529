//! How an agent wants callers to authenticate, in the words of any version.

use std::collections::BTreeMap;

use legation_model::{
    ApiKeySecurityScheme, AuthorizationCodeOAuthFlow, ClientCredentialsOAuthFlow,
    HttpAuthSecurityScheme, ImplicitOAuthFlow, MutualTlsSecurityScheme, OAuth2SecurityScheme,
    OAuthFlows, OpenIdConnectSecurityScheme, PasswordOAuthFlow, SecurityRequirement,
    SecurityScheme, StringList,
};
use serde_json::Value;

use super::members::{Findings, Object};
use super::{CURRENT, EVERYBODY, OLDER};

type Schemes = BTreeMap<String, SecurityScheme>;

/// The schemes by name.
pub(super) fn schemes(card: &Object<'_>, findings: &mut Findings) -> Schemes {
    let mut schemes = Schemes::new();
    if let Some(named) = card.object("securitySchemes", findings) {
        for (name, scheme) in named.named(findings) {
            schemes.extend(read(&scheme, card, findings).map(|scheme| (name.to_owned(), scheme)));
        }
    }
    if schemes.is_empty() {
        schemes.extend(of_0_1(card, findings));
    }
    schemes
}

/// A scheme: that of 1.0 under the name of its kind, or that of the versions before, which says its
/// kind. A hybrid has both in one object.
fn read(scheme: &Object<'_>, card: &Object<'_>, findings: &mut Findings) -> Option<SecurityScheme> {
    let older = scheme.text("type", findings);
    let is_current =
        |name: &str| name.ends_with("SecurityScheme") || name.ends_with("security_scheme");
    let current = scheme.members().iter().find(|(name, _)| is_current(name));
    if let Some((name, value)) = current {
        if older.is_none() && card.has("url") {
            let remedy = "write `type` and its members beside it";
            let problem = "is said in the form of 1.0 only, which some take for mutual TLS";
            findings.grave(scheme.path("type"), OLDER, problem, remedy);
        }
        let one = serde_json::Map::from_iter([(name.clone(), value.clone())]);
        match serde_json::from_value(Value::Object(one)) {
            Ok(scheme) => return Some(scheme),
            Err(fault) => {
                let problem = format!("cannot be read: {fault}");
                findings.unreadable(
                    scheme.path(name),
                    EVERYBODY,
                    problem,
                    "write it as 1.0 has it",
                );
            }
        }
    } else if older.is_some() && card.has("supportedInterfaces") {
        let remedy = "write the member of 1.0, such as `httpAuthSecurityScheme`, beside it";
        let problem = "is said in the form of 0.3 only, which readers of 1.0 do not see";
        findings.add(scheme.path("type"), CURRENT, problem, remedy);
    }
    of_type(older.as_deref(), scheme, findings)
}

fn of_type(
    kind: Option<&str>,
    scheme: &Object<'_>,
    findings: &mut Findings,
) -> Option<SecurityScheme> {
    let description = scheme.text("description", findings);
    Some(match kind {
        Some("apiKey") => SecurityScheme::ApiKeySecurityScheme(ApiKeySecurityScheme {
            location: scheme.required_text("in", OLDER, findings),
            name: scheme.required_text("name", OLDER, findings),
            description,
        }),
        Some("http") => SecurityScheme::HttpAuthSecurityScheme(HttpAuthSecurityScheme {
            scheme: scheme.required_text("scheme", OLDER, findings),
            description,
            bearer_format: scheme.text("bearerFormat", findings),
        }),
        Some("oauth2") => SecurityScheme::OAuth2SecurityScheme(OAuth2SecurityScheme {
            flows: flow(scheme, findings)?,
            description,
            oauth2_metadata_url: scheme.text("oauth2MetadataUrl", findings),
        }),
        Some("openIdConnect") => {
            SecurityScheme::OpenIdConnectSecurityScheme(OpenIdConnectSecurityScheme {
                open_id_connect_url: scheme.required_text("openIdConnectUrl", OLDER, findings),
                description,
            })
        }
        Some("mutualTLS") => {
            SecurityScheme::MtlsSecurityScheme(MutualTlsSecurityScheme { description })
        }
        kind => {
            let problem = match kind {
                Some(kind) => format!("is of a type that no version knows, `{kind}`"),
                None => "does not say its type".to_owned(),
            };
            let remedy = "make it one of apiKey, http, oauth2, openIdConnect, mutualTLS";
            findings.grave(scheme.path("type"), EVERYBODY, problem, remedy);
            return None;
        }
    })
}

/// The flow of a scheme: the first in this order, as 1.0 has one for each scheme.
fn flow(scheme: &Object<'_>, findings: &mut Findings) -> Option<OAuthFlows> {
    let flows = scheme.object("flows", findings);
    let kinds = ["authorizationCode", "clientCredentials", "implicit", "password"];
    let named = |name: &&str| flows.as_ref().is_some_and(|flows| flows.has(name));
    let mut said = kinds.into_iter().filter(named);
    let Some(name) = said.next() else {
        findings.grave(scheme.path("flows"), EVERYBODY, "names no flow", "name one");
        return None;
    };
    let flow = flows.as_ref()?.object(name, findings)?;
    let scopes = flow.object("scopes", findings);
    let scopes = scopes.iter().flat_map(|scopes| scopes.members());
    let scopes: BTreeMap<String, String> = scopes
        .map(|(name, what)| (name.clone(), what.as_str().unwrap_or_default().to_owned()))
        .collect();
    let refresh_url = flow.text("refreshUrl", findings);
    let mut url = |name: &str| flow.required_text(name, EVERYBODY, findings);
    Some(match name {
        "authorizationCode" => OAuthFlows::AuthorizationCode(AuthorizationCodeOAuthFlow {
            authorization_url: url("authorizationUrl"),
            token_url: url("tokenUrl"),
            scopes,
            pkce_required: false,
            refresh_url,
        }),
        "clientCredentials" => OAuthFlows::ClientCredentials(ClientCredentialsOAuthFlow {
            token_url: url("tokenUrl"),
            scopes,
            refresh_url,
        }),
        "implicit" => OAuthFlows::Implicit(ImplicitOAuthFlow {
            authorization_url: Some(url("authorizationUrl")),
            scopes,
            refresh_url,
        }),
        _ => {
            let token_url = Some(url("tokenUrl"));
            OAuthFlows::Password(PasswordOAuthFlow { token_url, scopes, refresh_url })
        }
    })
}

/// What 0.1 says under `authentication`: names of HTTP schemes, or objects with more about each.
fn of_0_1(card: &Object<'_>, findings: &mut Findings) -> Schemes {
    let Some(authentication) = card.object("authentication", findings) else {
        return Schemes::new();
    };
    let read = |value: &Value| {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let scheme = value.as_str().map(str::to_owned).or_else(|| text("scheme"));
        let scheme = scheme.ok_or("neither the name of a scheme nor an object with one")?;
        let name = scheme.to_ascii_lowercase();
        let description = text("description");
        let read = match &*name {
            "apikey" | "api-key" | "api_key" => {
                SecurityScheme::ApiKeySecurityScheme(ApiKeySecurityScheme {
                    location: text("in").unwrap_or_else(|| "header".into()),
                    name: text("name").unwrap_or_else(|| "X-API-Key".into()),
                    description,
                })
            }
            _ => SecurityScheme::HttpAuthSecurityScheme(HttpAuthSecurityScheme {
                scheme,
                description,
                bearer_format: None,
            }),
        };
        Ok::<_, &str>((name, read))
    };
    authentication.list("schemes", read, findings).into_iter().collect()
}

/// What a call of the card's agent needs. What 0.1 names is needed as one of several.
pub(super) fn requirements(
    card: &Object<'_>,
    schemes: &Schemes,
    findings: &mut Findings,
) -> Vec<SecurityRequirement> {
    let requirements = named(card, findings);
    said_to_all(card, findings);
    for requirement in &requirements {
        for name in requirement.schemes.keys().filter(|name| !schemes.contains_key(*name)) {
            let problem = format!("names `{name}`, which is not among `securitySchemes`");
            let remedy = "declare it there, or take it out here";
            findings.add(card.path("securityRequirements"), EVERYBODY, problem, remedy);
        }
    }
    if !requirements.is_empty() || card.has("securitySchemes") {
        return requirements;
    }
    let one = |name: &String| SecurityRequirement {
        schemes: BTreeMap::from([(name.clone(), StringList::default())]),
    };
    schemes.keys().map(one).collect()
}

/// A hybrid says what a call needs twice, as each of its readers knows one of the two members only.
fn said_to_all(card: &Object<'_>, findings: &mut Findings) {
    let pairs = [
        ("url", "security", "securityRequirements", OLDER),
        ("supportedInterfaces", "securityRequirements", "security", CURRENT),
    ];
    for (mark, own, other, readers) in pairs {
        if card.has(mark) && card.has(other) && !card.has(own) {
            let problem = "is missing: they see no need for credentials";
            let remedy = format!("say what `{other}` says in the form of these readers, too");
            findings.add(card.path(own), readers, problem, remedy);
        }
    }
}

/// The alternatives of a card or a skill, in either form.
pub(super) fn named(object: &Object<'_>, findings: &mut Findings) -> Vec<SecurityRequirement> {
    let name = match object.has("securityRequirements") {
        true => "securityRequirements",
        false => "security",
    };
    let list = |value: &Value| -> Option<StringList> {
        let list = value.as_array().or_else(|| value.get("list")?.as_array());
        // Proto3 leaves an empty list out.
        let list = match (list, value) {
            (Some(list), _) => list.as_slice(),
            (None, Value::Object(members)) if members.is_empty() => &[],
            (None, _) => return None,
        };
        let list = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(StringList { list })
    };
    let read = |value: &Value| {
        let members = value.get("schemes").unwrap_or(value).as_object().ok_or("not an object")?;
        let schemes = members.iter().map(|(name, scopes)| Some((name.clone(), list(scopes)?)));
        let schemes = schemes.collect::<Option<_>>().ok_or("scopes are a list")?;
        Ok::<_, &str>(SecurityRequirement { schemes })
    };
    object.list(name, read, findings)
}
