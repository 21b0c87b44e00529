//! What was found out about secrets, for a while. Secrets themselves are not kept.

use std::collections::HashMap;
use std::fmt;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::token::Digest;

/// A bounded number of findings, each with its end.
pub(crate) struct Cache<V> {
    bound: usize,
    found: Mutex<HashMap<Digest, (V, Instant)>>,
}

/// Neither secrets nor callers show themselves.
impl<V> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("bound", &self.bound).finish_non_exhaustive()
    }
}

impl<V: Clone> Cache<V> {
    pub(crate) fn new(bound: usize) -> Self {
        Self { bound: bound.max(1), found: Mutex::default() }
    }

    pub(crate) fn get(&self, secret: &Digest, now: Instant) -> Option<V> {
        let found = self.found.lock();
        found.get(secret).filter(|(_, end)| now < *end).map(|(value, _)| value.clone())
    }

    /// Keeps a finding. When there are too many, those that are over go, and else any.
    pub(crate) fn put(&self, secret: Digest, value: V, end: Instant, now: Instant) {
        let mut found = self.found.lock();
        if found.len() >= self.bound && !found.contains_key(&secret) {
            found.retain(|_, (_, end)| now < *end);
            if found.len() >= self.bound
                && let Some(any) = found.keys().next().copied()
            {
                found.remove(&any);
            }
        }
        found.insert(secret, (value, end));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::token::digest_of;

    #[test]
    fn findings_end_and_are_bounded() {
        let (cache, now) = (Cache::new(2), Instant::now());
        let end = now + Duration::from_secs(60);
        for (number, secret) in ["a", "b", "c"].into_iter().enumerate() {
            cache.put(digest_of(secret), number, end, now);
        }
        assert_eq!(cache.found.lock().len(), 2);
        assert_eq!(cache.get(&digest_of("c"), now), Some(2));
        assert_eq!(cache.get(&digest_of("c"), end), None);
    }
}
