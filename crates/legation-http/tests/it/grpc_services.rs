//! The services beside A2A's, and the ports of agents.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use legation_auth::Anonymous;
use legation_http::{Bounds, Http, Security, Settings};
use legation_wire::grpc::Package;
use prost::Message;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::client::ask;
use crate::grpc_client::{at, call, framed};
use crate::server;

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

fn check(service: &str) -> Vec<u8> {
    framed(&HealthCheckRequest { service: service.into() }.encode_to_vec())
}

fn status(message: &[u8]) -> i32 {
    HealthCheckResponse::decode(message).expect("a health response").status
}

#[tokio::test]
async fn health_is_readiness() {
    let server = server::start().await;
    let path = "/grpc.health.v1.Health/Check";
    let services = ["", Package::V1_0.service(), Package::V0_3.service()];
    for service in services {
        let reply = at(path).raw(check(service)).to(server.address).await;
        assert_eq!((reply.code(), status(&reply.messages[0])), (0, SERVING), "{service}");
    }
    let unknown = at(path).raw(check("a.b.C")).to(server.address).await;
    assert_eq!((unknown.code(), unknown.messages.len()), (5, 0));

    let mut watch = at("/grpc.health.v1.Health/Watch").raw(check("")).open(server.address).await;
    assert_eq!(status(&watch.next().await.expect("the status")), SERVING);
    server.service.drain();
    assert_eq!(status(&watch.next().await.expect("the change")), NOT_SERVING);
    for service in services {
        let reply = at(path).raw(check(service)).to(server.address).await;
        assert_eq!(status(&reply.messages[0]), NOT_SERVING, "{service}");
    }
    let reading = tokio::spawn(watch.collect());
    server.stop().await;
    assert_eq!(reading.await.expect("no panic").code(), 14);
}

/// What reflection answers in a version to a list of services; both have the same messages.
async fn services(server: &server::Server, version: &str) -> BTreeSet<String> {
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    let reply = at(&path).raw(framed(&request.encode_to_vec())).to(server.address).await;
    let message = reply.messages.first().unwrap_or_else(|| panic!("{reply:?}"));
    let response = ServerReflectionResponse::decode(&message[..]).expect("a response");
    let Some(MessageResponse::ListServicesResponse(listed)) = response.message_response else {
        panic!("{response:?}");
    };
    listed.service.into_iter().map(|service| service.name).collect()
}

#[tokio::test]
async fn reflection_lists_every_service() {
    let server = server::start().await;
    let expected = [
        "a2a.v1.A2AService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "lf.a2a.v1.A2AService",
    ];
    for version in ["v1", "v1alpha"] {
        assert!(services(&server, version).await.iter().eq(expected), "{version}");
    }
    server.stop().await;
}

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

async fn start(change: impl FnOnce(&mut Bounds)) -> server::Server {
    server::start_with(Arc::new(Anonymous), |settings| change(&mut settings.bounds)).await
}

/// Each of these used to last for ever.
#[tokio::test]
async fn calls_that_do_not_go_on_end() {
    let change = |bounds: &mut Bounds| {
        (bounds.body_grace, bounds.idle) = (Duration::from_millis(300), Duration::from_millis(300));
        bounds.heartbeat = Duration::from_millis(50);
    };
    let server = start(change).await;
    let cases = [
        (at(CHECK).endless(), 3),
        (at(CHECK).endless().and("grpc-timeout", "100m"), 4),
        (at(WATCH).endless(), 3),
        (at(WATCH).raw(check("")).and("grpc-timeout", "500m"), 4),
        (at(REFLECTION).endless(), 4),
        (at(REFLECTION).endless().and("grpc-timeout", "100m"), 4),
        (at(CHECK).raw(check("")).and("grpc-timeout", "soon"), 3),
    ];
    for (case, code) in cases {
        assert_eq!(case.to(server.address).await.code(), code, "{case:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn those_who_watch_have_a_bound_and_take_no_check_away() {
    let server = start(|bounds| bounds.grpc_watchers = 1).await;
    let mut watch = at(WATCH).raw(check("")).open(server.address).await;
    assert_eq!(status(&watch.next().await.expect("the status")), SERVING);
    assert_eq!(at(WATCH).raw(check("")).to(server.address).await.code(), 14);
    assert_eq!(at(CHECK).raw(check("")).to(server.address).await.code(), 0);
    assert_eq!(services(&server, "v1").await.len(), 5, "it has a bound of its own");
    drop(watch);
    let freed = async {
        loop {
            let mut watch = at(WATCH).raw(check("")).open(server.address).await;
            if watch.next().await.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed).await.expect("a place is free again");
    server.stop().await;
}

#[tokio::test]
async fn they_are_below_the_mounts_as_well() {
    let server = server::start().await;
    for mount in ["/a2a/agents/echo", "/a2a/counter"] {
        let reply = at(CHECK).below(mount).raw(check("")).to(server.address).await;
        assert_eq!(reply.code(), 0, "{mount}: {reply:?}");
    }
    server.stop().await;
}

/// Each listener used to hold the place of a connection while none came.
#[tokio::test]
async fn idle_listeners_take_no_connections_away() {
    let started = server::start().await;
    let mut settings = Settings::new(Security::open());
    settings.bounds.connections = 1;
    let http = Http::new(started.service.clone(), Arc::new(Anonymous), settings);
    let (main, door) = (bind().await, bind().await);
    let [address, port] = [&main, &door].map(|one| one.local_addr().expect("bound"));
    let drain = CancellationToken::new();
    let front = http.expect("sound cards").at(address, drain.clone());
    let serving = [
        tokio::spawn(front.clone().serve(main)),
        tokio::spawn(front.serve_agent("echo".into(), door)),
    ];
    // Each twice: the place used to go to the other listener in between.
    for (address, status) in [(address, 200), (address, 200), (port, 404), (port, 404)] {
        assert_eq!(ask("GET", "/healthz").to(address).await.status, status);
    }
    drain.cancel();
    for serving in serving {
        serving.await.expect("no panic");
    }
    started.stop().await;
}

#[tokio::test]
async fn both_can_be_switched_off() {
    let change = |settings: &mut Settings| {
        let grpc = settings.grpc.as_mut().expect("by default");
        (grpc.health, grpc.reflection) = (false, false);
    };
    let server = server::start_with(Arc::new(Anonymous), change).await;
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ] {
        assert_eq!(at(path).raw(check("")).to(server.address).await.code(), 12, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_agents_port_is_its_mount() {
    let started = server::start().await;
    let doors = [bind().await, bind().await];
    let ports = doors.each_ref().map(|door| door.local_addr().expect("bound"));
    let mut settings = Settings::new(Security::open());
    let agents: [Arc<str>; 2] = ["echo".into(), "counter".into()];
    let grpc = settings.grpc.as_mut().expect("by default");
    grpc.ports = agents.iter().cloned().zip(ports.map(|port| port.port())).collect();
    let http = Http::new(started.service.clone(), Arc::new(Anonymous), settings);
    let main = bind().await;
    let (address, drain) = (main.local_addr().expect("bound"), CancellationToken::new());
    let front = http.expect("sound cards").at(address, drain.clone());
    let mut serving = vec![tokio::spawn(front.clone().serve(main))];
    for (agent, door) in agents.iter().zip(doors) {
        serving.push(tokio::spawn(front.clone().serve_agent(agent.clone(), door)));
    }

    let say = r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}]}}"#;
    let sent = call(Package::V1_0, "SendMessage").json(say).to(ports[0]).await;
    assert_eq!(sent.code(), 0, "{sent:?}");
    let value: serde_json::Value = serde_json::from_str(&sent.json()[0]).expect("JSON");
    let get = format!(r#"{{"id":{}}}"#, value["task"]["id"]);
    let get = call(Package::V1_0, "GetTask").json(&get);
    let codes = [get.to(ports[0]).await, get.to(ports[1]).await, get.to(address).await];
    assert_eq!(codes.map(|reply| reply.code()), [0, 5, 0], "its own, another's, the crew's");
    assert_eq!(ask("GET", "/healthz").to(ports[0]).await.status, 404, "gRPC and nothing else");
    let health = at("/grpc.health.v1.Health/Check").raw(check("")).to(ports[1]).await;
    assert_eq!(status(&health.messages[0]), SERVING);

    for (agent, port) in agents.iter().zip(ports) {
        let path = format!("/a2a/agents/{agent}/.well-known/agent-card.json");
        let card = ask("GET", &format!("{path}?profile=v1")).to(address).await;
        let listed = format!(r#""url":"{port}","protocolBinding":"GRPC""#);
        assert!(card.body.contains(&listed), "{card:?}");
        let older = ask("GET", &format!("{path}?profile=v0.3")).to(address).await;
        let listed = format!(r#"{{"url":"http://{port}","transport":"GRPC"}}"#);
        assert!(older.body.contains(&listed), "{older:?}");
    }
    drain.cancel();
    for serving in serving {
        let ended = tokio::time::timeout(Duration::from_secs(10), serving).await;
        ended.expect("all end together").expect("no panic");
    }
    started.stop().await;
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}
