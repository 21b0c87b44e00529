//! Calls A2A agents: discovery, requests, streams that resume.
//!
//! [`Client::discover`] reads an agent's card and chooses one of its interfaces; the methods of
//! [`Client`] are the protocol's operations; [`Events`] follows a task through broken connections
//! and restarts of the server. Agents of 1.0, 0.3, 0.2 and 0.1 are called over JSON-RPC, REST and gRPC
//! alike: whoever calls sees 1.0. What the older ones have no words for is in
//! [`legation_wire::speech`].
//!
//! ```no_run
//! # async fn example() -> Result<(), legation_client::Error> {
//! use legation_client::{Client, Options};
//! use legation_model::{Message, Part, Role, SendMessageRequest};
//!
//! let client = Client::discover("http://127.0.0.1:8080", Options::default()).await?;
//! let message = Message::new(Role::User, vec![Part::text("Which column has gaps?")]);
//! let request =
//!     SendMessageRequest { tenant: None, message, configuration: Default::default(), metadata: None };
//! let mut events = client.stream(request).await?;
//! while let Some(event) = events.next().await {
//!     let (number, response) = event?;
//!     // ...
//! #   let _ = (number, response);
//! }
//! # Ok(())
//! # }
//! ```

mod card;
mod client;
pub mod credentials;
pub mod doctor;
mod error;
mod events;
mod exchange;
mod extension;
mod feed;
mod interface;
mod options;
mod origin;
mod patience;
pub mod receiver;
mod retry_after;
mod structured;
mod trace;
mod transport;
mod updates;

pub use card::{
    CardCache, examine_card, fetch_card, fetch_card_as_sent, fetch_keys, fetch_keys_of,
};
pub use client::Client;
pub use credentials::{Credential, Credentials};
pub use error::Error;
pub use events::Events;
pub use extension::{Extension, Response};
pub use legation_net::{Authorities, Identity, Proxy};
pub use legation_wire::card::{Binding, Finding, Reading};
pub use legation_wire::signature::{KeySet, Verdict, verify};
pub use legation_wire::version::Version;
pub use options::{Limits, Observer, Options, Preference, Retry, Signatures};
pub use origin::is_loopback;
pub use patience::Patience;
pub use receiver::Receiver;
pub use structured::{BadSchema, Schema, Unfit};
pub use trace::{Trace, TraceContext};
pub use updates::{Pace, Push, Updates};

/// The program in the tutorial is one that compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/tutorial.md")]
struct Tutorial;
