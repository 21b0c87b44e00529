//! Points in time as the protocol writes them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::rules;

/// A moment in UTC with millisecond precision, written as RFC 3339 with `Z` (Spec 5.6.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970; `None` outside the years -9999 to 9999.
    pub fn from_millis(millis: i64) -> Option<Self> {
        jiff::Timestamp::from_millisecond(millis).ok().map(|_| Self(millis))
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The present by the system's clock.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// Reads RFC 3339; finer digits than milliseconds are cut off.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|moment| Self(moment.as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{moment:.3}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const OTHERWISE: &str = "expected a time such as 2026-01-02T03:04:05.678Z";
        rules::parsed(deserializer, |text| Self::parse(text).ok_or(OTHERWISE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_three_digits() {
        let cases = [
            ("2026-01-02T03:04:05Z", Some("2026-01-02T03:04:05.000Z")),
            ("2026-01-02T03:04:05.678999Z", Some("2026-01-02T03:04:05.678Z")),
            ("2026-01-02T03:04:05+02:00", Some("2026-01-02T01:04:05.000Z")),
            ("2026-01-02", None),
            ("yesterday", None),
        ];
        for (text, expected) in cases {
            let got = Timestamp::parse(text).map(|moment| moment.to_string());
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }
}
