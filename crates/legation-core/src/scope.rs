//! Whose rows a store call may touch.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The rows a call may see and the place where it puts new ones.
///
/// Every store function takes one, so none can forget it. What lies outside a scope does not exist
/// for the call: "not yours" and "not there" are one answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The deployment: several may share a database and never see each other.
    pub deployment: Arc<str>,
    /// The tenant within the deployment.
    pub tenant: Arc<str>,
    /// The subject whose rows these are; `None` reaches those of the whole tenant.
    pub owner: Option<Arc<str>>,
    /// The agent whose rows these are; `None` reaches those of every agent.
    pub agent: Option<Arc<str>>,
}

impl Scope {
    /// Whether a row in the place `row` is visible here.
    pub fn sees(&self, row: &Self) -> bool {
        let within = |wanted: &Option<Arc<str>>, there: &Option<Arc<str>>| {
            wanted.is_none() || wanted == there
        };
        self.deployment == row.deployment
            && self.tenant == row.tenant
            && within(&self.owner, &row.owner)
            && within(&self.agent, &row.agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_sees_its_own_rows_only() {
        let scope = |tenant: &str, owner: Option<&str>, agent: Option<&str>| Scope {
            deployment: "d".into(),
            tenant: tenant.into(),
            owner: owner.map(Into::into),
            agent: agent.map(Into::into),
        };
        let row = scope("t", Some("ann"), Some("analyst"));
        let cases = [
            (scope("t", Some("ann"), Some("analyst")), true),
            (scope("t", Some("ann"), None), true),
            (scope("t", None, None), true),
            (scope("t", Some("bob"), None), false),
            (scope("t", Some("ann"), Some("other")), false),
            (scope("u", None, None), false),
        ];
        for (scope, sees) in cases {
            assert_eq!(scope.sees(&row), sees, "{scope:?}");
        }
    }
}
