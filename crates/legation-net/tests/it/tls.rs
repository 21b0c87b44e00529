//! Who is believed, and by what certificate this side is known.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Method;
use legation_net::{Authorities, Egress, Http, Identity, Reach, Request};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use url::Url;

use crate::guard::Script;
use crate::server::{head, ok};

/// Signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate with its key.
struct Leaf {
    chain: String,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub(crate) fn believed(&self) -> Authorities {
        Authorities::from_pem(self.certificate.pem().as_bytes()).expect("an authority")
    }

    fn sign(&self, names: &[&str], adjust: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        adjust(&mut params);
        let key = KeyPair::generate().expect("a key");
        let chain = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Leaf { chain, key }
    }

    fn identity(&self) -> Identity {
        let Leaf { chain, key } = self.sign(&["client.example"], |_| {});
        Identity::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes()).expect("an identity")
    }
}

/// A server over TLS that says whether it knows its caller.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
}

impl Site {
    pub(crate) async fn start(authority: &Authority, names: &[&str], asks: bool) -> Self {
        Self::of(authority, authority.sign(names, |_| {}), asks).await
    }

    async fn of(authority: &Authority, leaf: Leaf, asks: bool) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.der().clone()).expect("an authority");
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("a verifier");
        let config = match asks {
            true => ServerConfig::builder().with_client_cert_verifier(verifier),
            false => ServerConfig::builder().with_no_client_auth(),
        };
        let pem = leaf.chain.as_bytes();
        let chain = rustls_pki_types::CertificateDer::pem_slice_iter(pem);
        let chain = chain.collect::<Result<_, _>>().expect("PEM");
        let key = leaf.key.serialize_der().try_into().expect("a key");
        let mut config = config.with_single_cert(chain, key).expect("a pair");
        // The first of these that the caller speaks.
        config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Fails by design where a certificate is not believed.
                    let Ok(mut stream) = acceptor.accept(socket).await else { return };
                    let session = stream.get_ref().1;
                    let known = session.peer_certificates().is_some();
                    let told = if known { "known" } else { "nobody" };
                    if session.alpn_protocol() == Some(b"h2") {
                        return tell_by_http2(stream, told).await;
                    }
                    head(&mut stream).await;
                    let _ = stream.write_all(&ok(told)).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { address }
    }
}

/// Answers all requests of a connection.
async fn tell_by_http2(stream: impl AsyncRead + AsyncWrite + Unpin, told: &'static str) {
    let mut connection = h2::server::handshake(stream).await.expect("a handshake");
    while let Some(Ok((_, mut answer))) = connection.accept().await {
        let mut stream = answer.send_response(http::Response::new(()), false).expect("a caller");
        stream.send_data(told.into(), true).expect("a caller");
    }
}

#[tokio::test]
async fn a_server_is_believed_by_name_time_and_authority_and_a_client_by_its_certificate() {
    let (ours, other) = (Authority::new(), Authority::new());
    let past = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    };
    let plain = |authority: &Authority| authority.sign(&["a.example"], |_| {});
    let distrusted = "distrusted";
    let cases = [
        ("right", plain(&ours), false, None, "nobody"),
        ("another's name", ours.sign(&["b.example"], |_| {}), false, None, distrusted),
        ("another's authority", plain(&other), false, None, distrusted),
        ("expired", ours.sign(&["a.example"], past), false, None, distrusted),
        ("known by certificate", plain(&ours), true, Some(ours.identity()), "known"),
        ("a certificate nobody asks for", plain(&ours), false, Some(ours.identity()), "nobody"),
        ("no certificate", plain(&ours), true, None, "failed"),
        ("another's certificate", plain(&ours), true, Some(other.identity()), "failed"),
    ];
    for (what, leaf, asks, identity, expected) in cases {
        let site = Site::of(&ours, leaf, asks).await;
        let (authorities, names) =
            (Some(ours.believed()), Some(Script::new(&[&["127.0.0.1"]]) as _));
        let egress = Egress { reach: Reach::Any, authorities, identity, names, proxy: None };
        let http = Http::by(egress).expect("a client");
        let url = format!("https://a.example:{}/", site.address.port());
        for http2 in [false, true] {
            let request = Request::new(Method::GET, Url::parse(&url).expect("a URL"));
            let request = Request { http2, ..request };
            let told = async { http.send(request).await?.bytes().await }.await;
            let told = match &told {
                Ok(body) => std::str::from_utf8(body).expect("text"),
                Err(error) if error.is_distrust() => distrusted,
                Err(_) => "failed",
            };
            assert_eq!(told, expected, "{what}, HTTP/2 alone: {http2}");
        }
    }
}

#[test]
fn an_identity_is_a_chain_and_its_key_and_is_not_shown() {
    let authority = Authority::new();
    let Leaf { chain, key } = authority.sign(&["client.example"], |_| {});
    let key = key.serialize_pem();
    let both = format!("{chain}{key}");
    // As OpenSSL writes it before a key on a curve.
    const PARAMETERS: &str =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let more = format!("{PARAMETERS}{key}");
    let cases = [
        (chain.as_str(), more.as_str(), true),
        (&chain, &key, true),
        (&both, &both, true),
        (&chain, &chain, false),
        (&key, &key, false),
        ("", "", false),
        ("nonsense", &key, false),
    ];
    for (chain, key, good) in cases {
        let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes());
        assert_eq!(identity.is_some(), good, "{chain} {key}");
        assert!(identity.is_none_or(|identity| format!("{identity:?}") == "Identity(..)"));
    }
}
