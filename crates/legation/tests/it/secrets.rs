//! Secrets stay where they belong: with every scheme in use, well and badly, at the level of logs that
//! says most, none of them is in a log, an answer, what the command prints, or the data directory.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use serde_json::json;

use crate::user::{PATIENCE, Serving, legation, text};

/// Marks every secret, so that a piece of one is found as well.
const MARK: &str = "Zq7Xw9Kv3Rt5";

fn secret(of: &str) -> String {
    format!("{MARK}-{of}-b1c8e04a7d2f4e96a35d{MARK}")
}

/// What is said in a message, which is stored: the search finds it, so it would find a secret.
const SAID: &str = "mean of 1, 2, 4711";

/// An issuer: publishes a key, and says of tokens what they are.
struct Issuer {
    url: String,
    key: Ed25519KeyPair,
}

impl Issuer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let key = Ed25519KeyPair::generate().expect("a key");
        let x = BASE64.encode(key.public_key().as_ref());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x});
        let keys = json!({"keys": [jwk]}).to_string();
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/jwks")}).to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(&stream);
                let (mut head, mut length) = (String::new(), 0);
                while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
                for line in head.to_ascii_lowercase().lines() {
                    if let Some(stated) = line.strip_prefix("content-length: ") {
                        length = stated.parse().expect("a number");
                    }
                }
                let mut form = vec![0; length];
                reader.read_exact(&mut form).expect("a form");
                let form = text(&form);
                let (status, body) = match head.split(' ').nth(1).expect("a path") {
                    "/jwks" => (200, &*keys),
                    "/ask" if form.contains("-fault-") => (500, "{}"),
                    "/ask" if form.contains("-opaque-") => {
                        (200, r#"{"active":true,"sub":"olga","aud":"us","scope":"send read"}"#)
                    }
                    "/ask" => (200, r#"{"active":false}"#),
                    _ => (200, &*discovery),
                };
                let length = body.len();
                let _ = write!(
                    &stream,
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            }
        });
        Self { url, key }
    }

    fn token(&self, issuer: &str, kid: &str) -> String {
        let part = |value: serde_json::Value| BASE64.encode(value.to_string());
        let header = part(json!({"alg": "EdDSA", "kid": kid}));
        let claims = json!({
            "iss": issuer, "aud": "us", "sub": "jane", "exp": 4_102_444_800_u64,
            "scope": "send read", "jti": kid,
        });
        let signed = format!("{header}.{}", part(claims));
        format!("{signed}.{}", BASE64.encode(self.key.sign(signed.as_bytes())))
    }
}

/// A request with these header lines, and what was answered.
fn call(address: &str, query: &str, lines: &[String]) -> String {
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "SendMessage",
        "params": {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": SAID}]}},
    });
    let (body, lines) = (body.to_string(), lines.join("\r\n"));
    let length = body.len();
    let request = format!(
        "POST /a2a{query} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\na2a-version: 1.0\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{lines}\r\n\r\n{body}"
    );
    exchange(address, request.as_bytes())
}

fn exchange(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    stream.write_all(request).expect("an open connection");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    text(&answer)
}

/// The same by HTTP/2: a head of literals that are not compressed, then the wish to leave.
fn call_by_http2(address: &str, path: &str, lines: &[(&str, &str)]) -> String {
    let mut head = Vec::new();
    let pseudo =
        [(":method", "GET"), (":scheme", "http"), (":authority", address), (":path", path)];
    for (name, value) in pseudo.iter().chain(lines) {
        head.push(0);
        for piece in [name, value] {
            head.push(
                u8::try_from(piece.len()).ok().filter(|length| *length < 127).expect("short"),
            );
            head.extend(piece.bytes());
        }
    }
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let begin = [preface, frame(4, 0, 0, &[]), frame(1, 5, 1, &head)].concat();
    stream.write_all(&begin).expect("an open connection");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    // A frame of data ends the answer to a request that is refused or short.
    while !answer.windows(9).any(|head| head[3..] == [0, 1, 0, 0, 0, 1]) {
        match stream.read(&mut buffer).expect("an answer in time") {
            0 => break,
            read => answer.extend(&buffer[..read]),
        }
    }
    text(&answer)
}

/// The files below a directory that hold one of these.
fn found(directory: &Path, wanted: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            all.extend(found(&path, wanted));
            continue;
        }
        let content = fs::read(&path).expect("readable");
        let holds = |one: &&String| content.windows(one.len()).any(|at| at == one.as_bytes());
        all.extend(wanted.iter().find(holds).map(|one| format!("{}: {one}", path.display())));
    }
    all
}

#[test]
fn no_secret_is_told_or_kept() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let issuer = Issuer::start();
    let url = &issuer.url;
    let config = format!(
        "auth:
  attempts: {{ count: 1000 }}
  schemes:
    - {{ type: simple_token, token: '${{BEARER}}' }}
    - {{ type: api_key, api_key: '${{HEADER}}', subject: header }}
    - {{ type: api_key, api_key: '${{QUERY}}', name: key, location: query, subject: query }}
    - {{ type: api_key, api_key: '${{COOKIE}}', name: sid, location: cookie, subject: cookie }}
    - {{ type: integration_token }}
    - {{ type: oidc, issuer: '{url}', audience: [us], private_network: true }}
    - {{ type: oidc, issuer: 'http://127.0.0.1:1', audience: [us], private_network: true }}
    - {{ type: enterprise_token, verify_url: '{url}/ask', audience: [us], private_network: true, client_id: me, client_secret: '${{CLIENT}}' }}
agents: {{ a: {{ role: A, runtime: {{ type: analyst }} }} }}
"
    );
    let file = home.join("legation.yaml");
    fs::write(&file, config).expect("writable");
    let file = file.to_str().expect("UTF-8");
    let names = ["BEARER", "HEADER", "QUERY", "COOKIE", "CLIENT"];
    let command = |words: &[&str]| {
        let mut command = legation(home, words);
        command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
        command.envs(names.map(|name| (name, secret(name))));
        command
    };
    let mut told = String::new();
    for words in [&["check", file][..], &["config", "explain", file]] {
        let output = command(words).output().expect("the command starts");
        told += &(text(&output.stdout) + &text(&output.stderr));
    }
    assert!(told.contains("auth.schemes[0].token"), "{told}");
    let made = command(&["keys", "create", "--name", "ci"]).output().expect("the command starts");
    let integration = text(&made.stdout).trim().to_owned();
    assert!(integration.starts_with("lgk_"), "{integration}");

    let log = home.join("log");
    let mut serve = command(&["serve", "--listen", "127.0.0.1:0", file]);
    serve.stderr(File::create(&log).expect("writable"));
    let serving = Serving::of(&mut serve);
    let address = serving.url.trim_start_matches("http://");
    let bearer = |token: &str| vec![format!("authorization: Bearer {token}")];
    let key = |key: &str| vec![format!("X-API-Key: {key}")];
    let signed = issuer.token(url, "k");
    let unknown = issuer.token(url, "new");
    let away = issuer.token("http://127.0.0.1:1", "k");
    let forged = format!("{}{}", &signed[..signed.len() - 8], MARK.get(..8).expect("long"));
    let [opaque, inactive, fault, wrong] = ["opaque", "inactive", "fault", "wrong"].map(secret);
    let wrong_integration = format!("{}{}", &integration[..integration.len() - 4], "AAAA");
    let cases: Vec<(&str, String, Vec<String>, u16)> = vec![
        ("bearer", String::new(), bearer(&secret("BEARER")), 200),
        ("header", String::new(), key(&secret("HEADER")), 200),
        ("query", format!("?key={}", secret("QUERY")), vec![], 200),
        ("cookie", String::new(), vec![format!("cookie: sid={}", secret("COOKIE"))], 200),
        ("integration", String::new(), bearer(&integration), 200),
        ("signed", String::new(), bearer(&signed), 200),
        ("asked about", String::new(), bearer(&opaque), 200),
        ("not active", String::new(), bearer(&inactive), 401),
        ("the issuer's fault", String::new(), bearer(&fault), 503),
        ("the issuer is away", String::new(), bearer(&away), 503),
        ("of no key", String::new(), bearer(&unknown), 401),
        ("forged", String::new(), bearer(&forged), 401),
        ("another integration token", String::new(), bearer(&wrong_integration), 401),
        ("a wrong header", String::new(), key(&wrong), 401),
        ("a wrong query", format!("?key={wrong}"), vec![], 401),
        ("two", format!("?key={}", secret("QUERY")), key(&secret("HEADER")), 401),
        ("twice", String::new(), [key(&wrong), key(&secret("HEADER"))].concat(), 401),
        ("two words", String::new(), bearer(&format!("{wrong} {wrong}")), 401),
        ("a foreign scheme", String::new(), vec![format!("authorization: Basic {wrong}")], 401),
        ("no text", String::new(), bearer(&format!("{wrong}\u{e9}")), 401),
    ];
    for (what, query, lines, status) in &cases {
        let answer = call(address, query, lines);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        told += &answer;
    }
    // What cannot be read as a request, or is none.
    told +=
        &exchange(address, format!("GET /{wrong}\r\nauthorization: {wrong}\r\n\r\n").as_bytes());
    for token in [secret("BEARER"), wrong.clone()] {
        let line = format!("Bearer {token}");
        told += &call_by_http2(address, "/tasks", &[("authorization", &line)]);
        told += &call_by_http2(address, &format!("/tasks?key={token}"), &[]);
    }
    for token in [secret("BEARER"), wrong.clone()] {
        let sent = command(&["send", &serving.url, SAID, "--token", &token]).output();
        let sent = sent.expect("the command starts");
        told += &(text(&sent.stdout) + &text(&sent.stderr));
    }
    // The last use of tokens is written within seconds.
    let is_used = || {
        let listed = command(&["keys", "list"]).output().expect("the command starts");
        text(&listed.stdout).contains("last used 2")
    };
    let began = Instant::now();
    while !is_used() {
        assert!(began.elapsed() < PATIENCE, "the last use is not written");
        std::thread::sleep(Duration::from_millis(100));
    }
    told += &serving.greeting;

    // Behind the second mark: the secret of a token may hold the mark itself.
    let tail = |token: &str, mark| token.splitn(3, mark).nth(2).expect("a piece").to_owned();
    let mut wanted = vec![MARK.to_owned()];
    // A signature may hold the mark of the others.
    wanted.extend([signed, unknown, away].map(|token| tail(&token, '.')));
    wanted.extend([integration, wrong_integration].map(|token| tail(&token, '_')));
    let basic = BASE64_STANDARD.encode(format!("me:{}", secret("CLIENT")));
    wanted.push(basic[8..].to_owned());
    for one in &wanted {
        assert!(!told.contains(one), "{one} is told: {told}");
    }
    assert_eq!(found(home, &wanted), Vec::<String>::new(), "kept");
    assert!(
        found(home, &[SAID.to_owned()]).iter().any(|at| at.contains("legation.db")),
        "no search"
    );
    let log = fs::read_to_string(log).expect("a log");
    for level in ["TRACE", "DEBUG", "a credential is refused"] {
        assert!(log.contains(level), "no {level} in the log");
    }
}
