//! gRPC: whether it is served, and how.

use std::ops::RangeInclusive;

use legation::Numbers;

use super::Server;
use crate::config::form::{self, choice, flag};
use crate::config::setting::{Either, Group, Row, Slot, group, leaf, maybe, row, unset};

/// Whether and how gRPC is served.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grpc {
    pub(crate) served: Served,
    pub(crate) keys: legation::Grpc,
    pub(crate) ports: Option<RangeInclusive<u16>>,
}

/// Whether it is served at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Served {
    Yes,
    No,
}

impl Default for Grpc {
    fn default() -> Self {
        Self { served: Served::Yes, keys: legation::Grpc::default(), ports: None }
    }
}

const OFF: [(&str, Served); 1] = [("off", Served::No)];

const NUMBERS: [(&str, Numbers); 2] = [("refuse", Numbers::Refuse), ("text", Numbers::Text)];

/// The place of gRPC: `off`, or keys.
pub(super) fn place(server: &mut Server) -> Slot<'_> {
    Box::new(Either {
        place: &mut server.grpc,
        short: |grpc| leaf(&mut grpc.served, choice(&OFF)),
        long: |grpc| group(grpc),
        is_short: |grpc| grpc.served == Served::No,
    })
}

impl Group for Grpc {
    const ROWS: &'static [Row<Self>] = &[
        row("reflection", "Whether callers may ask which services and types there are", |g| {
            leaf(&mut g.keys.reflection, flag())
        }),
        row("health", "Whether there is gRPC's service of health, which follows `/readyz`", |g| {
            leaf(&mut g.keys.health, flag())
        }),
        row(
            "gzip",
            "Whether compressed requests are taken, and answers compressed for those who ask for it",
            |g| leaf(&mut g.keys.gzip, flag()),
        ),
        row(
            "large_numbers",
            "What becomes of numbers in free-form JSON that a double does not hold: the answer is refused, or they go as texts",
            |g| leaf(&mut g.keys.numbers, choice(&NUMBERS)),
        ),
        unset(
            "no agent has a port of its own",
            row("ports", "Ports of which each agent gets one, in the order of the agents", |g| {
                maybe(&mut g.ports, form::ports())
            }),
        ),
    ];
}
