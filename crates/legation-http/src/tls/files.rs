//! The files as they are read: within a bound, and told apart by their content.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::{ClientCertificates, TlsError, TlsSettings};

/// The most bytes of a file. A bundle of all public authorities has a fifth of it.
const MAX_BYTES: u64 = 1 << 20;

/// By which one sees that the files have changed. The system's times would not tell of every change.
pub(super) type Digest = [u8; 32];

/// What is in the files.
pub(super) struct Content {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) authorities: Vec<u8>,
    pub(super) revoked: Vec<u8>,
}

impl Content {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let TlsSettings { certificate, key, clients, .. } = settings;
        let (mut authorities, mut revoked) = (Vec::new(), Vec::new());
        if let Some(ClientCertificates { authorities: file, revoked: lists, .. }) = clients {
            authorities = read(file)?;
            revoked = lists.as_deref().map(read).transpose()?.unwrap_or_default();
        }
        Ok(Self { certificate: read(certificate)?, key: read(key)?, authorities, revoked })
    }

    pub(super) fn digest(&self) -> Digest {
        let mut context = Context::new(&SHA256);
        for part in [&self.certificate, &self.key, &self.authorities, &self.revoked] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let fail = |source| TlsError::Read { path: path.display().to_string(), source };
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content))
        .map_err(fail)?;
    if content.len() as u64 > MAX_BYTES {
        return Err(fail(io::Error::other(format!("it has more than {MAX_BYTES} bytes"))));
    }
    Ok(content)
}

/// The certificates of a file, of which there is one at least.
pub(super) fn certificates(
    pem: &[u8],
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    all(pem, path, "certificates in PEM")
}

/// The lists of revoked certificates in a file, of which there is one at least.
pub(super) fn revocation_lists(
    pem: &[u8],
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    all(pem, path, "lists of revoked certificates in PEM")
}

/// The key in a file.
pub(super) fn key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    const EXPECTED: &str = "a key in PEM that is not encrypted";
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| content(path, EXPECTED, &error))
}

fn all<T: PemObject>(pem: &[u8], path: &Path, expected: &'static str) -> Result<Vec<T>, TlsError> {
    let items: Vec<T> = T::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| content(path, expected, &error))?;
    if items.is_empty() {
        return Err(content(path, expected, &pem::Error::NoItemsFound));
    }
    Ok(items)
}

/// What is wrong with a file. Nothing of it is quoted: it may be a key.
fn content(path: &Path, expected: &'static str, error: &pem::Error) -> TlsError {
    let is_missing = matches!(error, pem::Error::NoItemsFound);
    let found = if is_missing { "none" } else { "PEM that is broken" }.to_owned();
    TlsError::Content { path: path.display().to_string(), expected, found }
}
