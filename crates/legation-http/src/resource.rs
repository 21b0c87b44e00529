//! What the server is to OAuth 2.0: a protected resource, with metadata that points clients to the
//! issuers of its tokens (RFC 9728).

use http::StatusCode;
use legation_core::{Challenge, gate};
use legation_model::A2aError;
use serde_json::json;

use crate::addresses::AGENTS;
use crate::answer::{Answer, JSON, answer};
use crate::body::Body;
use crate::router::Mount;
use crate::settings::Settings;

/// Where the metadata is; the path of the resource follows (RFC 9728 3.1).
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The path of a mount.
fn path(mount: Mount<'_>) -> String {
    mount.map_or_else(String::new, |slug| format!("{AGENTS}{slug}"))
}

/// The metadata of a mount below a base.
pub(crate) fn metadata(settings: &Settings, base: &str, mount: Mount<'_>, name: &str) -> Answer {
    let scopes: Vec<_> = gate::SCOPES.iter().map(|(scope, _)| *scope).collect();
    let metadata = json!({
        "resource": format!("{base}{}", path(mount)),
        "resource_name": name,
        "authorization_servers": settings.security.issuers,
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
    });
    answer(StatusCode::OK, JSON, Body::full(metadata.to_string()))
}

/// A challenge as it is sent from a mount below a base.
pub(crate) fn challenge(challenge: &Challenge, base: &str, mount: Mount<'_>) -> String {
    let Challenge { text, is_described } = challenge;
    if !is_described {
        return text.clone();
    }
    format!(r#"{text}, resource_metadata="{base}{WELL_KNOWN}{}""#, path(mount))
}

/// The challenge of a refusal for want of a scope (RFC 6750 3.1).
pub(crate) fn insufficient(error: &A2aError) -> Option<String> {
    let (_, scope) = error.metadata.iter().find(|(key, _)| *key == "scope")?;
    Some(format!(r#"Bearer realm="legation", error="insufficient_scope", scope="{scope}""#))
}
