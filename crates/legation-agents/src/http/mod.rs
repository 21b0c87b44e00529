//! Agents behind an HTTP address: any endpoint that takes a message ([`Http`]), and models that
//! speak the chat completions of OpenAI ([`OpenAi`]). `docs/http-agents.md` is the page for those
//! who write such an endpoint.
//!
//! Both call through the guarded client, so an address in a settings file cannot reach into the own
//! network unless the operator says so. A cancelled task drops its request.

mod endpoint;
mod fault;
mod frames;
pub mod openai;
mod plain;
mod wire;

pub use endpoint::BadSettings;
pub use legation_net::Secret;
pub use openai::OpenAi;
pub use plain::{Http, Settings};
