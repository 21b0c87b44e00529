//! The Rust SDK `a2a-protocol` as a server, with every binding it has.
//!
//! Usage: `peer-a2a-protocol-server ORIGIN GRPC` with the addresses of the card, where a wire listens
//! that callers come through. Ports are chosen freely and printed as one line of JSON. Ends with its
//! standard input.

mod agent;

use std::{env, sync::Arc};

use a2a_protocol_server::{
    CombinedDispatcher, GrpcConfig, GrpcDispatcher, HttpPushSender, RequestHandlerBuilder,
    serve_with_addr,
};
use a2a_protocol_types::{AgentCapabilities, AgentCard, AgentInterface, AgentSkill};
use tokio::{io::AsyncReadExt, net::TcpListener};

use crate::agent::Obedient;

const LOOPBACK: &str = "127.0.0.1:0";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (Some(origin), Some(grpc)) = (env::args().nth(1), env::args().nth(2)) else {
        anyhow::bail!("usage: peer-a2a-protocol-server ORIGIN GRPC")
    };
    let skill = |id, text| AgentSkill::new(id, id, text).with_tags(["test"]);
    let capabilities = AgentCapabilities::none()
        .with_streaming(true)
        .with_push_notifications(true)
        .with_extended_agent_card(true);
    let first = AgentInterface::jsonrpc(format!("{origin}/rpc"));
    let card = AgentCard::new("Rust SDK a2a-protocol", "1", first)
        .with_description("Does what the first word says")
        .with_interface(AgentInterface::rest(origin))
        .with_interface(AgentInterface::grpc(grpc))
        .with_capabilities(capabilities)
        .with_skill(skill("obey", "Obeys"));
    let handler = RequestHandlerBuilder::new(Obedient)
        .with_agent_card(card.clone())
        .with_extended_agent_card(card.with_skill(skill("more", "Only here")))
        .allow_unauthenticated_extended_card()
        .with_push_sender(HttpPushSender::new())
        .build()?;
    let handler = Arc::new(handler);
    let dispatcher = CombinedDispatcher::new(Arc::clone(&handler)).with_jsonrpc_path("/rpc")?;
    let http = serve_with_addr(LOOPBACK, dispatcher).await?.port();
    let services = GrpcDispatcher::new(handler, GrpcConfig::default());
    let grpc = services.serve_with_listener(TcpListener::bind(LOOPBACK).await?)?.port();
    println!("{}", serde_json::json!({"http": http, "grpc": grpc}));
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}
