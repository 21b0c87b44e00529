//! The bindings over HTTP: JSON-RPC, REST, gRPC, streams and cards on one port.
//!
//! A connection is accepted within [`Bounds`], a request is routed to a binding, the one extractor
//! in `call` makes a [`legation_core::Call`] of its head, a codec of `legation-wire` makes a
//! request of its body, and the service's reply goes out in a frame. Nothing here knows what an
//! operation does.

mod addresses;
mod answer;
mod body;
mod bounds;
mod call;
mod callback;
mod calls;
mod card;
mod connection;
mod cork;
mod cors;
mod forwarded;
mod frames;
mod grpc;
mod hosts;
mod intake;
mod jsonrpc;
mod listener;
mod media;
mod pace;
mod readers;
mod resource;
mod rest;
mod router;
mod server;
mod settings;
mod stream;
mod tls;

pub use bounds::Bounds;
pub use calls::METRICS;
pub use card::{BadCard, check_cards};
pub use forwarded::{BadNetwork, Network};
pub use legation_wire::card::{BadMember, Binding, CardForm, Interface};
pub use legation_wire::error::ErrorProfile;
pub use legation_wire::grpc::Numbers;
pub use legation_wire::signature::{Algorithm, BadKey, Signer};
pub use legation_wire::version::{MissingVersion, Version};
pub use server::{Front, Http, Metrics, ReplaceError};
pub use settings::{Cors, Crew, Grpc, Hosts, Readers, Security, Settings};
pub use tls::{ClientCertificates, Tls, TlsError, TlsSettings};
