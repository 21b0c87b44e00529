//! The door of a server, as the file says it.

use std::collections::HashMap;
use std::sync::Arc;

use legation::auth::{
    Audience, Carrier, Certificates, Endpoint, Introspection, Jwt, Line, Mapping, Rules, Scheme,
    SetupError, Token, Tokens, Verifier, WeakToken, discovery_url,
};
use legation::model::{
    ApiKeySecurityScheme, AuthorizationCodeOAuthFlow, ClientCredentialsOAuthFlow,
    HttpAuthSecurityScheme, MutualTlsSecurityScheme, OAuth2SecurityScheme, OAuthFlows,
    OpenIdConnectSecurityScheme, SecurityScheme,
};
use legation::{BEARER, Caller, Door, INTEGRATION, SCOPES, Scopes};
use legation_core::Names;
use legation_net::Egress;

use super::form::Secret;
use super::keys::{
    ApiKey, Auth, Enterprise, Holder, Issued, LOCATIONS, Location, Mtls, OAuth2, Oidc, Way,
};

/// A scheme cannot be what the file says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadScheme {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Weak(#[from] WeakToken),
}

/// The names of the schemes, as cards and agents have them: one for each place of a static secret,
/// and one for each issuer.
pub(super) fn names(auth: &Auth) -> Vec<Arc<str>> {
    let mut taken: HashMap<String, (usize, String)> = HashMap::new();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut names = Vec::new();
    for (number, scheme) in auth.schemes.iter().enumerate() {
        let (kind, place) = match &scheme.0 {
            None | Some(Way::SimpleToken(_)) => (BEARER, "bearer".to_owned()),
            Some(Way::ApiKey(key)) => ("apiKey", format!("{:?}", carrier(key))),
            Some(Way::Oidc(_)) => ("oidc", number.to_string()),
            Some(Way::OAuth2(_)) => ("oauth2", number.to_string()),
            Some(Way::Mtls(_)) => ("mtls", "mtls".to_owned()),
            Some(Way::Enterprise(_)) => ("enterprise", number.to_string()),
            Some(Way::Integration(_)) => (INTEGRATION, INTEGRATION.to_owned()),
        };
        let (_, name) = taken.entry(format!("{kind} {place}")).or_insert_with(|| {
            let count = counts.entry(kind).or_default();
            *count += 1;
            (number, if *count == 1 { kind.to_owned() } else { format!("{kind}-{count}") })
        });
        names.push(Arc::from(&**name));
    }
    names
}

/// The door.
///
/// # Errors
/// When a scheme cannot be what the file says.
pub(super) fn door(auth: &Auth, egress: &Egress) -> Result<Door, BadScheme> {
    let mut door = Door::new().attempts(auth.attempts);
    let names = names(auth);
    let mut keys: Vec<(Arc<str>, &ApiKey, Vec<Token>)> = Vec::new();
    for (scheme, name) in auth.schemes.iter().zip(&names) {
        door = match &scheme.0 {
            None => door,
            Some(Way::SimpleToken(simple)) => {
                let caller = holder(&simple.holder, name);
                match &simple.token {
                    Some(token) => door.token(token.reveal(), caller),
                    None => door.own_token(caller),
                }
            }
            Some(Way::ApiKey(key)) => {
                let token = Token::new(key.api_key.reveal(), holder(&key.holder, name))?;
                match keys.iter_mut().find(|(known, ..)| known == name) {
                    Some((.., tokens)) => tokens.push(token),
                    None => keys.push((name.clone(), key, vec![token])),
                }
                door
            }
            Some(Way::Oidc(oidc)) => {
                let verifier = Verifier::Jwt(jwt(oidc, name, egress)?);
                let url = discovery_url(&oidc.issuer).map(String::from).unwrap_or_default();
                let on_card =
                    OpenIdConnectSecurityScheme { open_id_connect_url: url, description: None };
                let on_card = SecurityScheme::OpenIdConnectSecurityScheme(on_card);
                let scheme = Scheme::new(name.clone(), Carrier::Bearer, verifier);
                door.scheme(name.clone(), scheme, on_card).issuer(&oidc.issuer)
            }
            Some(Way::OAuth2(oauth)) => {
                let scheme =
                    Scheme::new(name.clone(), Carrier::Bearer, tokens_of(oauth, name, egress)?);
                let door = door.scheme(name.clone(), scheme, oauth_on_card(oauth));
                match &oauth.issuer {
                    Some(issuer) => door.issuer(issuer),
                    None => door,
                }
            }
            Some(Way::Enterprise(enterprise)) => {
                let verifier = Verifier::Introspection(remote(enterprise, name, egress)?);
                let scheme = Scheme::new(name.clone(), Carrier::Bearer, verifier);
                let on_card =
                    HttpAuthSecurityScheme { scheme: "Bearer".into(), ..Default::default() };
                door.scheme(name.clone(), scheme, SecurityScheme::HttpAuthSecurityScheme(on_card))
            }
            Some(Way::Integration(integration)) => door.integration_tokens(integration.remember),
            Some(Way::Mtls(mtls)) => {
                let on_card =
                    SecurityScheme::MtlsSecurityScheme(MutualTlsSecurityScheme::default());
                door.scheme(name.clone(), certificates(mtls, name), on_card)
            }
        };
    }
    for (name, key, tokens) in keys {
        let on_card = ApiKeySecurityScheme {
            location: word(key.location).to_owned(),
            name: key.name.clone(),
            description: None,
        };
        let scheme = Scheme::new(name.clone(), carrier(key), Verifier::Tokens(Tokens::new(tokens)));
        door = door.scheme(name, scheme, SecurityScheme::ApiKeySecurityScheme(on_card));
    }
    Ok(door)
}

fn word(location: Location) -> &'static str {
    LOCATIONS.iter().find(|(_, known)| *known == location).map_or("header", |(word, _)| word)
}

fn carrier(key: &ApiKey) -> Carrier {
    match key.location {
        Location::Header => Carrier::Header(key.name.to_ascii_lowercase().into()),
        Location::Query => Carrier::Query(key.name.as_str().into()),
        Location::Cookie => Carrier::Cookie(key.name.as_str().into()),
    }
}

/// Whom a static secret stands for.
fn holder(holder: &Holder, scheme: &Arc<str>) -> Caller {
    let Holder { subject, tenant, scopes, roles, agents } = holder;
    let subject = subject.as_deref().unwrap_or("owner");
    Caller {
        scopes: only(scopes.as_deref()),
        roles: shared(roles),
        agents: agents.as_deref().map(shared),
        scheme: scheme.clone(),
        ..Caller::new(tenant.as_deref().unwrap_or("default"), subject)
    }
}

/// These scopes, or all where nothing is said of them. An empty list is no scope at all.
fn only(scopes: Option<&[String]>) -> Scopes {
    scopes.map_or(Scopes::All, |scopes| Scopes::Only(shared(scopes)))
}

fn shared(names: &[String]) -> Names {
    names.iter().map(|name| (**name).into()).collect()
}

fn mapping(issued: &Issued) -> Mapping {
    Mapping {
        tenant: issued.tenant.as_deref().unwrap_or("default").into(),
        tenant_claim: issued.claims.tenant.clone(),
        subject_claim: issued.claims.subject.clone(),
        scope_claims: issued.claims.scopes.clone(),
        role_claim: issued.claims.roles.clone(),
        scopes: issued.scopes.iter().cloned().collect(),
        granted: issued.grant.clone(),
    }
}

fn jwt(oidc: &Oidc, name: &Arc<str>, egress: &Egress) -> Result<Jwt, SetupError> {
    let rules = Rules {
        jwks_url: oidc.jwks_url.clone(),
        hosts: oidc.jwks_hosts.clone(),
        algorithms: oidc.algorithms.clone(),
        required_claims: oidc.required_claims.clone(),
        leeway: oidc.clock_skew,
        remember: oidc.remember,
        outage: oidc.outage,
        mapping: mapping(&oidc.issued),
        ..Rules::new(&oidc.issuer, oidc.issued.audience.clone())
    };
    Jwt::new(name.clone(), rules, Line::by(egress.clone(), oidc.issued.private_network)?)
}

/// What knows the tokens of an OAuth 2.0 server: itself when it may be asked, else its signature.
fn tokens_of(oauth: &OAuth2, name: &Arc<str>, egress: &Egress) -> Result<Verifier, SetupError> {
    let line = Line::by(egress.clone(), oauth.issued.private_network)?;
    let Some(url) = &oauth.introspection_url else {
        let rules = Rules {
            jwks_url: oauth.jwks_url.clone(),
            hosts: oauth.jwks_hosts.clone(),
            mapping: mapping(&oauth.issued),
            ..Rules::new(oauth.issuer.clone().unwrap_or_default(), oauth.issued.audience.clone())
        };
        return Jwt::new(name.clone(), rules, line).map(Verifier::Jwt);
    };
    let endpoint = Endpoint {
        client: client(oauth.client_id.as_ref(), oauth.client_secret.as_ref()),
        issuer: oauth.issuer.clone(),
        questions: oauth.questions.open,
        waiting: oauth.questions.all,
        mapping: mapping(&oauth.issued),
        ..Endpoint::new(url, audience(&oauth.issued))
    };
    Introspection::new(name.clone(), endpoint, line).map(Verifier::Introspection)
}

fn remote(
    enterprise: &Enterprise,
    name: &Arc<str>,
    egress: &Egress,
) -> Result<Introspection, SetupError> {
    let endpoint = Endpoint {
        client: client(enterprise.client_id.as_ref(), enterprise.client_secret.as_ref()),
        prefix: enterprise.prefix.clone(),
        questions: enterprise.questions.open,
        waiting: enterprise.questions.all,
        mapping: mapping(&enterprise.issued),
        ..Endpoint::new(&enterprise.verify_url, audience(&enterprise.issued))
    };
    Introspection::new(
        name.clone(),
        endpoint,
        Line::by(egress.clone(), enterprise.issued.private_network)?,
    )
}

fn audience(issued: &Issued) -> Audience {
    if issued.any_audience { Audience::Any } else { Audience::Of(issued.audience.clone()) }
}

fn client(id: Option<&String>, secret: Option<&Secret>) -> Option<(String, String)> {
    let secret = secret.map(Secret::reveal).unwrap_or_default();
    id.map(|id| (id.clone(), secret.to_owned()))
}

fn oauth_on_card(oauth: &OAuth2) -> SecurityScheme {
    let own = SCOPES.iter().map(|(scope, says)| ((*scope).to_owned(), (*says).to_owned()));
    let renamed = |issuer: &(String, Vec<String>)| (issuer.0.clone(), issuer.1.join(", "));
    let scopes = match &oauth.issued.scopes[..] {
        [] => own.collect(),
        given => given.iter().map(renamed).collect(),
    };
    let token_url = oauth.token_url.clone();
    let flows = match &oauth.authorization_url {
        Some(url) => OAuthFlows::AuthorizationCode(AuthorizationCodeOAuthFlow {
            authorization_url: url.clone(),
            token_url,
            scopes,
            ..Default::default()
        }),
        None => OAuthFlows::ClientCredentials(ClientCredentialsOAuthFlow {
            token_url,
            scopes,
            ..Default::default()
        }),
    };
    let scheme = OAuth2SecurityScheme { flows, description: None, oauth2_metadata_url: None };
    SecurityScheme::OAuth2SecurityScheme(scheme)
}

fn certificates(mtls: &Mtls, name: &Arc<str>) -> Scheme {
    let tenant = mtls.tenant.as_deref().unwrap_or("default");
    let certificates = Certificates::new(name.clone(), tenant, only(mtls.scopes.as_deref()));
    let certificates = match &mtls.proxies[..] {
        [] => certificates,
        proxies => {
            let proxies = proxies.to_vec();
            certificates.from_proxies(move |peer| proxies.iter().any(|known| known.contains(peer)))
        }
    };
    Scheme::certificates(name.clone(), certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_gives_nothing() {
        let of = |scopes: Option<Vec<String>>, agents: Option<Vec<String>>| {
            holder(&Holder { scopes, agents, ..Holder::default() }, &"bearer".into())
        };
        let all = of(None, None);
        assert!(all.scopes.has("send") && all.agents.is_none());
        let none = of(Some(Vec::new()), Some(Vec::new()));
        assert!(!none.scopes.has("send"));
        assert_eq!(none.agents.as_deref(), Some(&[][..]));
    }
}
