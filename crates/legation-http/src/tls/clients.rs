//! The verdict on the certificates of callers, also of those whose connections are open already.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

/// The part of the life of a list that is its end.
const LAST_PART: u32 = 5;

/// What there is to verify certificates of callers by.
pub(super) struct Clients {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// When the first of the lists of revoked certificates should be replaced, and when it is overdue.
    lists: Option<(SystemTime, SystemTime)>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("lists", &self.lists).finish_non_exhaustive()
    }
}

/// How current the lists of revoked certificates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    Current,
    /// They should be replaced before so long.
    Ending(Duration),
    Overdue,
}

impl Clients {
    pub(super) fn new(
        verifier: Arc<dyn ClientCertVerifier>,
        lists: &[CertificateRevocationListDer<'_>],
    ) -> Self {
        let lives = lists.iter().filter_map(|list| {
            let (_, list) = CertificateRevocationList::from_der(list).ok()?;
            let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(seconds.max(0).unsigned_abs());
            let begin = at(list.last_update().timestamp());
            let end = at(list.next_update()?.timestamp());
            let life = end.duration_since(begin).unwrap_or_default();
            Some((end - life / LAST_PART, end))
        });
        Self { verifier, lists: lives.min_by_key(|(_, end)| *end) }
    }

    /// Whether a chain that a caller showed is good now.
    pub(super) fn believe(&self, chain: &[Vec<u8>], now: SystemTime) -> bool {
        let mut chain = chain.iter().map(|one| CertificateDer::from(&one[..]));
        let Some(own) = chain.next() else { return false };
        let others: Vec<_> = chain.collect();
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        self.verifier.verify_client_cert(&own, &others, now).is_ok()
    }

    pub(super) fn lists(&self, now: SystemTime) -> Lists {
        match self.lists {
            Some((_, end)) if now >= end => Lists::Overdue,
            Some((soon, end)) if now >= soon => {
                Lists::Ending(end.duration_since(now).unwrap_or_default())
            }
            Some(_) | None => Lists::Current,
        }
    }
}
