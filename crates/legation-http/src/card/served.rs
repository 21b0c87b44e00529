//! A card as it is served, with what caches need (Spec 8.6).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

use crate::answer::{Answer, JSON, answer};
use crate::body::Body;

/// How long a card may be taken for current without asking (Spec 8.6.1).
pub(super) const PUBLIC: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The same for a card that is not for everybody: nothing that others share keeps it.
pub(super) const NOT_PUBLIC: HeaderValue = HeaderValue::from_static("private, max-age=300");

/// How a card for one caller may be kept.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// A document as it is served.
#[derive(Debug)]
pub(super) struct Served {
    json: Bytes,
    etag: HeaderValue,
}

/// When the documents became what they are.
#[derive(Debug)]
pub(super) struct Modified {
    at: Timestamp,
    header: HeaderValue,
}

impl Modified {
    pub(super) fn now() -> Self {
        // HTTP's times have whole seconds.
        let at = Timestamp::from_second(Timestamp::now().as_second())
            .expect("the present is within range");
        let date = DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&at)
            .expect("the present has a year of four digits");
        Self { at, header: HeaderValue::from_str(&date).expect("a date is printable") }
    }
}

impl Served {
    pub(super) fn new(json: impl Into<Bytes>) -> Self {
        let json = json.into();
        let hash = digest::digest(&digest::SHA256, &json);
        let etag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]));
        Self { json, etag: HeaderValue::from_str(&etag).expect("base64 is printable") }
    }

    /// The response to a GET or HEAD with these headers.
    pub(super) fn respond(
        &self,
        modified: &Modified,
        cache: HeaderValue,
        headers: &HeaderMap,
    ) -> Answer {
        let mut response = self.unless(self.is_known(modified, headers), JSON, cache);
        response.headers_mut().insert(LAST_MODIFIED, modified.header.clone());
        response
    }

    /// The response to a GET with these headers by the one whom the document is for. It may be kept
    /// by that one alone, and is asked for again each time: what a caller may do changes. So the
    /// date tells nothing, which is the same for all that it was ever told.
    pub(super) fn respond_private(
        &self,
        media: HeaderValue,
        vary: &HeaderValue,
        headers: &HeaderMap,
    ) -> Answer {
        let mut response = self.unless(self.is_tagged(headers) == Some(true), media, PRIVATE);
        response.headers_mut().insert(VARY, vary.clone());
        response
    }

    /// The document, unless the asker has it already.
    fn unless(&self, is_known: bool, media: HeaderValue, cache: HeaderValue) -> Answer {
        let mut response = if is_known {
            let mut response = Answer::new(Body::full(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            answer(StatusCode::OK, media, Body::full(self.json.clone()))
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, cache);
        headers.insert(ETAG, self.etag.clone());
        response
    }

    /// Whether the asker has this document already. Its tag says so if it sends one, else the
    /// date (RFC 9110 13.2.2).
    fn is_known(&self, modified: &Modified, headers: &HeaderMap) -> bool {
        if let Some(is_tagged) = self.is_tagged(headers) {
            return is_tagged;
        }
        let since = headers.get(IF_MODIFIED_SINCE).and_then(|date| date.to_str().ok());
        let since = since.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
        since.is_some_and(|since| modified.at <= since)
    }

    /// Whether the asker names the tag of this document, if it names any.
    fn is_tagged(&self, headers: &HeaderMap) -> Option<bool> {
        let mut tags = headers.get_all(IF_NONE_MATCH).iter().peekable();
        tags.peek()?;
        let tags = tags.filter_map(|tags| tags.to_str().ok()).flat_map(|tags| tags.split(','));
        let ours = self.etag.to_str().unwrap_or_default();
        let mut tags = tags.map(|tag| tag.trim().trim_start_matches("W/"));
        Some(tags.any(|tag| tag == "*" || tag == ours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_card_is_told_so() {
        let (served, modified) = (Served::new("{}"), Modified::now());
        let etag = served.etag.to_str().expect("printable").to_owned();
        let date = modified.header.to_str().expect("printable").to_owned();
        let cases = [
            (IF_NONE_MATCH, etag.clone(), 304),
            (IF_NONE_MATCH, format!("\"x\", W/{etag}"), 304),
            (IF_NONE_MATCH, "*".into(), 304),
            (IF_NONE_MATCH, "\"x\"".into(), 200),
            (IF_MODIFIED_SINCE, date, 304),
            (IF_MODIFIED_SINCE, "Thu, 01 Jan 1970 00:00:00 GMT".into(), 200),
            (IF_MODIFIED_SINCE, "yesterday".into(), 200),
        ];
        for (name, value, status) in cases {
            let value = HeaderValue::from_str(&value).expect("printable");
            let headers = HeaderMap::from_iter([(name.clone(), value.clone())]);
            let response = served.respond(&modified, PUBLIC, &headers);
            assert_eq!(response.status(), status, "{name}: {value:?}");
            assert!(response.headers().contains_key(ETAG));
        }
    }
}
