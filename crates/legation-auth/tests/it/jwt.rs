//! Signed tokens: which are taken, and how keys are had.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use jsonwebtoken::{Algorithm, EncodingKey};
use legation_auth::{Attempts, Carrier, Chain, Jwt, Line, Rules, Scheme, Verifier};
use legation_core::Standing;
use legation_model::ErrorKind;
use serde_json::{Value, json};

use crate::head::{bearer, credentials, later};
use crate::issuer::{Issuer, Page, Signer, part};

const US: &str = "https://agents.example.com";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn claims(issuer: &Issuer) -> Value {
    let end = now() + 300;
    json!({"iss": issuer.url, "aud": US, "sub": "ann", "exp": end, "scope": "read"})
}

/// The claims with one of them changed, or removed by a null.
fn with(issuer: &Issuer, name: &str, value: Value) -> Value {
    let mut claims = claims(issuer);
    match value {
        Value::Null => drop(claims.as_object_mut().expect("an object").remove(name)),
        value => claims[name] = value,
    }
    claims
}

fn door_of(rules: Rules) -> Chain {
    let line = Line::new(true).expect("a client");
    let jwt = Jwt::new("oidc", rules, line).expect("an address");
    let attempts = Attempts { count: u32::MAX, within: Duration::from_secs(1) };
    Chain::new(vec![Scheme::new("oidc", Carrier::Bearer, Verifier::Jwt(jwt))], attempts)
}

fn rules(issuer: &Issuer) -> Rules {
    Rules::new(&issuer.url, vec![US.into()])
}

fn door(issuer: &Issuer) -> Chain {
    door_of(rules(issuer))
}

const REFUSED: Result<String, ErrorKind> = Err(ErrorKind::Unauthenticated);
const UNKNOWN: Result<String, ErrorKind> = Err(ErrorKind::Unavailable);

#[tokio::test]
async fn tokens_of_every_kind_of_key_are_known() {
    let issuer = Issuer::start().await;
    let signers = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256, Algorithm::PS384]
        .map(|algorithm| Signer::new(&format!("{algorithm:?}"), algorithm));
    issuer.publish(&signers.each_ref());
    let door = door(&issuer);
    let ann = Ok(format!("{}#ann", issuer.url));
    for signer in &signers {
        let token = signer.sign(&claims(&issuer));
        assert_eq!(bearer(&door, &token).await, ann, "{:?}", signer.algorithm);
        assert_eq!(bearer(&door, &token).await, ann, "again, from memory");
        let mut changed = token.clone().into_bytes();
        let dot = token.rfind('.').expect("a dot");
        changed[dot - 3] ^= 1;
        let changed = String::from_utf8(changed).expect("ASCII");
        assert_eq!(bearer(&door, &changed).await, REFUSED, "{:?}", signer.algorithm);
    }
    assert_eq!(issuer.asked(), 2, "the document and the keys, once");
}

#[tokio::test]
async fn a_token_does_not_choose_its_algorithm_or_its_key() {
    let issuer = Issuer::start().await;
    let (rsa, ec) = (Signer::new("rsa", Algorithm::RS256), Signer::new("ec", Algorithm::ES256));
    issuer.publish(&[&rsa, &ec]);
    let (door, claims) = (door(&issuer), claims(&issuer));
    let mut tokens = Vec::new();
    for none in ["none", "None", "NONE", ""] {
        let header = json!({"alg": none, "kid": "rsa"});
        tokens.push(format!("{}.{}.", part(&header), part(&claims)));
        tokens.push(rsa.sign_as(&header, &claims));
    }
    // The public key as a shared secret, in the forms in which it is known.
    let jwk = rsa.jwk.to_string();
    let modulus = rsa.jwk["n"].as_str().expect("a modulus");
    let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(modulus).expect("base64");
    for (name, algorithm) in
        [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)]
    {
        for secret in [jwk.as_bytes(), modulus.as_bytes(), &bytes] {
            let header = json!({"alg": name, "kid": "rsa"});
            let text = format!("{}.{}", part(&header), part(&claims));
            let key = EncodingKey::from_secret(secret);
            let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &key, algorithm);
            tokens.push(format!("{text}.{}", signature.expect("a signature")));
        }
    }
    tokens.push(ec.sign_as(&json!({"alg": "RS256", "kid": "ec"}), &claims));
    tokens.push(ec.sign_as(&json!({"alg": "ES256", "kid": "rsa"}), &claims));
    for member in ["jwk", "jku", "x5c", "x5u", "crit", "b64"] {
        let header = json!({"alg": "ES256", "kid": "ec", (member): ec.jwk});
        tokens.push(ec.sign_as(&header, &claims));
    }
    tokens.push(ec.sign_as(&json!({"alg": "ES256", "kid": "ec", "typ": "logout+jwt"}), &claims));
    tokens.push(ec.sign_as(&json!({"alg": "ES256", "kid": 7}), &claims));
    // A key of the same name that the issuer does not have.
    tokens.push(Signer::new("ec", Algorithm::ES256).sign(&claims));
    for token in tokens {
        assert_eq!(bearer(&door, &token).await, REFUSED, "{token}");
    }
    for kind in ["JWT", "at+jwt", "application/at+jwt"] {
        let header = json!({"alg": "ES256", "kid": "ec", "typ": kind});
        assert!(bearer(&door, &ec.sign_as(&header, &claims)).await.is_ok(), "{kind}");
    }
    let header = json!({"alg": "ES256"});
    assert!(bearer(&door, &ec.sign_as(&header, &claims)).await.is_ok(), "any key that fits");
}

#[tokio::test]
async fn claims_have_to_be_there_and_right() {
    let issuer = Issuer::start().await;
    let signer = Signer::new("k", Algorithm::ES256);
    issuer.publish(&[&signer]);
    let door = door_of(Rules { required_claims: vec!["scope".into()], ..rules(&issuer) });
    let now = now();
    let good = [
        ("aud", json!([US, "other"])),
        ("exp", json!(now - 58)),
        ("nbf", json!(now + 58)),
        ("iat", json!(now)),
        ("exp", json!(f64::from(u32::try_from(now).expect("before 2106")) + 10.5)),
    ];
    for (name, value) in good {
        let token = signer.sign(&with(&issuer, name, value.clone()));
        assert!(bearer(&door, &token).await.is_ok(), "{name}: {value}");
    }
    let bad = [
        ("iss", Value::Null),
        ("iss", json!("https://other.example")),
        ("iss", json!(7)),
        ("iss", json!([issuer.url])),
        ("aud", Value::Null),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", json!([US, 7])),
        ("aud", json!({"x": US})),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("exp", Value::Null),
        ("exp", json!(now - 62)),
        ("exp", json!((now + 100).to_string())),
        ("exp", json!("2099-01-01T00:00:00Z")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("nbf", json!(now + 63)),
        ("nbf", json!("0")),
        ("iat", json!(now + 3600)),
        ("scope", Value::Null),
        ("nonce", json!("n")),
        ("at_hash", json!("h")),
    ];
    for (name, value) in bad {
        let token = signer.sign(&with(&issuer, name, value.clone()));
        assert_eq!(bearer(&door, &token).await, REFUSED, "{name}: {value}");
    }
}

#[tokio::test]
async fn keys_are_rotated_and_a_flood_of_unknown_names_fetches_nothing() {
    let issuer = Issuer::start().await;
    let (old, new) = (Signer::new("old", Algorithm::ES256), Signer::new("new", Algorithm::ES256));
    issuer.publish(&[&old]);
    let door = door(&issuer);
    assert!(bearer(&door, &old.sign(&claims(&issuer))).await.is_ok());
    let asked = issuer.asked();
    issuer.publish(&[&old, &new]);
    for number in 0..1000 {
        let header = json!({"alg": "ES256", "kid": format!("k-{number}")});
        let token = new.sign_as(&header, &claims(&issuer));
        assert_eq!(bearer(&door, &token).await, REFUSED);
    }
    assert!(issuer.asked() - asked <= 2, "once in 30 s, not {}", issuer.asked() - asked);
}

#[tokio::test]
async fn many_callers_at_once_make_one_fetch() {
    let issuer = Issuer::start().await;
    let signer = Signer::new("k", Algorithm::ES256);
    issuer.publish(&[&signer]);
    let door = door(&issuer);
    let tokens: Vec<_> = (0..50)
        .map(|number| signer.sign(&with(&issuer, "sub", json!(format!("s-{number}")))))
        .collect();
    let all = futures::future::join_all(tokens.iter().map(|token| bearer(&door, token))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(issuer.asked(), 2);
}

/// What an issuer publishes that it must not: nobody is let in, and nothing else is called.
#[tokio::test]
async fn issuers_that_are_not_in_order_let_nobody_in() {
    let other = Issuer::start().await;
    let signer = Signer::new("k", Algorithm::ES256);
    other.publish(&[&signer]);
    let discovery = "/.well-known/openid-configuration";
    let document = |issuer: &str, keys: &str| Page::ok(json!({"issuer": issuer, "jwks_uri": keys}));
    type Lay = Box<dyn Fn(&Issuer)>;
    let elsewhere = other.url.replace("127.0.0.1", "localhost");
    let set = |key: Value| json!({"keys": [key]});
    let mut encrypting = signer.jwk.clone();
    encrypting["use"] = json!("enc");
    let mut other_algorithm = signer.jwk.clone();
    other_algorithm["alg"] = json!("RS256");
    let mut for_signing = signer.jwk.clone();
    for_signing["key_ops"] = json!(["sign"]);
    let oct = json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "HS256"});
    let keys =
        |body: Value| -> Lay { Box::new(move |issuer| issuer.lay("/jwks", Page::ok(&body))) };
    let cases: Vec<(&str, Lay)> = vec![
        (
            "another issuer",
            Box::new(move |i| {
                i.lay(discovery, document("https://other.example", &format!("{}/jwks", i.url)));
            }),
        ),
        (
            "its address with a slash",
            Box::new(move |i| {
                i.lay(discovery, document(&format!("{}/", i.url), &format!("{}/jwks", i.url)));
            }),
        ),
        (
            "keys elsewhere",
            Box::new(move |i| {
                i.lay(discovery, document(&i.url, &format!("{elsewhere}/jwks")));
            }),
        ),
        (
            "keys in a file",
            Box::new(move |i| i.lay(discovery, document(&i.url, "file:///etc/passwd"))),
        ),
        ("no document", Box::new(move |i| i.lay(discovery, Page::status(500)))),
        (
            "a redirect",
            Box::new(|i| {
                let location = Some("http://169.254.169.254/".into());
                i.lay("/jwks", Page { location, ..Page::status(302) });
            }),
        ),
        ("HTML", Box::new(|i| i.lay("/jwks", Page::ok("<html></html>")))),
        ("10,000 keys", keys(json!({"keys": vec![&signer.jwk; 10_000]}))),
        (
            "drips",
            Box::new(|i| {
                let jwks = Page::ok(json!({"keys": []}));
                i.lay("/jwks", Page { delay: Duration::from_secs(60), ..jwks });
            }),
        ),
        ("5 MB", Box::new(|i| i.lay("/jwks", Page::ok(" ".repeat(5_000_000))))),
        ("a list", keys(json!([]))),
        ("no keys", keys(json!({"keys": []}))),
        ("a key for encryption", keys(set(encrypting))),
        ("a key for another algorithm", keys(set(other_algorithm))),
        ("a key to sign with", keys(set(for_signing))),
        ("a shared secret", keys(set(oct))),
    ];
    let (signer, other) = (&signer, &other);
    let checks = cases.into_iter().map(|(name, lay)| async move {
        let issuer = Issuer::start().await;
        issuer.publish(&[signer]);
        lay(&issuer);
        let token = signer.sign(&claims(&issuer));
        assert_eq!(bearer(&door(&issuer), &token).await, UNKNOWN, "{name}");
        assert_eq!(other.asked(), 0, "{name}");
    });
    futures::future::join_all(checks).await;
}

/// Nothing forbids it, and an issuer that is being moved may do it.
#[tokio::test]
async fn keys_of_one_name_are_all_tried_and_too_many_are_not() {
    let issuer = Issuer::start().await;
    let signers: Vec<_> = (0..9).map(|_| Signer::new("k", Algorithm::ES256)).collect();
    issuer.publish(&signers.iter().collect::<Vec<_>>());
    let door = door(&issuer);
    for (number, signer) in signers.iter().enumerate() {
        let known = bearer(&door, &signer.sign(&claims(&issuer))).await;
        assert_eq!(known.is_ok(), number < 8, "{number}");
    }
}

#[tokio::test]
async fn keys_at_hand_outlive_an_outage() {
    let issuer = Issuer::start().await;
    let signer = Signer::new("k", Algorithm::ES256);
    issuer.publish(&[&signer]);
    let door = door_of(Rules { remember: Duration::ZERO, ..rules(&issuer) });
    let token = signer.sign(&claims(&issuer));
    assert!(bearer(&door, &token).await.is_ok());
    issuer.lay("/jwks", Page::status(500));
    // Not asked about again so soon: the answer of a moment ago has no such key.
    let stranger = Signer::new("stranger", Algorithm::ES256);
    assert_eq!(bearer(&door, &stranger.sign(&claims(&issuer))).await, REFUSED);
    assert!(bearer(&door, &token).await.is_ok(), "the keys at hand are kept");
}

#[tokio::test]
async fn private_addresses_are_called_only_when_allowed() {
    let issuer = Issuer::start().await;
    let line = Line::new(false).expect("a client");
    assert!(Jwt::new("oidc", rules(&issuer), line.clone()).is_err(), "without TLS");
    let private = Rules::new(issuer.url.replace("http:", "https:"), vec![US.into()]);
    let jwt = Jwt::new("oidc", private.clone(), line).expect("an https address");
    let scheme = Scheme::new("oidc", Carrier::Bearer, Verifier::Jwt(jwt));
    let door = Chain::new(vec![scheme], Attempts::default());
    let signer = Signer::new("k", Algorithm::ES256);
    let mut claims = claims(&issuer);
    claims["iss"] = json!(private.issuer);
    assert_eq!(bearer(&door, &signer.sign(&claims)).await, UNKNOWN);
    assert_eq!(issuer.asked(), 0, "the guard is before the line");
}

#[tokio::test]
async fn a_token_does_not_stand_longer_than_its_key_by_much() {
    let issuer = Issuer::start().await;
    let [old, new] = ["old", "new"].map(|name| Signer::new(name, Algorithm::EdDSA));
    issuer.publish(&[&old]);
    let door = door(&issuer);
    let shown = credentials(&door, &old.sign(&claims(&issuer))).await;
    issuer.publish(&[&old, &new]);
    later(Duration::from_secs(31)).await;
    assert_eq!(shown.clone().standing().await, Standing::Good);
    issuer.publish(&[&new]);
    assert_eq!(shown.clone().standing().await, Standing::Good, "looked at a moment ago");
    later(Duration::from_secs(31)).await;
    assert_eq!(shown.standing().await, Standing::Ended);
    let shown = credentials(&door, &new.sign(&claims(&issuer))).await;
    issuer.lay("/jwks", Page::status(500));
    later(Duration::from_secs(31)).await;
    assert_eq!(shown.standing().await, Standing::Good, "by the keys of before");
}
