//! Every way to be known, on every binding: whoever shows something good is the same caller on each,
//! and whoever shows something bad is nobody on each.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use futures::FutureExt as _;
use futures::future::Either;
use legation_auth::{
    Attempts, Audience, Carrier, Certificates, Chain, Endpoint, Integration, Introspection, Jwt,
    Line, NewToken, Rules, Scheme, Token, Tokens, Verifier,
};
use legation_core::{
    Authenticated, Authenticator, Caller, Credentials, DEPLOYMENT, IntegrationToken, Scopes,
};
use legation_http::{Security, Tls};
use legation_model::Timestamp;
use legation_store::sqlite::SqliteTokens;
use legation_wire::card::Binding;
use legation_wire::grpc::Package;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{ask, exchange_over, rpc, say};
use crate::grpc_client::call;
use crate::server;
use crate::tls::authority::{Authority, Files, Kind};
use crate::tls::peer::Peer;

const STATIC: &str = "lgn_ann-has-a-token-of-enough-bytes-0001";
const KEY: &str = "lgn_a-key-of-somebody-of-enough-bytes-02";
const OPAQUE: &str = "opaque-token-that-the-issuer-knows-0003";
const REMOTE: &str = "remote_token-of-another-platform-is-0004";

/// An issuer: it publishes a key, and says of two tokens what they are.
struct Issuer {
    url: String,
    key: Ed25519KeyPair,
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let key = Ed25519KeyPair::generate().expect("a key");
        let x = BASE64.encode(key.public_key().as_ref());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x});
        let keys = json!({ "keys": [jwk] });
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/jwks")});
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                answer(stream, &keys, &discovery).await;
            }
        });
        Self { url, key }
    }

    fn token(&self, audience: &str) -> String {
        let part = |value: Value| BASE64.encode(value.to_string());
        let claims = json!({
            "iss": self.url, "aud": audience, "sub": "jane", "exp": 4_102_444_800_u64,
            "scope": "send read",
        });
        let signed = format!("{}.{}", part(json!({"alg": "EdDSA", "kid": "k"})), part(claims));
        format!("{signed}.{}", BASE64.encode(self.key.sign(signed.as_bytes())))
    }
}

async fn answer(mut stream: TcpStream, keys: &Value, discovery: &Value) {
    let mut asked = Vec::new();
    let mut buffer = [0; 4_096];
    let text = loop {
        let Ok(count) = stream.read(&mut buffer).await else { return };
        asked.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&asked).to_lowercase();
        let Some((head, form)) = text.split_once("\r\n\r\n") else { continue };
        let stated = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if count == 0 || form.len() >= stated.map_or(0, |length| length.parse().expect("a number"))
        {
            break text;
        }
    };
    let knows = |token: &str| text.contains(&format!("token={}", token.to_lowercase()));
    let good = |who: &str| json!({"active": true, "sub": who, "aud": "us", "scope": "send read"});
    let body = match text.split(' ').nth(1).expect("a path") {
        "/jwks" => keys.clone(),
        "/ask" if knows(OPAQUE) => good("olga"),
        "/ask" if knows(REMOTE) => good("rick"),
        "/ask" => json!({"active": false}),
        _ => discovery.clone(),
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: {}", body.len());
    let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await;
}

/// What a caller shows.
#[derive(Clone, Debug)]
enum Shown {
    Line(&'static str, String),
    Query(String),
    Certificate,
}

/// A way to be known, with something good and something bad to show.
struct Row {
    scheme: Scheme,
    /// What is to be seen of the scheme, so that the table has each.
    kind: &'static str,
    subject: &'static str,
    good: Shown,
    bad: Shown,
}

/// The kinds of schemes. A new one does not compile here before it has a row.
fn kind(carrier: &Carrier, verifier: &Verifier) -> &'static str {
    match (carrier, verifier) {
        (Carrier::Bearer, Verifier::Tokens(_)) => "static",
        (Carrier::Bearer, Verifier::Integration(_)) => "integration",
        (Carrier::Bearer, Verifier::Jwt(_)) => "signed",
        (Carrier::Bearer, Verifier::Introspection(_)) => "asked about",
        (Carrier::Header(_), _) => "header",
        (Carrier::Query(_), _) => "query",
        (Carrier::Cookie(_), _) => "cookie",
    }
}

const KINDS: [&str; 8] =
    ["static", "integration", "signed", "asked about", "header", "query", "cookie", "certificate"];

fn bearer(token: &str) -> Shown {
    Shown::Line("authorization", format!("Bearer {token}"))
}

fn statics(secret: &str, subject: &str) -> Verifier {
    let token = Token::new(secret, Caller::new("t", subject)).expect("a good token");
    Verifier::Tokens(Tokens::new(vec![token]))
}

fn row(
    name: &str,
    (carrier, verifier): (Carrier, Verifier),
    subject: &'static str,
    (good, bad): (Shown, Shown),
) -> Row {
    let kind = kind(&carrier, &verifier);
    Row { scheme: Scheme::new(name, carrier, verifier), kind, subject, good, bad }
}

/// A token that was made for programs, and who knows it.
fn integration(directory: &std::path::Path) -> (Verifier, String) {
    let tokens = SqliteTokens::open(directory, DEPLOYMENT).expect("a new store");
    let new = NewToken::make().expect("random bytes");
    let token = IntegrationToken {
        id: new.id.clone(),
        name: "ci".into(),
        tenant: "t".into(),
        subject: "key:ci".into(),
        scopes: Scopes::All,
        agents: None,
        created_at: Timestamp::now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        digest: new.digest,
        earlier: None,
    };
    assert!(tokens.add(&token).expect("writable"), "a new name");
    let known = Integration::new("integration", Arc::new(tokens), std::time::Duration::ZERO);
    (Verifier::Integration(known), new.text.to_string())
}

fn table(issuer: &Issuer, directory: &std::path::Path) -> Vec<Row> {
    let line = || Line::new(true).expect("a line");
    let audience = || Audience::Of(vec!["us".into()]);
    let ask = || Endpoint::new(format!("{}/ask", issuer.url), audience());
    let asked = |name: &str, endpoint| {
        Verifier::Introspection(Introspection::new(name, endpoint, line()).expect("an address"))
    };
    let rules = Rules::new(&issuer.url, vec!["us".into()]);
    let jwt = Verifier::Jwt(Jwt::new("oidc", rules, line()).expect("an address"));
    let remote = Endpoint { prefix: Some("remote_".into()), ..ask() };
    let (programs, program) = integration(directory);
    let other = NewToken::make().expect("random bytes").text.to_string();
    let bad = |secret: &str| format!("{secret}x");
    let pair = |make: fn(String) -> Shown, secret: &str| (make(secret.into()), make(bad(secret)));
    let key_line = |secret: String| Shown::Line("x-api-key", secret);
    let key_query = |secret: String| Shown::Query(format!("api_key={secret}"));
    let key_cookie = |secret: String| Shown::Line("cookie", format!("sid={secret}"));
    let header = Carrier::Header("x-api-key".into());
    vec![
        row(
            "bearer",
            (Carrier::Bearer, statics(STATIC, "ann")),
            "ann",
            (bearer(STATIC), bearer(&bad(STATIC))),
        ),
        row("apiKey", (header, statics(KEY, "key")), "key", pair(key_line, KEY)),
        row(
            "apiKey-2",
            (Carrier::Query("api_key".into()), statics(KEY, "query")),
            "query",
            pair(key_query, KEY),
        ),
        row(
            "apiKey-3",
            (Carrier::Cookie("sid".into()), statics(KEY, "cookie")),
            "cookie",
            pair(key_cookie, KEY),
        ),
        row(
            "integration",
            (Carrier::Bearer, programs),
            "key:ci",
            (bearer(&program), bearer(&other)),
        ),
        row(
            "oidc",
            (Carrier::Bearer, jwt),
            "#jane",
            (bearer(&issuer.token("us")), bearer(&issuer.token("others"))),
        ),
        row(
            "enterprise",
            (Carrier::Bearer, asked("enterprise", remote)),
            "#rick",
            (bearer(REMOTE), bearer("remote_token-that-nobody-has-issued-5")),
        ),
        row(
            "oauth2",
            (Carrier::Bearer, asked("oauth2", ask())),
            "#olga",
            (bearer(OPAQUE), bearer("opaque-token-that-nobody-has-issued-07")),
        ),
        Row {
            scheme: Scheme::certificates("mtls", Certificates::new("mtls", "t", Scopes::All)),
            kind: "certificate",
            subject: "",
            good: Shown::Certificate,
            // A certificate does not stand for a secret that is wrong.
            bad: bearer("of-nobody-and-of-no-scheme-whatsoever-6"),
        },
    ]
}

/// Takes down whom a door knows.
struct Known(Chain, Mutex<Option<(String, String)>>);

impl Authenticator for Known {
    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> Authenticated<'a> {
        let known = self.0.authenticate(credentials);
        let known = known.inspect(|known| {
            let known = known.as_ref().ok();
            let of = |caller: &Caller| (caller.scheme.to_string(), caller.subject.to_string());
            *self.1.lock() = known.map(of);
        });
        Either::Right(known.boxed())
    }
}

/// The ways to call, each of them once.
#[derive(Clone, Copy, Debug)]
enum Way {
    Rpc,
    Rest,
    Grpc(Package),
}

fn ways() -> Vec<Way> {
    let of = |binding| match binding {
        Binding::JsonRpc => vec![Way::Rpc],
        Binding::HttpJson => vec![Way::Rest],
        Binding::Grpc => Package::ALL.map(Way::Grpc).into(),
    };
    Binding::ALL.into_iter().flat_map(of).collect()
}

/// Sends a message, and says whether it was let in.
async fn is_let_in(way: Way, shown: &Shown, peer: Peer, address: SocketAddr) -> bool {
    let query = match shown {
        Shown::Query(query) => format!("?{query}"),
        Shown::Line(..) | Shown::Certificate => String::new(),
    };
    let plain = |path: &str, body: String| {
        let ask = ask("POST", &format!("{path}{query}")).body(body);
        match shown {
            Shown::Line(name, value) => ask.and(name, value),
            Shown::Query(_) | Shown::Certificate => ask,
        }
    };
    let ask = match way {
        Way::Rpc => plain("/a2a", rpc("SendMessage", &say("hi"))),
        Way::Rest => plain("/message:send", say("hi")),
        Way::Grpc(package) => {
            let parts = if package == Package::V1_0 { "parts" } else { "content" };
            let call = call(package, "SendMessage").json(&say("hi").replace("parts", parts));
            let call = call.query(&query);
            let call = match shown {
                Shown::Line(name, value) => call.and(name, value),
                Shown::Query(_) | Shown::Certificate => call,
            };
            let stream = peer.offering(&["h2"]).connect(address).await.expect("TLS");
            let reply = call.open_over(stream, address).await.collect().await;
            assert!(matches!(reply.code(), 0 | 16), "{way:?} {shown:?} {reply:?}");
            return reply.code() == 0;
        }
    };
    let stream = peer.connect(address).await.expect("TLS");
    let reply = exchange_over(stream, &ask.bytes()).await;
    assert!(matches!(reply.status, 200 | 401), "{way:?} {shown:?} {reply:?}");
    reply.status == 200
}

#[tokio::test]
async fn every_scheme_knows_its_callers_on_every_binding() {
    let issuer = Issuer::start().await;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut rows = table(&issuer, directory.path());
    let kinds: BTreeSet<_> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, BTreeSet::from(KINDS), "each kind has a row");
    let mut schemes = Vec::new();
    let rows: Vec<_> = rows
        .drain(..)
        .map(|Row { scheme, subject, good, bad, .. }| {
            schemes.push(scheme);
            (subject, good, bad)
        })
        .collect();
    let attempts = Attempts { count: u32::MAX, ..Attempts::default() };
    let known = Arc::new(Known(Chain::new(schemes, attempts), Mutex::default()));
    let authority = Authority::new("A");
    let mut files = Files::of(&authority, Kind::Server);
    files.ask_clients(&authority, false);
    let tls = Tls::open(files.settings()).expect("good files");
    let change = |settings: &mut legation_http::Settings| settings.security = Security::bearer();
    let server = server::start_secured(known.clone(), Some(tls), change).await;
    for (subject, good, bad) in rows {
        let peer = || {
            let peer = Peer::believing(&authority);
            if matches!(good, Shown::Certificate) {
                let (certificate, key) = authority.issue(Kind::Client);
                return peer.showing(certificate, key);
            }
            peer
        };
        let mut seen = BTreeSet::new();
        for way in ways() {
            assert!(is_let_in(way, &good, peer(), server.address).await, "{way:?} {good:?}");
            let (scheme, who) = known.1.lock().take().expect("whoever is let in is known");
            assert!(who.ends_with(subject) && !who.is_empty(), "{who}");
            seen.insert((scheme, who));
            assert!(!is_let_in(way, &bad, peer(), server.address).await, "{way:?} {bad:?}");
            assert_eq!(*known.1.lock(), None);
        }
        assert_eq!(seen.len(), 1, "the same caller on each: {seen:?}");
    }
    server.stop().await;
}
