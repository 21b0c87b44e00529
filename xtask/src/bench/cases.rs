//! The cases and the targets as tables: what is run, and what is wanted of it.
//!
//! The numbers are those of the project's performance targets. A case with more than
//! one floor is judged by the one its gate names; the others are there to be read.

use super::metric::Metric::{self, Cpu, First, MemoryEach, P50, P99, Rate, Resident, StartUp};
use crate::floor::Floor;

/// One row of the targets.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) runs: &'static [Run],
    pub(super) gates: &'static [Gate],
}

/// One server and the work it gets.
pub(super) struct Run {
    pub(super) label: &'static str,
    pub(super) program: Program,
    pub(super) stored: Stored,
    pub(super) load: Load,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Floor(Floor),
    Product,
    /// The same over TLS.
    ProductOverTls,
    /// The same, called with a token that an issuer has signed.
    ProductOfIssuer,
    /// The same on PostgreSQL, as this many replicas.
    Replicas {
        count: usize,
        /// Of a core, in percent, which each may have.
        held: Option<u32>,
        bell: Bell,
    },
}

/// What carries what replicas tell each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bell {
    Postgres,
    Nats,
}

/// Tasks a server holds before it is measured.
#[derive(Clone, Copy)]
pub(super) enum Stored {
    Nothing,
    Few,
    Thousand,
    Many,
}

/// The work of a run.
#[derive(Clone, Copy)]
pub(super) enum Load {
    /// SendMessage in a closed loop.
    Send { connections: usize, payload: Payload },
    /// GetTask of the stored tasks in a closed loop.
    Get { connections: usize },
    /// SendStreamingMessage, read to its end, in a closed loop.
    Echo { connections: usize },
    /// The same with this many chunks in each stream.
    Chunks { connections: usize, chunks: u64 },
    /// SendMessage over gRPC, a connection for each call at once.
    GrpcSend { connections: usize, at_once: usize },
    /// SendStreamingMessage over gRPC with this many chunks in each stream.
    GrpcChunks { connections: usize, chunks: u64 },
    /// ListTasks, page by page, one connection.
    Pages,
    /// Streams of one replica that are read on another one, at a rate over all of them.
    Elsewhere { tasks: u32, per_second: u32 },
    /// Streams that stay open.
    Idle { streams: usize },
    /// From the start of the process to its card.
    Start,
}

/// What a message carries.
#[derive(Clone, Copy)]
pub(super) enum Payload {
    Text,
    /// The same, said in A2A 0.3.
    OlderText,
    /// A data part of about this many bytes.
    Data(usize),
}

/// A wish: the metric of one run, absolute or over that of another.
pub(super) struct Gate {
    pub(super) metric: Metric,
    pub(super) of: &'static str,
    pub(super) over: Option<&'static str>,
    pub(super) must: Option<f64>,
    pub(super) aim: f64,
}

/// The label of the product's run where there is one.
const PRODUCT: &str = "product";

/// Chunks in a stream, and in the long one that shows whether their cost is flat.
const CHUNKS: u64 = 1_000;
const LONG: u64 = 8_000;

/// Events of one replica that are read on another.
const EVENTS: Load = Load::Elsewhere { tasks: 10, per_second: 500 };

const fn floor(label: &'static str, floor: Floor, load: Load) -> Run {
    Run { label, program: Program::Floor(floor), stored: Stored::Nothing, load }
}

const fn product(label: &'static str, load: Load) -> Run {
    Run { label, program: Program::Product, stored: Stored::Nothing, load }
}

const fn replicas(label: &'static str, count: usize, held: Option<u32>, load: Load) -> Run {
    Run { program: Program::Replicas { count, held, bell: Bell::Postgres }, ..product(label, load) }
}

const fn send(connections: usize, payload: Payload) -> Load {
    Load::Send { connections, payload }
}

const fn holding(stored: Stored, run: Run) -> Run {
    Run { stored, ..run }
}

const fn ratio(metric: Metric, over: &'static str, must: f64, aim: f64) -> Gate {
    Gate { metric, of: PRODUCT, over: Some(over), must: Some(must), aim }
}

/// What gRPC is to be beside JSON-RPC on the same store.
const BESIDE_JSON_RPC: &[Gate] =
    &[ratio(Rate, "JSON-RPC", 0.9, 1.0), ratio(Cpu, "JSON-RPC", 1.2, 1.0)];

const fn absolute(metric: Metric, must: f64, aim: f64) -> Gate {
    Gate { metric, of: PRODUCT, over: None, must: Some(must), aim }
}

/// Every case, in the order it is run.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "send-64",
        about: "unary send, 64 connections, 256-byte text",
        runs: &[
            floor("F1", Floor::F1, send(64, Payload::Text)),
            floor("F2", Floor::F2, send(64, Payload::Text)),
            product(PRODUCT, send(64, Payload::Text)),
        ],
        gates: &[ratio(Rate, "F2", 0.33, 0.5), ratio(Cpu, "F2", 3.0, 2.0)],
    },
    Case {
        name: "older-64",
        about: "unary send in A2A 0.3, 64 connections, 256-byte text",
        runs: &[
            product("1.0", send(64, Payload::Text)),
            product(PRODUCT, send(64, Payload::OlderText)),
        ],
        gates: &[ratio(Rate, "1.0", 0.9, 1.0)],
    },
    Case {
        name: "tls-64",
        about: "unary send over TLS 1.3, 64 kept connections, 256-byte text",
        runs: &[
            product("plaintext", send(64, Payload::Text)),
            Run { program: Program::ProductOverTls, ..product(PRODUCT, send(64, Payload::Text)) },
        ],
        gates: &[ratio(Rate, "plaintext", 0.8, 0.9)],
    },
    Case {
        name: "jwt-64",
        about: "unary send with a signed token, 64 connections, 256-byte text",
        runs: &[
            product("static token", send(64, Payload::Text)),
            Run { program: Program::ProductOfIssuer, ..product(PRODUCT, send(64, Payload::Text)) },
        ],
        gates: &[ratio(Rate, "static token", 0.9, 1.0)],
    },
    Case {
        name: "send-1",
        about: "unary send, 1 connection, 256-byte text",
        runs: &[
            floor("F1", Floor::F1, send(1, Payload::Text)),
            floor("F2", Floor::F2, send(1, Payload::Text)),
            product(PRODUCT, send(1, Payload::Text)),
        ],
        gates: &[ratio(P50, "F2", 2.5, 1.5)],
    },
    Case {
        name: "get-16",
        about: "get one of 1,000 tasks, 16 connections",
        runs: &[
            holding(Stored::Thousand, floor("map", Floor::Map, Load::Get { connections: 16 })),
            holding(Stored::Thousand, product(PRODUCT, Load::Get { connections: 16 })),
        ],
        gates: &[ratio(Rate, "map", 0.5, 0.75)],
    },
    Case {
        name: "stream3-16",
        about: "3-event stream, 16 connections; F2 sends unary",
        runs: &[
            floor("F2", Floor::F2, send(16, Payload::Text)),
            floor("stream", Floor::Stream, Load::Echo { connections: 16 }),
            product(PRODUCT, Load::Echo { connections: 16 }),
        ],
        gates: &[ratio(Rate, "F2", 0.4, 0.6), absolute(First, 1.0, 0.5)],
    },
    Case {
        name: "chunks-8",
        about: "streams of 1,000 64-byte chunks, 8 at once; counted in events",
        runs: &[
            floor("stream", Floor::Stream, Load::Chunks { connections: 8, chunks: CHUNKS }),
            product(PRODUCT, Load::Chunks { connections: 8, chunks: CHUNKS }),
            product("product, 8,000", Load::Chunks { connections: 8, chunks: LONG }),
        ],
        gates: &[
            absolute(Rate, 150_000.0, 400_000.0),
            // The target says "flat"; a cost that grew with the length would be 8 here.
            Gate {
                metric: Cpu,
                of: "product, 8,000",
                over: Some(PRODUCT),
                must: Some(1.5),
                aim: 1.2,
            },
        ],
    },
    Case {
        name: "grpc-64",
        about: "unary send over gRPC, 64 connections, 256-byte text; the floor stores nothing",
        runs: &[
            floor("tonic", Floor::Tonic, Load::GrpcSend { connections: 64, at_once: 1 }),
            product("JSON-RPC", send(64, Payload::Text)),
            product(PRODUCT, Load::GrpcSend { connections: 64, at_once: 1 }),
        ],
        gates: BESIDE_JSON_RPC,
    },
    Case {
        name: "grpc-4x16",
        about: "64 unary sends at once over gRPC, 16 on each of 4 connections, as its clients share them; JSON-RPC on 64",
        runs: &[
            floor("tonic", Floor::Tonic, Load::GrpcSend { connections: 4, at_once: 16 }),
            product("JSON-RPC", send(64, Payload::Text)),
            product(PRODUCT, Load::GrpcSend { connections: 4, at_once: 16 }),
        ],
        gates: BESIDE_JSON_RPC,
    },
    Case {
        name: "grpc-chunks-8",
        about: "streams of 1,000 64-byte chunks over gRPC, 8 at once; counted in events",
        runs: &[
            floor("tonic", Floor::Tonic, Load::GrpcChunks { connections: 8, chunks: CHUNKS }),
            product("JSON-RPC", Load::Chunks { connections: 8, chunks: CHUNKS }),
            product(PRODUCT, Load::GrpcChunks { connections: 8, chunks: CHUNKS }),
        ],
        gates: BESIDE_JSON_RPC,
    },
    Case {
        name: "postgres-64",
        about: "unary send on PostgreSQL, 64 connections, 256-byte text; CPU without the database's",
        runs: &[
            floor("F3", Floor::F3, send(64, Payload::Text)),
            replicas(PRODUCT, 1, None, send(64, Payload::Text)),
        ],
        // Told in the transaction, the bell would bring this to a few hundred sends a second.
        gates: &[ratio(Rate, "F3", 0.33, 0.5)],
    },
    Case {
        name: "postgres-chunks",
        about: "streams of 1,000 64-byte chunks on PostgreSQL, 8 at once; counted in events",
        runs: &[replicas(PRODUCT, 1, None, Load::Chunks { connections: 8, chunks: CHUNKS })],
        gates: &[absolute(Rate, 40_000.0, 100_000.0)],
    },
    Case {
        name: "replicas-held",
        about: "unary send on PostgreSQL, 128 connections, each replica held to 0.4 of a core",
        runs: &[
            replicas("one", 1, Some(40), send(128, Payload::Text)),
            replicas(PRODUCT, 2, Some(40), send(128, Payload::Text)),
        ],
        gates: &[ratio(Rate, "one", 1.7, 1.9)],
    },
    Case {
        name: "replicas-events",
        about: "500 events a second of 10 tasks on one replica, until they are read on another",
        runs: &[
            replicas(PRODUCT, 2, None, EVENTS),
            Run {
                program: Program::Replicas { count: 2, held: None, bell: Bell::Nats },
                ..product("over NATS", EVENTS)
            },
        ],
        gates: &[
            absolute(P50, 20.0, 10.0),
            absolute(P99, 100.0, 50.0),
            Gate { of: "over NATS", ..absolute(P50, 20.0, 10.0) },
            Gate { of: "over NATS", ..absolute(P99, 100.0, 50.0) },
        ],
    },
    Case {
        name: "data-100k",
        about: "unary send, 100 KB data part, 4 connections",
        runs: &[
            floor("F2", Floor::F2, send(4, Payload::Data(100_000))),
            product(PRODUCT, send(4, Payload::Data(100_000))),
        ],
        gates: &[ratio(Cpu, "F2", 2.5, 1.4)],
    },
    Case {
        name: "data-1m",
        about: "unary send, 1 MB data part, 2 connections",
        runs: &[
            floor("F1", Floor::F1, send(2, Payload::Data(1_000_000))),
            floor("F2", Floor::F2, send(2, Payload::Data(1_000_000))),
            product(PRODUCT, send(2, Payload::Data(1_000_000))),
        ],
        gates: &[ratio(Cpu, "F2", 2.5, 1.4)],
    },
    Case {
        name: "idle-5000",
        about: "5,000 open streams with nothing to say",
        runs: &[
            floor("hyper", Floor::Idle, Load::Idle { streams: 5_000 }),
            product(PRODUCT, Load::Idle { streams: 5_000 }),
        ],
        gates: &[absolute(MemoryEach, 30.0, 14.0)],
    },
    Case {
        name: "list-page",
        about: "pages of 50, 1 connection, at 100 and at 100,000 tasks (--full: 1,000,000)",
        runs: &[
            holding(Stored::Few, floor("F2, 100", Floor::F2, Load::Pages)),
            holding(Stored::Many, floor("F2, many", Floor::F2, Load::Pages)),
            holding(Stored::Few, product("product, 100", Load::Pages)),
            holding(Stored::Many, product("product, many", Load::Pages)),
        ],
        gates: &[
            Gate {
                metric: P50,
                of: "product, many",
                over: Some("product, 100"),
                must: Some(1.5),
                aim: 1.2,
            },
            Gate { metric: P50, of: "product, many", over: None, must: None, aim: 0.25 },
        ],
    },
    Case {
        name: "start",
        about: "process start to card, then idle; not the first start on its data",
        runs: &[floor("F2", Floor::F2, Load::Start), product(PRODUCT, Load::Start)],
        gates: &[absolute(StartUp, 50.0, 10.0), absolute(Resident, 25.0, 15.0)],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_name_runs_of_their_case() {
        for case in CASES {
            for gate in case.gates {
                for label in std::iter::once(gate.of).chain(gate.over) {
                    assert!(
                        case.runs.iter().any(|run| run.label == label),
                        "{}: no run `{label}`",
                        case.name
                    );
                }
            }
        }
    }
}
