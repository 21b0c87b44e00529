//! Legation: the house that agents live in on the A2A (Agent2Agent) network.
//!
//! Implement [`Agent`] and serve it:
//!
//! ```no_run
//! use legation::{Agent, AgentError, Profile, Server, Turn, async_trait};
//!
//! struct Echo;
//!
//! #[async_trait]
//! impl Agent for Echo {
//!     async fn execute(&self, turn: &mut Turn) -> Result<(), AgentError> {
//!         let text = turn.message().text();
//!         turn.answer(text).await
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let profile = Profile::new("echo", "Echo", "Says what you say");
//!     Server::builder().agent(profile, Echo).serve("127.0.0.1:8080").await?;
//!     Ok(())
//! }
//! ```

mod admin;
mod audited;
mod data_dir;
mod door;
mod housekeeping;
mod server;
mod signals;
mod signing;

pub use admin::Admin;
pub use async_trait::async_trait;
pub use data_dir::DataDir;
pub use door::{BEARER, Door, INTEGRATION};
pub use legation_auth as auth;
pub use legation_auth::{Algorithm, Attempts};
pub use legation_core::gate::SCOPES;
pub use legation_core::{
    Access, Actor, Agent, AgentError, AnswerIn, AuditAction, AuditEvent, AuditLog, AuditOutcome,
    BadExpression, BadSlug, Call, Caller, ContextChange, ContextEvent, Entrusted, Exposed,
    Expression, Extension, IntoParts, Limits, Needs, OnRestart, Per, Profile, Quota, Quotas, Rate,
    Retention, Scopes, Service, Tool, Turn, slug,
};
pub use legation_http::{
    Algorithm as SigningAlgorithm, BadCard, BadKey, BadMember, Binding, Bounds, CardForm,
    ClientCertificates, Cors, Crew, ErrorProfile, Front, Grpc, Hosts, Interface, MissingVersion,
    Network, Numbers, Readers, ReplaceError, Signer, Tls, TlsError, TlsSettings, Version,
    check_cards,
};
pub use legation_model as model;
pub use legation_store::AuditLimits;
pub use legation_store::postgres::{Nats, Options as PostgresOptions};
pub use legation_store::sqlite::Options as StoreOptions;
pub use server::{Running, Server, StartError};
pub use signing::{SigningError, SigningKey};
