//! The extension by which callers learn that a send may be repeated.

use legation_model::{AgentExtension, IDEMPOTENCY_EXTENSION};

use super::Extension;

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
