//! Tokens that their issuer is asked about.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use legation_auth::{
    Attempts, Audience, Carrier, Chain, Endpoint, Introspection, Jwt, Line, Rules, Scheme, Token,
    Tokens, Verifier,
};
use legation_core::{Caller, Standing};
use legation_model::{ErrorKind, Timestamp};
use serde_json::{Value, json};

use crate::head::{Head, bearer, credentials, later};
use crate::issuer::{Issuer, Page, Signer};

const TOKEN: &str = "opaque-token-of-someone";

fn ours() -> Audience {
    Audience::Of(vec!["us".into()])
}

async fn start(change: impl FnOnce(&mut Endpoint)) -> (Issuer, Chain) {
    let issuer = Issuer::start().await;
    let mut endpoint = Endpoint {
        client: Some(("me".into(), "pass: word".into())),
        issuer: Some("https://issuer.example".into()),
        ..Endpoint::new(format!("{}/introspect", issuer.url), Audience::Any)
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
        ("for nobody", says(json!({"active": true, "sub": "a"})), REFUSED),
    ];
    let checks = cases.map(|(name, page, expected)| async move {
        let (issuer, door) = start(|endpoint| endpoint.audience = ours()).await;
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

/// Each of those who waited used to ask again.
#[tokio::test]
async fn those_who_wait_with_one_token_share_the_answer() {
    let slow =
        |status, body: Value| Page { status, delay: Duration::from_millis(200), ..Page::ok(body) };
    let cases = [
        (slow(200, json!({"active": true, "sub": "ann"})), Ok("https://issuer.example#ann")),
        (slow(200, json!({"active": false})), Err(ErrorKind::Unauthenticated)),
        (slow(500, json!({})), Err(ErrorKind::Unavailable)),
    ];
    for (page, expected) in cases {
        let (issuer, door) = start(|_| {}).await;
        issuer.lay("/introspect", page);
        let all = futures::future::join_all((0..100).map(|_| bearer(&door, TOKEN))).await;
        for one in all {
            assert_eq!(one.as_deref().map_err(|kind| *kind), expected);
        }
        assert_eq!(issuer.asked(), 1, "{expected:?}");
    }
}

/// An endpoint without a prefix used to hear of every token: of schemes that do not count for the
/// agent, and of issuers that stand later in the file.
#[tokio::test]
async fn who_is_asked_about_any_token_hears_of_none_that_is_another_schemes() {
    const STATIC: &str = "a-static-token-of-32-bytes-or-so";
    let asked = Issuer::start().await;
    asked.lay("/introspect", Page::ok(json!({"active": true, "sub": "ann"})));
    let other = Issuer::start().await;
    let signer = Signer::new("k", Algorithm::ES256);
    other.publish(&[&signer]);
    let line = || Line::new(true).expect("a client");
    let bearer_of = |name, verifier| Scheme::new(name, Carrier::Bearer, verifier);
    let endpoint = Endpoint::new(format!("{}/introspect", asked.url), Audience::Any);
    let any = Introspection::new("any", endpoint.clone(), line()).expect("an address");
    let begins = Endpoint { prefix: Some("ent_".into()), ..endpoint };
    let begins = Introspection::new("ent", begins, line()).expect("an address");
    let jwt = Jwt::new("oidc", Rules::new(&other.url, vec!["us".into()]), line());
    let token = Token::new(STATIC, Caller::new("acme", "static")).expect("no weak token");
    let door = Chain::new(
        vec![
            bearer_of("any", Verifier::Introspection(any)),
            bearer_of("oidc", Verifier::Jwt(jwt.expect("an address"))),
            bearer_of("static", Verifier::Tokens(Tokens::new(vec![token]))),
            bearer_of("ent", Verifier::Introspection(begins)),
        ],
        Attempts::default(),
    );
    let now = Timestamp::now().as_millis() / 1000;
    let claims = json!({"iss": other.url, "aud": "us", "sub": "eve", "exp": now + 60});
    let signed = signer.sign(&claims);
    let foreign = signer.sign(&json!({"iss": "https://else.example", "aud": "us", "sub": "x"}));
    let all: Option<&[&str]> = None;
    let cases = [
        (STATIC, all, Ok("static".to_owned()), false),
        (&signed, all, Ok(format!("{}#eve", other.url)), false),
        (TOKEN, all, Ok(format!("{}/introspect#ann", asked.url)), true),
        (&foreign, all, Ok(format!("{}/introspect#ann", asked.url)), true),
        (STATIC, Some(&["any"]), Err(ErrorKind::Unauthenticated), false),
        (&signed, Some(&["any"]), Err(ErrorKind::Unauthenticated), false),
        ("ent_x", Some(&["any"]), Err(ErrorKind::Unauthenticated), false),
        ("other", Some(&["any"]), Ok(format!("{}/introspect#ann", asked.url)), true),
        ("another", Some(&["oidc"]), Err(ErrorKind::Unauthenticated), false),
    ];
    for (number, (token, schemes, expected, hears)) in cases.into_iter().enumerate() {
        let before = asked.asked();
        let head = Head {
            lines: vec![("authorization", format!("Bearer {token}"))],
            schemes: schemes.map(|names| names.iter().map(|name| (*name).into()).collect()),
            ..Head::default()
        };
        let known = head.to(&door).await.map(|caller| caller.subject.to_string());
        assert_eq!(known.map_err(|refused| refused.error.kind), expected, "case {number}");
        assert_eq!(asked.asked() > before, hears, "case {number}");
    }
}

#[tokio::test]
async fn whether_a_token_still_stands_is_asked_again() {
    let active = |scope: &str| Page::ok(json!({"active": true, "sub": "ann", "scope": scope}));
    let cases = [
        ("the same", active("read send"), Standing::Good),
        ("inactive", Page::ok(json!({"active": false})), Standing::Ended),
        ("for less", active("read"), Standing::Ended),
        ("nobody can tell", Page::status(500), Standing::Unknown),
    ];
    for (name, page, expected) in cases {
        let (issuer, door) = start(|_| {}).await;
        issuer.lay("/introspect", active("read send"));
        let shown = credentials(&door, TOKEN).await;
        issuer.lay("/introspect", page);
        assert_eq!(shown.clone().standing().await, Standing::Good, "{name}: asked just now");
        assert_eq!(issuer.asked(), 1, "{name}");
        later(Duration::from_secs(31)).await;
        assert_eq!(shown.standing().await, expected, "{name}");
    }
}
