//! Protocol versions and the rule by which a request's version is found (Spec 3.6).

use std::borrow::Cow;

use legation_model::{A2aError, ErrorKind};

use crate::percent;

/// The header, and the query parameter, that states a request's version.
pub const VERSION: &str = "A2A-Version";

/// A protocol version that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// A2A 1.0.
    V1_0,
    /// A2A 0.3.
    V0_3,
    /// A2A 0.2, whose wire shapes are those of 0.3.
    V0_2,
    /// The surface of 2025's first drafts, which had no number on the wire.
    V0_1,
}

/// What a request without a version means where only 1.0 has its method or path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingVersion {
    /// 0.3, as the protocol has it (Spec 3.6.2), where there is no such method.
    #[default]
    Strict,
    /// 1.0. A deviation from Spec 3.6.2 for callers that do not send the header.
    Infer,
}

impl Version {
    /// Every version that is served, newest first.
    pub const SERVED: [Self; 4] = [Self::V1_0, Self::V0_3, Self::V0_2, Self::V0_1];

    /// The version as `Major.Minor`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V0_3 => "0.3",
            Self::V0_2 => "0.2",
            Self::V0_1 => "0.1",
        }
    }

    /// The version that a header or a parameter states; none when it is absent or empty.
    ///
    /// # Errors
    /// `VersionNotSupported` when that version is not served, with words on what to send.
    pub fn stated(text: Option<&str>) -> Result<Option<Self>, A2aError> {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        text.map(|text| Self::parse(text).ok_or_else(|| not_served(text))).transpose()
    }

    /// Reads `Major.Minor`. A patch number must not be considered (Spec 3.6), so it is not.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.');
        let wanted = (numbers.next()?, numbers.next()?);
        let patch_is_number = numbers.next().is_none_or(|patch| patch.parse::<u32>().is_ok());
        let served =
            Self::SERVED.iter().find(|served| served.name().split_once('.') == Some(wanted));
        served.copied().filter(|_| patch_is_number && numbers.next().is_none())
    }
}

/// The version that a query states (Spec 3.6.1); a header has precedence.
pub fn stated_in(query: &str) -> Option<Cow<'_, str>> {
    let mut pairs = percent::pairs(query).flatten();
    pairs.find(|(name, _)| name.eq_ignore_ascii_case(VERSION)).map(|(_, value)| value)
}

fn not_served(stated: &str) -> A2aError {
    // The value is the caller's and may be of any length.
    let stated: String = stated.chars().take(40).collect();
    let served = names();
    refusal(format!(
        "A2A version `{stated}` is not served here; send `{VERSION}` with one of {served}"
    ))
}

/// The refusal of a method or path that only 1.0 has, in a request that states no version.
pub(crate) fn not_stated() -> A2aError {
    refusal(format!(
        "a request without `{VERSION}` is an A2A 0.3 request, and 0.3 has no such method; \
         send the header `{VERSION}: 1.0`"
    ))
}

fn refusal(message: String) -> A2aError {
    A2aError::new(ErrorKind::VersionNotSupported, message).with("supportedVersions", names())
}

fn names() -> String {
    Version::SERVED.map(Version::name).join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_and_minor_decide() {
        let cases = [
            (Some("1.0"), Ok(Some(Version::V1_0))),
            (Some(" 1.0 "), Ok(Some(Version::V1_0))),
            (Some("1.0.7"), Ok(Some(Version::V1_0))),
            (Some("0.3"), Ok(Some(Version::V0_3))),
            (Some("0.3.0"), Ok(Some(Version::V0_3))),
            (Some("0.2.6"), Ok(Some(Version::V0_2))),
            (Some("0.1"), Ok(Some(Version::V0_1))),
            (Some("1.0.x"), Err(())),
            (Some("1.0.0.0"), Err(())),
            (Some("1"), Err(())),
            (Some("1.1"), Err(())),
            (Some("10.0"), Err(())),
            (Some("9.9"), Err(())),
            (Some("ключ"), Err(())),
            (Some(""), Ok(None)),
            (None, Ok(None)),
        ];
        for (stated, expected) in cases {
            let got = Version::stated(stated).map_err(|error| {
                assert_eq!(error.kind, ErrorKind::VersionNotSupported);
                assert!(error.message.ends_with("1.0,0.3,0.2,0.1"), "{}", error.message);
            });
            assert_eq!(got, expected, "{stated:?}");
        }
    }
}
