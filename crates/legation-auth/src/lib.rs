//! Authenticators: who calls.
//!
//! Each takes the credentials of a request and gives a [`legation_core::Caller`] or a refusal with
//! the challenge that says how to do it right. What a caller may do is not decided here.

mod anonymous;
mod bearer;

pub use anonymous::Anonymous;
pub use bearer::{Bearer, NoRandomness, Token, WeakToken, make_token};
