//! An issuer on port 0: it answers what a test lays down for each path, and counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What is answered at a path.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) location: Option<String>,
    /// How long the body takes.
    pub(crate) delay: Duration,
}

impl Page {
    pub(crate) fn ok(body: impl ToString) -> Self {
        Self { status: 200, body: body.to_string(), location: None, delay: Duration::ZERO }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::ok("{}") }
    }
}

/// An issuer.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    pages: Arc<Mutex<HashMap<String, Page>>>,
    asked: Arc<AtomicUsize>,
    /// What was asked last, head and body.
    pub(crate) last: Arc<Mutex<String>>,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let issuer = Self {
            url: url.clone(),
            pages: Arc::default(),
            asked: Arc::default(),
            last: Arc::default(),
        };
        let document = json!({"issuer": url, "jwks_uri": format!("{url}/jwks")});
        issuer.lay("/.well-known/openid-configuration", Page::ok(document));
        let served = issuer.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = served.clone();
                tokio::spawn(async move { served.serve(stream).await });
            }
        });
        issuer
    }

    /// Lays down what is answered at a path.
    pub(crate) fn lay(&self, path: &str, page: Page) {
        self.pages.lock().insert(path.to_owned(), page);
    }

    /// Publishes these keys.
    pub(crate) fn publish(&self, keys: &[&Signer]) {
        let keys: Vec<_> = keys.iter().map(|signer| signer.jwk.clone()).collect();
        self.lay("/jwks", Page::ok(json!({ "keys": keys })));
    }

    /// How many requests there were.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut raw = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let Ok(count) = stream.read(&mut buffer).await else { return };
            if count == 0 {
                return;
            }
            raw.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&raw).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() < length.map_or(0, |length| length.parse().expect("a number")) {
                continue;
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
            let path = head.split(' ').nth(1).expect("a path").to_owned();
            *self.last.lock() = text.clone();
            let page = self.pages.lock().get(&path).cloned().unwrap_or(Page::status(404));
            let location =
                page.location.map(|to| format!("location: {to}\r\n")).unwrap_or_default();
            let head = format!(
                "HTTP/1.1 {} X\r\n{location}content-type: application/json\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n",
                page.status,
                page.body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            tokio::time::sleep(page.delay).await;
            let _ = stream.write_all(page.body.as_bytes()).await;
            return;
        }
    }
}

/// A key that signs tokens.
pub(crate) struct Signer {
    pub(crate) name: String,
    pub(crate) algorithm: Algorithm,
    key: EncodingKey,
    pub(crate) jwk: Value,
}

impl Signer {
    pub(crate) fn new(name: &str, algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
                let der = pair
                    .and_then(|pair| pair.to_pkcs8v1().map_err(|_| aws_lc_rs::error::Unspecified));
                EncodingKey::from_ec_der(der.expect("a key").as_ref())
            }
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::generate().expect("a key");
                EncodingKey::from_ed_der(pair.to_pkcs8v1().expect("a key").as_ref())
            }
            _ => {
                let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
                let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().expect("a key");
                let pem = pem(der.as_ref());
                EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key")
            }
        };
        let mut jwk = Jwk::from_encoding_key(&key, algorithm).expect("a public key");
        jwk.common.key_id = Some(name.to_owned());
        let jwk = serde_json::to_value(&jwk).expect("JSON");
        Self { name: name.to_owned(), algorithm, key, jwk }
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.name.clone());
        jsonwebtoken::encode(&header, claims, &self.key).expect("a token")
    }

    /// A token whose header is said in full.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", part(header), part(claims));
        let signed = jsonwebtoken::crypto::sign(text.as_bytes(), &self.key, self.algorithm);
        format!("{text}.{}", signed.expect("a signature"))
    }
}

/// A part of a token.
pub(crate) fn part(value: &Value) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}
