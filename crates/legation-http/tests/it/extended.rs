//! Skills for some callers: the card that each gets, and what becomes of messages for them, in every
//! version, binding and mount.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use legation_auth::{Attempts, Carrier, Chain, Scheme, Token, Tokens, Verifier};
use legation_core::{Access, Caller, Needs, Profile, Scopes, Service};
use legation_http::{Crew, Security, Settings};
use legation_model::AgentSkill;
use legation_store::sqlite::{Options, SqliteStore};
use legation_testkit::agents::Echo;
use legation_wire::grpc::Package;
use legation_wire::signature::{Algorithm, KeySet, Signer, Verdict, verify};
use serde_json::{Value, json};

use crate::client::{Ask, Reply, ask, rpc};
use crate::grpc_client::call;
use crate::server::{self, Server};

/// Good for sending and reading.
const ONE: &str = "lgn_one-has-a-token-of-enough-bytes-0001";
/// Good for `pay` as well.
const PAYER: &str = "lgn_pay-has-a-token-of-enough-bytes-0002";
/// Good for whatever there is.
const ALL: &str = "lgn_all-has-a-token-of-enough-bytes-0003";
/// Good for the other agent only.
const BOUND: &str = "lgn_bound-has-a-token-of-enough-bytes-04";

fn chain() -> Chain {
    let token = |secret: &str, name: &str, scopes: Option<&[&str]>, agents: Option<&str>| {
        let shared = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
        let caller = Caller {
            scheme: "bearer".into(),
            scopes: scopes.map_or(Scopes::All, |scopes| Scopes::Only(shared(scopes))),
            agents: agents.map(|agent| shared(&[agent])),
            ..Caller::new("t", name)
        };
        Token::new(secret, caller).expect("a good token")
    };
    let tokens = vec![
        token(ONE, "one", Some(&["send", "read"]), None),
        token(PAYER, "payer", Some(&["send", "read", "pay"]), None),
        token(ALL, "all", None, None),
        token(BOUND, "bound", None, Some("other")),
    ];
    let verifier = Verifier::Tokens(Tokens::new(tokens));
    Chain::new(vec![Scheme::new("bearer", Carrier::Bearer, verifier)], Attempts::default())
}

fn skill(id: &str) -> AgentSkill {
    AgentSkill {
        id: id.into(),
        name: id.to_uppercase(),
        description: format!("Does what is {id}"),
        tags: vec![id.into()],
        ..AgentSkill::default()
    }
}

/// Of the desk `open` is for everybody and `paid` for a scope; `secret` is hidden and for a scope,
/// and `known` hidden and for whoever is known.
fn desk() -> Profile {
    let scope = |scope: &str| Needs { scopes: vec![scope.into()], ..Needs::default() };
    let access = Access {
        needs: vec![("paid".into(), scope("pay")), ("secret".into(), scope("secret"))],
        extended_skills: vec![skill("secret"), skill("known")],
        without_skill: Some(Needs::default()),
        extended_card: true,
    };
    let skills = vec![skill("open"), skill("paid")];
    let version = "1".into();
    Profile { access, skills, version, ..Profile::new("desk", "Desk", "Answers") }
}

fn service(desk: Profile) -> (Arc<Service>, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SqliteStore::open(directory.path(), Options::default()).expect("a new store");
    let other = Profile::new("other", "Other", "Answers otherwise");
    let service = Service::builder(store).agent(desk, Echo).agent(other, Echo);
    (service.build().expect("agents with slugs of their own"), directory)
}

async fn start_with(desk: Profile, change: impl FnOnce(&mut Settings)) -> Server {
    let (service, directory) = service(desk);
    let secured = |settings: &mut Settings| {
        settings.security = Security::bearer();
        change(settings);
    };
    server::serve(service, directory, Arc::new(chain()), secured).await
}

async fn start() -> Server {
    start_with(desk(), |_| {}).await
}

/// A way to ask for the extended card: the version stated, and by what.
#[derive(Clone, Copy, Debug)]
enum Way {
    Rpc(Option<&'static str>, &'static str),
    Rest(Option<&'static str>, &'static str),
    Grpc(Package, &'static str),
}

const WAYS: [Way; 12] = [
    Way::Rpc(Some("1.0"), "GetExtendedAgentCard"),
    Way::Rest(Some("1.0"), "/extendedAgentCard"),
    Way::Rest(Some("1.0"), "/t/extendedAgentCard"),
    Way::Grpc(Package::V1_0, "GetExtendedAgentCard"),
    Way::Rpc(Some("0.3"), "agent/getAuthenticatedExtendedCard"),
    Way::Rpc(None, "agent/getAuthenticatedExtendedCard"),
    Way::Rpc(None, "agent/authenticatedExtendedCard"),
    Way::Rest(Some("0.3"), "/v1/card"),
    Way::Rest(None, "/v1/card"),
    Way::Grpc(Package::V0_3, "GetAgentCard"),
    Way::Rest(Some("0.2"), "/agent/authenticatedExtendedCard"),
    Way::Rest(None, "/agent/authenticatedExtendedCard"),
];

fn in_version(ask: Ask, version: Option<&str>) -> Ask {
    match version {
        Some(version) => ask.with("a2a-version", version),
        None => ask.without("a2a-version"),
    }
}

/// The card by a way, or what kind of error there is instead.
async fn extended(server: &Server, way: Way, mount: &str, token: &str) -> Result<Value, String> {
    let bearer = format!("Bearer {token}");
    let read = |text: &str| serde_json::from_str(text).expect("JSON");
    let kind = |reply: &Reply| {
        let known = [
            ("UNSUPPORTED_OPERATION", ["-32004", "UnsupportedOperationError"]),
            ("EXTENDED_AGENT_CARD_NOT_CONFIGURED", ["-32007", "AuthenticatedExtendedCardNotConf"]),
            ("PERMISSION_DENIED", ["insufficient", "AuthorizationError"]),
            ("UNAUTHENTICATED", ["UNAUTHENTICATED", "AuthenticationError"]),
        ];
        let is = |(name, others): &&(&str, [&str; 2])| {
            reply.body.contains(name) || others.iter().any(|other| reply.body.contains(other))
        };
        let found = known.iter().find(is).unwrap_or_else(|| panic!("{way:?} {reply:?}"));
        found.0.to_owned()
    };
    match way {
        Way::Rpc(version, method) => {
            let path = if mount.is_empty() { "/a2a" } else { mount };
            let request = in_version(ask("POST", path), version).body(rpc(method, "{}"));
            let reply = request.and("authorization", &bearer).to(server.address).await;
            let mut value: Value = read(&reply.body);
            if value["result"].is_null() { Err(kind(&reply)) } else { Ok(value["result"].take()) }
        }
        Way::Rest(version, path) => {
            let request = in_version(ask("GET", &format!("{mount}{path}")), version);
            let reply = request.and("authorization", &bearer).to(server.address).await;
            if reply.status == 200 { Ok(read(&reply.body)) } else { Err(kind(&reply)) }
        }
        Way::Grpc(package, method) => {
            let request = call(package, method).json("{}").below(mount);
            let reply = request.and("authorization", &bearer).to(server.address).await;
            if reply.code() == 0 { Ok(read(&reply.json()[0])) } else { Err(reply.details().0) }
        }
    }
}

fn ids(card: &Value) -> String {
    let skills = card["skills"].as_array().expect("skills").iter();
    skills.map(|skill| skill["id"].as_str().expect("an id")).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn each_caller_gets_the_card_of_what_it_may_use() {
    let server = start().await;
    let (desk, short, other) = ("/a2a/agents/desk", "/a2a/desk", "/a2a/agents/other");
    let cases = [
        (desk, ONE, Ok("open known")),
        (desk, PAYER, Ok("open paid known")),
        (short, PAYER, Ok("open paid known")),
        (desk, ALL, Ok("open paid secret known")),
        (desk, BOUND, Err("PERMISSION_DENIED")),
        (desk, "nobody", Err("UNAUTHENTICATED")),
        ("", ONE, Ok("desk desk/open desk/known other")),
        ("", ALL, Ok("desk desk/open desk/paid desk/secret desk/known other")),
        ("", BOUND, Ok("other")),
        ("", "nobody", Err("UNAUTHENTICATED")),
        (other, ALL, Err("UNSUPPORTED_OPERATION")),
        (other, BOUND, Err("UNSUPPORTED_OPERATION")),
    ];
    for way in WAYS {
        for (mount, token, expected) in cases {
            let got = extended(&server, way, mount, token).await;
            let got = got.as_ref().map(ids).map_err(|kind| &**kind);
            let expected = expected.map(str::to_owned);
            assert_eq!(got, expected, "{way:?} {mount} {token}");
        }
    }
    server.stop().await;
}

/// What is the same on every run of the tests.
fn settled(server: &Server, card: &Value) -> String {
    let card = serde_json::to_string_pretty(card).expect("JSON");
    card.replace(&server.address.to_string(), "ADDRESS")
}

#[tokio::test]
async fn the_card_is_written_for_the_version_that_asks() {
    let server = start().await;
    let ways = [
        ("rest-1.0", Way::Rest(Some("1.0"), "/extendedAgentCard")),
        ("rpc-0.3", Way::Rpc(None, "agent/getAuthenticatedExtendedCard")),
        ("rest-0.2", Way::Rest(None, "/agent/authenticatedExtendedCard")),
        ("grpc-0.3", Way::Grpc(Package::V0_3, "GetAgentCard")),
    ];
    for (name, way) in ways {
        for (who, token) in [("wrong-scope", ONE), ("right-scope", PAYER)] {
            let card = extended(&server, way, "/a2a/agents/desk", token).await.expect("a card");
            insta::assert_snapshot!(format!("{name}-{who}"), settled(&server, &card));
        }
    }
    let public = ask("GET", "/a2a/agents/desk").to(server.address).await;
    let public = serde_json::from_str(&public.body).expect("JSON");
    insta::assert_snapshot!("public", settled(&server, &public));
    // Both bindings of 1.0 and of 0.3 say the same.
    let same = [
        (WAYS[0], WAYS[1]),
        (Way::Rpc(Some("0.3"), "agent/getAuthenticatedExtendedCard"), WAYS[7]),
    ];
    for (one, other) in same {
        let desk = "/a2a/agents/desk";
        let one = extended(&server, one, desk, PAYER).await;
        assert_eq!(one, extended(&server, other, desk, PAYER).await);
    }
    server.stop().await;
}

#[tokio::test]
async fn the_public_card_says_whether_there_is_another() {
    let server = start().await;
    for (mount, offers) in [("", true), ("/a2a/agents/desk", true), ("/a2a/agents/other", false)] {
        for (form, member) in [
            ("v1", "/capabilities/extendedAgentCard"),
            ("hybrid", "/capabilities/extendedAgentCard"),
            ("hybrid", "/supportsAuthenticatedExtendedCard"),
            ("v0.3", "/supportsAuthenticatedExtendedCard"),
            ("v0.2", "/supportsAuthenticatedExtendedCard"),
        ] {
            let path = format!("{mount}/.well-known/agent-card.json?profile={form}");
            let reply = ask("GET", &path).to(server.address).await;
            let card: Value = serde_json::from_str(&reply.body).expect("JSON");
            assert_eq!(card.pointer(member), Some(&json!(offers)), "{path}");
            let hidden = ["secret", "known"].iter().any(|hidden| reply.body.contains(hidden));
            assert!(!hidden, "{path} {reply:?}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn without_a_card_to_give_the_errors_are_the_specified_ones() {
    let (service, directory) = service(desk());
    let open = server::serve(service, directory, Arc::new(legation_auth::Anonymous), |_| {}).await;
    let card = ask("GET", "/a2a/agents/desk").to(open.address).await;
    assert!(card.body.contains(r#""extendedAgentCard":false"#), "{card:?}");
    // An owner may say of the card what the server does not hold.
    let says = |offers: bool, has: bool| {
        let mut desk = desk();
        desk.access.extended_card = has;
        let Value::Object(card) = json!({"capabilities": {"extendedAgentCard": offers}}) else {
            panic!("an object")
        };
        desk.card = card;
        desk
    };
    let offered = start_with(says(true, false), |_| {}).await;
    let denied = start_with(says(false, true), |_| {}).await;
    for way in WAYS {
        let cases = [
            (&open, "UNSUPPORTED_OPERATION"),
            (&offered, "EXTENDED_AGENT_CARD_NOT_CONFIGURED"),
            (&denied, "UNSUPPORTED_OPERATION"),
        ];
        for (server, expected) in cases {
            // Who is nobody in particular is of no tenant of that name.
            if matches!(way, Way::Rest(_, "/t/extendedAgentCard")) {
                continue;
            }
            let got = extended(server, way, "/a2a/agents/desk", ALL).await;
            assert_eq!(got, Err(expected.to_owned()), "{way:?}");
        }
    }
    for server in [open, offered, denied] {
        server.stop().await;
    }
}

#[tokio::test]
async fn whoever_may_use_nothing_gets_no_card() {
    let mut desk = desk();
    desk.skills = vec![skill("paid")];
    desk.access.extended_skills = vec![skill("secret")];
    let server = start_with(desk, |settings| {
        let card = serde_json::Map::new();
        settings.crew = Some(Crew { name: "All".into(), description: "Both".into(), card });
    })
    .await;
    let refused = extended(&server, WAYS[1], "/a2a/agents/desk", ONE).await;
    assert_eq!(refused, Err("PERMISSION_DENIED".to_owned()));
    let crew = extended(&server, WAYS[1], "", ONE).await.expect("a card");
    assert_eq!((ids(&crew).as_str(), crew["name"].as_str()), ("other", Some("All")));
    server.stop().await;
}

#[tokio::test]
async fn a_card_for_one_is_kept_by_that_one_alone() {
    let server = start().await;
    let get = |token: &str| {
        let path = "/a2a/agents/desk/extendedAgentCard";
        ask("GET", path).and("authorization", &format!("Bearer {token}"))
    };
    let card = get(PAYER).to(server.address).await;
    assert_eq!(card.header("cache-control"), Some("private, no-cache"));
    assert_eq!(card.header("vary"), Some("A2A-Version, Accept, Authorization"));
    assert_eq!(card.header("last-modified"), None);
    let tag = card.header("etag").expect("a tag");
    let again = get(PAYER).and("if-none-match", tag).to(server.address).await;
    assert_eq!((again.status, again.header("cache-control")), (304, Some("private, no-cache")));
    assert_eq!(again.header("etag"), Some(tag));
    // Another caller's is another, and who asks says nothing of it by conditions.
    assert_eq!(get(ONE).and("if-none-match", tag).to(server.address).await.status, 200);
    let since = get(PAYER).and("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT");
    assert_eq!(since.to(server.address).await.status, 200);
    // The binding has no HEAD, for nobody.
    for token in [PAYER, ONE, BOUND, "nobody"] {
        let head = ask("HEAD", "/a2a/agents/desk/extendedAgentCard");
        let head = head.and("authorization", &format!("Bearer {token}")).to(server.address).await;
        assert_eq!(
            (head.status, head.header("allow"), head.header("etag")),
            (405, Some("GET"), None)
        );
    }
    for condition in [tag, "*"] {
        let nobody = get("nobody").and("if-none-match", condition).to(server.address).await;
        assert_eq!(nobody.status, 401);
        let bound = get(BOUND).and("if-none-match", condition).to(server.address).await;
        assert_eq!((bound.status, bound.header("etag")), (403, None));
        assert_eq!(bound.header("cache-control"), Some("no-store"));
    }
    server.stop().await;
}

#[tokio::test]
async fn cards_for_one_are_signed_and_behind_proxies_at_the_address_they_tell() {
    let pem = Signer::generate(Algorithm::EdDsa);
    let signer = Arc::new(Signer::from_pem(pem.as_bytes(), None, None).expect("a key"));
    let server = start_with(desk(), |settings| {
        settings.signers = vec![signer];
        settings.trusted_proxies = vec!["127.0.0.1".parse().expect("a network")];
    })
    .await;
    let keys = ask("GET", "/.well-known/jwks.json").to(server.address).await;
    let keys = KeySet::read(keys.body.as_bytes()).expect("keys");
    for mount in ["", "/a2a/agents/desk"] {
        for (token, host) in [(ONE, None), (ALL, None), (ALL, Some("agents.example.com"))] {
            let request = ask("GET", &format!("{mount}/extendedAgentCard"));
            let mut request = request.and("authorization", &format!("Bearer {token}"));
            if let Some(host) = host {
                request = request.with("x-forwarded-host", host);
            }
            let card = request.to(server.address).await;
            assert_eq!(card.body.contains("agents.example.com"), host.is_some(), "{card:?}");
            let verdict = verify(card.body.as_bytes(), &keys, 0).expect("a card");
            assert!(matches!(verdict, Verdict::Verified { .. }), "{mount} {verdict:?}");
        }
    }
    server.stop().await;
}

/// A message in each version and binding, with what its metadata says of its skill.
fn sends(metadata: &Value) -> Vec<(&'static str, &'static str, Option<&'static str>, Value)> {
    let message = |rest: Value| {
        let mut message = json!({"messageId": "m", "metadata": metadata});
        let members = message.as_object_mut().expect("an object");
        members.extend(rest.as_object().expect("an object").clone());
        json!({ "message": message })
    };
    let v1 = || message(json!({"role": "ROLE_USER", "parts": [{"text": "x"}]}));
    let parts = json!([{"kind": "text", "text": "x"}]);
    let v0_3 = || message(json!({"kind": "message", "role": "user", "parts": parts}));
    let proto = message(json!({"role": "ROLE_USER", "content": [{"text": "x"}]}));
    let mut v0_1 = message(json!({"role": "user", "parts": [{"type": "text", "text": "x"}]}));
    // Names of tasks are the caller's in 0.1.
    static TASKS: AtomicUsize = AtomicUsize::new(0);
    v0_1["id"] = json!(format!("t-{}", TASKS.fetch_add(1, Ordering::Relaxed)));
    let mut beside = v1();
    beside["message"]["metadata"] = Value::Null;
    beside["metadata"] = metadata.clone();
    vec![
        ("rpc", "SendMessage", Some("1.0"), v1()),
        ("rpc", "SendStreamingMessage", Some("1.0"), v1()),
        ("rpc", "SendMessage", Some("1.0"), beside),
        ("rest", "/message:send", Some("1.0"), v1()),
        ("rest", "/message:stream", Some("1.0"), v1()),
        ("grpc", "SendMessage", Some("1.0"), v1()),
        ("grpc", "SendStreamingMessage", Some("1.0"), v1()),
        ("rpc", "message/send", None, v0_3()),
        ("rpc", "message/stream", None, v0_3()),
        ("rest", "/v1/message:send", None, proto.clone()),
        ("rest", "/v1/message:stream", None, proto.clone()),
        ("grpc", "SendMessage", None, proto),
        ("rpc", "tasks/send", None, v0_1),
    ]
}

/// What a message comes to: its status and what the caller reads, without what is new each time.
async fn sent(
    server: &Server,
    mount: &str,
    token: &str,
    (binding, name, version, body): &(&str, &str, Option<&str>, Value),
) -> (i32, String) {
    let bearer = format!("Bearer {token}");
    if *binding == "grpc" {
        let package = version.map_or(Package::V0_3, |_| Package::V1_0);
        let request = call(package, name).json(&body.to_string()).below(mount);
        let reply = request.and("authorization", &bearer).to(server.address).await;
        return match reply.code() {
            0 => (200, String::new()),
            code => {
                let (reason, fields) = reply.details();
                let text = reply.metadata("grpc-message").unwrap_or_default();
                (code, format!("{text} {reason} {fields:?}").replace("%20", " "))
            }
        };
    }
    let (path, body) = match *binding {
        "rpc" => {
            let path = if mount.is_empty() { "/a2a" } else { mount };
            (path.to_owned(), rpc(name, &body.to_string()))
        }
        _ => (format!("{mount}{name}"), body.to_string()),
    };
    let request = in_version(ask("POST", &path), *version).body(body);
    let reply = request.and("authorization", &bearer).to(server.address).await;
    if reply.body.contains(r#""error""#) || reply.status != 200 {
        let told = [reply.header("www-authenticate"), Some(&*reply.body)];
        let told: Vec<_> = told.into_iter().flatten().collect();
        return (i32::from(reply.status), told.join("\n"));
    }
    (200, String::new())
}

#[tokio::test]
async fn messages_are_for_skills_that_their_senders_may_use() {
    let server = start().await;
    for mount in ["/a2a/agents/desk", ""] {
        for member in ["skillId", "skill_id"] {
            let named = |skill: &str| sends(&json!({ member: skill }));
            let all = named("open").into_iter().zip(named("paid")).zip(named("secret"));
            for (((open, paid), secret), nothing) in all.zip(named("nowhere")) {
                let label = format!("{mount} {member} {open:?}");
                for (token, may) in [(ONE, &open), (PAYER, &paid), (ALL, &secret)] {
                    let (status, told) = sent(&server, mount, token, may).await;
                    assert_eq!((status, &*told), (200, ""), "{label}");
                }
                let (denied, told) = sent(&server, mount, ONE, &paid).await;
                assert!([403, 7].contains(&denied), "{label} {told}");
                assert!(told.contains("pay"), "{label} {told}");
                // What is hidden is not there, to the letter.
                let hidden = sent(&server, mount, ONE, &secret).await;
                let missing = sent(&server, mount, ONE, &nothing).await;
                let hidden = (hidden.0, hidden.1.replace("secret", "#"));
                let missing = (missing.0, missing.1.replace("nowhere", "#"));
                assert!(missing.1.contains("no skill"), "{label} {missing:?}");
                assert_eq!(hidden, missing, "{label}");
            }
        }
    }
    server.stop().await;
}

/// The skill is one of the agent that the message is for in the end.
#[tokio::test]
async fn the_agent_in_the_end_decides() {
    let server = start().await;
    let to = |agent: &str, skill: &str| {
        let metadata = json!({"target_agent": agent, "skillId": skill});
        sends(&metadata).swap_remove(3)
    };
    for (agent, skill, token, status) in [
        ("other", "paid", ONE, 200),
        ("other", "anything", ONE, 200),
        ("desk", "paid", ONE, 403),
        ("desk", "desk/paid", ONE, 403),
        ("desk", "desk/paid", PAYER, 200),
        ("desk", "desk", ONE, 200),
        ("desk", "anything", ALL, 400),
        ("other", "desk/paid", BOUND, 200),
        ("desk", "open", BOUND, 403),
    ] {
        let (got, told) = sent(&server, "", token, &to(agent, skill)).await;
        assert_eq!(got, status, "{agent} {skill} {told}");
    }
    server.stop().await;
}

/// A message to a task that is not the sender's is told so, whatever skill it names.
#[tokio::test]
async fn a_skill_says_nothing_of_tasks_that_are_others() {
    let server = start().await;
    for skill in ["open", "paid", "secret", "nowhere"] {
        let mut send = sends(&json!({ "skillId": skill })).swap_remove(3);
        send.3["message"]["taskId"] = json!("0190f3a0-0000-7000-8000-000000000000");
        let (status, told) = sent(&server, "", ONE, &send).await;
        assert_eq!(status, 404, "{skill} {told}");
    }
    server.stop().await;
}
