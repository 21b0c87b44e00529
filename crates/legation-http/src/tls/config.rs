//! What rustls is told: one crypto provider, TLS 1.2 and newer, HTTP/2 and HTTP/1.1.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use super::certificate::Certificate;
use super::clients::Clients;
use super::files::{self, Content};
use super::{ClientCertificates, TlsError, TlsSettings};

/// The protocol of HTTP/2 in ALPN (RFC 7301).
pub(crate) const H2: &[u8] = b"h2";

/// What is spoken, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [H2, b"http/1.1"];

/// Makes the configuration of a server, and says what there is to know of its certificate and by
/// what those of callers are verified.
pub(super) fn build(
    content: &Content,
    settings: &TlsSettings,
) -> Result<(ServerConfig, Certificate, Option<Clients>), TlsError> {
    let chain = files::certificates(&content.certificate, &settings.certificate)?;
    let certificate = Certificate::read(&chain[0], &settings.certificate)?;
    let key = files::key(&content.key, &settings.key)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pair = |source| TlsError::Pair {
        certificate: settings.certificate.display().to_string(),
        key: settings.key.display().to_string(),
        source,
    };
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12]).map_err(pair)?;
    let mut known = None;
    let builder = match &settings.clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let path = clients.authorities.display().to_string();
            let verifier = roots(content, &clients.authorities)
                .and_then(|roots| verifier(content, clients, roots, provider))
                .map_err(|source| match source {
                    Fault::Tls(error) => error,
                    Fault::Other(source) => TlsError::Clients { path, source },
                })?;
            builder.with_client_cert_verifier(known.insert(verifier).verifier.clone())
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    if settings.clients.is_some() {
        // A session that is resumed would bring back a certificate that may be revoked by now.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    } else {
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(pair)?;
    }
    Ok((config, certificate, known))
}

/// A fault that names its file, or one that does not.
enum Fault {
    Tls(TlsError),
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl From<TlsError> for Fault {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

fn roots(content: &Content, path: &Path) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    for authority in files::certificates(&content.authorities, path)? {
        roots.add(authority).map_err(|error| Fault::Other(error.into()))?;
    }
    Ok(roots)
}

fn verifier(
    content: &Content,
    clients: &ClientCertificates,
    roots: RootCertStore,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Clients, Fault> {
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let mut lists = Vec::new();
    if let Some(path) = &clients.revoked {
        lists = files::revocation_lists(&content.revoked, path)?;
        builder = builder.with_crls(lists.iter().cloned());
        if !clients.believe_overdue {
            builder = builder.enforce_revocation_expiration();
        }
    }
    if !clients.required {
        builder = builder.allow_unauthenticated();
    }
    let verifier = builder.build().map_err(|error| Fault::Other(error.into()))?;
    Ok(Clients::new(verifier, &lists))
}
