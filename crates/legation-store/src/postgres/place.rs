//! Where the database is: an address as `libpq` reads it, with its words on TLS.

use std::path::PathBuf;
use std::str::FromStr as _;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::OpenError;

/// A database, and how to be sure that it is the one.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) config: Config,
    /// Whether the server's certificate has to be good for its name. Where TLS is only preferred it is
    /// not looked at: who could forge it could as well refuse TLS.
    pub(super) is_verified: bool,
    /// Who may sign the certificate, instead of those whom the system trusts.
    pub(super) roots: Option<PathBuf>,
}

impl Place {
    /// Reads an address. `sslmode=require` is as strict as `verify-full` is elsewhere.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(OpenError::Address("it does not begin with `postgres://`".to_owned()));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut roots, mut is_strict, mut rest) = (None, false, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslrootcert", path)) => {
                    let path = percent_decode_str(path).decode_utf8_lossy();
                    roots = (path != "system").then(|| PathBuf::from(&*path));
                }
                Some(("sslmode", "require" | "verify-ca" | "verify-full")) => is_strict = true,
                _ => rest.push(pair),
            }
        }
        // The error says what is wrong and holds nothing of the address.
        let mut config = Config::from_str(&format!("{base}?{}", rest.join("&")))
            .map_err(|error| OpenError::Address(chain(&error)))?;
        if is_strict {
            config.ssl_mode(SslMode::Require);
        }
        if config.get_application_name().is_none() {
            config.application_name("legation");
        }
        // Of several servers, the one that takes writes.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self { config, is_verified: is_strict, roots })
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_how_sure_to_be() {
        let cases = [
            ("postgres://u@h/d", SslMode::Prefer, false, None),
            ("postgresql://u:p@h:6432/d?sslmode=disable", SslMode::Disable, false, None),
            ("postgres://h/d?connect_timeout=1&sslmode=require", SslMode::Require, true, None),
            (
                "postgres://h/d?sslmode=verify-full&sslrootcert=/a%20b.pem",
                SslMode::Require,
                true,
                Some("/a b.pem"),
            ),
            ("postgres://h/d?sslmode=verify-full&sslrootcert=system", SslMode::Require, true, None),
        ];
        for (url, mode, is_verified, roots) in cases {
            let place = Place::parse(url).expect(url);
            let found = (place.config.get_ssl_mode(), place.is_verified, place.roots);
            assert_eq!(found, (mode, is_verified, roots.map(PathBuf::from)), "{url}");
        }
        for url in ["", "sqlite:x", "postgres://u:secret@h:port/d", "postgres://u:secret@h/d?x=y"] {
            let words = Place::parse(url).expect_err(url).to_string();
            assert!(!words.contains("secret"), "{words}");
        }
    }
}
