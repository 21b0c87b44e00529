//! No authentication.

use legation_core::{Authenticated, Authenticator, Caller, Credentials, at_once};

/// Takes every caller for the same anonymous one, whatever credentials it sends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anonymous;

impl Authenticator for Anonymous {
    fn authenticate<'a>(&'a self, _credentials: Credentials<'a>) -> Authenticated<'a> {
        at_once(Ok(Caller::anonymous()))
    }
}
