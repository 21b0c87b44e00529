//! The extension by which callers learn that a send may be repeated.

use legation_model::AgentExtension;

use super::Extension;

/// The extension that says: a send with the header `Idempotency-Key` is done once. It needs not be
/// activated, because the header says enough.
pub const IDEMPOTENCY_EXTENSION: &str = "urn:legation:a2a:extension:idempotency:1";

pub(crate) struct Idempotency;

impl Extension for Idempotency {
    fn declaration(&self) -> AgentExtension {
        AgentExtension {
            uri: IDEMPOTENCY_EXTENSION.to_owned(),
            description: Some("Does a send once that is repeated with its Idempotency-Key".into()),
            ..AgentExtension::default()
        }
    }
}
