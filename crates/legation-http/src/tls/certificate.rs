//! What there is to know of the server's own certificate.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::TlsError;

/// How long before its end a certificate that lives long should be replaced.
const SOON: Duration = Duration::from_secs(30 * 86_400);

/// Of one that lives shortly, the part of its life that is its end.
const LAST_PART: u32 = 5;

const DAY: u64 = 86_400;

/// A certificate's life, and who made it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate {
    begins: SystemTime,
    ends: SystemTime,
    pub(super) is_self_signed: bool,
}

impl Certificate {
    pub(super) fn read(der: &CertificateDer<'_>, path: &Path) -> Result<Self, TlsError> {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            let path = path.display().to_string();
            let (expected, found) = ("a certificate of X.509", "something else".to_owned());
            return Err(TlsError::Content { path, expected, found });
        };
        let validity = certificate.validity();
        let time = |seconds: i64| UNIX_EPOCH + Duration::from_secs(seconds.max(0).unsigned_abs());
        Ok(Self {
            begins: time(validity.not_before.timestamp()),
            ends: time(validity.not_after.timestamp()),
            is_self_signed: certificate.issuer() == certificate.subject(),
        })
    }

    /// What is wrong with the certificate's life, as it follows its name.
    pub(super) fn warning(&self, now: SystemTime) -> Option<String> {
        if now < self.begins {
            return Some("is not valid yet".into());
        }
        let Ok(left) = self.ends.duration_since(now) else {
            return Some("has expired: callers will refuse it".into());
        };
        let life = self.ends.duration_since(self.begins).unwrap_or_default();
        let days = left.as_secs().div_ceil(DAY);
        (left < SOON.min(life / LAST_PART)).then(|| format!("expires within {days} days"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_missed_before_it_is_gone() {
        let at = |day: u64| UNIX_EPOCH + Duration::from_secs(day * DAY);
        let certificate = |begins, ends| Certificate {
            begins: at(begins),
            ends: at(ends),
            is_self_signed: false,
        };
        let cases = [
            (certificate(10, 375), 9, "not valid yet"),
            (certificate(10, 375), 300, ""),
            (certificate(10, 375), 350, "expires within 25 days"),
            (certificate(10, 375), 376, "has expired"),
            (certificate(10, 16), 14, ""),
            (certificate(10, 16), 15, "expires within 1 days"),
        ];
        for (certificate, now, expected) in cases {
            let got = certificate.warning(at(now)).unwrap_or_default();
            assert_eq!(got.is_empty(), expected.is_empty(), "{now}: {got}");
            assert!(got.contains(expected), "{now}: {got}");
        }
    }
}
