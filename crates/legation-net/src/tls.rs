//! How TLS is spoken: who is believed, and by what certificate this side is known.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{Egress, Error};

/// What all connections by this way have in common.
///
/// # Errors
/// When the trust roots of the system cannot be loaded, an authority is none or a key is not that of
/// its certificate.
pub(crate) fn config(egress: &Egress) -> Result<ClientConfig, Error> {
    configured(egress).map_err(|fault| Error::Setup(fault.into()))
}

/// The same for connections over which one of these protocols is spoken.
pub(crate) fn speaking(config: &ClientConfig, protocols: &[&[u8]]) -> ClientConfig {
    let mut config = config.clone();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
}

fn configured(egress: &Egress) -> Result<ClientConfig, rustls::Error> {
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions()?;
    let builder = match &egress.authorities {
        None => builder.with_platform_verifier()?,
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for certificate in &authorities.0 {
                roots.add(certificate.clone())?;
            }
            builder.with_root_certificates(roots)
        }
    };
    match &egress.identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => {
            builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
        }
    }
}
