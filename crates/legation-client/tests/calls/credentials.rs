//! Credentials against servers that check them by the standards, on their own.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, SHA512_256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use legation_client::credentials::KeyPlace;
use legation_client::{Binding, Client, Credential, Credentials, Error, Options};
use legation_model::{ErrorKind, GetTaskRequest, TaskId};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::server::{Answer, Asked, Server, hasty};

/// A card with these schemes and requirements for the server itself.
pub(crate) fn card(base: &str, schemes: &Value, requirements: &Value) -> String {
    json!({
        "name": "Guarded", "description": "d", "version": "1", "skills": [],
        "capabilities": { "streaming": true },
        "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
        "supportedInterfaces": [
            { "url": format!("{base}/rest"), "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0" },
            { "url": format!("{base}/rpc"), "protocolBinding": "JSONRPC", "protocolVersion": "1.0" },
        ],
        "securitySchemes": schemes,
        "securityRequirements": requirements,
    })
    .to_string()
}

pub(crate) fn needing(names: &[&str]) -> Value {
    let schemes: serde_json::Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), json!({ "list": [] }))).collect();
    json!([{ "schemes": schemes }])
}

pub(crate) fn task(asked: &Asked) -> Answer {
    const TASK: &str = r#"{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}"#;
    match asked.path.starts_with("/rpc") {
        true => Answer::json(200, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{TASK}}}"#)),
        false => Answer::json(200, TASK),
    }
}

pub(crate) fn refuse(challenges: &[&str]) -> Answer {
    let mut answer = Answer::json(401, "{}");
    answer.headers.extend(challenges.iter().map(|it| ("www-authenticate", (*it).to_owned())));
    answer
}

pub(crate) fn get() -> GetTaskRequest {
    let id = TaskId::parse("t").expect("a valid id");
    GetTaskRequest { tenant: None, id, history_length: None }
}

/// An agent with a card of these schemes, at `/card.json`, whose calls the script answers.
pub(crate) async fn agent(
    schemes: Value,
    requirements: Value,
    script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> Server {
    Server::start(move |asked: &Asked| {
        if !asked.path.starts_with("/card.json") {
            return script(asked);
        }
        let host = asked.header("host").expect("HTTP/1.1 has one");
        Answer::json(200, card(&format!("http://{host}"), &schemes, &requirements))
    })
    .await
}

pub(crate) async fn client(server: &Server, credentials: Credentials) -> Result<Client, Error> {
    let options = Options { credentials, ..hasty() };
    Client::discover(&format!("{}/card.json", server.url()), options).await
}

/// The parameters of an `Authorization` of Digest.
fn parameters(header: &str) -> HashMap<String, String> {
    let list = header.strip_prefix("Digest ").expect("a digest").split(", ");
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').expect("a pair");
        (name.to_owned(), value.trim_matches('"').to_owned())
    };
    list.map(pair).collect()
}

fn hash(algorithm: &str, text: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match algorithm.trim_end_matches("-sess") {
        "MD5" => format!("{:x}", md5::compute(text)),
        "SHA-256" => hex(digest(&SHA256, text.as_bytes()).as_ref()),
        "SHA-512-256" => hex(digest(&SHA512_256, text.as_bytes()).as_ref()),
        other => panic!("{other}"),
    }
}

/// A server's side of RFC 7616: nonces that are good for so many answers, counts that only grow.
struct Checker {
    algorithm: &'static str,
    userhash: bool,
    uses: u32,
    nonces: Mutex<HashMap<String, u32>>,
}

impl Checker {
    fn challenge(&self, stale: bool) -> Answer {
        let mut nonces = self.nonces.lock();
        let nonce = format!("nonce-{}", nonces.len());
        let userhash = if self.userhash { ", userhash=true" } else { "" };
        let challenge = format!(
            r#"Digest realm="a \"quoted\" realm", qop="auth-int,auth", nonce="{nonce}", opaque="o", algorithm={}, stale={stale}{userhash}"#,
            self.algorithm
        );
        nonces.insert(nonce, 0);
        refuse(&["Negotiate", &challenge])
    }

    fn check(&self, asked: &Asked) -> Answer {
        let Some(header) = asked.header("authorization") else { return self.challenge(false) };
        let header = header.replace("\\\"", "'");
        let given = parameters(&header);
        let get = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
        let realm = "a \"quoted\" realm";
        let hash = |text: String| hash(self.algorithm, &text);
        let user = if self.userhash { hash(format!("Mufasa:{realm}")) } else { "Mufasa".into() };
        let mut secret = hash(format!("Mufasa:{realm}:Circle of Life"));
        let (nonce, cnonce, nc) = (get("nonce"), get("cnonce"), get("nc"));
        if self.algorithm.ends_with("-sess") {
            secret = hash(format!("{secret}:{nonce}:{cnonce}"));
        }
        let request = hash(format!("{}:{}", asked.method, asked.path));
        let response = hash(format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{request}"));
        let count = u32::from_str_radix(nc, 16).expect("a count");
        {
            let mut nonces = self.nonces.lock();
            let Some(last) = nonces.get_mut(nonce) else { return refuse(&["Digest"]) };
            assert!(nc.len() == 8 && count == *last + 1, "{nc} after {last}");
            assert_eq!((get("uri"), get("qop"), get("opaque")), (&*asked.path, "auth", "o"));
            *last = count;
        }
        if (get("username"), get("response")) != (&user, &response) {
            return self.challenge(false);
        }
        if count > self.uses { self.challenge(true) } else { task(asked) }
    }
}

#[tokio::test]
async fn digest_is_answered_as_the_standard_says_in_every_algorithm() {
    let schemes = json!({ "digest": { "httpAuthSecurityScheme": { "scheme": "Digest" } } });
    let strong = || Credential::digest("Mufasa", "Circle of Life");
    let weak = || Credential::weak_digest("Mufasa", "Circle of Life");
    let wrong = || Credential::digest("Mufasa", "Hakuna Matata");
    // The algorithm, the credential, and how many of four calls succeed with how many requests. A
    // nonce is good for three answers, so the fourth call has its first answer refused as stale.
    let cases = [
        ("SHA-256", false, strong(), 4, 6),
        ("SHA-256", true, strong(), 4, 6),
        ("SHA-256-sess", false, strong(), 4, 6),
        ("SHA-512-256", false, strong(), 4, 6),
        ("MD5", false, weak(), 4, 6),
        ("MD5-sess", false, weak(), 4, 6),
        ("MD5", false, strong(), 0, 4),
        // One try to learn the challenge; then the refused answer, once for each call.
        ("SHA-256", false, wrong(), 0, 5),
    ];
    for (algorithm, userhash, credential, successes, requests) in cases {
        for binding in [Binding::HttpJson, Binding::JsonRpc] {
            let nonces = Mutex::default();
            let checker = Checker { algorithm, userhash, uses: 3, nonces };
            let server =
                agent(schemes.clone(), needing(&["digest"]), move |asked| checker.check(asked))
                    .await;
            let options = Options {
                credentials: credential.clone().into(),
                binding: Some(binding),
                ..hasty()
            };
            let client = Client::discover(&format!("{}/card.json", server.url()), options).await;
            let client = client.expect("a card");
            let mut good = 0;
            for _ in 0..4 {
                match client.get_task(get()).await {
                    Ok(_) => good += 1,
                    Err(error) => assert_eq!(error.kind(), Some(ErrorKind::Unauthenticated)),
                }
            }
            // The card is one more.
            let asked = server.asked.lock().len() - 1;
            assert_eq!((good, asked), (successes, requests), "{algorithm} {binding:?}");
            let seen = server.asked.lock();
            assert!(seen.iter().all(|asked| !format!("{asked:?}").contains("Circle")));
        }
    }
}

#[tokio::test]
async fn what_the_card_asks_for_goes_where_it_says_and_nothing_else_goes() {
    let schemes = json!({
        "basic": { "httpAuthSecurityScheme": { "scheme": "Basic" } },
        "bearer": { "httpAuthSecurityScheme": { "scheme": "bearer" } },
        "header": { "apiKeySecurityScheme": { "location": "header", "name": "X-Key" } },
        "query": { "apiKeySecurityScheme": { "location": "query", "name": "the key" } },
        "cookie": { "apiKeySecurityScheme": { "location": "cookie", "name": "session" } },
    });
    let basic = || Credential::basic("Aladdin", "open:sesame").expect("a pair");
    let bearer = || Credential::bearer("b/e+arer").expect("a token");
    let key = || Credential::api_key("k&e=y");
    let pair = format!("Basic {}", BASE64_STANDARD.encode("Aladdin:open:sesame"));
    let all = || Credentials::none().and(basic()).and(bearer()).and(key());
    type Case<'c> = (&'c [&'c str], [Option<&'c str>; 3], &'c str);
    let cases: [Case<'_>; 6] = [
        (&["basic"], [Some(&pair), None, None], "/rest/tasks/t"),
        (&["bearer"], [Some("Bearer b/e+arer"), None, None], "/rest/tasks/t"),
        (&["header"], [None, Some("k&e=y"), None], "/rest/tasks/t"),
        (&["query"], [None, None, None], "/rest/tasks/t?the+key=k%26e%3Dy"),
        (&["cookie"], [None, None, Some("session=k&e=y")], "/rest/tasks/t"),
        (
            &["bearer", "cookie"],
            [Some("Bearer b/e+arer"), None, Some("session=k&e=y")],
            "/rest/tasks/t",
        ),
    ];
    for (names, [authorization, header, cookie], path) in cases {
        let server = agent(schemes.clone(), needing(names), task).await;
        let client = client(&server, all()).await.expect("satisfied");
        client.get_task(get()).await.expect("a task");
        let asked = server.asked.lock();
        let call = asked.last().expect("a call");
        assert_eq!(call.path, path, "{names:?}");
        let got = ["authorization", "x-key", "cookie"].map(|name| call.header(name));
        assert_eq!(got, [authorization, header, cookie], "{names:?}");
    }
}

#[tokio::test]
async fn credentials_that_do_not_fit_are_told_before_anything_is_sent() {
    let schemes =
        json!({ "k": { "apiKeySecurityScheme": { "location": "header", "name": "X-Key" } } });
    let bearer = Credential::bearer("s3cret").expect("a token");
    let server = agent(schemes.clone(), needing(&["k"]), task).await;
    let error = client(&server, bearer.clone().into()).await.expect_err("not a key");
    assert!(matches!(&error, Error::Unsatisfied { .. }), "{error:?}");
    let told = error.to_string();
    assert!(told.contains("an API key in the header `X-Key` (`k`)"), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
    assert_eq!(server.asked.lock().len(), 1, "the card alone");

    // Who has none is let try, and is told what was missing by card and server.
    let server = agent(schemes, needing(&["k"]), |_| refuse(&["ApiKey realm=x", "Bearer"])).await;
    let client = client(&server, Credentials::none()).await.expect("let try");
    let error = client.get_task(get()).await.expect_err("refused");
    assert_eq!(error.kind(), Some(ErrorKind::Unauthenticated));
    let told = error.to_string();
    let expected = "the agent's card asks for an API key in the header `X-Key` (`k`); the server \
        asks for `ApiKey realm=x`, `Bearer`";
    assert!(told.contains(expected), "{told}");
}

#[tokio::test]
async fn a_credential_is_for_its_origin_and_follows_no_redirect() {
    let thief = Arc::new(Server::start(|_: &Asked| Answer::json(200, "{}")).await);
    let target = thief.url();
    let schemes = json!({
        "b": { "httpAuthSecurityScheme": { "scheme": "bearer" } },
        "k": { "apiKeySecurityScheme": { "location": "query", "name": "k" } },
    });
    let credentials = || {
        let place = KeyPlace::Query("k".into());
        let bearer = Credential::bearer("s3cret").expect("a token");
        Credentials::none().and(bearer).and(Credential::api_key_in("s3cret", place))
    };
    for status in [301, 302, 303, 307, 308, 401] {
        let to = format!("{target}/stolen");
        let script = move |_: &Asked| {
            let mut answer = Answer::json(status, "{}");
            answer.headers.push(("location", to.clone()));
            answer
        };
        let server = agent(schemes.clone(), needing(&["b", "k"]), script).await;
        let client = client(&server, credentials()).await.expect("a card");
        client.get_task(get()).await.expect_err("a redirect");
        let calls = server
            .asked
            .lock()
            .iter()
            .filter(|asked| !asked.path.starts_with("/card.json"))
            .count();
        assert_eq!(calls, 1, "{status}");
    }
    assert!(thief.asked.lock().is_empty());

    // Of another origin, it goes nowhere, not even with the question for the card.
    let server = agent(schemes, needing(&["b"]), |_| refuse(&[])).await;
    let other = vec![thief.url().parse().expect("a URL")];
    let bearer = Credential::bearer("s3cret").expect("a token").only_at(other);
    let client = client(&server, bearer.into()).await.expect("let try");
    client.get_task(get()).await.expect_err("without");
    assert!(server.asked.lock().iter().all(|asked| !format!("{asked:?}").contains("s3cret")));
}
