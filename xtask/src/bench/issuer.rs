//! An issuer of signed tokens for a run: its documents over HTTP, and one token.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};

use crate::contract::AUDIENCE;

/// How long the token lives, in seconds: longer than any run.
const LIFE: u64 = 24 * 3600;

pub(super) struct Issuer {
    pub(super) url: String,
    pub(super) token: String,
}

impl Issuer {
    /// Begins to publish a key, and signs a token with it. It goes on to the end of this process.
    pub(super) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let public = BASE64.encode(key.der_bytes());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": public});
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/jwks")}).to_string();
        let keys = json!({"keys": [jwk]}).to_string();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A caller that leaves has no answer to get.
                let _ = answer(stream, &discovery, &keys);
            }
        });
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = json!({
            "iss": url, "sub": "bench", "aud": AUDIENCE, "scope": "send read cancel",
            "iat": now, "exp": now + LIFE,
        });
        let token = sign(&key, &json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k"}), &claims)?;
        Ok(Self { url, token })
    }
}

fn sign(key: &KeyPair, header: &Value, claims: &Value) -> anyhow::Result<String> {
    let part = |value: &Value| BASE64.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(text.as_bytes()).context("cannot sign a token")?;
    Ok(format!("{text}.{}", BASE64.encode(signature)))
}

fn answer(stream: TcpStream, discovery: &str, keys: &str) -> anyhow::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let first = lines.next().context("no request")??;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let body = if first.starts_with("GET /jwks ") { keys } else { discovery };
    let length = body.len();
    write!(
        &stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )?;
    Ok(())
}
