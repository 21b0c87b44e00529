use legation_model::AgentCard;
use serde_json::{Value, json};

use super::canonical::canonical;
use super::*;
use crate::card::{CardForm, write};

/// A card with fields of every presence: required ones, set and unset optional ones, empty lists.
fn card() -> AgentCard {
    serde_json::from_value(json!({
        "name": "Größe €",
        "description": "d",
        "version": "1.0",
        "supportedInterfaces": [
            {"url": "https://a.example/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        ],
        "capabilities": {
            "streaming": false,
            "extensions": [{"uri": "urn:x", "params": {"z": 1.0, "\u{10000}": 1, "ﬀ": 1e21}}],
        },
        "securitySchemes": {"bearer": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}},
        "securityRequirements": [{"schemes": {"bearer": {"list": []}}}],
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": "s", "name": "S", "description": "does", "tags": ["t"]}],
        "documentationUrl": "",
    }))
    .expect("a card")
}

fn signer(algorithm: Algorithm, name: &str) -> Signer {
    let pem = Signer::generate(algorithm);
    Signer::from_pem(pem.as_bytes(), Some(name.into()), Some(algorithm)).expect("a key")
}

fn signed(signers: &[&Signer]) -> AgentCard {
    let mut card = card();
    card.signatures = signers.iter().map(|signer| signer.sign(&card)).collect();
    card
}

fn trusting(signers: &[&Signer]) -> KeySet {
    let set = publish(signers.iter().copied());
    KeySet::read(set.to_string().as_bytes()).expect("a set of keys")
}

/// The verdict in a word.
fn word(card: &str, keys: &KeySet) -> &'static str {
    match verify(card.as_bytes(), keys, 1_000) {
        Ok(Verdict::Verified { .. }) => "verified",
        Ok(Verdict::UnknownKey { .. }) => "unknown",
        Ok(Verdict::BadSignature { .. }) => "bad",
        Ok(Verdict::Unsigned) => "unsigned",
        Err(_) => "none",
    }
}

#[test]
fn the_canonical_form_has_the_members_that_count_in_the_order_of_rfc_8785() {
    let value = serde_json::to_value(card()).expect("JSON");
    let text = String::from_utf8(canonical(&value).expect("a card")).expect("UTF-8");
    insta::assert_snapshot!(text, @r#"{"capabilities":{"extensions":[{"params":{"z":1,"𐀀":1,"ﬀ":1e+21},"uri":"urn:x"}],"streaming":false},"defaultInputModes":["text/plain"],"defaultOutputModes":["text/plain"],"description":"d","documentationUrl":"","name":"Größe €","securityRequirements":[{"schemes":{"bearer":{}}}],"securitySchemes":{"bearer":{"httpAuthSecurityScheme":{"scheme":"Bearer"}}},"skills":[{"description":"does","id":"s","name":"S","tags":["t"]}],"supportedInterfaces":[{"protocolBinding":"JSONRPC","protocolVersion":"1.0","url":"https://a.example/a2a"}],"version":"1.0"}"#);
    let numbers = [
        ("1.0", "1"),
        ("-0.0", "0"),
        ("1e21", "1e+21"),
        ("1e-7", "1e-7"),
        ("333333333.33333329", "333333333.3333333"),
    ];
    for (given, expected) in numbers {
        let card = format!(r#"{{"capabilities":{{"extensions":[{{"params":{{"n":{given}}}}}]}}}}"#);
        let value = strict::read(card.as_bytes()).expect("JSON");
        let text = String::from_utf8(canonical(&value).expect("a card")).expect("UTF-8");
        assert!(text.contains(&format!(r#"{{"n":{expected}}}"#)), "{given}: {text}");
    }
}

#[test]
fn every_algorithm_signs_cards_that_verify_in_the_forms_that_1_0_reads() {
    let mut rsa = None;
    for algorithm in Algorithm::ALL {
        // Keys of RSA take long to make, and one is for all six.
        let pem = if algorithm.name().contains("S2")
            || rsa.is_none()
            || !algorithm.name().starts_with(['R', 'P'])
        {
            Signer::generate(algorithm)
        } else {
            rsa.clone().expect("made before")
        };
        if algorithm == Algorithm::Rs256 {
            rsa = Some(pem.clone());
        }
        let signer = Signer::from_pem(pem.as_bytes(), None, Some(algorithm)).expect("a key");
        assert_eq!(signer.name(), signer.public().thumbprint());
        let (card, keys) = (signed(&[&signer]), trusting(&[&signer]));
        for form in [CardForm::V1_0, CardForm::Hybrid] {
            let json = write(&card, form);
            let verdict = verify(&json, &keys, 0).expect("a card");
            let key = signer.name().to_owned();
            let thumbprint = signer.public().thumbprint();
            assert_eq!(verdict, Verdict::Verified { key, algorithm, thumbprint }, "{form:?}");
        }
    }
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let pem = Signer::generate(Algorithm::Es256);
    let read = |pem: &str, algorithm| Signer::from_pem(pem.as_bytes(), None, algorithm).map(drop);
    assert_eq!(read(&pem, Some(Algorithm::EdDsa)), Err(BadKey::OtherAlgorithm(Algorithm::EdDsa)));
    assert_eq!(read("no key", None), Err(BadKey::NoKey));
    let (inner, unknown) =
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", BadKey::Unknown);
    assert_eq!(read(inner, None), Err(unknown));
    for set in ["[]", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}"#, "{"] {
        assert_eq!(KeySet::read(set.as_bytes()), Err(BadKeySet), "{set}");
    }
}

/// Check 27: what is done to a signed card, and what is said of it then.
#[test]
fn tampering_shows() {
    let (ours, theirs) = (signer(Algorithm::EdDsa, "ours"), signer(Algorithm::EdDsa, "theirs"));
    let keys = trusting(&[&ours]);
    let card = serde_json::to_value(signed(&[&ours])).expect("JSON");
    type Change = fn(&mut Value);
    let changes: [(&str, Change, &str); 24] = [
        ("nothing", |_| {}, "verified"),
        ("the name", |c| c["name"] = json!("Grosse"), "bad"),
        ("an address", |c| c["supportedInterfaces"][0]["url"] = json!("https://b.example"), "bad"),
        ("a tag", |c| c["skills"][0]["tags"][0] = json!("u"), "bad"),
        ("a deep number", |c| c["capabilities"]["extensions"][0]["params"]["z"] = json!(2), "bad"),
        (
            "a number's spelling",
            |c| c["capabilities"]["extensions"][0]["params"]["z"] = json!(1),
            "verified",
        ),
        (
            "a scheme goes",
            |c| drop(c["securitySchemes"].as_object_mut().map(|s| s.remove("bearer"))),
            "bad",
        ),
        (
            "requirements go",
            |c| drop(c.as_object_mut().map(|c| c.remove("securityRequirements"))),
            "bad",
        ),
        (
            "a default is added",
            |c| c["capabilities"]["extensions"][0]["required"] = json!(false),
            "verified",
        ),
        ("an empty list is added", |c| c["skills"][0]["examples"] = json!([]), "verified"),
        (
            "an empty list goes",
            |c| c["securityRequirements"][0]["schemes"]["bearer"] = json!({}),
            "verified",
        ),
        (
            "an optional default is added",
            |c| c["capabilities"]["pushNotifications"] = json!(false),
            "bad",
        ),
        (
            "an optional default goes",
            |c| drop(c["capabilities"].as_object_mut().map(|c| c.remove("streaming"))),
            "bad",
        ),
        ("an unknown member", |c| c["beyond"] = json!(1), "bad"),
        ("an unknown member below", |c| c["skills"][0]["beyond"] = json!(""), "bad"),
        ("an older reader's member", |c| c["preferredTransport"] = json!("GRPC"), "verified"),
        ("two spellings", |c| c["default_input_modes"] = json!(["a/b"]), "none"),
        ("the signature goes", |c| c["signatures"] = json!([]), "unsigned"),
        ("the signature is cut", |c| c["signatures"][0]["signature"] = json!("AAAA"), "bad"),
        (
            "the signature is padded",
            |c| {
                let text =
                    format!("{}==", c["signatures"][0]["signature"].as_str().expect("a text"));
                c["signatures"][0]["signature"] = json!(text);
            },
            "bad",
        ),
        (
            "a whole JWS",
            |c| {
                let (head, tail) = (
                    c["signatures"][0]["protected"].clone(),
                    c["signatures"][0]["signature"].clone(),
                );
                let text = |part: &Value| part.as_str().expect("a text").to_owned();
                c["signatures"][0]["signature"] =
                    json!(format!("{}.e30.{}", text(&head), text(&tail)));
            },
            "bad",
        ),
        ("a payload of its own", |c| c["signatures"][0]["payload"] = json!("e30"), "verified"),
        (
            "an unprotected key",
            |c| c["signatures"][0]["header"] = json!({"kid": "x", "alg": "none"}),
            "verified",
        ),
        ("signatures that are none", |c| c["signatures"] = json!("x"), "none"),
    ];
    for (what, change, expected) in changes {
        let mut card = card.clone();
        change(&mut card);
        assert_eq!(word(&card.to_string(), &keys), expected, "{what}");
    }
    let sent = card.to_string();
    let twice = sent.replacen('{', r#"{"name":"Evil","#, 1);
    assert_eq!(word(&twice, &keys), "none", "a member twice");
    assert_eq!(word(&sent.replace("Größe", r"\ud800"), &keys), "none", "half a character");
    let reversed = format!(
        "{{{}}}",
        card.as_object()
            .expect("an object")
            .iter()
            .rev()
            .map(|(k, v)| format!("{k:?}: {v}"))
            .collect::<Vec<_>>()
            .join(" ,")
    );
    assert_eq!(word(&reversed, &keys), "verified", "another order");
    let of = |signers: &[&Signer]| serde_json::to_string(&signed(signers)).expect("JSON");
    assert_eq!(word(&of(&[&theirs]), &keys), "unknown");
    assert_eq!(word(&of(&[&theirs, &ours]), &keys), "verified");
    let impostor = signer(Algorithm::EdDsa, "ours");
    assert_eq!(word(&of(&[&impostor]), &keys), "bad");
    assert_eq!(word(&of(&[&impostor, &ours]), &keys), "verified", "one good one is enough");
    assert_eq!(word(&of(&[&impostor, &theirs]), &keys), "bad");
}

/// Headers that are not what the key's owner signed, or that nobody may sign with.
#[test]
fn headers_do_not_choose_how_they_are_believed() {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
    let ours = signer(Algorithm::EdDsa, "ours");
    let keys = trusting(&[&ours]);
    let headers = [
        (r#"{"alg":"EdDSA","kid":"ours","typ":"JOSE"}"#, "verified"),
        (r#"{"alg":"EdDSA","kid":"ours"}"#, "bad"),
        (r#"{"alg":"none","kid":"ours","typ":"JOSE"}"#, "bad"),
        (r#"{"alg":"HS256","kid":"ours","typ":"JOSE"}"#, "bad"),
        (r#"{"alg":"ES256","kid":"ours","typ":"JOSE"}"#, "bad"),
        (r#"{"alg":"EdDSA","kid":"other","typ":"JOSE"}"#, "unknown"),
        (r#"{"alg":"EdDSA","kid":"other","jku":"https://evil.example/jwks.json"}"#, "unknown"),
        (r#"{"alg":"EdDSA","typ":"JOSE"}"#, "bad"),
        (r#"{"alg":"EdDSA","kid":"ours","typ":"JOSE","crit":["b64"],"b64":false}"#, "bad"),
        (r#"{"alg":"EdDSA","kid":"ours","kid":"ours","typ":"JOSE"}"#, "bad"),
        ("[]", "bad"),
    ];
    for (header, expected) in headers {
        let mut card = signed(&[&ours]);
        card.signatures[0].protected = BASE64.encode(header);
        assert_eq!(word(&serde_json::to_string(&card).expect("JSON"), &keys), expected, "{header}");
    }
}

#[test]
fn keys_count_while_they_are_trusted() {
    let (ours, theirs) = (signer(Algorithm::Es256, "ours"), signer(Algorithm::EdDsa, "theirs"));
    let sent = serde_json::to_string(&signed(&[&ours])).expect("JSON");
    let set = |change: &dyn Fn(&mut Value)| {
        let mut set = publish([&ours, &theirs]);
        change(&mut set["keys"][0]);
        KeySet::read(set.to_string().as_bytes()).expect("a set")
    };
    // `word` asks at the second 1000.
    assert_eq!(word(&sent, &set(&|key| key["exp"] = json!(1_001))), "verified");
    assert_eq!(word(&sent, &set(&|key| key["exp"] = json!(1_000))), "unknown");
    assert_eq!(word(&sent, &set(&|key| key["exp"] = json!("soon"))), "unknown");
    assert_eq!(word(&sent, &set(&|key| key["use"] = json!("enc"))), "unknown");
    assert_eq!(word(&sent, &set(&|key| key["key_ops"] = json!(["sign"]))), "unknown");
    assert_eq!(word(&sent, &set(&|key| key["alg"] = json!("ES384"))), "unknown");
    let pinned = |name: &str, print: &str| {
        let mut keys = trusting(&[&ours, &theirs]);
        keys.keep_pinned(&[(name.into(), print.into())]);
        word(&sent, &keys)
    };
    assert_eq!(pinned("ours", &ours.public().thumbprint()), "verified");
    assert_eq!(pinned("theirs", &ours.public().thumbprint()), "unknown");
    assert_eq!(pinned("ours", &theirs.public().thumbprint()), "unknown");
}

/// The official Python SDK leaves out what is empty, required or not, before it signs. So a requirement
/// without scopes can be taken from its cards unseen, which nobody who verifies them can help.
#[test]
fn cards_are_believed_in_the_forms_of_others() {
    let ours = signer(Algorithm::EdDsa, "ours");
    let keys = trusting(&[&ours]);
    let value = serde_json::to_value(card()).expect("JSON");
    let forms = canonical::forms(&value).expect("a card");
    let filled = String::from_utf8_lossy(&forms[1]);
    assert!(!filled.contains("documentationUrl") && !filled.contains("securityRequirements"));
    for (number, stripped) in [(0, "bad"), (1, "verified"), (2, "bad")] {
        let mut card = card();
        card.signatures = vec![ours.sign_payload(&forms[number])];
        let json = |card: &AgentCard| serde_json::to_string(card).expect("JSON");
        assert_eq!(word(&json(&card), &keys), "verified", "form {number}");
        card.security_requirements.clear();
        assert_eq!(word(&json(&card), &keys), stripped, "form {number}");
        card.name.push('!');
        assert_eq!(word(&json(&card), &keys), "bad", "form {number}");
    }
}

/// The example of RFC 7638 3.1.
#[test]
fn thumbprints_are_those_of_rfc_7638() {
    let jwk = json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
    });
    let key = PublicKey::of_jwk(jwk.as_object().expect("an object")).expect("a key");
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}
