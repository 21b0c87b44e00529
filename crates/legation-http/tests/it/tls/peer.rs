//! A caller over TLS, and a server's witness of what callers showed.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use legation_core::{Authenticated, Authenticator, Caller, CertificateChain, Credentials, at_once};
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::authority::Authority;
use crate::client::{ask, exchange_over};
use crate::server::Server;

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Refused,
    Anonymous,
    Known,
}

/// Takes down what each call's peer showed.
#[derive(Default)]
pub(crate) struct Witness(Mutex<Option<Option<CertificateChain>>>);

impl Witness {
    /// What the last call's peer showed first.
    pub(crate) fn leaf(&self) -> Option<Vec<u8>> {
        self.0.lock().clone().flatten().map(|chain| chain[0].clone())
    }
}

impl Authenticator for Witness {
    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> Authenticated<'a> {
        *self.0.lock() = Some(credentials.certificates.cloned());
        at_once(Ok(Caller::anonymous()))
    }
}

/// A caller.
pub(crate) struct Peer {
    roots: RootCertStore,
    offered: Vec<Vec<u8>>,
    shown: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
}

impl Peer {
    pub(crate) fn believing(authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate()).expect("an authority");
        Self { roots, offered: Vec::new(), shown: None }
    }

    pub(crate) fn offering(mut self, protocols: &[&str]) -> Self {
        self.offered = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    pub(crate) fn showing(
        mut self,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        self.shown = Some((certificate, key));
        self
    }

    fn config(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
        let builder = builder.with_safe_default_protocol_versions().expect("versions");
        let builder = builder.with_root_certificates(self.roots.clone());
        let mut config = match &self.shown {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(vec![certificate.clone()], key.clone_key())
                .expect("a certificate with its key"),
        };
        config.alpn_protocols = self.offered.clone();
        Arc::new(config)
    }

    /// A connection, or what this side says against it.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
    ) -> Result<TlsStream<TcpStream>, String> {
        let stream = TcpStream::connect(address).await.expect("a listening server");
        let name = ServerName::from(address.ip());
        let connected = TlsConnector::from(self.config()).connect(name, stream).await;
        connected.map_err(|error| error.to_string())
    }

    /// The certificate that the server shows to a connection which gets an answer.
    pub(crate) async fn shown_by(&self, address: SocketAddr) -> Vec<u8> {
        let stream = self.connect(address).await.expect("TLS");
        let shown = stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec();
        let reply = exchange_over(stream, &ask("GET", "/healthz").bytes()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        shown
    }

    /// Calls a server that has this witness.
    pub(crate) async fn call(&self, server: &Server, witness: &Witness) -> Outcome {
        *witness.0.lock() = None;
        let Ok(stream) = self.connect(server.address).await else { return Outcome::Refused };
        // In TLS 1.3 the server's verdict comes after this side's handshake.
        let reply = exchange_over(stream, &ask("GET", "/tasks").bytes()).await;
        match (reply.status, &*witness.0.lock()) {
            (0, None) => Outcome::Refused,
            (200, Some(None)) => Outcome::Anonymous,
            (200, Some(Some(_))) => Outcome::Known,
            other => panic!("neither refused nor served: {other:?}"),
        }
    }
}

/// The status of a GET by HTTP/2.
pub(crate) async fn get_by_http2(stream: TlsStream<TcpStream>, path: &str) -> u16 {
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
    // However it ends, it ends.
    let driver = tokio::spawn(async move { drop(connection.await) });
    let request = hyper::Request::get(format!("https://localhost{path}"));
    let request = request.body(Empty::<bytes::Bytes>::new()).expect("a valid request");
    let status = sender.send_request(request).await.expect("a response").status().as_u16();
    driver.abort();
    status
}

/// The first message of a caller that speaks no newer TLS than this (RFC 5246 7.4.1.2).
pub(crate) fn client_hello(version: [u8; 2]) -> Vec<u8> {
    const SUITES: [u8; 8] = [0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x09, 0xc0, 0x13];
    // Signature algorithms, groups and point formats of which a server has to find some.
    const EXTENSIONS: [u8; 30] = [
        0x00, 0x0d, 0x00, 0x08, 0x00, 0x06, 0x04, 0x03, 0x08, 0x04, 0x04, 0x01, //
        0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, //
        0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, //
        0x00, 0x17, 0x00, 0x00,
    ];
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, SUITES.len() as u8]);
    body.extend(SUITES);
    body.extend([1, 0]);
    body.extend([0, EXTENSIONS.len() as u8]);
    body.extend(EXTENSIONS);
    let message = [&[1, 0, 0, body.len() as u8][..], &body].concat();
    [&[22, 3, 1, 0, message.len() as u8][..], &message].concat()
}
