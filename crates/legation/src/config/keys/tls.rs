//! The door to the network: TLS, and the pages in browsers that may come through it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderName;
use legation::{ClientCertificates, Cors as Pages, TlsSettings};

use crate::config::form::{self, choice};
use crate::config::setting::{Group, Row, leaf, leaves, maybe, required, row, unset};

/// TLS.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tls {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) client_auth: ClientAuth,
    pub(crate) client_ca: Option<String>,
    pub(crate) client_crl: Option<String>,
    pub(crate) client_crl_overdue: Overdue,
    pub(crate) hsts: Duration,
}

impl Default for Tls {
    fn default() -> Self {
        let (certificate, key) = (String::new(), String::new());
        let TlsSettings { hsts, .. } = TlsSettings::new("", "");
        Self {
            certificate,
            key,
            client_auth: ClientAuth::Off,
            client_ca: None,
            client_crl: None,
            client_crl_overdue: Overdue::Refuse,
            hsts,
        }
    }
}

/// Whether callers are asked for certificates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ClientAuth {
    Off,
    Optional,
    Required,
}

const CLIENT_AUTH: [(&str, ClientAuth); 3] = [
    ("off", ClientAuth::Off),
    ("optional", ClientAuth::Optional),
    ("required", ClientAuth::Required),
];

/// What becomes of callers when a list of revoked certificates should have been replaced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Overdue {
    Refuse,
    Believe,
}

const OVERDUE: [(&str, Overdue); 2] = [("refuse", Overdue::Refuse), ("believe", Overdue::Believe)];

impl Group for Tls {
    const ROWS: &'static [Row<Self>] = &[
        required(row(
            "certificate",
            "The certificate in PEM, the server's own first, then those up to its authority",
            |t| leaf(&mut t.certificate, form::path()),
        )),
        required(row("key", "The key of the certificate in PEM, not encrypted", |t| {
            leaf(&mut t.key, form::path())
        })),
        row(
            "client_auth",
            "Whether callers show certificates: not, if they have one, or always",
            |t| leaf(&mut t.client_auth, choice(&CLIENT_AUTH)),
        ),
        unset(
            "none; with `client_auth` it is needed",
            row("client_ca", "The authorities in PEM whose certificates callers show", |t| {
                maybe(&mut t.client_ca, form::path())
            }),
        ),
        unset(
            "none is checked",
            row(
                "client_crl",
                "Lists in PEM of certificates that were revoked, one for each authority",
                |t| maybe(&mut t.client_crl, form::path()),
            ),
        ),
        row(
            "client_crl_overdue",
            "What becomes of callers after the `nextUpdate` of a list: their certificates are refused, or the list is believed",
            |t| leaf(&mut t.client_crl_overdue, choice(&OVERDUE)),
        ),
        row(
            "hsts",
            "For how long browsers are told to come by TLS only; `0s` tells them nothing",
            |t| leaf(&mut t.hsts, form::time_from_none()),
        ),
    ];
}

impl Tls {
    /// What is served, with paths that go from a directory.
    pub(crate) fn settings(&self, from: impl Fn(&str) -> PathBuf) -> TlsSettings {
        let clients = (self.client_auth != ClientAuth::Off).then(|| ClientCertificates {
            required: self.client_auth == ClientAuth::Required,
            authorities: from(self.client_ca.as_deref().unwrap_or_default()),
            revoked: self.client_crl.as_deref().map(&from),
            believe_overdue: self.client_crl_overdue == Overdue::Believe,
        });
        let (certificate, key) = (from(&self.certificate), from(&self.key));
        TlsSettings { certificate, key, clients, hsts: self.hsts }
    }

    /// TLS by the files of flags, which go from where the command was called.
    pub(crate) fn take(&mut self, certificate: &Path, key: &Path) {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or(path.to_owned());
        self.certificate = absolute(certificate).display().to_string();
        self.key = absolute(key).display().to_string();
    }
}

/// Pages of other origins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cors {
    pub(crate) origins: Vec<String>,
    headers: Vec<HeaderName>,
    credentials: bool,
    max_age: Duration,
}

impl Default for Cors {
    fn default() -> Self {
        let max_age = Duration::from_secs(600);
        Self { origins: Vec::new(), headers: Vec::new(), credentials: false, max_age }
    }
}

impl Group for Cors {
    const ROWS: &'static [Row<Self>] = &[
        row("origins", "Their origins, exactly", |c| leaves(&mut c.origins, form::origin())),
        row(
            "headers",
            "Headers that they may send beside those of the protocol, such as one with an API key",
            |c| leaves(&mut c.headers, form::header_name()),
        ),
        row(
            "credentials",
            "Whether browsers send cookies and client certificates along; a token that the page has does not need it",
            |c| leaf(&mut c.credentials, form::flag()),
        ),
        row("max_age", "How long a browser may remember that a page may call", |c| {
            leaf(&mut c.max_age, form::time_from_none())
        }),
    ];
}

impl Cors {
    /// What is served; nothing where no page is let in.
    pub(crate) fn settings(self) -> Option<Pages> {
        let Self { origins, headers, credentials, max_age } = self;
        (!origins.is_empty()).then_some(Pages { origins, headers, credentials, max_age })
    }
}
