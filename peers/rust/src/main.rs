//! The official Rust SDK as a client of the server, over every binding it has.
//!
//! Usage: `peer-a2a-client-lf URL` with the bearer token in `LEGATION_BENCH_TOKEN`. The
//! server's default agent is the scripted one, which does what the first words of a
//! message say. Prints `pass NAME` or `fail NAME: reason` for every check; exits with 1
//! when one failed.

mod checks;
mod peer;

use std::{env, process::ExitCode, time::Duration};

use a2a::{TRANSPORT_PROTOCOL_GRPC, TRANSPORT_PROTOCOL_HTTP_JSON, TRANSPORT_PROTOCOL_JSONRPC};
use a2a_client::agent_card::AgentCardResolver;
use anyhow::Context;

use crate::{
    checks::{CHECKS, Check},
    peer::Peer,
};

/// How long a check may take; the slowest thing the scripted agent does takes no time.
const CHECK_LIMIT: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let url = env::args().nth(1).context("no URL")?;
    let token = env::var("LEGATION_BENCH_TOKEN").context("no LEGATION_BENCH_TOKEN")?;
    let card = AgentCardResolver::new(None).resolve(&url).await?;
    let mut passed = true;
    let bindings =
        [TRANSPORT_PROTOCOL_JSONRPC, TRANSPORT_PROTOCOL_HTTP_JSON, TRANSPORT_PROTOCOL_GRPC];
    for binding in bindings {
        let peer = Peer::connect(&card, binding, &token).await?;
        for (name, check) in CHECKS {
            passed &= passes(&format!("{binding} {name}"), *check, &peer).await;
        }
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn passes(name: &str, check: Check, peer: &Peer) -> bool {
    let in_time = tokio::time::timeout(CHECK_LIMIT, check(peer)).await;
    let result = in_time.unwrap_or_else(|late| Err(late.into()));
    match &result {
        Ok(()) => println!("pass {name}"),
        Err(error) => println!("fail {name}: {}", format!("{error:#}").replace('\n', " ")),
    }
    result.is_ok()
}
