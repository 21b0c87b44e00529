//! A secret that somebody has shown, to be asked about again while a stream is open.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use legation_core::{Caller, Names, Scopes, Standing, StillGood};

use crate::chain::{Failure, Verified, Verifier};

/// How old the keys of an issuer may be by which a token is looked at again.
const FRESH: Duration = Duration::from_secs(30);

/// A secret, and who knew it.
struct Shown {
    verifier: Arc<Verifier>,
    secret: Box<str>,
    was: Rights,
}

/// Whom credentials stood for, and for what. Others are other credentials.
#[derive(PartialEq)]
struct Rights {
    tenant: Arc<str>,
    subject: Arc<str>,
    scopes: Scopes,
    roles: Names,
    agents: Option<Names>,
}

impl Rights {
    fn of(caller: &Caller) -> Self {
        let Caller { tenant, subject, scopes, roles, agents, .. } = caller.clone();
        Self { tenant, subject, scopes, roles, agents }
    }
}

/// The caller, of whom it can be asked later whether the secret still stands for the same.
pub(crate) fn shown(verifier: &Arc<Verifier>, secret: &str, caller: Caller) -> Caller {
    let was = Rights::of(&caller);
    let shown = Shown { verifier: verifier.clone(), secret: secret.into(), was };
    Caller { credentials: Some(Arc::new(shown)), ..caller }
}

impl fmt::Debug for Shown {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl Shown {
    /// What the one who knew the secret says now; `None` when it is nobody's any more.
    async fn verify(&self) -> Option<Verified> {
        match &*self.verifier {
            Verifier::Tokens(tokens) => tokens.caller_of(&self.secret).cloned().map(Ok),
            Verifier::Integration(integration) => integration.verify(&self.secret),
            Verifier::Jwt(jwt) => Some(jwt.verify_by(&self.secret, FRESH).await),
            Verifier::Introspection(endpoint) => match endpoint.known(&self.secret) {
                Some(verified) => Some(verified),
                None => Some(endpoint.verify(&self.secret).await),
            },
        }
    }
}

impl StillGood for Shown {
    fn standing(self: Arc<Self>) -> BoxFuture<'static, Standing> {
        Box::pin(async move {
            match self.verify().await {
                Some(Ok(caller)) if Rights::of(&caller) == self.was => Standing::Good,
                Some(Err(Failure::Unavailable)) => Standing::Unknown,
                Some(Ok(_) | Err(Failure::Invalid(_))) | None => Standing::Ended,
            }
        })
    }
}
