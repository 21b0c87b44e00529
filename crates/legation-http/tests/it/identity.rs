//! Who calls: nobody is served without saying, before anything of the body is looked at.

use std::sync::Arc;
use std::time::Duration;

use legation_auth::{Attempts, Carrier, Chain, Scheme, Token, Tokens, Verifier};
use legation_core::{Caller, Profile, Scopes, Service, gate};
use legation_http::{Security, Version};
use legation_model::{ApiKeySecurityScheme, SecurityScheme, Timestamp};
use legation_store::sqlite::{Options, SqliteStore};
use legation_testkit::agents::Echo;
use legation_wire::grpc::Package;
use legation_wire::operation;

use crate::client::{Ask, ask, exchange, rpc, say};
use crate::grpc_client::{GrpcAsk, GrpcReply, call, framed};
use crate::server::{self, Server};

const ANN: &str = "lgn_ann-has-a-token-of-enough-bytes-0001";
const BOB: &str = "lgn_bob-has-a-token-of-enough-bytes-0002";

/// Good for reading only.
const EVE: &str = "lgn_eve-has-a-token-of-enough-bytes-0003";
/// Good for one agent only, and as a key only.
const KEY: &str = "lgn_the-key-of-someone-of-enough-bytes-4";

fn token(secret: &str, caller: Caller) -> Token {
    Token::new(secret, caller).expect("a good token")
}

/// Bearer tokens of Ann, Bob and Eve, and keys in a header and in the query.
fn chain(attempts: Attempts) -> Chain {
    let known = |name: &str| {
        let scheme = if name == "key" { "apiKey" } else { "bearer" };
        Caller { scheme: scheme.into(), ..Caller::new(name, name) }
    };
    let reader = Caller { scopes: Scopes::Only([gate::READ.into()].into()), ..known("eve") };
    let bound = Caller { agents: Some(["echo".into()].into()), ..known("key") };
    let bearers = vec![token(ANN, known("ann")), token(BOB, known("bob")), token(EVE, reader)];
    let tokens = |tokens| Verifier::Tokens(Tokens::new(tokens));
    let key = || tokens(vec![token(KEY, bound.clone())]);
    let schemes = vec![
        Scheme::new("bearer", Carrier::Bearer, tokens(bearers)),
        Scheme::new("apiKey", Carrier::Header("x-api-key".into()), key()),
        Scheme::new("apiKey", Carrier::Query("api_key".into()), key()),
    ];
    Chain::new(schemes, attempts)
}

fn security() -> Security {
    let mut security = Security::bearer();
    let key = ApiKeySecurityScheme {
        location: "header".into(),
        name: "x-api-key".into(),
        description: None,
    };
    security.schemes.push(("apiKey".into(), SecurityScheme::ApiKeySecurityScheme(key)));
    security.issuers.push("https://issuer.example".into());
    security
}

/// A server that takes any number of bad credentials.
async fn start() -> Server {
    let attempts = Attempts { count: u32::MAX, within: Duration::from_secs(60) };
    server::start_with(Arc::new(chain(attempts)), |settings| settings.security = security()).await
}

/// A request for each operation of each version on each binding and mount, with the version stated
/// and, where the method or the path say it as well, without.
fn operations() -> Vec<(String, Ask)> {
    let mut all = Vec::new();
    let mut add = |version: Version, method: &str, path: &str, body: String| {
        let name = format!("{} {method} {path} {body}", version.name());
        let stated = ask(method, path).with("a2a-version", version.name()).body(body);
        if version != Version::V1_0 {
            all.push((name.clone(), stated.clone().without("a2a-version")));
        }
        all.push((name, stated));
    };
    for version in Version::SERVED {
        for row in operation::rows(version) {
            for path in ["/", "/a2a", "/a2a/", "/a2a/agents/echo", "/a2a/echo"] {
                add(version, "POST", path, rpc(row.method, "{}"));
            }
            for mount in ["", "/acme", "/a2a/agents/echo", "/a2a/echo"] {
                if mount == "/acme" && version != Version::V1_0 {
                    continue;
                }
                for verb in row.verbs {
                    let path = ["{id}", "{taskId}", "{pushNotificationConfigId}"]
                        .iter()
                        .fold(row.path.to_owned(), |path, name| path.replace(name, "1"));
                    add(version, verb.name(), &format!("{mount}{path}"), "{}".into());
                }
            }
        }
    }
    all
}

#[tokio::test]
async fn no_operation_is_anonymous() {
    let server = start().await;
    let wrong = format!("Bearer {ANN}x");
    for (name, request) in operations() {
        let two = request.clone().and("authorization", &format!("Bearer {ANN}"));
        let key = request.clone().and("x-api-key", KEY);
        let cases = [
            request.clone().and("x-api-key", &KEY[1..]),
            request.clone().and("cookie", &format!("x-api-key={KEY}")),
            key.clone().and("x-api-key", KEY),
            key.and("authorization", &format!("Bearer {ANN}")),
            two.clone().and("authorization", &format!("Bearer {ANN}")),
            request.clone(),
            request.clone().and("authorization", ""),
            request.clone().and("authorization", "Basic eDp5"),
            request.clone().and("authorization", &wrong),
            two.and("authorization", "Basic eDp5"),
        ];
        for case in cases {
            let reply = case.to(server.address).await;
            assert_eq!(reply.status, 401, "{name} {reply:?}");
            let challenge = reply.header("www-authenticate").expect("a challenge");
            assert!(challenge.starts_with(r#"Bearer realm="legation""#), "{challenge}");
            assert!(!challenge.contains(KEY) && !reply.body.contains(KEY), "{reply:?}");
            assert!(reply.body.contains("UNAUTHENTICATED"), "{reply:?}");
        }
        let known = request.clone().and("authorization", &format!("Bearer {ANN}"));
        assert_ne!(known.to(server.address).await.status, 401, "{name}");
        let keyed = request.and("x-api-key", KEY);
        assert_ne!(keyed.to(server.address).await.status, 401, "{name}");
    }
    server.stop().await;
}

/// A call of each operation of both packages of gRPC, with a message that says nothing.
fn calls() -> impl Iterator<Item = GrpcAsk> {
    Package::ALL.into_iter().flat_map(|package| {
        let rows = operation::rows(package.version()).iter().filter(|row| !row.grpc.is_empty());
        rows.map(move |row| call(package, row.grpc).raw(framed(b"")))
    })
}

#[tokio::test]
async fn no_call_of_grpc_is_anonymous() {
    let server = start().await;
    let known = format!("Bearer {ANN}");
    for call in calls() {
        let cases = [
            call.clone(),
            call.clone().endless(),
            call.clone().and("authorization", "Basic eDp5"),
            call.clone().and("authorization", &format!("{known}x")),
            call.clone().and("authorization", &known).and("authorization", "Basic eDp5"),
            call.clone().below("/a2a/agents/echo"),
            call.clone().and("x-api-key", &KEY[1..]),
            call.clone().and("x-api-key", KEY).and("authorization", &known),
        ];
        for case in cases {
            let reply = case.to(server.address).await;
            assert_eq!((reply.http, reply.code()), (200, 16), "{case:?} {reply:?}");
            assert_eq!(reply.details().0, "UNAUTHENTICATED");
            let challenge = reply.metadata("www-authenticate").expect("a challenge");
            assert!(challenge.starts_with(r#"Bearer realm="legation""#), "{challenge}");
        }
        let reply = call.clone().and("authorization", &known).to(server.address).await;
        assert_ne!(reply.code(), 16, "{call:?}");
        let reply = call.clone().and("x-api-key", KEY).to(server.address).await;
        assert_ne!(reply.code(), 16, "{call:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_refusal_does_not_wait_for_the_body() {
    let server = start().await;
    for path in ["/a2a", "/message:send"] {
        let announced = ask("POST", path).with("content-length", "1000000").bytes();
        assert_eq!(exchange(server.address, &announced).await.status, 401);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let server = start().await;
    let by = |method, path: &str, token| {
        ask(method, path).and("authorization", &format!("Bearer {token}"))
    };
    let sent = by("POST", "/message:send", ANN).body(say("hi")).to(server.address).await;
    let id = sent.text_after(r#""task":{"id":""#);
    let random = "0190f3a0-0000-7000-8000-000000000000";
    for (method, path) in
        [("GET", "/tasks/#"), ("POST", "/tasks/#:cancel"), ("GET", "/tasks/#:subscribe")]
    {
        let foreign = by(method, &path.replace('#', id), BOB).to(server.address).await;
        let missing = by(method, &path.replace('#', random), BOB).to(server.address).await;
        assert_eq!(foreign.status, 404, "{path}");
        assert_eq!(foreign.body.replace(id, random), missing.body, "{path}");
    }
    for (package, method, params) in [
        (Package::V1_0, "GetTask", r#"{"id":"ID"}"#),
        (Package::V1_0, "SubscribeToTask", r#"{"id":"ID"}"#),
        (Package::V0_3, "CancelTask", r#"{"name":"tasks/ID"}"#),
    ] {
        let by_bob = |id| {
            let call = call(package, method).json(&params.replace("ID", id));
            call.and("authorization", &format!("Bearer {BOB}"))
        };
        let foreign = by_bob(id).to(server.address).await;
        let missing = by_bob(random).to(server.address).await;
        assert_eq!(foreign.code(), 5, "{method}");
        let told = |reply: &GrpcReply| reply.metadata("grpc-message").map(str::to_owned);
        let foreign = told(&foreign).map(|text| text.replace(id, random));
        assert_eq!(foreign, told(&missing), "{method}");
    }
    let own = by("GET", &format!("/ann/tasks/{id}"), ANN).to(server.address).await;
    assert_eq!(own.status, 200, "a tenant may be named by those who belong to it");
    server.stop().await;
}

/// What credentials are good for is asked on every path before anything is looked up.
#[tokio::test]
async fn a_scope_is_needed_for_each_operation() {
    let server = start().await;
    for (name, request) in operations() {
        let reply = request.and("authorization", &format!("Bearer {EVE}")).to(server.address).await;
        let reads =
            ["Get", "List", "get", "list", "ubscribe", "GET "].map(|word| name.contains(word));
        let is_push = ["ush", "webhook"].iter().any(|word| name.contains(word));
        if reads.contains(&true) && !is_push && !name.contains("end") {
            assert_ne!(reply.status, 403, "{name} {reply:?}");
        }
        if reply.status == 403 {
            let challenge = reply.header("www-authenticate").expect("what is missing");
            assert!(challenge.contains(r#"error="insufficient_scope", scope=""#), "{challenge}");
        }
    }
    let by_eve = |path: &str| ask("POST", path).and("authorization", &format!("Bearer {EVE}"));
    let cases = [
        ("/message:send", say("hi"), "send"),
        ("/message:stream", say("hi"), "send"),
        ("/tasks/1:cancel", "{}".into(), "cancel"),
        ("/a2a", rpc("SendMessage", &say("hi")), "send"),
        ("/a2a/agents/echo", rpc("CancelTask", r#"{"id":"1"}"#), "cancel"),
    ];
    for (path, body, scope) in cases {
        let reply = by_eve(path).body(body).to(server.address).await;
        assert_eq!(reply.status, 403, "{path} {reply:?}");
        let wanted = format!(r#"scope="{scope}""#);
        assert!(reply.header("www-authenticate").is_some_and(|c| c.contains(&wanted)), "{reply:?}");
        assert!(reply.body.contains("PERMISSION_DENIED"), "{reply:?}");
    }
    for (package, method, code) in [
        (Package::V1_0, "SendMessage", 7),
        (Package::V1_0, "SendStreamingMessage", 7),
        (Package::V0_3, "CancelTask", 7),
        (Package::V1_0, "ListTasks", 0),
    ] {
        let params = match method {
            "CancelTask" => r#"{"name":"tasks/1"}"#.to_owned(),
            "ListTasks" => "{}".to_owned(),
            _ => say("hi"),
        };
        let call = call(package, method).json(&params);
        let reply = call.and("authorization", &format!("Bearer {EVE}")).to(server.address).await;
        assert_eq!(reply.code(), code, "{method} {reply:?}");
    }
    server.stop().await;
}

/// Credentials that are bound to an agent do not reach another, whatever way is taken.
#[tokio::test]
async fn credentials_for_an_agent_are_for_no_other() {
    let server = start().await;
    let counter = say("count 1 every 0")
        .replace(r#""parts""#, r#""metadata":{"target_agent":"counter"},"parts""#);
    let echo = say("hi").replace(r#""parts""#, r#""metadata":{"target_agent":"echo"},"parts""#);
    let cases = [
        ("/a2a/agents/echo/message:send", say("hi"), 200),
        ("/a2a/agents/counter/message:send", say("count 1 every 0"), 403),
        ("/message:send", say("hi"), 200),
        ("/message:send", echo, 200),
        ("/message:send", counter.clone(), 403),
        ("/a2a/agents/counter", rpc("SendMessage", &say("count 1 every 0")), 403),
        ("/a2a", rpc("SendMessage", &counter), 403),
        ("/a2a", rpc("ListTasks", "{}"), 200),
        ("/a2a/agents/counter", rpc("ListTasks", "{}"), 403),
    ];
    for (path, body, status) in cases {
        let reply = ask("POST", path).and("x-api-key", KEY).body(body).to(server.address).await;
        assert_eq!(reply.status, status, "{path} {reply:?}");
    }
    server.stop().await;
}

/// An agent may take some schemes only: at its own address the others are no way in, and through
/// the crew they do not lead to it.
#[tokio::test]
async fn an_agent_may_take_some_schemes_only() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SqliteStore::open(directory.path(), Options::default()).expect("a new store");
    let keyed = Profile {
        schemes: Some(["apiKey".into()].into()),
        ..Profile::new("keyed", "Keyed", "Takes keys only")
    };
    let service = Service::builder(store)
        .agent(Profile::new("echo", "Echo", "Says it again"), Echo)
        .agent(keyed, Echo)
        .build()
        .expect("agents with slugs of their own");
    let chain = Arc::new(chain(Attempts::default()));
    let change = |settings: &mut legation_http::Settings| settings.security = security();
    let server = server::serve(service, directory, chain, change).await;
    let by_ann = |path| ask("POST", path).and("authorization", &format!("Bearer {ANN}"));
    let refused = by_ann("/a2a/keyed/message:send").body(say("hi")).to(server.address).await;
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("ApiKey "), "{challenge}");
    let through = say("hi").replace(r#""parts""#, r#""metadata":{"target_agent":"keyed"},"parts""#);
    let refused = by_ann("/message:send").body(through).to(server.address).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(by_ann("/message:send").body(say("hi")).to(server.address).await.status, 200);
    let card = ask("GET", "/a2a/agents/keyed").to(server.address).await;
    assert!(
        card.body.contains("apiKeySecurityScheme") && !card.body.contains("Bearer"),
        "{card:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn too_many_bad_credentials_are_answered_with_429() {
    let chain = Arc::new(chain(Attempts { count: 3, within: Duration::from_secs(60) }));
    let server = server::start_with(chain, |settings| settings.security = security()).await;
    let send = |token: &str| {
        let send = ask("POST", "/message:send").and("authorization", &format!("Bearer {token}"));
        send.body(say("hi"))
    };
    for _ in 0..3 {
        assert_eq!(send("wrong").to(server.address).await.status, 401);
    }
    let reply = send("wrong").to(server.address).await;
    assert_eq!(reply.status, 429, "{reply:?}");
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    assert_eq!(send(ANN).to(server.address).await.status, 200, "it is known without asking");
    server.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_credentials_of_its_reader() {
    let soon = Timestamp::from_millis(Timestamp::now().as_millis() + 1_500);
    let caller = Caller { expires: soon, ..Caller::new("ann", "ann") };
    let chain = Arc::new(Chain::of_tokens(Tokens::new(vec![token(ANN, caller)])));
    let server = server::start_with(chain, |settings| settings.security = security()).await;
    let stream = ask("POST", "/message:stream").and("authorization", &format!("Bearer {ANN}"));
    // The task goes on, so nothing else ends the stream.
    let stream = stream.body(say("wait")).to(server.address).await;
    assert_eq!(stream.status, 200);
    assert!(stream.body.contains("the credentials of this stream have ended"), "{stream:?}");
    server.stop().await;
}

/// RFC 9728.
#[tokio::test]
async fn the_metadata_of_the_resource_names_the_issuers() {
    let server = start().await;
    let base = format!("http://{}", server.address);
    let place = "/.well-known/oauth-protected-resource";
    for (path, resource) in [("", ""), ("/a2a/agents/echo", "/a2a/agents/echo")] {
        let reply = ask("GET", &format!("{place}{path}")).to(server.address).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        for part in [
            format!(r#""resource":"{base}{resource}""#),
            r#""authorization_servers":["https://issuer.example"]"#.to_owned(),
            r#""send""#.to_owned(),
        ] {
            assert!(reply.body.contains(&part), "{part} {reply:?}");
        }
    }
    assert_eq!(ask("GET", &format!("{place}/nothing")).to(server.address).await.status, 404);
    server.stop().await;
    let open = server::start().await;
    assert_eq!(ask("GET", place).to(open.address).await.status, 404, "there are no issuers");
    open.stop().await;
}

#[tokio::test]
async fn cards_and_health_are_public() {
    let server = start().await;
    for path in ["/.well-known/agent-card.json", "/a2a/agents/echo", "/healthz", "/readyz"] {
        assert_eq!(ask("GET", path).to(server.address).await.status, 200, "{path}");
    }
    let card = ask("GET", "/.well-known/agent-card.json").to(server.address).await;
    assert!(card.body.contains(r#""httpAuthSecurityScheme":{"scheme":"Bearer"}"#), "{card:?}");
    server.stop().await;
}

#[tokio::test]
async fn foreign_hosts_and_pages_are_refused() {
    let server = start().await;
    let token = format!("Bearer {ANN}");
    for path in ["/a2a", "/tasks", "/.well-known/agent-card.json", "/healthz"] {
        let request = ask("GET", path).and("authorization", &token);
        let foreign_host = request.clone().with("host", "evil.example").to(server.address).await;
        let foreign_page = request.and("origin", "http://evil.example").to(server.address).await;
        assert_eq!((foreign_host.status, foreign_page.status), (403, 403), "{path}");
    }
    let page = call(Package::V1_0, "ListTasks").raw(framed(b"")).and("authorization", &token);
    let page = page.and("origin", "http://evil.example").to(server.address).await;
    assert_eq!((page.code(), page.details().0.as_str()), (7, "PERMISSION_DENIED"));
    server.stop().await;
}
