//! Files by their address, which comes from a stranger.

use std::time::Duration;

use http::Method;
use legation_net::{Error, Http, Request};
use url::Url;

/// How long a fetch may take in all.
pub(crate) const FETCH_TIME: Duration = Duration::from_secs(120);

/// What was found at an address.
pub(super) struct Fetched {
    pub(super) bytes: Vec<u8>,
    /// What the other side calls its type; empty when it says nothing.
    pub(super) media_type: String,
}

/// Fetches what is at an address.
///
/// # Errors
/// In words for the stranger, when nothing usable is there or when it is larger than `max_bytes`.
pub(super) async fn fetch(http: &Http, url: &str, max_bytes: usize) -> Result<Fetched, String> {
    let url: Url = url.parse().map_err(|_| "that is no address".to_owned())?;
    let response = http.send(Request::new(Method::GET, url.clone())).await;
    let response = response.map_err(|error| told(url, &error))?;
    if !response.status().is_success() {
        // Redirects are not followed, because they may lead to where the guard does not look.
        return Err(format!("the answer there is {}", response.status()));
    }
    let media_type = response.media_type();
    let bytes = response.bytes_up_to(max_bytes as u64).await.map_err(|error| error.to_string())?;
    Ok(Fetched { bytes: bytes.into(), media_type })
}

/// What the stranger is told: not what names resolve to here, nor who listens, which is ours alone.
fn told(mut url: Url, error: &Error) -> String {
    if !matches!(error, Error::Address(_) | Error::Connect { .. }) {
        return error.to_string();
    }
    // Queries and passwords are secrets of the caller; an address without a host has no password.
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    tracing::info!(%url, "the analyst cannot fetch an address: {error}");
    "that address cannot be fetched from here".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_on_this_machine_is_not_fetched() {
        let http = Http::guarded().expect("trust roots");
        for url in
            ["http://127.0.0.1:1/x", "http://localhost/", "http://[::1]/", "file:///etc", "x"]
        {
            let why = fetch(&http, url, 10).await.err().expect("a refusal");
            let fixed = ["that address cannot be fetched from here", "that is no address"];
            assert!(fixed.contains(&&*why), "{url}: {why}");
        }
    }
}
