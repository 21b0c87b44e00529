//! The official Rust SDK as a server, with every binding it has.
//!
//! Usage: `peer-a2a-server-lf ORIGIN GRPC` with the addresses of the card, where a wire listens that
//! callers come through. Ports are chosen freely and printed as one line of JSON. Ends with its
//! standard input.

mod agent;

use std::{env, sync::Arc};

use a2a::{
    AgentCapabilities, AgentCard, AgentInterface, AgentSkill, TRANSPORT_PROTOCOL_GRPC,
    TRANSPORT_PROTOCOL_HTTP_JSON, TRANSPORT_PROTOCOL_JSONRPC,
};
use a2a_grpc::GrpcHandler;
use a2a_pb::proto::a2a_service_server::A2aServiceServer;
use a2a_server::{
    DefaultRequestHandler, InMemoryPushConfigStore, InMemoryTaskStore, StaticAgentCard,
    agent_card::agent_card_router, jsonrpc::jsonrpc_router, rest::rest_router,
};
use anyhow::Context;
use tokio::{io::AsyncReadExt, net::TcpListener};
use tokio_stream::wrappers::TcpListenerStream;

use crate::agent::Obedient;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (Some(origin), Some(grpc)) = (env::args().nth(1), env::args().nth(2)) else {
        anyhow::bail!("usage: peer-a2a-server-lf ORIGIN GRPC")
    };
    let card = card(&origin, &grpc);
    let mut extended = card.clone();
    extended.skills.push(skill("more", "Only here"));
    let handler = DefaultRequestHandler::new(Obedient, InMemoryTaskStore::new())
        .with_push_config_store(InMemoryPushConfigStore::new())
        .with_capabilities(card.capabilities.clone())
        .with_extended_agent_card(extended);
    let handler = Arc::new(handler);
    let router = agent_card_router(Arc::new(StaticAgentCard::new(card)))
        .nest("/rpc", jsonrpc_router(Arc::clone(&handler)))
        .nest("/rest", rest_router(Arc::clone(&handler)));
    let (http, services) = (bind().await?, bind().await?);
    let ports = [("http", &http), ("grpc", &services)];
    let port = |(name, listener): (&str, &TcpListener)| {
        listener.local_addr().map(|address| (name.to_owned(), address.port().into()))
    };
    let ports: serde_json::Map<_, _> = ports.into_iter().map(port).collect::<Result<_, _>>()?;
    println!("{}", serde_json::Value::Object(ports));
    let service = A2aServiceServer::new(GrpcHandler::new(handler));
    let grpc = tonic::transport::Server::builder().add_service(service);
    let (mut input, mut rest) = (tokio::io::stdin(), Vec::new());
    tokio::select! {
        served = axum::serve(http, router) => served.context("HTTP"),
        served = grpc.serve_with_incoming(TcpListenerStream::new(services)) => served.context("gRPC"),
        end = input.read_to_end(&mut rest) => end.map(drop).context("standard input"),
    }
}

async fn bind() -> std::io::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await
}

fn card(origin: &str, grpc: &str) -> AgentCard {
    AgentCard {
        name: "Rust SDK".into(),
        description: "Does what the first word says".into(),
        version: "1".into(),
        supported_interfaces: vec![
            AgentInterface::new(format!("{origin}/rpc"), TRANSPORT_PROTOCOL_JSONRPC),
            AgentInterface::new(format!("{origin}/rest"), TRANSPORT_PROTOCOL_HTTP_JSON),
            AgentInterface::new(grpc, TRANSPORT_PROTOCOL_GRPC),
        ],
        capabilities: AgentCapabilities {
            streaming: Some(true),
            push_notifications: Some(true),
            extensions: None,
            extended_agent_card: Some(true),
        },
        default_input_modes: vec!["text/plain".into()],
        default_output_modes: vec!["text/plain".into()],
        skills: vec![skill("obey", "Obeys")],
        provider: None,
        documentation_url: None,
        icon_url: None,
        security_schemes: None,
        security_requirements: None,
        signatures: None,
    }
}

fn skill(id: &str, description: &str) -> AgentSkill {
    AgentSkill {
        id: id.into(),
        name: id.into(),
        description: description.into(),
        tags: vec!["test".into()],
        examples: None,
        input_modes: None,
        output_modes: None,
        security_requirements: None,
    }
}
