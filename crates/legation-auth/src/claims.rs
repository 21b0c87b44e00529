//! What an issuer says of a caller, and what that means here.

use std::collections::BTreeMap;
use std::sync::Arc;

use legation_core::{Caller, Names, Scopes};
use legation_model::{Json, Timestamp};
use serde_json::{Map, Value};

/// Kinds of tokens that give no access, as some issuers have them in `typ`.
const OTHER_KINDS: [&str; 4] = ["ID", "Refresh", "Offline", "Logout"];

/// Whether claims say nothing of a token being of another kind than access tokens.
pub(crate) fn give_access(claims: &Claims) -> bool {
    let says = |name: &str| claims.get(name).and_then(Value::as_str);
    let uses = says("token_use").is_none_or(|used| ["access", "access_token"].contains(&used));
    let kind = says("typ").is_none_or(|kind| !OTHER_KINDS.contains(&kind));
    // Logout tokens have it (OpenID Connect Back-Channel Logout 2.4).
    uses && kind && !claims.contains_key("events")
}

/// How claims are understood. A claim is found by its name or, where there is none of that name, by
/// a path such as `realm_access.roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The tenant of everybody, unless a claim says it.
    pub tenant: Arc<str>,
    /// The claim with the tenant. Where one is named, a token without it is refused.
    pub tenant_claim: Option<String>,
    /// The claim with the subject.
    pub subject_claim: String,
    /// The claims with scopes: a list, or a text with spaces between them.
    pub scope_claims: Vec<String>,
    /// The claim with roles.
    pub role_claim: Option<String>,
    /// What scopes of the issuer are called here. Others keep their names.
    pub scopes: BTreeMap<String, Vec<String>>,
    /// The scopes of everybody whom the issuer knows.
    pub granted: Vec<String>,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            tenant: "default".into(),
            tenant_claim: None,
            subject_claim: "sub".into(),
            scope_claims: vec!["scope".into(), "scp".into()],
            role_claim: None,
            scopes: BTreeMap::new(),
            granted: Vec::new(),
        }
    }
}

/// The claims of a token.
pub(crate) type Claims = Map<String, Value>;

impl Mapping {
    /// The caller of whom an issuer says this. The issuer is part of the subject, because another
    /// may know somebody else by the same name.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn caller(
        &self,
        issuer: &str,
        scheme: &Arc<str>,
        claims: &Claims,
        expires: Option<Timestamp>,
    ) -> Result<Caller, &'static str> {
        let subject = text(claims, &self.subject_claim).ok_or("without a subject")?;
        let tenant = match &self.tenant_claim {
            None => self.tenant.clone(),
            Some(claim) => text(claims, claim).ok_or("without a tenant")?.into(),
        };
        let mut scopes: Vec<Arc<str>> = self.granted.iter().map(|name| (**name).into()).collect();
        for stated in self.scope_claims.iter().flat_map(|claim| list(claims, claim)) {
            match self.scopes.get(stated) {
                Some(names) => scopes.extend(names.iter().map(|name| Arc::from(&**name))),
                None => scopes.push(stated.into()),
            }
        }
        scopes.sort_unstable();
        scopes.dedup();
        let roles = self.role_claim.iter().flat_map(|claim| list(claims, claim));
        Ok(Caller {
            scopes: Scopes::Only(scopes.into()),
            roles: roles.map(Arc::from).collect::<Vec<_>>().into(),
            scheme: scheme.clone(),
            expires,
            claims: Json::from_value(claims).ok(),
            agents: None::<Names>,
            ..Caller::new(tenant, format!("{issuer}#{subject}"))
        })
    }
}

fn find<'c>(claims: &'c Claims, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    })
}

fn text<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    find(claims, name)?.as_str().filter(|text| !text.trim().is_empty())
}

fn list<'c>(claims: &'c Claims, name: &str) -> Vec<&'c str> {
    match find(claims, name) {
        Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The moment of a claim in seconds since 1970: a number, and nothing else.
///
/// # Errors
/// When it is something else.
pub(crate) fn moment(claims: &Claims, name: &str) -> Result<Option<i64>, ()> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, reason = "a moment is well within the range")]
    let whole = |seconds: f64| seconds as i64;
    let seconds = value.as_i64().or_else(|| value.as_f64().map(whole));
    // Beyond this no calendar reaches.
    let seconds = seconds.filter(|seconds| (0..253_402_300_800).contains(seconds));
    seconds.map(Some).ok_or(())
}

/// The moment as the model has it.
pub(crate) fn timestamp(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_millis(seconds.checked_mul(1000)?)
}

/// Whether one of these is an audience of the token: a text or a list of texts.
pub(crate) fn is_for(claims: &Claims, audiences: &[String]) -> bool {
    let is_ours = |value: &Value| {
        value.as_str().is_some_and(|audience| audiences.iter().any(|ours| ours == audience))
    };
    match claims.get("aud") {
        Some(Value::Array(items)) => {
            items.iter().all(Value::is_string) && items.iter().any(is_ours)
        }
        Some(value) => is_ours(value),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_make_a_caller() {
        let mapping = Mapping {
            tenant_claim: Some("org.id".into()),
            role_claim: Some("realm_access.roles".into()),
            scopes: [("a2a.all".into(), vec!["read".into(), "send".into()])].into(),
            granted: vec!["read".into()],
            ..Mapping::default()
        };
        let claims = json!({
            "sub": "ann", "org": {"id": "acme"}, "scope": "a2a.all x", "scp": ["y"],
            "realm_access": {"roles": ["r"]},
        });
        let claims = claims.as_object().expect("an object");
        let scheme: Arc<str> = "oidc".into();
        let caller = mapping.caller("https://i", &scheme, claims, None).expect("complete");
        assert_eq!((&*caller.tenant, &*caller.subject), ("acme", "https://i#ann"));
        let names = ["read", "send", "x", "y"].map(Arc::from);
        assert_eq!(caller.scopes, Scopes::Only(names.into()));
        assert_eq!(&*caller.roles, ["r".into()]);
        for missing in ["sub", "org"] {
            let mut claims = claims.clone();
            claims.remove(missing);
            assert!(mapping.caller("https://i", &scheme, &claims, None).is_err(), "{missing}");
        }
    }
}
