//! Servers of other projects, called by our client and by the command `legation`.
//!
//! A server is a program in `peers/` that does what the first word of a message says (`echo`, `count`,
//! `ask`, `slow`, `fail`, `direct`, `file`). It is called in every version and binding that it has,
//! through wires that can be cut; every call has a row in `calls`. What a server cannot do by its own
//! fault or lack stands in `lacks.txt`, and the run fails when one of these can be done after all.

mod calls;
mod command;
mod process;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use legation_client::{Binding, Version};

use super::Tally;
use crate::allowed::Allowed;
use calls::Caller;
use process::{Program, Running};

/// A server that somebody else wrote.
pub(super) struct Server {
    pub(super) name: &'static str,
    program: Program,
    bindings: &'static [Binding],
    versions: &'static [Version],
    /// Whether it posts to webhooks on this machine.
    posts: bool,
}

const ALL: &[Binding] = &[Binding::JsonRpc, Binding::HttpJson, Binding::Grpc];

pub(super) const SERVERS: &[Server] = &[
    Server {
        name: "server of a2a-sdk 1.3 (Python)",
        program: Program::Python("server_1_0"),
        bindings: ALL,
        versions: &[Version::V1_0, Version::V0_3],
        posts: true,
    },
    Server {
        name: "server of a2a-sdk 0.3 (Python)",
        program: Program::Python("server_0_3"),
        bindings: ALL,
        versions: &[Version::V0_3],
        posts: true,
    },
    Server {
        name: "server of @a2a-js/sdk 1.3 (JS)",
        program: Program::Node("a2a-js-1.3.0"),
        bindings: ALL,
        versions: &[Version::V1_0, Version::V0_3],
        posts: true,
    },
    Server {
        name: "server of @a2a-js/sdk 0.3.14 (JS)",
        program: Program::Node("a2a-js-0.3.14"),
        bindings: ALL,
        versions: &[Version::V0_3],
        posts: true,
    },
    Server {
        name: "server of a2a-server-lf 0.5 (Rust)",
        program: Program::Rust("peer-a2a-server-lf"),
        bindings: ALL,
        versions: &[Version::V1_0],
        posts: false,
    },
    Server {
        name: "server of a2a-protocol 0.15 (Rust)",
        program: Program::Rust("peer-a2a-protocol-server"),
        bindings: ALL,
        versions: &[Version::V1_0],
        posts: false,
    },
];

/// A call takes this long at most; what is slow takes less than a second.
const LIMIT: Duration = Duration::from_secs(20);

/// Calls servers in every way, all at once, and counts what came of it. One that cannot be installed is
/// skipped.
///
/// # Errors
/// When the list of lacks cannot be read, or our command cannot be built.
pub(super) fn check<'s>(
    servers: impl Iterator<Item = &'s Server>,
    cache: &Path,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let lacks = Allowed::parse(include_str!("lacks.txt"))?;
    let mut prepared = Vec::new();
    for server in servers {
        match server.program.prepare(cache) {
            Ok(command) => prepared.push((server, command)),
            Err(missing) => {
                println!("skip {}: {missing:#}", server.name);
                tally.skipped += 1;
            }
        }
    }
    if prepared.is_empty() {
        return Ok(());
    }
    let legation = super::command_legation()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let calls = prepared.into_iter().map(async |(server, command)| {
        let mut outcomes = Outcomes { server: server.name, lacks: &lacks, tally: Tally::default() };
        match Running::start(command).await {
            Ok(mut running) => {
                call(server, &running, &legation, &mut outcomes).await;
                outcomes.add("stands to the end", running.stands());
            }
            Err(error) => outcomes.add("starts", Err(error)),
        }
        outcomes.tally
    });
    for counted in runtime.block_on(futures::future::join_all(calls)) {
        tally.passed += counted.passed;
        tally.failed += counted.failed;
        tally.lacking += counted.lacking;
    }
    Ok(())
}

async fn call(server: &Server, running: &Running, legation: &Path, outcomes: &mut Outcomes<'_>) {
    let first = (server.bindings[0], server.versions[0]);
    outcomes.add("prefers what its card does", limited(calls::prefers(running, first)).await);
    outcomes.add("command: card", limited(command::card(legation, running)).await);
    for (version, binding) in server.ways() {
        let way = format!("{} {}", binding.name(), version.name());
        let caller = match Caller::find(running, binding, version).await {
            Ok(caller) => caller,
            Err(error) => {
                outcomes.add(&format!("{way} is found"), Err(error));
                continue;
            }
        };
        let has = |call: &&calls::Call| {
            call.versions.contains(&version) && (server.posts || call.name != calls::TOLD)
        };
        for call in calls::CALLS.iter().filter(has) {
            let outcome = limited((call.run)(&caller)).await;
            outcomes.add(&format!("{way} {}", call.name), outcome);
        }
        for call in command::CALLS {
            let outcome = limited((call.run)(legation, &caller)).await;
            outcomes.add(&format!("{way} command: {}", call.name), outcome);
        }
    }
}

impl Server {
    /// Every version and binding that it has.
    fn ways(&self) -> impl Iterator<Item = (Version, Binding)> {
        let bindings = |version| self.bindings.iter().map(move |binding| (version, *binding));
        self.versions.iter().copied().flat_map(bindings)
    }
}

async fn limited(call: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::time::timeout(LIMIT, call).await.context("took too long")?
}

/// What came of the calls so far.
struct Outcomes<'l> {
    server: &'static str,
    lacks: &'l Allowed,
    tally: Tally,
}

impl Outcomes<'_> {
    fn add(&mut self, check: &str, outcome: anyhow::Result<()>) {
        let name = format!("{}: {check}", self.server);
        match (outcome, self.lacks.reason(&name)) {
            (Ok(()), None) => {
                println!("pass {name}");
                self.tally.passed += 1;
            }
            (Err(error), Some(reason)) => {
                println!("lack {name}: {reason} ({})", one_line(&error));
                self.tally.lacking += 1;
            }
            (Ok(()), Some(_)) => {
                println!("fail {name}: it can be done, and is listed as a lack");
                self.tally.failed += 1;
            }
            (Err(error), None) => {
                println!("fail {name}: {}", one_line(&error));
                self.tally.failed += 1;
            }
        }
    }
}

fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// A row that is renamed takes its lacks along.
    #[test]
    fn every_lack_is_one_of_a_call_that_is_made() {
        let lacks = Allowed::parse(include_str!("lacks.txt")).expect("each has a reason");
        let mut made = HashSet::new();
        for server in SERVERS {
            for (version, binding) in server.ways() {
                let way = format!("{}: {} {}", server.name, binding.name(), version.name());
                let calls = calls::CALLS.iter().filter(|call| call.versions.contains(&version));
                made.extend(calls.map(|call| format!("{way} {}", call.name)));
                made.extend(
                    command::CALLS.iter().map(|call| format!("{way} command: {}", call.name)),
                );
            }
        }
        let strangers: Vec<_> = lacks.ids().filter(|id| !made.contains(*id)).collect();
        assert!(strangers.is_empty(), "{strangers:?}");
    }
}
