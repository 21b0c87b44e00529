//! What integration tokens have in common, whichever database has them.

use std::sync::Arc;

use legation_core::{
    Actor, AuditAction, AuditEntry, AuditEvent, AuditOutcome, IntegrationToken, Names, Scopes,
};
use legation_model::Timestamp;

/// Names as a row has them.
pub(crate) fn lines(names: &Names) -> String {
    names.join("\n")
}

/// The names that a row has.
pub(crate) fn names(lines: &str) -> Names {
    lines.lines().map(Arc::from).collect()
}

/// What the audit log says of a new token.
pub(crate) fn words(token: &IntegrationToken) -> String {
    let of = |names: Option<&Names>| names.map_or_else(|| "all".into(), |names| names.join(","));
    let scopes = match &token.scopes {
        Scopes::All => None,
        Scopes::Only(names) => Some(names),
    };
    format!(
        "`{}` for tenant `{}`, subject `{}`, scopes {}, agents {}, until {}",
        token.name,
        token.tenant,
        token.subject,
        of(scopes),
        of(token.agents.as_ref()),
        token.expires_at.map_or_else(|| "it is revoked".into(), |end| end.to_string()),
    )
}

/// What the audit log says of what the operator does to a token.
pub(crate) fn act(action: AuditAction, id: &str, detail: &str) -> AuditEntry {
    let event = AuditEvent::new(Actor::operator(), action, AuditOutcome::Done);
    AuditEntry { at: Timestamp::now(), event: event.to(id).saying(detail), count: 1 }
}
