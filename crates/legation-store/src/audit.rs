//! What audit logs have in common, whichever database has them.

use std::time::Duration;

use legation_core::{Actor, AuditAction, AuditEntry, AuditEvent, AuditOutcome};
use legation_model::Timestamp;

/// Entries that one step of forgetting takes at most: other writes wait for a step.
pub(crate) const FORGET_STEP: i64 = 1_000;

/// The bounds of an audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditLimits {
    /// Entries older than this are removed.
    pub keep: Duration,
    /// Entries at most; the oldest go first.
    pub entries: u64,
    /// Different things that callers bring about in a minute and that are told apart.
    pub distinct: usize,
}

impl Default for AuditLimits {
    fn default() -> Self {
        let keep = Duration::from_secs(90 * 24 * 3_600);
        Self { keep, entries: 1_000_000, distinct: 500 }
    }
}

/// Which entries are wanted: those to which all of it applies.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    /// Entries of this moment or later.
    pub since: Option<Timestamp>,
    /// Entries about this.
    pub action: Option<AuditAction>,
    /// Entries of this tenant.
    pub tenant: Option<String>,
    /// Entries of this person or program.
    pub subject: Option<String>,
    /// So many, the newest.
    pub limit: usize,
}

impl Default for AuditQuery {
    /// The newest hundred.
    fn default() -> Self {
        Self { since: None, action: None, tenant: None, subject: None, limit: 100 }
    }
}

/// An entry as a row has it.
pub(crate) struct Kept {
    pub(crate) at: i64,
    pub(crate) tenant: String,
    pub(crate) subject: String,
    pub(crate) scheme: String,
    pub(crate) address: Option<String>,
    pub(crate) action: String,
    pub(crate) outcome: String,
    pub(crate) target: String,
    pub(crate) detail: String,
    pub(crate) count: i64,
}

impl Kept {
    /// The entry; else says what in it cannot be read.
    pub(crate) fn entry(self) -> Result<AuditEntry, String> {
        let unknown = |text: &str| format!("an audit entry with `{text}`");
        let address = self.address.map(|text| text.parse().map_err(|_| unknown(&text)));
        let actor = Actor {
            tenant: self.tenant.into(),
            subject: self.subject.into(),
            scheme: self.scheme.into(),
            address: address.transpose()?,
        };
        let event = AuditEvent {
            actor,
            action: AuditAction::of_name(&self.action).ok_or_else(|| unknown(&self.action))?,
            outcome: AuditOutcome::of_name(&self.outcome).ok_or_else(|| unknown(&self.outcome))?,
            target: self.target,
            detail: self.detail,
        };
        let at = Timestamp::from_millis(self.at).ok_or_else(|| unknown(&self.at.to_string()))?;
        Ok(AuditEntry { at, event, count: u64::try_from(self.count).unwrap_or_default() })
    }
}
