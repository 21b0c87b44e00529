//! Certificates, good and bad, and the files a server reads them from.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use legation_http::{ClientCertificates, TlsSettings};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

const DAY: Duration = Duration::from_secs(86_400);

/// The serial number of every certificate that is revoked; others count on from it.
const REVOKED: u64 = 1;

/// What a certificate is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Server,
    OtherName,
    Expired,
    NotYet,
    Client,
    Revoked,
}

/// Somebody who issues certificates.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    next: AtomicU64,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        Self { issuer, next: AtomicU64::new(REVOKED + 1) }
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    fn issue_pem(&self, kind: Kind) -> (String, String) {
        let name = if kind == Kind::OtherName { "elsewhere.example" } else { "127.0.0.1" };
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, format!("{kind:?}"));
        if kind == Kind::Client {
            let name = "spiffe://acme/client".try_into().expect("ASCII");
            params.subject_alt_names.push(SanType::URI(name));
        }
        let now = SystemTime::now();
        let (begins, ends) = match kind {
            Kind::Expired => (now - DAY * 20, now - DAY),
            Kind::NotYet => (now + DAY, now + DAY * 20),
            Kind::Server | Kind::OtherName | Kind::Client | Kind::Revoked => {
                (now - DAY, now + DAY * 20)
            }
        };
        (params.not_before, params.not_after) = (begins.into(), ends.into());
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        params.extended_key_usages = match kind {
            Kind::Server | Kind::OtherName => vec![ServerAuth],
            Kind::Client | Kind::Revoked => vec![ClientAuth],
            Kind::Expired | Kind::NotYet => vec![ServerAuth, ClientAuth],
        };
        let number = match kind {
            Kind::Revoked => REVOKED,
            _ => self.next.fetch_add(1, Ordering::Relaxed),
        };
        params.serial_number = Some(SerialNumber::from(number));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// The authority's own certificate and key, as somebody has it who tries TLS out.
    pub(crate) fn own_pem(&self) -> (String, String) {
        (self.issuer.pem(), self.issuer.key().serialize_pem())
    }

    /// A certificate and its key.
    pub(crate) fn issue(&self, kind: Kind) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let (certificate, key) = self.issue_pem(kind);
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
        (certificate, PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM"))
    }

    /// The serial number of the certificate that was issued last.
    pub(crate) fn last(&self) -> u64 {
        self.next.load(Ordering::Relaxed) - 1
    }

    /// A list of these certificates, which is to be replaced by then.
    fn revocation_list(&self, numbers: &[u64], next_update: SystemTime) -> String {
        let now = SystemTime::now();
        let revoked = |number: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*number),
            revocation_time: now.into(),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: (now - DAY).into(),
            next_update: next_update.into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: numbers.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).and_then(|list| list.pem()).expect("a list")
    }
}

/// The files of a server, in a directory of their own.
pub(crate) struct Files {
    directory: tempfile::TempDir,
    clients: Option<ClientCertificates>,
}

impl Files {
    pub(crate) fn of(authority: &Authority, kind: Kind) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let files = Self { directory, clients: None };
        files.write(authority, kind);
        files
    }

    /// Puts another certificate and its key into the files.
    pub(crate) fn write(&self, authority: &Authority, kind: Kind) {
        self.restore(&authority.issue_pem(kind));
    }

    pub(crate) fn ask_clients(&mut self, authority: &Authority, required: bool) {
        self.put("clients.pem", &authority.issuer.pem());
        self.revoke(authority, &[REVOKED], SystemTime::now() + DAY);
        let revoked = Some(self.path("revoked.pem"));
        let authorities = self.path("clients.pem");
        let believe_overdue = false;
        self.clients = Some(ClientCertificates { required, authorities, revoked, believe_overdue });
    }

    /// Puts another list of revoked certificates into its file, which is to be replaced by then.
    pub(crate) fn revoke(&self, authority: &Authority, numbers: &[u64], next_update: SystemTime) {
        self.put("revoked.pem", &authority.revocation_list(numbers, next_update));
    }

    pub(crate) fn settings(&self) -> TlsSettings {
        let [certificate, key] = ["tls-cert.pem", "tls-key.pem"].map(|name| self.path(name));
        TlsSettings { clients: self.clients.clone(), ..TlsSettings::new(certificate, key) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("writable");
    }

    /// The certificate and the key as they are in the files.
    pub(crate) fn contents(&self) -> (String, String) {
        let read = |name| std::fs::read_to_string(self.path(name)).expect("readable");
        (read("tls-cert.pem"), read("tls-key.pem"))
    }

    pub(crate) fn restore(&self, (certificate, key): &(String, String)) {
        self.put("tls-cert.pem", certificate);
        self.put("tls-key.pem", key);
    }

    pub(crate) fn leaf(&self) -> Vec<u8> {
        let (certificate, _) = self.contents();
        CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM").to_vec()
    }
}
