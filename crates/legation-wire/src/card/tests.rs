//! Cards in every form.

use std::collections::BTreeMap;

use legation_model::{
    AgentCapabilities, AgentCard, AgentCardSignature, AgentExtension, AgentInterface,
    AgentProvider, AgentSkill, ApiKeySecurityScheme, AuthorizationCodeOAuthFlow,
    ClientCredentialsOAuthFlow, DeviceCodeOAuthFlow, HttpAuthSecurityScheme, Metadata,
    MutualTlsSecurityScheme, OAuth2SecurityScheme, OAuthFlows, OpenIdConnectSecurityScheme,
    SecurityRequirement, SecurityScheme, StringList,
};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn text(text: &str) -> Option<String> {
    Some(text.into())
}

fn interface(url: &str, binding: &str, version: &str) -> AgentInterface {
    AgentInterface {
        url: url.into(),
        protocol_binding: binding.into(),
        tenant: None,
        protocol_version: version.into(),
    }
}

fn requirement(schemes: &[(&str, &[&str])]) -> SecurityRequirement {
    let list =
        |scopes: &[&str]| StringList { list: scopes.iter().map(|scope| (*scope).into()).collect() };
    let schemes = schemes.iter().map(|(name, scopes)| ((*name).into(), list(scopes)));
    SecurityRequirement { schemes: schemes.collect() }
}

fn scopes() -> BTreeMap<String, String> {
    [("agent:read", "Read"), ("agent:execute", "Execute")]
        .map(|(name, what)| (name.into(), what.into()))
        .into()
}

fn schemes() -> Vec<(&'static str, SecurityScheme)> {
    use SecurityScheme as S;
    let oauth = |flows| {
        S::OAuth2SecurityScheme(OAuth2SecurityScheme {
            flows,
            description: None,
            oauth2_metadata_url: text("https://id.example/.well-known/oauth"),
        })
    };
    vec![
        (
            "bearer",
            S::HttpAuthSecurityScheme(HttpAuthSecurityScheme {
                scheme: "Bearer".into(),
                description: text("A token"),
                bearer_format: text("JWT"),
            }),
        ),
        (
            "key",
            S::ApiKeySecurityScheme(ApiKeySecurityScheme {
                location: "header".into(),
                name: "X-API-Key".into(),
                description: text("Authenticate using API Key"),
            }),
        ),
        (
            "code",
            oauth(OAuthFlows::AuthorizationCode(AuthorizationCodeOAuthFlow {
                authorization_url: "https://id.example/authorize".into(),
                token_url: "https://id.example/token".into(),
                scopes: scopes(),
                pkce_required: true,
                refresh_url: text("https://id.example/refresh"),
            })),
        ),
        (
            "machine",
            oauth(OAuthFlows::ClientCredentials(ClientCredentialsOAuthFlow {
                token_url: "https://id.example/token".into(),
                scopes: scopes(),
                refresh_url: None,
            })),
        ),
        (
            "device",
            oauth(OAuthFlows::DeviceCode(DeviceCodeOAuthFlow {
                device_authorization_url: "https://id.example/device".into(),
                token_url: "https://id.example/token".into(),
                scopes: scopes(),
                refresh_url: None,
            })),
        ),
        (
            "sso",
            S::OpenIdConnectSecurityScheme(OpenIdConnectSecurityScheme {
                open_id_connect_url: "https://id.example/.well-known/openid-configuration".into(),
                description: None,
            }),
        ),
        ("tls", S::MtlsSecurityScheme(MutualTlsSecurityScheme { description: text("Our CA") })),
    ]
}

/// A card with something in every member.
pub(super) fn card() -> AgentCard {
    let extension = AgentExtension {
        uri: "urn:a".into(),
        description: text("Does a"),
        required: true,
        params: Some(Metadata::single("k", &5).expect("numbers are JSON")),
    };
    let skill = AgentSkill {
        id: "analyze_csv".into(),
        name: "Analyze data".into(),
        description: "Finds trends".into(),
        tags: vec!["csv".into()],
        examples: vec!["What does this say?".into()],
        input_modes: vec!["text/csv".into()],
        output_modes: vec!["image/png".into()],
        security_requirements: vec![requirement(&[("machine", &["agent:execute"])])],
    };
    AgentCard {
        name: "Data Analyst".into(),
        description: "Looks at data".into(),
        supported_interfaces: vec![
            interface("https://a.example/a2a", "JSONRPC", "1.0"),
            interface("https://a.example", "HTTP+JSON", "1.0"),
            interface("https://a.example/a2a", "JSONRPC", "0.3"),
            interface("https://a.example", "HTTP+JSON", "0.3"),
            interface("https://a.example", "HTTP+JSON", "0.3.0"),
        ],
        provider: Some(AgentProvider { url: "https://a.example".into(), organization: "A".into() }),
        version: "2.1.0".into(),
        documentation_url: text("https://a.example/docs"),
        capabilities: AgentCapabilities {
            streaming: Some(true),
            push_notifications: Some(false),
            extensions: vec![extension],
            extended_agent_card: Some(true),
        },
        security_schemes: schemes().into_iter().map(|(name, one)| (name.into(), one)).collect(),
        security_requirements: vec![
            requirement(&[("bearer", &[])]),
            requirement(&[("key", &[]), ("tls", &[])]),
            requirement(&[("machine", &["agent:read"])]),
            requirement(&[("tls", &[])]),
        ],
        default_input_modes: vec!["text/plain".into()],
        default_output_modes: vec!["text/plain".into()],
        skills: vec![skill],
        signatures: vec![AgentCardSignature {
            protected: "cA".into(),
            signature: "cw".into(),
            header: None,
        }],
        icon_url: text("https://a.example/icon.png"),
    }
}

fn written(card: &AgentCard, form: CardForm) -> Value {
    serde_json::from_slice(&write(card, form)).expect("JSON")
}

#[test]
fn a_card_in_every_form() {
    for form in CardForm::ALL {
        let value = serde_json::to_string_pretty(&written(&card(), form)).expect("JSON");
        insta::assert_snapshot!(format!("card_{}", form.name()), value);
    }
}

#[test]
fn a_small_hybrid_card_reads_top_down() {
    let small = AgentCard {
        supported_interfaces: vec![
            interface("https://a.example/a2a", "JSONRPC", "1.0"),
            interface("https://a.example/a2a", "JSONRPC", "0.3"),
        ],
        provider: None,
        documentation_url: None,
        icon_url: None,
        capabilities: AgentCapabilities { streaming: Some(true), ..Default::default() },
        security_schemes: schemes()
            .into_iter()
            .take(1)
            .map(|(name, scheme)| (name.into(), scheme))
            .collect(),
        security_requirements: vec![requirement(&[("bearer", &[])])],
        signatures: Vec::new(),
        skills: Vec::new(),
        ..card()
    };
    let json = String::from_utf8(write(&small, CardForm::Hybrid)).expect("UTF-8");
    insta::assert_snapshot!(json, @r#"{"protocolVersion":"0.3.0","name":"Data Analyst","description":"Looks at data","url":"https://a.example/a2a","preferredTransport":"JSONRPC","additionalInterfaces":[{"url":"https://a.example/a2a","transport":"JSONRPC"}],"supportedInterfaces":[{"url":"https://a.example/a2a","protocolBinding":"JSONRPC","protocolVersion":"1.0"},{"url":"https://a.example/a2a","protocolBinding":"JSONRPC","protocolVersion":"0.3"}],"version":"2.1.0","capabilities":{"streaming":true},"securitySchemes":{"bearer":{"type":"http","scheme":"Bearer","bearerFormat":"JWT","description":"A token","httpAuthSecurityScheme":{"scheme":"Bearer","description":"A token","bearerFormat":"JWT"}}},"security":[{"bearer":[]}],"securityRequirements":[{"schemes":{"bearer":{"list":[]}}}],"defaultInputModes":["text/plain"],"defaultOutputModes":["text/plain"],"skills":[]}"#);
}

#[test]
fn the_first_interface_of_0_3_is_the_main_one_and_each_is_there_once() {
    type Face<'f> = (&'f str, &'f str, &'f str);
    const OLD: Face<'_> = ("u:old", "JSONRPC", "0.3");
    const OLD_REST: Face<'_> = ("u:rest", "HTTP+JSON", "0.3.0");
    const OLDER: Face<'_> = ("u:older", "JSONRPC", "0.2.6");
    const NEW: Face<'_> = ("u:new", "JSONRPC", "1.0");
    let cases: [(&[Face<'_>], &str, &str); 6] = [
        (&[NEW, OLD, OLD_REST, OLD], "u:old JSONRPC", "u:old JSONRPC, u:rest HTTP+JSON"),
        (&[NEW, OLD_REST, OLD], "u:rest HTTP+JSON", "u:rest HTTP+JSON, u:old JSONRPC"),
        (&[OLDER, NEW, OLD], "u:old JSONRPC", "u:old JSONRPC, u:older JSONRPC"),
        (&[OLDER, NEW], "u:older JSONRPC", "u:older JSONRPC"),
        (&[NEW], "u:new JSONRPC", "u:new JSONRPC"),
        (&[], " ", ""),
    ];
    for (interfaces, main, all) in cases {
        let supported_interfaces =
            interfaces.iter().map(|(url, binding, version)| interface(url, binding, version));
        let card = AgentCard { supported_interfaces: supported_interfaces.collect(), ..card() };
        for form in [CardForm::Hybrid, CardForm::V0_3, CardForm::V0_2] {
            let value = written(&card, form);
            let say = |value: &Value, transport: &str| {
                let text = |name: &str| value[name].as_str().expect("a text").to_owned();
                format!("{} {}", text("url"), text(transport))
            };
            assert_eq!(say(&value, "preferredTransport"), main);
            let listed = value["additionalInterfaces"].as_array().map_or(&[][..], Vec::as_slice);
            let listed: Vec<_> = listed.iter().map(|one| say(one, "transport")).collect();
            assert_eq!(listed.join(", "), all);
        }
    }
}

#[test]
fn grpc_is_a_host_and_a_port_in_1_0_and_a_url_before() {
    let grpc = |version| interface("a.example:443", "GRPC", version);
    let cases = [
        (
            vec![interface("https://a.example", "JSONRPC", "0.3"), grpc("0.3")],
            "https://a.example:443",
        ),
        (
            vec![grpc("0.3"), interface("http://a.example", "JSONRPC", "1.0")],
            "http://a.example:443",
        ),
        (vec![grpc("0.3"), grpc("1.0")], "http://a.example:443"),
        (vec![interface("grpcs://a.example", "GRPC", "0.3")], "grpcs://a.example"),
    ];
    for (interfaces, url) in cases {
        let card = AgentCard { supported_interfaces: interfaces.clone(), ..card() };
        let written = written(&card, CardForm::Hybrid);
        let listed = written["additionalInterfaces"].as_array().expect("a list");
        let older = listed.iter().find(|interface| interface["transport"] == "GRPC");
        assert_eq!(older.expect("gRPC")["url"], url);
        let newer = written["supportedInterfaces"].as_array().expect("a list");
        assert!(newer.iter().map(|known| &known["url"]).eq(interfaces.iter().map(|own| &own.url)));
    }
}

#[test]
fn readers_ask_for_a_form_by_name() {
    let by_name = |query: &str| CardForm::of_query(query).map_err(|error| error.message);
    assert_eq!(by_name(""), Ok(None));
    assert_eq!(by_name("x=1&A2A-Version=1.0"), Ok(None));
    for form in CardForm::ALL {
        assert_eq!(by_name(&format!("x=1&profile={}", form.name())), Ok(Some(form)));
    }
    assert_eq!(by_name("profile=v0%2E3"), Ok(Some(CardForm::V0_3)));
    let unknown: Result<_, String> = Err("profile: must be one of hybrid, v1, v0.3, v0.2".into());
    assert_eq!(by_name("profile=v2"), unknown);
    assert_eq!(by_name("profile="), unknown);
}

/// The members that 1.0 does not know.
fn without_older_members(mut card: Value) -> Value {
    const OLDER: [&str; 6] = [
        "protocolVersion",
        "url",
        "preferredTransport",
        "additionalInterfaces",
        "supportsAuthenticatedExtendedCard",
        "security",
    ];
    let members = card.as_object_mut().expect("an object");
    members.retain(|name, _| !OLDER.contains(&name.as_str()));
    for scheme in members.get_mut("securitySchemes").and_then(Value::as_object_mut).into_iter() {
        for scheme in scheme.values_mut().filter_map(Value::as_object_mut) {
            scheme.retain(|name, _| name.ends_with("SecurityScheme"));
        }
    }
    for skill in members["skills"].as_array_mut().into_iter().flatten() {
        skill.as_object_mut().expect("an object").remove("security");
    }
    card
}

/// The members that 0.3 does not know.
fn without_current_members(mut card: Value) -> Value {
    let members = card.as_object_mut().expect("an object");
    members.retain(|name, _| {
        !["supportedInterfaces", "securityRequirements", "signatures"].contains(&name.as_str())
    });
    members["capabilities"].as_object_mut().expect("an object").remove("extendedAgentCard");
    for scheme in members.get_mut("securitySchemes").and_then(Value::as_object_mut).into_iter() {
        for scheme in scheme.values_mut().filter_map(Value::as_object_mut) {
            scheme.retain(|name, _| !name.ends_with("SecurityScheme"));
        }
    }
    for skill in members["skills"].as_array_mut().into_iter().flatten() {
        skill.as_object_mut().expect("an object").remove("securityRequirements");
    }
    card
}

fn any_requirements() -> impl Strategy<Value = Vec<SecurityRequirement>> {
    let name = prop::sample::select(vec!["bearer", "key", "code", "device", "tls", "gone"]);
    let list = prop::collection::vec("[a-z]{1,3}", 0..3).prop_map(|list| StringList { list });
    let schemes = prop::collection::btree_map(name.prop_map(String::from), list, 0..3);
    prop::collection::vec(schemes.prop_map(|schemes| SecurityRequirement { schemes }), 0..3)
}

fn any_card() -> impl Strategy<Value = AgentCard> {
    let version = prop::sample::select(vec!["1.0", "0.3", "0.2.6", "0.3.0"]);
    let faces = prop::collection::vec(("[a-z]{1,2}", "[A-Z]{1,2}", version), 0..5);
    let chosen = prop::sample::subsequence(schemes(), 0..=7);
    let flag = prop::option::of(any::<bool>());
    let texts = prop::option::of(".{1,4}");
    let needs = (any_requirements(), any_requirements());
    (".*", faces, chosen, needs, flag, texts).prop_map(
        |(name, faces, chosen, (requirements, of_skill), flag, icon)| {
            let mut card = AgentCard {
                name,
                supported_interfaces: faces
                    .iter()
                    .map(|(url, binding, version)| interface(url, binding, version))
                    .collect(),
                security_schemes: chosen.into_iter().map(|(n, one)| (n.into(), one)).collect(),
                security_requirements: requirements,
                icon_url: icon,
                ..card()
            };
            card.capabilities.extended_agent_card = flag;
            card.skills[0].security_requirements = of_skill;
            card
        },
    )
}

proptest! {
    #[test]
    fn a_hybrid_card_is_the_pure_ones_together(card in any_card()) {
        let hybrid = written(&card, CardForm::Hybrid);
        let read: AgentCard = serde_json::from_value(without_older_members(hybrid.clone()))
            .expect("the rest is a card of 1.0");
        // Free-form members have no equality of their own.
        prop_assert_eq!(written(&read, CardForm::V1_0), written(&card, CardForm::V1_0));
        prop_assert_eq!(without_current_members(hybrid), written(&card, CardForm::V0_3));
    }

    #[test]
    fn pure_1_0_reads_back(card in any_card()) {
        let read: AgentCard = serde_json::from_slice(&write(&card, CardForm::V1_0)).expect("a card");
        prop_assert_eq!(read, card);
    }
}
