//! No authentication.

use legation_core::{Authenticator, Caller, Credentials, Refused};

/// Takes every caller for the same anonymous one, whatever credentials it sends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anonymous;

impl Authenticator for Anonymous {
    fn authenticate(&self, _credentials: Credentials<'_>) -> Result<Caller, Refused> {
        Ok(Caller::anonymous())
    }
}
