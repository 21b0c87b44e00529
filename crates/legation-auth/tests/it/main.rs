//! Authenticators against issuers on port 0 and certificates made for the purpose.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test that gets another answer fails")]

mod certificates;
mod head;
mod introspection;
mod issuer;
mod jwt;
