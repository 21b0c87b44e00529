//! Cards: where they are, in which form, and with which addresses.

use std::sync::Arc;

use legation_auth::{Anonymous, Chain, Token, Tokens};
use legation_core::{BuildError, Caller, Exposed, OnRestart, Profile, Service};
use legation_http::{
    Binding, CardForm, Crew, Http, Interface, Network, Readers, Security, Settings, Version,
};
use legation_store::sqlite::{Options, SqliteStore};
use legation_testkit::agents::{Counter, Echo};
use legation_wire::signature::{Algorithm, KeySet, Signer, Verdict, verify};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::client::{ask, rpc, say};
use crate::server::{self, Server};

async fn start_with(change: impl FnOnce(&mut Settings)) -> Server {
    server::start_with(Arc::new(Anonymous), change).await
}

async fn card_of(server: &Server, path: &str, headers: &[(&str, &str)]) -> Value {
    let mut request = ask("GET", path).without("a2a-version");
    for (name, value) in headers {
        request = request.with(name, value);
    }
    let reply = request.to(server.address).await;
    assert_eq!(reply.status, 200, "{path} {reply:?}");
    serde_json::from_str(&reply.body).expect("JSON")
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("an object") };
    members
}

#[tokio::test]
async fn cards_are_where_clients_look_and_name_live_addresses() {
    let server = server::start().await;
    let counter = "/a2a/agents/counter";
    let cases = [
        ("/.well-known/agent-card.json", "Echo", "/a2a"),
        ("/.well-known/agent.json", "Echo", "/a2a"),
        ("/a2a", "Echo", "/a2a"),
        ("/a2a/", "Echo", "/a2a"),
        ("/a2a/.well-known/agent-card.json", "Echo", "/a2a"),
        ("/a2a/.well-known/agent.json", "Echo", "/a2a"),
        ("/a2a/agents/counter", "Counter", counter),
        ("/a2a/agents/counter/.well-known/agent-card.json", "Counter", counter),
        ("/a2a/agents/counter/.well-known/agent.json", "Counter", counter),
        ("/a2a/counter", "Counter", counter),
        ("/a2a/counter/.well-known/agent-card.json", "Counter", counter),
    ];
    for (path, name, interface) in cases {
        // A card is public and has no version: it says which there are.
        let card = ask("GET", path).without("a2a-version").to(server.address).await;
        assert_eq!(card.status, 200, "{path}");
        assert_eq!(card.header("content-type"), Some("application/json"));
        assert_eq!(card.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(card.header("vary"), Some("A2A-Version"));
        assert!(card.body.contains(&format!(r#""name":"{name}""#)), "{card:?}");
        let url = format!(r#""url":"http://{}{interface}""#, server.address);
        assert!(card.body.contains(&url), "{url} {card:?}");
        let etag = card.header("etag").expect("a tag");
        let again = ask("GET", path).without("a2a-version").and("if-none-match", etag);
        let again = again.to(server.address).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""));
        assert_eq!(again.header("vary"), Some("A2A-Version"));
        let date = card.header("last-modified").expect("a date");
        let again = ask("GET", path).and("if-modified-since", date).to(server.address).await;
        assert_eq!(again.status, 304);
        let head = ask("HEAD", path).without("a2a-version").to(server.address).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), Some(&*card.body.len().to_string()));
    }
    server.stop().await;
}

/// Which generations of readers a card serves.
fn generations(card: &Value) -> (Option<&str>, bool, bool) {
    let old = card.get("protocolVersion").map(|version| version.as_str().expect("a text"));
    let current = card.get("supportedInterfaces").is_some();
    let history = card["capabilities"].get("stateTransitionHistory").is_some();
    (old, current, history)
}

#[tokio::test]
async fn readers_get_the_form_they_ask_for() {
    const HYBRID: (Option<&str>, bool, bool) = (Some("0.3.0"), true, false);
    const V1_0: (Option<&str>, bool, bool) = (None, true, false);
    const V0_3: (Option<&str>, bool, bool) = (Some("0.3.0"), false, false);
    const V0_2: (Option<&str>, bool, bool) = (Some("0.2.6"), false, true);
    const CARD: &str = "/.well-known/agent-card.json";
    const OLD: &str = "/.well-known/agent.json";
    let server = server::start().await;
    let cases = [
        (CARD, "", None, HYBRID),
        (CARD, "", Some("1.0"), V1_0),
        (CARD, "", Some("0.3"), V0_3),
        (CARD, "", Some("0.2"), V0_2),
        (CARD, "", Some("0.1"), V0_2),
        (CARD, "", Some("9.9"), HYBRID),
        (CARD, "?A2A-Version=1.0", None, V1_0),
        (CARD, "?profile=v1", None, V1_0),
        (CARD, "?profile=v0.3", Some("1.0"), V0_3),
        (CARD, "?profile=v0.2", None, V0_2),
        (CARD, "?profile=hybrid", Some("1.0"), HYBRID),
        ("/a2a", "?profile=v1", None, V1_0),
        ("/a2a/counter", "?profile=v0.3", None, V0_3),
        (OLD, "", None, V0_2),
        (OLD, "", Some("1.0"), V0_2),
        (OLD, "?profile=v1", None, V1_0),
    ];
    let mut tags = std::collections::HashMap::new();
    for (path, query, version, expected) in cases {
        let request = ask("GET", &format!("{path}{query}")).without("a2a-version");
        let request = version.iter().fold(request, |request, v| request.and("a2a-version", v));
        let reply = request.to(server.address).await;
        let card: Value = serde_json::from_str(&reply.body).expect("JSON");
        assert_eq!(generations(&card), expected, "{path}{query} {version:?}");
        let of_crew = card["name"] == "Echo";
        let tag = reply.header("etag").expect("a tag").to_owned();
        let known = tags.entry((expected, of_crew)).or_insert_with(|| tag.clone());
        assert_eq!(*known, tag, "a form has one tag");
    }
    let distinct: std::collections::HashSet<_> = tags.values().collect();
    assert_eq!(distinct.len(), tags.len(), "forms have tags of their own");
    let unknown = ask("GET", "/.well-known/agent-card.json?profile=v2").to(server.address).await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.body.contains("must be one of hybrid, v1, v0.3, v0.2"), "{unknown:?}");
    server.stop().await;
}

#[tokio::test]
async fn the_form_and_the_order_of_interfaces_are_the_operators() {
    let rest = Interface { binding: Binding::HttpJson, version: Version::V1_0 };
    let old = Interface { binding: Binding::HttpJson, version: Version::V0_3 };
    let server = start_with(|settings| {
        settings.card = CardForm::V1_0;
        settings.interfaces = vec![rest, old];
        settings.public_url = Some("https://agents.example/x/".into());
    })
    .await;
    let card = card_of(&server, "/a2a/agents/echo", &[]).await;
    assert_eq!(generations(&card), (None, true, false));
    let url = "https://agents.example/x/a2a/agents/echo";
    let expected = json!([
        {"url": url, "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
        {"url": url, "protocolBinding": "HTTP+JSON", "protocolVersion": "0.3"},
    ]);
    assert_eq!(card["supportedInterfaces"], expected);
    let crew = card_of(&server, "/a2a?profile=v0.3", &[]).await;
    assert_eq!(
        (&crew["url"], &crew["preferredTransport"]),
        (&json!("https://agents.example/x"), &json!("HTTP+JSON"))
    );
    server.stop().await;
}

#[tokio::test]
async fn a_hybrid_card_lists_every_interface_for_either_reader() {
    let server = start_with(|settings| settings.security = Security::bearer()).await;
    let card = card_of(&server, "/.well-known/agent-card.json", &[]).await;
    let text = card.to_string().replace(&server.address.to_string(), "HOST");
    let card: Value = serde_json::from_str(&text).expect("JSON");
    insta::assert_snapshot!(serde_json::to_string_pretty(&card).expect("JSON"));
    server.stop().await;
}

#[tokio::test]
async fn a_crew_lists_its_agents_as_skills() {
    let crew = Crew {
        name: "The crew".into(),
        description: "Echoes and counts".into(),
        card: object(json!({"iconUrl": "https://a.example/icon.png"})),
    };
    for crew in [None, Some(crew)] {
        let server = start_with(|settings| settings.crew = crew.clone()).await;
        let card = card_of(&server, "/a2a?profile=v1", &[]).await;
        let skill = |id, name, description| json!({"id": id, "name": name, "description": description, "tags": [id]});
        let skills =
            json!([skill("echo", "Echo", "Says it again"), skill("counter", "Counter", "Counts"),]);
        assert_eq!(card["skills"], skills);
        let (name, icon) = match crew {
            None => ("Echo", Value::Null),
            Some(_) => ("The crew", json!("https://a.example/icon.png")),
        };
        assert_eq!(
            (&card["name"], card.get("iconUrl").unwrap_or(&Value::Null)),
            (&json!(name), &icon)
        );
        let own = card_of(&server, "/a2a/counter?profile=v1", &[]).await;
        assert_eq!(own["skills"].as_array().map(Vec::len), Some(1));
        server.stop().await;
    }
}

/// A service with one agent.
fn alone(profile: Profile) -> (Arc<Service>, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SqliteStore::open(directory.path(), Options::default()).expect("a new store");
    (Service::builder(store).agent(profile, Echo).build().expect("a good slug"), directory)
}

#[tokio::test]
async fn the_card_of_a_single_agent_is_the_crews_and_its_owner_has_the_last_word() {
    let mut profile = Profile::new("echo", "Echo", "Says it again");
    profile.card = object(json!({
        "description": "Says it twice",
        "skills": [{"id": "twice", "name": "Twice", "description": "It", "tags": ["t"]}],
        "capabilities": {"extensions": []},
    }));
    let (service, directory) = alone(profile);
    let server = server::serve(service, directory, Arc::new(Anonymous), |_| {}).await;
    for (path, url) in [("/a2a", "/a2a"), ("/a2a/agents/echo", "/a2a/agents/echo")] {
        let card = card_of(&server, path, &[]).await;
        assert_eq!(card["description"], "Says it twice");
        assert_eq!(card["skills"][0]["id"], "twice");
        assert_eq!(
            card["capabilities"],
            json!({
                "streaming": true, "pushNotifications": false, "extendedAgentCard": false,
            })
        );
        assert_eq!(card["url"], format!("http://{}{url}", server.address));
    }
    server.stop().await;
}

#[tokio::test]
async fn what_an_owner_says_of_addresses_stands_everywhere() {
    let mut profile = Profile::new("echo", "Echo", "Says it again");
    let interfaces = json!([
        {"url": "grpc.example:443", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
    ]);
    profile.card = object(json!({"supportedInterfaces": interfaces}));
    let (service, directory) = alone(profile);
    let server = server::serve(service, directory, Arc::new(Anonymous), |_| {}).await;
    for path in ["/a2a", "/a2a/echo"] {
        let card = card_of(&server, path, &[]).await;
        assert_eq!(card["supportedInterfaces"], interfaces);
        assert_eq!(card["preferredTransport"], "GRPC");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_owner_may_choose_interfaces_and_leave_their_addresses_to_the_server() {
    let mut profile = Profile::new("echo", "Echo", "Says it again");
    let interface = |url: &str, binding: &str| json!({"url": url, "protocolBinding": binding, "protocolVersion": "0.3"});
    profile.card = object(json!({
        "supportedInterfaces": [interface("", "HTTP+JSON"), interface("", "JSONRPC")],
    }));
    let (service, directory) = alone(profile);
    let server = server::serve(service, directory, Arc::new(Anonymous), |_| {}).await;
    let base = format!("http://{}", server.address);
    let agent = format!("{base}/a2a/agents/echo");
    let cases =
        [("/a2a", base.clone(), format!("{base}/a2a")), ("/a2a/echo", agent.clone(), agent)];
    for (path, rest, rpc) in cases {
        let card = card_of(&server, path, &[]).await;
        let expected = json!([interface(&rest, "HTTP+JSON"), interface(&rpc, "JSONRPC")]);
        assert_eq!(card["supportedInterfaces"], expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn agents_are_replaced_with_their_cards_or_not_at_all() {
    let (service, _directory) = alone(Profile::new("echo", "Echo", "Says it again"));
    let settings = Settings::new(Security::open());
    let http = Http::new(service.clone(), Arc::new(Anonymous), settings).expect("sound cards");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let drain = CancellationToken::new();
    let front = http.at(address, drain.clone());
    let serving = tokio::spawn(front.clone().serve(listener));
    let exposed = |profile| Exposed { profile: Arc::new(profile), agent: Arc::new(Echo) };
    let named = |slug: &str, name: &str| Profile::new(slug, name, "Says it again");
    let status = async |path: &str| ask("GET", path).to(address).await.status;
    let name = async |path: &str| {
        let body = ask("GET", path).to(address).await.body;
        let card: Value = serde_json::from_str(&body).expect("a card");
        card["name"].as_str().map(str::to_owned)
    };

    let new = vec![exposed(named("other", "Other")), exposed(named("echo", "Renamed"))];
    assert_eq!(front.replace_agents(new, None), Ok(()));
    assert_eq!(name("/a2a").await.as_deref(), Some("Other"));
    assert_eq!(name("/a2a/echo").await.as_deref(), Some("Renamed"));

    let mut bad = named("echo", "Bad");
    bad.card = object(json!({"name": 1}));
    let refused = [vec![], vec![exposed(bad)], vec![exposed(named("callback", "Reserved"))]];
    for agents in refused {
        assert!(front.replace_agents(agents, None).is_err());
        assert_eq!(name("/a2a/echo").await.as_deref(), Some("Renamed"));
    }
    let only = vec![exposed(named("other", "Other"))];
    assert_eq!(front.replace_agents(only, None), Ok(()));
    assert_eq!((status("/a2a/echo").await, status("/a2a/other").await), (404, 200));
    drain.cancel();
    service.stop(std::time::Duration::ZERO).await;
    serving.await.expect("the server ends by itself");
}

#[tokio::test]
async fn changes_that_make_no_card_stop_the_start() {
    let cases = [
        (json!({"skills": [{"id": 1}]}), "`skills[0].id`: invalid type"),
        (json!({"name": null}), "`name`: is missing"),
        (json!({"preferredTransport": "JSONRPC"}), "`preferredTransport`: there is no such"),
    ];
    for (changes, expected) in cases {
        let mut profile = Profile::new("echo", "Echo", "Says it again");
        profile.card = object(changes);
        let (service, _directory) = alone(profile);
        let made = Http::new(service, Arc::new(Anonymous), Settings::new(Security::open()));
        let error = made.err().expect("no card");
        assert_eq!(error.of, "Echo");
        assert!(error.member.to_string().starts_with(expected), "{:?}", error.member);
    }
}

#[tokio::test]
async fn agents_whose_addresses_would_clash_are_not_served() {
    let build = |slugs: &[&str]| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = SqliteStore::open(directory.path(), Options::default()).expect("a new store");
        let mut service = Service::builder(store);
        for (number, slug) in slugs.iter().enumerate() {
            let agent = Counter { on_restart: OnRestart::Fail };
            service = service.agent(Profile::new(slug, &format!("N{number}"), ""), agent);
        }
        service.build().err().map(|error| error.to_string())
    };
    assert_eq!(build(&["a", "b"]), None);
    assert_eq!(build(&[]), Some(BuildError::NoAgent.to_string()));
    let cases: [(&[&str], &str); 4] = [
        (&["a", "b", "a"], "the agents `N0` and `N2` cannot both be served as `a`"),
        (&["a", "agents"], "the agent `N1` cannot be served as `agents`: the name is reserved"),
        (&[".well-known"], "the agent `N0` cannot be served as `.well-known`: a slug has"),
        (&["A b"], "the agent `N0` cannot be served as `A b`: a slug has"),
    ];
    for (slugs, expected) in cases {
        let error = build(slugs).expect("not to be served");
        assert!(error.starts_with(expected), "{error}");
    }
}

#[tokio::test]
async fn both_ways_to_an_agent_lead_to_its_tenancy() {
    let server = server::start().await;
    for mount in ["/a2a/agents/echo", "/a2a/echo"] {
        let sent = ask("POST", mount).body(rpc("SendMessage", &say("hi"))).to(server.address).await;
        let id = sent.text_after(r#""task":{"id":""#);
        for (path, status) in [
            (format!("/a2a/agents/echo/tasks/{id}"), 200),
            (format!("/a2a/echo/tasks/{id}"), 200),
            (format!("/tasks/{id}"), 200),
            (format!("/a2a/counter/tasks/{id}"), 404),
        ] {
            assert_eq!(ask("GET", &path).to(server.address).await.status, status, "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_trusted_proxy_says_where_callers_reach_the_server() {
    const PROXIED: [(&str, &str); 3] = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "agents.example"),
        ("x-forwarded-prefix", "/x"),
    ];
    const STANDARD: [(&str, &str); 1] =
        [("forwarded", "for=203.0.113.9;host=b.example;proto=https")];
    let url = async |server: &Server, headers: &[(&str, &str)]| {
        let card = card_of(server, "/a2a/agents/echo", headers).await;
        let url = card["url"].as_str().expect("a text").to_owned();
        url.replace(&server.address.to_string(), "HOST")
    };
    let own = "http://HOST/a2a/agents/echo";

    let nobody = server::start().await;
    assert_eq!(url(&nobody, &PROXIED).await, own);
    assert_eq!(url(&nobody, &STANDARD).await, own);
    nobody.stop().await;

    let network = |text: &str| text.parse().expect("a network");
    let others =
        start_with(|settings| settings.trusted_proxies = vec![network("10.0.0.0/8")]).await;
    assert_eq!(url(&others, &PROXIED).await, own);
    others.stop().await;

    let proxied = start_with(|settings| settings.trusted_proxies = vec![network("127.0.0.0/8")]);
    let proxied = proxied.await;
    assert_eq!(url(&proxied, &[]).await, own);
    assert_eq!(url(&proxied, &PROXIED).await, "https://agents.example/x/a2a/agents/echo");
    assert_eq!(url(&proxied, &STANDARD).await, "https://b.example/a2a/agents/echo");
    let both = [PROXIED[0], PROXIED[1], STANDARD[0]];
    assert_eq!(url(&proxied, &both).await, own, "they contradict each other");
    let request = PROXIED.iter().fold(ask("GET", "/a2a"), |request, (n, v)| request.and(n, v));
    let card = request.clone().to(proxied.address).await;
    let vary = card.header("vary").expect("what it depends on");
    assert!(vary.starts_with("A2A-Version, Forwarded, X-Forwarded-"), "{vary}");
    let etag = card.header("etag").expect("a tag");
    assert_eq!(request.and("if-none-match", etag).to(proxied.address).await.status, 304);
    proxied.stop().await;

    let fixed = start_with(|settings| {
        settings.trusted_proxies = vec![network("127.0.0.0/8")];
        settings.public_url = Some("https://fixed.example".into());
    });
    let fixed = fixed.await;
    assert_eq!(url(&fixed, &PROXIED).await, "https://fixed.example/a2a/agents/echo");
    fixed.stop().await;
}

#[tokio::test]
async fn readiness_follows_the_service() {
    let server = server::start().await;
    let status = async |path: &str| ask("GET", path).to(server.address).await.status;
    assert_eq!((status("/healthz").await, status("/readyz").await), (200, 200));
    server.service.drain();
    assert_eq!((status("/healthz").await, status("/readyz").await), (200, 503));
    server.stop().await;
}

const TOKEN: &str = "lgn_a-reader-has-a-token-of-enough-bytes-1";

/// A server whose cards are for these readers.
async fn start_for(readers: Readers, trusted: &str) -> Server {
    let caller = Caller { scheme: "bearer".into(), ..Caller::new("t", "reader") };
    let tokens = Tokens::new(vec![Token::new(TOKEN, caller).expect("a good token")]);
    server::start_with(Arc::new(Chain::of_tokens(tokens)), |settings| {
        let pem = Signer::generate(Algorithm::EdDsa);
        let signer = Signer::from_pem(pem.as_bytes(), None, None).expect("a key");
        settings.security = Security::bearer();
        settings.security.issuers.push("https://issuer.example".into());
        settings.signers = vec![Arc::new(signer)];
        settings.trusted_proxies =
            trusted.split_whitespace().map(|text| text.parse().expect("a network")).collect();
        settings.readers = readers;
    })
    .await
}

#[tokio::test]
async fn cards_may_be_for_some_readers() {
    type Lines = &'static [(&'static str, &'static str)];
    const BEARER: (&str, &str) =
        ("authorization", "Bearer lgn_a-reader-has-a-token-of-enough-bytes-1");
    const INSIDE: (&str, &str) = ("x-forwarded-for", "10.1.2.3");
    const OUTSIDE: (&str, &str) = ("x-forwarded-for", "9.9.9.9");
    let cases: [(&str, bool, &str, Lines, u16); 19] = [
        ("127.0.0.0/8", false, "", &[], 200),
        // An undeclared proxy would lend its own address to everybody.
        ("127.0.0.0/8", false, "", &[INSIDE], 404),
        ("127.0.0.0/8", false, "", &[("via", "1.1 proxy")], 404),
        ("127.0.0.0/8", false, "127.0.0.1", &[], 404),
        ("127.0.0.0/8", false, "127.0.0.1", &[OUTSIDE], 404),
        ("10.0.0.0/8", false, "", &[], 404),
        ("10.0.0.0/8", false, "", &[BEARER], 404),
        ("10.0.0.0/8", false, "", &[INSIDE], 404),
        ("10.0.0.0/8", false, "127.0.0.1", &[INSIDE], 200),
        ("10.0.0.0/8", false, "127.0.0.1", &[OUTSIDE], 404),
        ("", true, "", &[], 401),
        ("", true, "", &[("if-none-match", "*")], 401),
        ("", true, "", &[("authorization", "Bearer x")], 401),
        ("", true, "", &[BEARER], 200),
        ("127.0.0.1", true, "", &[], 200),
        ("10.0.0.0/8", true, "", &[], 401),
        ("10.0.0.0/8", true, "", &[BEARER], 200),
        ("10.0.0.0/8", true, "127.0.0.1", &[INSIDE], 200),
        ("10.0.0.0/8", true, "127.0.0.1", &[OUTSIDE], 401),
    ];
    let places = [
        "/.well-known/agent-card.json",
        "/.well-known/agent.json",
        "/a2a",
        "/a2a/agents/echo",
        "/a2a/echo/.well-known/agent.json",
        "/.well-known/agent-card.json?profile=nothing",
    ];
    for (networks, credentials, trusted, lines, status) in cases {
        let networks: Vec<Network> =
            networks.split_whitespace().map(|text| text.parse().expect("a network")).collect();
        let server = start_for(Readers { networks, credentials }, trusted).await;
        let get = |method: &str, path: &str| {
            let request = ask(method, path).without("a2a-version").without("content-type");
            lines.iter().fold(request, |request, (name, value)| request.and(name, value))
        };
        let nothing = get("GET", "/a2a/nobody").to(server.address).await;
        for path in places {
            let label = format!("{path} {lines:?} {trusted}");
            let reply = get("GET", path).to(server.address).await;
            let expected = if path.ends_with("nothing") && status == 200 { 400 } else { status };
            assert_eq!(reply.status, expected, "{label} {reply:?}");
            let head = get("HEAD", path).to(server.address).await;
            assert_eq!((head.status, head.body.as_str()), (expected, ""), "{label}");
            match expected {
                200 => {
                    assert_eq!(reply.header("cache-control"), Some("private, max-age=300"));
                    let tag = reply.header("etag").expect("a tag");
                    let again = get("GET", path).and("if-none-match", tag);
                    assert_eq!(again.to(server.address).await.status, 304, "{label}");
                }
                404 => assert_eq!(reply.body, nothing.body, "{label}"),
                401 => {
                    let challenge = reply.header("www-authenticate").expect("a challenge");
                    assert!(challenge.starts_with("Bearer"), "{label} {challenge}");
                }
                _ => {}
            }
            if expected != 200 {
                assert_eq!(reply.header("etag"), None, "{label}");
                assert_eq!(reply.header("cache-control"), Some("no-store"), "{label}");
            }
        }
        // What clients need before they have credentials stays.
        for path in ["/.well-known/jwks.json", "/.well-known/oauth-protected-resource", "/healthz"]
        {
            let status = get("GET", path).to(server.address).await.status;
            assert!([200, 304].contains(&status), "{path} {lines:?} {status}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn cards_are_signed_at_every_mount_and_address_and_the_keys_are_published() {
    let signer = || {
        let pem = Signer::generate(Algorithm::EdDsa);
        Arc::new(Signer::from_pem(pem.as_bytes(), None, None).expect("a key"))
    };
    let unsigned = server::start().await;
    let none = ask("GET", "/.well-known/jwks.json").to(unsigned.address).await;
    assert_eq!(none.status, 404, "{none:?}");
    let server = start_with(|settings| {
        settings.signers = vec![signer(), signer()];
        settings.trusted_proxies = vec!["127.0.0.1".parse().expect("a network")];
    })
    .await;
    let published = ask("GET", "/.well-known/jwks.json").to(server.address).await;
    assert_eq!(published.status, 200);
    assert!(published.header("etag").is_some());
    assert!(!published.body.contains(r#""d":"#), "no private part");
    let keys = KeySet::read(published.body.as_bytes()).expect("keys");
    let mounts = ["", "/a2a/agents/echo", "/a2a/agents/counter"];
    for mount in mounts {
        for (form, is_signed) in [("", true), ("?profile=v1", true), ("?profile=v0.3", false)] {
            for host in [None, Some("agents.example.com")] {
                let path = format!("{mount}/.well-known/agent-card.json{form}");
                let mut request = ask("GET", &path).without("a2a-version");
                if let Some(host) = host {
                    request = request.with("x-forwarded-host", host);
                }
                let card = request.to(server.address).await;
                assert_eq!(card.body.contains("agents.example.com"), host.is_some(), "{card:?}");
                let verdict = verify(card.body.as_bytes(), &keys, 0).expect("a card");
                let verified = matches!(verdict, Verdict::Verified { .. });
                assert_eq!(verified, is_signed, "{path} {host:?}: {verdict:?}");
            }
        }
    }
}
