//! The head of a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use legation_core::{
    Authenticator, Caller, CertificateChain, Credentials, Headers, Names, Refused, StillGood,
};
use legation_model::ErrorKind;

#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) lines: Vec<(&'static str, String)>,
    pub(crate) peer: Option<IpAddr>,
    pub(crate) certificates: Option<CertificateChain>,
    pub(crate) schemes: Option<Names>,
}

impl Headers for Head {
    fn line(&self, name: &str, number: usize) -> Option<&[u8]> {
        let named = self.lines.iter().filter(|(known, _)| *known == name);
        named.map(|(_, value)| value.as_bytes()).nth(number)
    }
}

impl Head {
    /// Who the authenticator takes the sender for.
    pub(crate) async fn to(&self, authenticator: &dyn Authenticator) -> Result<Caller, Refused> {
        let credentials = Credentials {
            headers: self,
            query: None,
            peer: self.peer,
            client: None,
            certificates: self.certificates.as_ref(),
            schemes: self.schemes.as_ref(),
            agent: None,
        };
        authenticator.authenticate(credentials).await
    }
}

/// What is to be said of a token, now and whenever it is asked.
pub(crate) async fn credentials(door: &dyn Authenticator, token: &str) -> Arc<dyn StillGood> {
    let lines = vec![("authorization", format!("Bearer {token}"))];
    let caller = Head { lines, ..Head::default() }.to(door).await.expect("a good token");
    assert!(!format!("{caller:?}").contains(token), "a token shows itself");
    caller.credentials.expect("they may be taken back")
}

/// Lets the clock of the runtime go on, and not that of the system.
pub(crate) async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Who the bearer of a token is: the subject, or the kind of refusal.
pub(crate) async fn bearer(door: &dyn Authenticator, token: &str) -> Result<String, ErrorKind> {
    let lines = vec![("authorization", format!("Bearer {token}"))];
    let known = Head { lines, ..Head::default() }.to(door).await;
    if let Err(refused) = &known {
        assert!(!format!("{refused:?}").contains(token), "a token is told back");
    }
    known.map(|caller| caller.subject.to_string()).map_err(|refused| refused.error.kind)
}
