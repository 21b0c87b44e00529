//! Cards that were read before, for as long as their servers allow (RFC 9111).

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use parking_lot::Mutex;
use url::Url;

/// Cards that are kept at most; the one that was read first makes room.
const MOST: usize = 32;

/// Cards that were read before, in memory. One that is still fresh is not asked for again, and an older
/// one only for whether it has changed. A card counts for the address and the headers that it was asked for
/// with, credentials among them, because what is on it may depend on both.
#[derive(Clone, Default)]
pub struct CardCache(Arc<Mutex<VecDeque<Kept>>>);

impl fmt::Debug for CardCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardCache(..)")
    }
}

/// What was asked for, and with what headers.
type Asked = (Url, HeaderMap);

/// A card that was read before.
#[derive(Clone)]
pub(super) struct Kept {
    asked: Asked,
    /// Where it counts as found.
    pub(super) url: Url,
    pub(super) body: Bytes,
    fresh_until: Instant,
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

impl Kept {
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }

    /// Makes a request one that is answered with the card only when it has changed.
    pub(super) fn ask_for_change(&self, headers: &mut HeaderMap) {
        let conditions =
            [(header::IF_NONE_MATCH, &self.etag), (header::IF_MODIFIED_SINCE, &self.modified)];
        for (name, value) in conditions {
            headers.extend(value.clone().map(|value| (name, value)));
        }
    }
}

impl CardCache {
    pub(super) fn find(&self, asked: &Asked) -> Option<Kept> {
        self.0.lock().iter().find(|kept| kept.asked == *asked).cloned()
    }

    /// Keeps a card by what its answer says of that, or an answer that it has not changed.
    pub(super) fn keep(
        &self,
        asked: Asked,
        (url, body): (Url, Bytes),
        headers: &HeaderMap,
        before: Option<&Kept>,
    ) {
        let mut cards = self.0.lock();
        cards.retain(|kept| kept.asked != asked);
        let Some(fresh) = freshness(headers) else { return };
        let header =
            |name: HeaderName, before: Option<&HeaderValue>| headers.get(name).or(before).cloned();
        let etag = header(header::ETAG, before.and_then(|kept| kept.etag.as_ref()));
        let modified = before.and_then(|kept| kept.modified.as_ref());
        let modified = header(header::LAST_MODIFIED, modified);
        if fresh.is_zero() && etag.is_none() && modified.is_none() {
            return;
        }
        if cards.len() == MOST {
            cards.pop_front();
        }
        let fresh_until = Instant::now() + fresh;
        cards.push_back(Kept { asked, url, body, fresh_until, etag, modified });
    }
}

/// For how long an answer is good without asking; `None` when it must not be kept at all.
fn freshness(headers: &HeaderMap) -> Option<Duration> {
    /// Longer is no promise that anybody keeps.
    const LONGEST: u64 = 24 * 3_600;
    let lines = headers.get_all(header::CACHE_CONTROL).iter();
    let words: Vec<String> = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|word| word.trim().to_ascii_lowercase())
        .collect();
    let says = |wanted: &str| words.iter().any(|word| word == wanted);
    if says("no-store") {
        return None;
    }
    let age = headers.get(header::AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok());
    let most = words.iter().find_map(|word| word.strip_prefix("max-age=")?.parse::<u64>().ok());
    let fresh = most.filter(|_| !says("no-cache")).unwrap_or_default().min(LONGEST);
    Some(Duration::from_secs(fresh.saturating_sub(age.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_good_for_as_long_as_its_server_says() {
        let cases = [
            ("", "", Some(0)),
            ("max-age=60", "", Some(60)),
            ("public, Max-Age=60", "20", Some(40)),
            ("max-age=60", "90", Some(0)),
            ("max-age=60, no-cache", "", Some(0)),
            ("max-age=60, no-store", "", None),
            ("max-age=99999999", "", Some(86_400)),
            ("max-age=soon", "", Some(0)),
        ];
        for (control, age, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, control.parse().expect("a value"));
            headers.insert(header::AGE, age.parse().expect("a value"));
            assert_eq!(freshness(&headers).map(|fresh| fresh.as_secs()), expected, "{control}");
        }
    }
}
