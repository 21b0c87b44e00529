//! Files by their address. The analyst opens no connection itself: whoever runs it says how an
//! address is fetched and which addresses are, because only they know what their network may reach.

use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use legation_net::{Http, Request};

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

/// Fetches from the public internet, through the guard of `legation-net`.
#[derive(Debug)]
pub struct PublicWeb(Http);

impl PublicWeb {
    /// Makes one with its own connections.
    ///
    /// # Errors
    /// When the TLS trust roots of the system cannot be loaded.
    pub fn new() -> Result<Self, legation_net::Error> {
        Http::guarded().map(Self)
    }
}

#[async_trait]
impl Fetch for PublicWeb {
    async fn fetch(&self, url: &str, max_bytes: usize) -> Result<Fetched, String> {
        let url = url.parse().map_err(|_| "that is no address".to_owned())?;
        let response = self.0.send(Request::new(Method::GET, url)).await;
        let response = response.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            // Redirects are not followed, because they may lead to where the guard does not look.
            return Err(format!("the answer there is {}", response.status()));
        }
        let media_type = response.media_type();
        let bytes =
            response.bytes_up_to(max_bytes as u64).await.map_err(|error| error.to_string())?;
        Ok(Fetched { bytes: bytes.into(), media_type })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_on_this_machine_is_not_fetched() {
        let web = PublicWeb::new().expect("trust roots");
        for url in
            ["http://127.0.0.1:1/x", "http://localhost/", "http://[::1]/", "file:///etc", "x"]
        {
            assert!(web.fetch(url, 10).await.is_err(), "{url}");
        }
    }
}
