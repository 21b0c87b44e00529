//! Cards of every form and of other people.

use legation_model::AgentInterface;

use super::super::tests::card;
use super::super::{CardForm, write};
use super::*;

fn read_text(text: &str) -> Reading {
    read(text.as_bytes()).expect("a card")
}

fn told(reading: &Reading) -> String {
    let interfaces = reading.card.supported_interfaces.iter().map(|interface| {
        let (binding, version) = (&interface.protocol_binding, &interface.protocol_version);
        format!("{binding} {version} {}\n", interface.url)
    });
    let findings = reading.findings.iter().map(|finding| {
        let readers: Vec<_> = finding.readers.iter().map(|version| version.name()).collect();
        let Finding { path, problem, remedy, refused_by, .. } = finding;
        let refused: Vec<_> = refused_by.iter().map(|version| version.name()).collect();
        let refused = match refused[..] {
            [] => String::new(),
            _ => format!(" (refused by {})", refused.join(" ")),
        };
        format!("{path} [{}] {problem}; {remedy}{refused}\n", readers.join(" "))
    });
    interfaces.chain(findings).collect()
}

/// Whatever a form leaves out, the rest is what it was.
#[test]
fn what_is_written_is_read_back() {
    let card = card();
    for form in CardForm::ALL {
        let got = read(&write(&card, form)).expect("a card").card;
        if matches!(form, CardForm::Hybrid | CardForm::V1_0) {
            assert_eq!(got, card, "{form:?}");
            continue;
        }
        assert_eq!((&got.name, &got.skills.len()), (&card.name, &card.skills.len()), "{form:?}");
        assert_eq!(got.capabilities.streaming, card.capabilities.streaming, "{form:?}");
        assert_eq!(
            got.capabilities.extended_agent_card, card.capabilities.extended_agent_card,
            "{form:?}"
        );
        for (name, scheme) in &got.security_schemes {
            let known = &card.security_schemes[name];
            assert_eq!(
                std::mem::discriminant(scheme),
                std::mem::discriminant(known),
                "{form:?} {name}"
            );
        }
        assert!(!got.security_requirements.is_empty(), "{form:?}");
        let version = form.name().trim_start_matches('v');
        let is_of_form =
            |interface: &AgentInterface| interface.protocol_version.starts_with(version);
        assert!(got.supported_interfaces.iter().all(is_of_form), "{form:?}: {got:?}");
    }
}

#[test]
fn a_card_of_the_first_draft_may_be_of_several_versions() {
    let reading = read_text(
        r#"{"name":"A","url":"https://a","version":"2.0.0","skills":[{"name":"Sum"}],
        "authentication":{"schemes":["Bearer",{"scheme":"ApiKey","in":"query","name":"k"},5]},
        "capabilities":{"streaming":true,"stateTransitionHistory":true}}"#,
    );
    let names: Vec<_> = reading.card.security_schemes.keys().collect();
    assert_eq!(names, ["apikey", "bearer"]);
    assert_eq!(reading.card.security_requirements.len(), 2, "either will do");
    assert_eq!(reading.card.default_input_modes, ["text/plain"]);
    assert_eq!(reading.card.skills[0].id, "Sum");
    insta::assert_snapshot!(told(&reading));
}

#[test]
fn a_card_that_is_wrong_everywhere_is_read_as_far_as_it_goes() {
    let reading = read_text(
        r#"{"name":7,"url":"https://a/rpc","protocolVersion":"0.3.0","preferredTransport":"GRPC",
        "additionalInterfaces":[{"url":"https://a/rest","transport":"HTTP+JSON"},{"url":"https://a/rpc","transport":"GRPC"},"x"],
        "supported_interfaces":[{"url":"https://a/1","protocol_binding":"JSONRPC","protocol_version":1.0},{}],
        "capabilities":[],"provider":{"organization":"O"},"default_input_modes":"text/csv","skills":{},
        "securitySchemes":{"a":{"httpAuthSecurityScheme":{"scheme":"Bearer"}},"b":{"type":"magic"},"c":5,
            "d":{"type":"oauth2","flows":{"password":{"tokenUrl":"https://a/t","scopes":{"s":"S"}}}}},
        "security":[{"a":[]},{"schemes":{"d":{"list":["s"]}}},{"z":[]},4],
        "signatures":[{"protected":"x"}]}"#,
    );
    assert_eq!(reading.card.security_requirements.len(), 3);
    assert_eq!(reading.card.default_input_modes, ["text/csv"]);
    insta::assert_snapshot!(told(&reading));
}

#[test]
fn a_hybrid_that_says_something_to_half_of_its_readers_is_told() {
    let reading = read_text(
        r#"{"name":"A","description":"d","version":"1","url":"https://a","protocolVersion":"0.3.0",
        "preferredTransport":"JSONRPC","capabilities":{},"defaultInputModes":["text/plain"],
        "supportedInterfaces":[{"url":"https://a","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],
        "defaultOutputModes":["text/plain"],"skills":[],
        "securitySchemes":{"old":{"type":"http","scheme":"Bearer"},
            "new":{"httpAuthSecurityScheme":{"scheme":"Bearer"}}},
        "securityRequirements":[{"schemes":{"old":{"list":[]}}}]}"#,
    );
    insta::assert_snapshot!(told(&reading));
}

#[test]
fn what_is_no_card_is_said() {
    for (text, expected) in [
        ("<html>", "not JSON"),
        ("[]", "not a JSON object"),
        (r#"{"error":"not found"}"#, "where to call"),
    ] {
        let error = read(text.as_bytes()).expect_err("no card");
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}
