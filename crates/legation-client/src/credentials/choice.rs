//! Chooses what is sent by what the card asks for (Spec 4.5, 8.5): its first alternative that the caller
//! can satisfy.

use http::header::AUTHORIZATION;
use legation_model::{AgentCard, HttpAuthSecurityScheme, SecurityScheme};
use url::Url;

use super::access::{Access, Use};
use super::{Credential, Credentials, KeyPlace, Kind, Needs};

impl Credentials {
    /// What is sent to the agent of this card at this address.
    ///
    /// Who has no credential for it is let try without: cards exaggerate, and whoever is in between
    /// may know the caller. Who has some, of which none fits, is told before anything is sent.
    ///
    /// # Errors
    /// What would be needed.
    pub(crate) fn choose(&self, card: &AgentCard, url: &Url) -> Result<Access, Needs> {
        let alternatives = &card.security_requirements;
        if alternatives.is_empty() || self.of(url).next().is_none() {
            return Ok(Access::unasked(self, url));
        }
        let chosen = alternatives.iter().find_map(|alternative| {
            let schemes = alternative.schemes.iter();
            let fitting = schemes.map(|(name, scopes)| self.fitting(card, name, &scopes.list, url));
            fitting.collect::<Option<Vec<_>>>()
        });
        match chosen {
            Some(uses) => Ok(Access::new(url, uses)),
            None if self.of(url).all(|credential| credential.is_spare) => {
                Ok(Access::new(url, Vec::new()))
            }
            None => Err(self.needs(card, url)),
        }
    }

    /// What the agent of this card wants, and what of it is there.
    pub(crate) fn needs(&self, card: &AgentCard, url: &Url) -> Needs {
        Needs::of_card(card, |name| self.fitting(card, name, &[], url).is_some())
    }

    /// The first credential that is one of this scheme, as it goes there.
    fn fitting(&self, card: &AgentCard, name: &str, scopes: &[String], url: &Url) -> Option<Use> {
        let scheme = card.security_schemes.get(name);
        let for_it =
            |credential: &&Credential| credential.scheme.as_deref().is_none_or(|only| only == name);
        self.of(url).filter(for_it).find_map(|credential| match scheme {
            Some(scheme) => credential.fits(scheme, scopes),
            // What a card does not explain is satisfied by what its caller says is for it.
            None => credential.scheme.is_some().then(|| credential.used()).flatten(),
        })
    }
}

impl Credential {
    /// How it goes where a card has this scheme, when it is one of it.
    fn fits(&self, scheme: &SecurityScheme, scopes: &[String]) -> Option<Use> {
        use SecurityScheme as S;
        let is = |http: &HttpAuthSecurityScheme, name| http.scheme.eq_ignore_ascii_case(name);
        let fits = match (&self.kind, scheme) {
            (Kind::ApiKey { key, place }, S::ApiKeySecurityScheme(asked)) => {
                let asked = KeyPlace::named(&asked.location, &asked.name)?;
                let same = place.as_ref().is_none_or(|place| *place == asked);
                return same.then(|| Use::Key(asked, key.clone()));
            }
            (Kind::Bearer(_), S::HttpAuthSecurityScheme(http)) => is(http, "bearer"),
            // Cards say a bearer token also as the key that the header holds.
            (Kind::Bearer(_), S::ApiKeySecurityScheme(asked)) => {
                let place = KeyPlace::named(&asked.location, &asked.name);
                place == Some(KeyPlace::Header(AUTHORIZATION))
            }
            (Kind::Bearer(_), S::OAuth2SecurityScheme(_) | S::OpenIdConnectSecurityScheme(_)) => {
                true
            }
            (
                Kind::OAuth(grants),
                S::OAuth2SecurityScheme(_) | S::OpenIdConnectSecurityScheme(_),
            ) => {
                return grants.for_scheme(Some(scheme), scopes).map(Use::Token);
            }
            (Kind::OAuth(grants), S::HttpAuthSecurityScheme(http)) => {
                let session = is(http, "bearer").then(|| grants.for_scheme(None, scopes));
                return session.flatten().map(Use::Token);
            }
            (Kind::Basic(_), S::HttpAuthSecurityScheme(http)) => is(http, "basic"),
            (Kind::Digest(_), S::HttpAuthSecurityScheme(http)) => is(http, "digest"),
            (Kind::Certificate(_), S::MtlsSecurityScheme(_)) => true,
            (
                Kind::ApiKey { .. }
                | Kind::Bearer(_)
                | Kind::Basic(_)
                | Kind::Digest(_)
                | Kind::OAuth(_)
                | Kind::Certificate(_),
                _,
            ) => false,
        };
        if fits { self.used() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, header};
    use legation_net::Request;
    use serde_json::{Value, json};

    use super::*;

    fn card(requirements: Value) -> AgentCard {
        serde_json::from_value(json!({
            "name": "n", "description": "d", "version": "1", "capabilities": {}, "skills": [],
            "defaultInputModes": [], "defaultOutputModes": [], "supportedInterfaces": [],
            "securitySchemes": {
                "bearer": { "httpAuthSecurityScheme": { "scheme": "Bearer", "bearerFormat": "JWT" } },
                "basic": { "httpAuthSecurityScheme": { "scheme": "basic" } },
                "odd": { "httpAuthSecurityScheme": { "scheme": "hoba" } },
                "key": { "apiKeySecurityScheme": { "location": "header", "name": "X-Key" } },
                "query": { "apiKeySecurityScheme": { "location": "query", "name": "k" } },
                "cookie": { "apiKeySecurityScheme": { "location": "cookie", "name": "c" } },
                "bad": { "apiKeySecurityScheme": { "location": "header", "name": "Host" } },
                "oidc": { "openIdConnectSecurityScheme": { "openIdConnectUrl": "https://i/x" } },
                "oauth": { "oauth2SecurityScheme": { "flows": { "clientCredentials": {
                    "tokenUrl": "https://as/token", "scopes": { "read": "Looks" } } } } },
                "tls": { "mtlsSecurityScheme": {} },
            },
            "securityRequirements": requirements,
        }))
        .expect("a card")
    }

    /// What is sent, or what is said.
    async fn sent(requirements: &Value, credentials: &Credentials) -> String {
        let url = Url::parse("https://a.example/rpc").expect("a URL");
        match credentials.choose(&card(requirements.clone()), &url) {
            Ok(access) => {
                let mut request = Request::new(Method::POST, url);
                access.sign(&mut request).await.expect("nothing is asked for");
                let mut told: Vec<String> =
                    request.url.query().map(str::to_owned).into_iter().collect();
                for (name, value) in &request.headers {
                    told.push(format!("{name}: {}", value.to_str().expect("text")));
                }
                told.join(", ")
            }
            Err(needs) => needs.to_string(),
        }
    }

    fn all(names: &[&str]) -> Value {
        let schemes: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), json!({ "list": ["read"] }))).collect();
        json!({ "schemes": schemes })
    }

    #[tokio::test]
    async fn the_first_alternative_that_can_be_satisfied_counts() {
        let bearer = || Credential::bearer("t").expect("a token");
        let basic = || Credential::basic("u", "p").expect("a pair");
        let key = || Credential::api_key("k1");
        let at = |url: &str| vec![Url::parse(url).expect("a URL")];
        let none = Credentials::none;
        let placed = Credential::api_key_in("k1", KeyPlace::Query("k".into()));
        let cases = [
            // Alternatives in the card's order, whatever the order of the credentials.
            (
                json!([all(&["key"]), all(&["bearer"])]),
                none().and(bearer()).and(key()),
                "x-key: k1",
            ),
            (
                json!([all(&["key"]), all(&["bearer"])]),
                none().and(bearer()),
                "authorization: Bearer t",
            ),
            // All of an alternative.
            (
                json!([all(&["bearer", "key"])]),
                none().and(bearer()).and(key()),
                "authorization: Bearer t, x-key: k1",
            ),
            (
                json!([all(&["bearer", "key"]), all(&["basic"])]),
                none().and(bearer()).and(basic()),
                "authorization: Basic dTpw",
            ),
            (json!([all(&["query", "cookie"])]), none().and(key()), "k=k1, cookie: c=k1"),
            // What tokens stand for.
            (json!([all(&["oauth"])]), none().and(bearer()), "authorization: Bearer t"),
            (json!([all(&["oidc"])]), none().and(bearer()), "authorization: Bearer t"),
            // Anonymous as an alternative, before and after others.
            (json!([all(&[]), all(&["bearer"])]), none().and(bearer()), ""),
            (json!([all(&["key"]), all(&[])]), none().and(bearer()), ""),
            // A card that asks for nothing gets what needs no card.
            (json!([]), none().and(bearer()).and(basic()).and(key()), "authorization: Bearer t"),
            (json!([]), placed.clone().into(), "k=k1"),
            (json!([all(&["key"])]), placed.into(), "an API key in the header `X-Key` (`key`)"),
            // Credentials of elsewhere are none here, so that nothing is there.
            (json!([all(&["bearer"])]), bearer().only_at(at("https://b.example")).into(), ""),
            (json!([all(&["bearer"])]), bearer().only_at(at("https://a.example:8443")).into(), ""),
            (json!([all(&["bearer"])]), bearer().only_at(at("http://a.example")).into(), ""),
            (json!([all(&["bearer"])]), bearer().only_on_loopback().into(), ""),
            (
                json!([all(&["bearer"])]),
                bearer().only_at(at("https://a.example")).into(),
                "authorization: Bearer t",
            ),
            (json!([all(&["bearer"])]), none(), ""),
            // Those of a scheme are for it alone, also where the card does not explain it.
            (
                json!([all(&["oidc"]), all(&["bearer"])]),
                bearer().for_scheme("bearer").into(),
                "authorization: Bearer t",
            ),
            (json!([all(&["oidc"])]), bearer().for_scheme("bearer").into(), "(`oidc`)"),
            (
                json!([all(&["unknown"])]),
                bearer().for_scheme("unknown").into(),
                "authorization: Bearer t",
            ),
            (
                json!([all(&["unknown"])]),
                bearer().into(),
                "something that the card does not explain (`unknown`)",
            ),
            // A spare one goes where it fits, and is missed nowhere.
            (json!([all(&["bearer"])]), bearer().if_it_fits().into(), "authorization: Bearer t"),
            (json!([all(&["key"])]), bearer().if_it_fits().into(), ""),
            (json!([all(&["key"])]), none().and(basic()).and(bearer().if_it_fits()), "(`key`)"),
            (json!([all(&["bad"])]), key().into(), "header `Host` (`bad`)"),
        ];
        for (requirements, credentials, expected) in cases {
            let sent = sent(&requirements, &credentials).await;
            let good = if expected.is_empty() { sent.is_empty() } else { sent.contains(expected) };
            assert!(good, "{requirements}: {sent}");
        }
    }

    #[test]
    fn what_is_needed_is_said_with_where_to_get_it() {
        let basic = Credential::basic("u", "p").expect("a pair");
        let all =
            [all(&["bearer"]), all(&["oauth"]), all(&["oidc", "basic"]), all(&["tls", "odd"])];
        let url = Url::parse("https://a.example/rpc").expect("a URL");
        let needs = Credentials::from(basic).choose(&card(json!(all)), &url).expect_err("unfit");
        let headers = HeaderMap::from_iter([(
            header::WWW_AUTHENTICATE,
            "Bearer error=\"invalid_token\"".parse().expect("a value"),
        )]);
        assert_eq!(
            needs.refused(&headers).to_string(),
            "the agent's card asks for a bearer token (JWT) with the scopes read (`bearer`), or for a \
             token of OAuth 2.0 (client credentials) from https://as/token with the scopes read \
             (`oauth`), or for a user name and a password (`basic`, which you have) together with a \
             token of the issuer at https://i/x with the scopes read (`oidc`), or for credentials of \
             the kind `hoba` (`odd`) together with a client certificate (`tls`); the server asks for \
             `Bearer error=\"invalid_token\"`"
        );
    }
}
