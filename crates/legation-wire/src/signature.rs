//! Signatures over agent cards (Spec 8.4): detached JWS over the canonical form of the card.
//!
//! What is signed are the members of 1.0; [`canonical`] says how. A [`Signer`] holds a private key, a
//! [`KeySet`] the public ones that are trusted, and [`verify`] says what a card's signatures are worth.
//! Nothing a card says chooses which keys count: its `jku` is never followed, and a key is asked for
//! by its `kid` among the trusted ones only.

mod algorithm;
mod canonical;
mod key;
mod set;
mod signer;
mod strict;
mod verify;

pub use algorithm::Algorithm;
pub use canonical::{NotACard, canonical};
pub use key::PublicKey;
pub use set::{BadKeySet, KeySet, publish};
pub use signer::{BadKey, Signer};
pub use verify::{Verdict, verify};

#[cfg(test)]
mod tests;
