//! What it takes to use something.

use std::sync::Arc;

use legation_model::{A2aError, ErrorKind};

use super::Expression;
use crate::Caller;

/// What it takes to use something: all that is said here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Needs {
    /// Scopes, every one of them.
    pub scopes: Vec<Arc<str>>,
    /// Roles, any one of them.
    pub roles: Vec<Arc<str>>,
    /// What has to be true of the caller.
    pub allow: Option<Expression>,
}

/// Why a caller may not use something.
pub(super) enum Lack {
    /// This scope.
    Scope(Arc<str>),
    /// Something that nobody can ask an issuer for.
    Other,
}

impl Needs {
    /// Whether nothing is needed.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What a caller lacks for a skill of an agent.
    pub(super) fn lack(&self, caller: &Caller, agent: &str, skill: &str) -> Option<Lack> {
        if let Some(scope) = self.scopes.iter().find(|scope| !caller.scopes.has(scope)) {
            return Some(Lack::Scope(scope.clone()));
        }
        let has_role =
            self.roles.is_empty() || self.roles.iter().any(|role| caller.roles.contains(role));
        let holds = |allow: &Expression| allow.holds(caller, agent, skill);
        (!has_role || !self.allow.as_ref().is_none_or(holds)).then_some(Lack::Other)
    }
}

impl Lack {
    /// The refusal of something that the caller knows of.
    pub(super) fn refuse(self, what: &str) -> A2aError {
        let denied = |text| A2aError::new(ErrorKind::PermissionDenied, text);
        match self {
            Self::Scope(scope) => denied(format!(
                "{what} needs the scope `{scope}`, which the credentials do not have"
            ))
            .with("scope", &*scope),
            Self::Other => denied(format!("these credentials are not for {what}")),
        }
    }
}
