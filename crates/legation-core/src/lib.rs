//! The service behind every binding: the one gate, the runs of agents, the log and its readers.
//!
//! A call enters through [`Service::call`]. A message starts a *run*: the agent works in a task of
//! its own and emits events; each is folded, written to the [`TaskStore`] and, once durable, shown
//! to every [`Follow`]er. This crate knows no protocol version, no wire format and no database.

mod access;
mod agent;
mod audit;
mod authorization;
pub mod bell;
mod call;
mod caller;
mod document;
mod entrusted;
mod erase;
mod extension;
mod follow;
pub mod gate;
mod idempotency;
mod integration;
mod lifecycle;
mod limits;
mod live;
pub mod metric;
mod page;
mod places;
mod profile;
mod queue;
mod quota;
mod rates;
mod recover;
mod registry;
mod replicas;
mod run;
mod schema;
mod scope;
mod send;
mod service;
mod slug;
mod spread;
mod standing;
pub mod store;
mod subscribe;
mod turn;
mod turns;

pub use access::{Access, BadExpression, Expression, Needs, Usable, UsableAgent};
pub use agent::{Agent, AgentError, Exposed, OnRestart};
pub use audit::{Actor, AuditAction, AuditEntry, AuditEvent, AuditLog, AuditOutcome};
pub use authorization::{Authorization, Grant};
pub use bell::Bell;
pub use call::{Call, Manners, Reply};
pub use caller::{
    Authenticated, Authenticator, Caller, CertificateChain, Challenge, Credentials, Field, Headers,
    Names, Refused, Scopes, at_once,
};
pub use document::Document;
pub use entrusted::Entrusted;
pub use extension::{
    CONTEXTS_EXTENSION, CURSOR_EXTENSION, ERASE_CONTEXT, ERASE_SUBJECT, EraseContext, EraseSubject,
    Erased, Extension,
};
pub use follow::{Follow, Item};
pub use integration::{IntegrationToken, IntegrationTokens, TokenDigest};
pub use lifecycle::{
    ContextChange, ContextEvent, ContextState, ContextWatch, Cutoffs, Retention, When,
};
pub use limits::Limits;
pub use profile::{AnswerIn, Profile, Tool};
pub use quota::{Quota, Quotas};
pub use rates::{Per, Rate};
pub use scope::Scope;
pub use service::{BuildError, Builder, DEPLOYMENT, Service};
pub use slug::{BadSlug, slug};
pub use standing::{Standing, StillGood};
pub use store::TaskStore;
pub use turn::{IntoParts, Turn, USAGE};
