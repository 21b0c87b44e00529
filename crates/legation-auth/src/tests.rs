//! What the tests of several files share.

use futures::executor::block_on;
use legation_core::{
    Authenticator, Caller, CertificateChain, Credentials, Headers, Names, Refused,
};

/// The head of a request.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) lines: Vec<(String, String)>,
    pub(crate) query: Option<String>,
    pub(crate) peer: Option<std::net::IpAddr>,
    pub(crate) certificates: Option<CertificateChain>,
    pub(crate) schemes: Option<Names>,
    pub(crate) agent: Option<String>,
}

impl Headers for Head {
    fn line(&self, name: &str, number: usize) -> Option<&[u8]> {
        let named = self.lines.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_bytes()).nth(number)
    }
}

impl Head {
    pub(crate) fn new(lines: &[(&str, &str)]) -> Self {
        let line = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { lines: lines.iter().map(line).collect(), ..Self::default() }
    }

    /// A head with a bearer token.
    pub(crate) fn bearer(token: &str) -> Self {
        Self::new(&[("authorization", &format!("Bearer {token}"))])
    }

    pub(crate) fn query(self, query: &str) -> Self {
        Self { query: Some(query.into()), ..self }
    }

    pub(crate) fn with<T>(&self, use_them: impl FnOnce(Credentials<'_>) -> T) -> T {
        use_them(Credentials {
            headers: self,
            query: self.query.as_deref(),
            peer: self.peer,
            client: None,
            certificates: self.certificates.as_ref(),
            schemes: self.schemes.as_ref(),
            agent: self.agent.as_deref(),
        })
    }

    /// Who the authenticator takes the sender for.
    pub(crate) fn to(&self, authenticator: &dyn Authenticator) -> Result<Caller, Refused> {
        self.with(|credentials| block_on(authenticator.authenticate(credentials)))
    }
}
