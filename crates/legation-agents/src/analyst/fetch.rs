//! Files by their address. The analyst opens no connection itself: whoever runs it says how an
//! address is fetched and which addresses are, because only they know what their network may reach.

use std::time::Duration;

use async_trait::async_trait;

/// How long a fetch may take in all.
pub(crate) const FETCH_TIME: Duration = Duration::from_secs(120);

/// Fetches files for the analyst.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// Fetches what is at an address, which comes from a stranger. Private addresses must be
    /// refused here, and so must redirects to them.
    ///
    /// # Errors
    /// In words for that stranger, such as "connection refused", when nothing usable is there or
    /// when it is larger than `max_bytes`.
    async fn fetch(&self, url: &str, max_bytes: usize) -> Result<Fetched, String>;
}

/// What was found at an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The contents.
    pub bytes: Vec<u8>,
    /// What the other side calls its type; empty when it says nothing.
    pub media_type: String,
}
