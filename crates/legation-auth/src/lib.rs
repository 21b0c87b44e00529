//! Authenticators: who calls.
//!
//! A [`Chain`] of schemes takes the credentials of a request and gives a [`legation_core::Caller`]
//! or a refusal with the challenges that say how to do it right. What a caller may do is decided by
//! the gate of the service.

mod anonymous;
mod attempts;
mod cache;
mod carrier;
mod certificate;
mod chain;
mod claims;
mod fetch;
mod integration;
mod introspection;
mod jwks;
mod jwt;
mod shown;
mod token;

#[cfg(test)]
mod tests;

pub use anonymous::Anonymous;
pub use attempts::Attempts;
pub use carrier::Carrier;
pub use certificate::Certificates;
pub use chain::{Chain, Scheme, Verifier};
pub use claims::Mapping;
pub use fetch::{Line, SetupError};
pub use integration::{INTEGRATION_PREFIX, Integration, NewToken};
pub use introspection::{Audience, Endpoint, Introspection};
pub use jsonwebtoken::Algorithm;
pub use jwt::{Jwt, Rules, discovery_url};
pub use token::{NoRandomness, Token, Tokens, WeakToken, check_secret, make_token};
