//! Calls A2A agents: discovery, requests, streams that resume.
//!
//! [`Client::discover`] reads an agent's card and chooses one of its interfaces; the methods of
//! [`Client`] are the protocol's operations; [`Events`] follows a task through broken connections
//! and restarts of the server. Versions other than 1.0 and the gRPC binding would be further rows
//! of the choice in `interface` and further arms of `Binding`.
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
mod error;
mod events;
mod exchange;
mod fault;
mod feed;
mod interface;
mod options;
mod origin;
mod patience;
mod reply;
mod transport;

pub use card::{fetch_card, fetch_card_as_sent, fetch_keys, fetch_keys_of};
pub use client::Client;
pub use credentials::{Credential, Credentials};
pub use error::Error;
pub use events::Events;
pub use legation_net::{Authorities, Identity, Proxy};
pub use legation_wire::signature::{KeySet, Verdict, verify};
pub use options::{Limits, Observer, Options, Retry};
pub use origin::is_loopback;
pub use patience::Patience;
pub use transport::Binding;
