//! Integration tokens: credentials that the operator hands out and takes back while a server works.

use std::fmt;
use std::sync::Arc;

use legation_model::Timestamp;

use crate::caller::{Names, Scopes};
use crate::store::StoreError;

/// The SHA-256 of a token.
pub type TokenDigest = [u8; 32];

/// What is kept of an integration token: all but the token.
#[derive(Clone)]
pub struct IntegrationToken {
    /// The part of the token by which it is found. It is no secret.
    pub id: Arc<str>,
    /// What the operator calls it; unique among those that are not revoked.
    pub name: Arc<str>,
    /// The tenant of its bearer.
    pub tenant: Arc<str>,
    /// Who its bearer is within the tenant.
    pub subject: Arc<str>,
    /// What it is good for.
    pub scopes: Scopes,
    /// The agents it is good for; `None` for all.
    pub agents: Option<Names>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// What the token has to have as its digest.
    pub digest: TokenDigest,
    /// The digest before the last rotation, and until when it counts.
    pub earlier: Option<(TokenDigest, Timestamp)>,
}

impl fmt::Debug for IntegrationToken {
    /// Without the digests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntegrationToken")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Where the integration tokens of a deployment are.
pub trait IntegrationTokens: Send + Sync + 'static {
    /// The token of an id, also when it is over or revoked. Reads of one row, on this thread.
    ///
    /// # Errors
    /// When the tokens cannot be read.
    fn find(&self, id: &str) -> Result<Option<IntegrationToken>, StoreError>;

    /// Notes that a token was used. It is written later, so this does not wait.
    fn note_use(&self, id: &Arc<str>, at: Timestamp);
}
