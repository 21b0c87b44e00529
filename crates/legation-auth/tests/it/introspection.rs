//! Tokens that their issuer is asked about.

use std::time::Duration;

use legation_auth::{Attempts, Carrier, Chain, Endpoint, Introspection, Line, Scheme, Verifier};
use legation_model::ErrorKind;
use serde_json::{Value, json};

use crate::head::bearer;
use crate::issuer::{Issuer, Page};

const TOKEN: &str = "opaque-token-of-someone";

async fn start(change: impl FnOnce(&mut Endpoint)) -> (Issuer, Chain) {
    let issuer = Issuer::start().await;
    let mut endpoint = Endpoint {
        client: Some(("me".into(), "pass: word".into())),
        issuer: Some("https://issuer.example".into()),
        ..Endpoint::new(format!("{}/introspect", issuer.url))
    };
    change(&mut endpoint);
    let line = Line::new(true).expect("a client");
    let asked = Introspection::new("oauth2", endpoint, line).expect("an address");
    let scheme = Scheme::new("oauth2", Carrier::Bearer, Verifier::Introspection(asked));
    let attempts = Attempts { count: u32::MAX, within: Duration::from_secs(1) };
    (issuer, Chain::new(vec![scheme], attempts))
}

#[tokio::test]
async fn without_the_issuers_word_nobody_is_let_in() {
    const REFUSED: ErrorKind = ErrorKind::Unauthenticated;
    const UNKNOWN: ErrorKind = ErrorKind::Unavailable;
    let slow = Page { delay: Duration::from_secs(60), ..Page::ok(r#"{"active":true,"sub":"a"}"#) };
    let says = |value: Value| Page::ok(value);
    let cases = [
        ("inactive", says(json!({"active": false, "sub": "ann"})), REFUSED),
        ("a text", says(json!({"active": "true", "sub": "ann"})), UNKNOWN),
        ("a number", says(json!({"active": 1, "sub": "ann"})), UNKNOWN),
        ("nothing", says(json!({"sub": "ann"})), UNKNOWN),
        ("no JSON", Page::ok("true"), UNKNOWN),
        ("HTML", Page::ok("<html>"), UNKNOWN),
        ("a fault", Page { status: 500, ..says(json!({"active": true, "sub": "a"})) }, UNKNOWN),
        ("our fault", Page { status: 401, ..says(json!({"active": true, "sub": "a"})) }, UNKNOWN),
        ("a redirect", Page { location: Some("/".into()), ..Page::status(307) }, UNKNOWN),
        ("too much", Page::ok(" ".repeat(1 << 20)), UNKNOWN),
        ("too slow", slow, UNKNOWN),
        ("nobody", says(json!({"active": true})), REFUSED),
        ("over", says(json!({"active": true, "sub": "ann", "exp": 1})), REFUSED),
        ("an odd end", says(json!({"active": true, "sub": "ann", "exp": "1"})), REFUSED),
        ("later", says(json!({"active": true, "sub": "a", "nbf": 9_999_999_999_u64})), REFUSED),
        ("another's", says(json!({"active": true, "sub": "a", "iss": "https://x"})), REFUSED),
        ("for others", says(json!({"active": true, "sub": "a", "aud": "x"})), REFUSED),
    ];
    let checks = cases.map(|(name, page, expected)| async move {
        let (issuer, door) = start(|endpoint| endpoint.audiences = vec!["us".into()]).await;
        issuer.lay("/introspect", page);
        assert_eq!(bearer(&door, TOKEN).await, Err(expected), "{name}");
    });
    futures::future::join_all(checks).await;
}

#[tokio::test]
async fn the_issuers_word_counts_for_a_while() {
    let (issuer, door) = start(|_| {}).await;
    issuer.lay("/introspect", Page::ok(json!({"active": true, "sub": "ann", "scope": "read"})));
    for _ in 0..3 {
        assert_eq!(bearer(&door, TOKEN).await.as_deref(), Ok("https://issuer.example#ann"));
    }
    assert_eq!(issuer.asked(), 1);
    let last = issuer.last.lock().clone();
    assert!(last.contains("authorization: Basic bWU6cGFzcyUzQSt3b3Jk"), "{last}");
    assert!(last.ends_with(&format!("token={TOKEN}&token_type_hint=access_token")), "{last}");
    issuer.lay("/introspect", Page::ok(json!({"active": false})));
    for _ in 0..3 {
        assert_eq!(bearer(&door, "another").await, Err(ErrorKind::Unauthenticated));
    }
    assert_eq!(issuer.asked(), 2, "its word against a token counts as well");
}

#[tokio::test]
async fn a_client_may_have_a_token_for_itself() {
    let (issuer, door) = start(|_| {}).await;
    issuer.lay("/introspect", Page::ok(json!({"active": true, "client_id": "robot"})));
    let robot = bearer(&door, TOKEN).await;
    assert_eq!(robot.as_deref(), Ok("https://issuer.example#client:robot"));
}

#[tokio::test]
async fn only_tokens_that_begin_so_are_asked_about() {
    let (issuer, door) = start(|endpoint| endpoint.prefix = Some("opaque-".into())).await;
    issuer.lay("/introspect", Page::ok(json!({"active": true, "sub": "ann"})));
    assert_eq!(bearer(&door, "other-token").await, Err(ErrorKind::Unauthenticated));
    assert_eq!(issuer.asked(), 0);
    assert!(bearer(&door, TOKEN).await.is_ok());
}
