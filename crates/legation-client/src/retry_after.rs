//! How long an agent asks to be left alone.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The longest wait that is believed: more is a mistake, or comes to the same as giving up.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// What `Retry-After` says (RFC 9110 10.2.3): seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    read(text, Timestamp::now())
}

fn read(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = DateTimeParser::new().parse_timestamp(text).ok()?;
            Duration::try_from(at.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_seconds_or_a_date() {
        let now = "2026-11-21T12:00:00Z".parse().expect("a time");
        let cases = [
            ("3", Some(3)),
            ("Sat, 21 Nov 2026 12:00:07 GMT", Some(7)),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Some(0)),
            ("99999999999", Some(LONGEST.as_secs())),
            ("-1", None),
            ("soon", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text, now).map(|wait| wait.as_secs()), expected, "{text}");
        }
    }
}
